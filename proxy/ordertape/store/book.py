"""What the ledger has read of an account and is about to write: its counters, bursts and limits.

Moments are microseconds since 1970 UTC.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from ordertape.quota import Boost, Unit
from ordertape.quota.window import FOREVER, SECOND

__all__ = ["Amount", "Book", "Counter"]

_UNITS = {unit.value: unit for unit in Unit}


class Amount(NamedTuple):
    """So much of each unit."""

    numbers: int = 0
    orders: int = 0

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(self.numbers + other.numbers, self.orders + other.orders)

    def of(self, unit: Unit) -> int:
        """How much it is of this unit."""
        return self.numbers if unit is Unit.NUMBERS else self.orders


class Change(NamedTuple):
    """How much more counts from a moment on, and how much more of what counts is held."""

    at: int
    used: Amount
    held: Amount


@dataclass(slots=True)
class Counter:
    """A row of `quota`, as it will be; `changed` in more than by what was counted."""

    policy: str
    unit: Unit
    win: str
    starts: int
    ends: int
    used: int
    at: int
    warned: bool
    changed: bool = False

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
        return (*named, self.starts, self.used, self.at, int(self.warned))

    def count(self, amount: Amount) -> None:
        """Add to it, in its own unit."""
        self.used += amount.of(self.unit)


@dataclass(slots=True)
class Book:
    """What the transaction has read of one account, and what it will write.

    `at` is the account's moment, which never goes back. `since`: counters that end later have been
    read. `changes`: what came to count, or no longer does, and `counts` how much of it by moment.
    `asked`: the moment for which a quota has been asked, where that is later than before.
    `unwritten`: the moments at which the tables do not count yet what they will. `moved`: bursts of
    which a clock that was set back has changed what is booked.
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
    changes: list[Change] = field(default_factory=list)
    counts: dict[int, Amount] = field(default_factory=dict)
    asked: int = 0
    unwritten: list[int] = field(default_factory=list)

    def count(self, change: Change) -> None:
        """Count it in every window that its moment lies in."""
        self.changes.append(change)
        moment, amount, _ = change
        if any(amount):
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
                Counter(policy, _UNITS[unit], win, starts, ends, used, at, bool(warned))
                for policy, ends, unit, win, starts, used, at, warned in rows
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
