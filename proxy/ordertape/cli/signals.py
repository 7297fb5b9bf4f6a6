"""How a command that has something to clear away is ended from outside."""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

__all__ = ["unwinding"]

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def unwinding(numbers: Sequence[signal.Signals] = _SIGNALS) -> Iterator[None]:
    """Let SIGTERM and SIGHUP leave every block on the way out, and Ctrl-C too, at once.

    asyncio would take Ctrl-C for itself and wait for the end of whatever runs without a pause.
    """
    before = {number: signal.signal(number, _leave) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)
