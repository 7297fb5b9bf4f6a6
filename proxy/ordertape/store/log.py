"""The store's own log lines.

A log that cannot be written, perhaps for want of room on the same disk, must not stop the thread
that keeps the outcomes of orders.
"""

from __future__ import annotations

from contextlib import suppress

import structlog

__all__ = ["tell"]

_log = structlog.get_logger("ordertape.store")


def tell(level: str, event: str, **facts: object) -> None:
    """Log one line at `level`, or lose it."""
    with suppress(OSError, ValueError):  # ValueError: the stream was closed
        getattr(_log, level)(event, **facts)
