"""Records of safe requests that were dropped: counted, and told of once a failure and at its end.

The requests passed all the same, so the gap must show: in the log, and in the chain of events.
"""

from __future__ import annotations

import threading

from ordertape.store.log import tell
from ordertape.transcript import moment

__all__ = ["Losses"]


class Losses:
    """Counts in any thread. `total` is since the start, `untold` what no event speaks of yet.

    `reason` and `since` (microseconds UTC) are those of the first since all had been told.
    """

    def __init__(self) -> None:
        self.total = 0
        self.reason = ""
        self.since = 0
        self._told = 0
        self._lock = threading.Lock()

    @property
    def untold(self) -> int:
        """How many no event speaks of yet."""
        return self.total - self._told

    def add(self, count: int, reason: str) -> None:
        """So many more were dropped; the first since the last event is logged."""
        with self._lock:
            first = count > 0 and not self.untold
            if first:
                self.reason, self.since = reason, moment()
            self.total += count
        if first:
            tell("warning", "records-lost", reason=reason)

    def told(self, count: int) -> None:
        """An event that is durable speaks of so many."""
        with self._lock:
            self._told += count
        if count:
            tell("warning", "records-lost-counted", lost=count)
