"""How far long work has come, on a terminal."""

from __future__ import annotations

import sys
import time

__all__ = ["Progress"]

_EVERY = 0.2  # seconds
_STEPS = 50  # pieces of work between two looks at the clock


class Progress:
    """One line on stderr that overwrites itself; `clear` takes it away before other output.

    `total` None: nothing is shown.
    """

    def __init__(self, total: int | None, things: str) -> None:
        self._total = total
        self._things = things
        self._done = 0
        self._next = 0.0
        self._standing = False

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._total is None or self._done % _STEPS or time.monotonic() < self._next:
            return
        self._next = time.monotonic() + _EVERY
        sys.stderr.write(f"\r{self._done} of {self._total} {self._things}")
        sys.stderr.flush()
        self._standing = True

    def clear(self) -> None:
        """Take the line away."""
        if self._standing:
            sys.stderr.write("\r\x1b[K")
            sys.stderr.flush()
            self._standing = False
