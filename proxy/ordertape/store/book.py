"""What the ledger has read of an account and is about to write: its counters, bursts and limits.

Moments are microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from operator import add
from typing import Any, NamedTuple

from ordertape.quota import Boost, Unit
from ordertape.quota.window import FOREVER, SECOND

__all__ = ["Amount", "Book", "Counter"]

_UNITS = {unit.value: unit for unit in Unit}


class Amount(NamedTuple):
    """What comes to count: telephone numbers and orders, and how many of those are held."""

    used: int = 0
    held: int = 0
    orders: int = 0
    held_orders: int = 0

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(*map(add, self, other))


@dataclass(slots=True)
class Counter:
    """A row of `quota`, as it will be; `changed` in more than by what was counted."""

    policy: str
    unit: Unit
    win: str
    starts: int
    ends: int
    used: int
    held: int
    at: int
    warned: bool
    changed: bool = False

    @property
    def settled(self) -> int:
        """The part of `used` that no outcome can take back."""
        return self.used - self.held

    def holds(self, at: int) -> bool:
        """Whether this moment lies in its window."""
        return self.starts <= at < self.ends

    def reach(self, moment: int) -> None:
        """Let a rolling window begin early enough for what comes to count again at this moment.

        `starts` is where the first that counts is: before it is nothing, but for what has left.
        """
        if self.ends == FOREVER and moment < self.starts:
            length = int(self.win.rpartition(" ")[2]) * SECOND
            if moment > self.at - length:
                self.starts, self.changed = moment, True

    def row(self) -> Sequence[str | int]:
        """All columns but the account's, in the order of the table."""
        named = (self.ends, self.policy, self.unit.value, self.win)
        return (*named, self.starts, self.used, self.held, self.at, int(self.warned))

    def count(self, amount: Amount) -> None:
        """Add to it, in its own unit."""
        by_number = self.unit is Unit.NUMBERS
        self.used += amount.used if by_number else amount.orders
        self.held += amount.held if by_number else amount.held_orders


@dataclass(slots=True)
class Book:
    """What the transaction has read of one account, and what it will write.

    `at` is the account's moment, which never goes back. `since`: counters that end later have been
    read. `counts`: what came to count, or no longer does, by its moment. `unwritten`: the moments
    of all that is not in the tables yet. `moved`: bursts of which a clock that was set back has
    changed what is booked.
    """

    account: str
    at: int
    since: int = FOREVER
    counters: list[Counter] = field(default_factory=list)
    bursts: dict[str, int] = field(default_factory=dict)
    moved: dict[str, int] = field(default_factory=dict)
    booked: dict[str, int] = field(default_factory=dict)
    limits: dict[str, int | None] = field(default_factory=dict)
    boosts: dict[str, list[Boost]] = field(default_factory=dict)
    counts: dict[int, Amount] = field(default_factory=dict)
    unwritten: list[int] = field(default_factory=list)

    def count(self, moment: int, amount: Amount) -> None:
        """Count it in every window that this moment lies in."""
        self.unwritten.append(moment)
        self.counts[moment] = self.counts.get(moment, Amount()).plus(amount)
        for counter in self.counters:
            if counter.holds(moment):
                counter.count(amount)

    def take(self, kind: str, policy: str, value: Any, moment: int) -> None:  # noqa: ANN401 - of any table
        """Take in a row of `burst`, `quota_limit` or `quota_boost`."""
        if kind == "burst":
            # A clock that was set back moves what is booked with it, or the bucket would stay as
            # full as it was until the clock has caught up.
            back = max(0, moment - self.at)
            self.bursts[policy] = value - back
            if back:
                self.moved[policy] = value - back
        elif kind == "limit":
            self.limits[policy] = value
        else:
            self.boosts.setdefault(policy, []).append(Boost(value, moment))

    def learn(self, rows: Iterable[Sequence[Any]], since: int) -> None:
        """Take in rows of `quota`, all that end later than this moment, but for those it knows."""
        if since < self.since:
            self.counters += [
                Counter(policy, _UNITS[unit], win, starts, ends, used, held, at, bool(warned))
                for policy, ends, unit, win, starts, used, held, at, warned in rows
                if ends <= self.since
            ]
            self.since = since

    def written(self) -> Sequence[Counter]:
        """The counters that have to be written as they are; none where `counts` says it all."""
        if not any(counter.changed for counter in self.counters):
            return ()
        return [
            counter
            for counter in self.counters
            if counter.changed or any(counter.holds(moment) for moment in self.counts)
        ]
