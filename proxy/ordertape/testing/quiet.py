"""Where the log goes while a gateway runs inside somebody's tests: not onto their output."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

import structlog

__all__ = ["quieten"]

_MISSES = "ordertape.replay"
"""The logger of misses: a test is told of those by itself."""


class _Aside:
    """Makes the loggers of the gateway those of `logging`, and leaves all others as they were.

    What structlog prints would become part of what a test captures.
    """

    def __init__(self, before: Callable[..., Any]) -> None:
        self._before = before

    def __call__(self, *names: Any) -> Any:  # noqa: ANN401 - structlog's signature
        """The logger that structlog wraps."""
        if names and str(names[0]).startswith("ordertape."):
            return logging.getLogger(names[0])
        return self._before(*names)


def quieten() -> None:
    """Send the gateway's log to `logging`, where pytest shows warnings and errors of it."""
    logging.getLogger(_MISSES).setLevel(logging.ERROR)
    before = structlog.get_config()["logger_factory"]
    if not isinstance(before, _Aside):
        structlog.configure(logger_factory=_Aside(before))
