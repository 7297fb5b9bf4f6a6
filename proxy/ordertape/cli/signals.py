"""How a command that has something to clear away is ended from outside."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

__all__ = ["unwinding"]


@contextmanager
def unwinding() -> Iterator[None]:
    """Let SIGTERM and SIGHUP leave every block on the way out, as Ctrl-C does."""
    before = {number: signal.signal(number, _leave) for number in (signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
