"""What is logged and how: JSON on a pipe, readable on a terminal. Set up once, at the edge."""

from __future__ import annotations

import logging
import sys
from contextlib import suppress
from typing import Any, TextIO, cast

import structlog


class _Unfailing:
    """A stream whose failures stay its own: a full disk or a closed pipe must not fail an order."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> None:
        with suppress(OSError, ValueError):  # ValueError: the stream was closed
            self._stream.write(text)

    def flush(self) -> None:
        with suppress(OSError, ValueError):
            self._stream.flush()


def configure(level: str, stream: TextIO = sys.stderr) -> None:
    """Send everything at `level` and above to `stream`, one line an event."""
    form: Any = structlog.processors.JSONRenderer()
    exceptions: list[Any] = [structlog.processors.format_exc_info]
    if stream.isatty():
        # Not the renderer's own formatter: it shows local variables, and so secrets.
        plain = structlog.dev.plain_traceback
        form, exceptions = structlog.dev.ConsoleRenderer(exception_formatter=plain), []
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *exceptions,
            form,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(getattr(logging, level.upper())),
        logger_factory=structlog.WriteLoggerFactory(cast("TextIO", _Unfailing(stream))),
        cache_logger_on_first_use=True,
    )
