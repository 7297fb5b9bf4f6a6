"""How far long work has come, on a terminal."""

from __future__ import annotations

import sys
import time

from ordertape.cli.terminal import width

__all__ = ["Progress", "watched"]

_EVERY = 0.2  # seconds
_STEPS = 50  # quick pieces of work between two looks at the clock


def watched(*, as_json: bool) -> bool:
    """Whether someone sees stderr, and sees nothing else there that lines would run into."""
    if sys.stderr is None or not sys.stderr.isatty():
        return False
    return not (as_json and width() is not None)


class Progress:
    """One line on stderr that overwrites itself; `clear` takes it away before other output.

    `total` None: nothing is shown. `quick`: looking at the clock after each would take long.
    """

    def __init__(self, total: int | None, things: str, *, quick: bool = True) -> None:
        self._total = total
        self._things = things
        self._done = 0
        self._steps = _STEPS if quick else 1
        self._next = 0.0
        self._standing = False

    def step(self) -> None:
        """One more is done."""
        self._done += 1
        if self._total is None or self._done % self._steps or time.monotonic() < self._next:
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
