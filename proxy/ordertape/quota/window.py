"""Windows of time that quotas count in, as half-open intervals of microseconds since 1970 UTC."""

from __future__ import annotations

import enum
import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo

__all__ = ["FOREVER", "SECOND", "Burst", "Calendar", "Extent", "Period", "Rolling", "Window"]

SECOND = 1_000_000
"""Microseconds."""

FOREVER = 2**63 - 1
"""The end of a window that has none."""

_HOUR = 3600


class Extent(NamedTuple):
    """A window's first moment, and the first one after it."""

    starts: int
    ends: int


class Period(enum.StrEnum):
    """What a calendar window is long."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"


@dataclass(frozen=True, slots=True)
class Calendar:
    """Hours, days, weeks (from Monday) or months of a time zone's calendar.

    A day may have 23 or 25 hours where clocks change.
    """

    period: Period
    zone: str = "UTC"

    def __str__(self) -> str:
        return f"{self.period} {self.zone}"

    def extent(self, at: int) -> Extent:
        """The window that this moment lies in."""
        zone = ZoneInfo(self.zone)
        if self.period is Period.HOUR:
            return _hour(at // SECOND, zone)
        first, following = _DATES[self.period]
        begins = first(datetime.fromtimestamp(at // SECOND, zone).date())
        ends = _midnight(following(begins), zone)
        while at >= ends:  # the clocks went back over midnight: this hour is there twice
            begins = following(begins)
            ends = _midnight(following(begins), zone)
        return Extent(_midnight(begins, zone), ends)


@dataclass(frozen=True, slots=True)
class Rolling:
    """The last so many seconds, whenever they are asked about."""

    seconds: int

    def __str__(self) -> str:
        return f"rolling {self.seconds}"

    def extent(self, at: int) -> Extent:
        """What counts at this moment: what came no longer ago than the window is long."""
        return Extent(at - self.seconds * SECOND + 1, FOREVER)


@dataclass(frozen=True, slots=True)
class Burst:
    """A bucket that holds as many orders as the quota's limit, and gains some every second.

    It is the generic cell rate algorithm (ATM Forum TM 4.1, section 4.4.2): the ledger keeps the
    moment up to which the rate is booked, and orders may run ahead of the rate by a full bucket.
    """

    per_second: float

    def __str__(self) -> str:
        return f"burst {self.per_second:g}"

    @property
    def interval(self) -> int:
        """Microseconds in which one order's place comes free, rounded up: never too fast."""
        return _interval(self.per_second)

    def booked(self, booked: int, size: int, at: int) -> int:
        """`booked` with one order more.

        What is booked beyond a full bucket, as one that was larger may have, is forgotten.
        """
        return min(max(booked, at), at + size * self.interval) + self.interval

    def taken(self, booked: int, size: int, at: int) -> int:
        """How many places of the bucket are taken at this moment."""
        ahead = min(max(0, booked - at), size * self.interval)
        return -(-ahead // self.interval)

    def frees(self, booked: int, size: int, at: int) -> int:
        """The moment from which there is place for one order."""
        return self.booked(booked, size, at) - size * self.interval


Window = Calendar | Rolling | Burst


@functools.lru_cache
def _interval(per_second: float) -> int:
    return max(1, math.ceil(SECOND / per_second))


def _hour(at: int, zone: ZoneInfo) -> Extent:
    """The hour by the offset in force, in seconds: of one that comes twice each is a window.

    Where clocks change by a part of an hour (Lord Howe), the hours beside the change are shorter.
    """
    phase = _phase(at, zone)
    starts = at - (at + phase) % _HOUR
    ends = starts + _HOUR
    if _phase(starts, zone) != phase:
        starts = _first(starts, at, lambda moment: _phase(moment, zone) == phase)
    if _phase(ends - 1, zone) != phase:
        ends = _first(at, ends - 1, lambda moment: _phase(moment, zone) != phase)
    return Extent(starts * SECOND, ends * SECOND)


def _phase(at: int, zone: ZoneInfo) -> int:
    """How many seconds the zone's hours begin before those of UTC."""
    offset = datetime.fromtimestamp(at, zone).utcoffset() or timedelta()
    return int(offset.total_seconds()) % _HOUR


def _midnight(day: date, zone: ZoneInfo) -> int:
    """The first moment of a day, also where clocks go forward over midnight."""
    wanted = datetime(day.year, day.month, day.day, tzinfo=zone)
    starts = int(wanted.timestamp())
    if datetime.fromtimestamp(starts, zone).replace(tzinfo=None) != wanted.replace(tzinfo=None):
        before = int(wanted.replace(fold=1).timestamp())
        starts = _first(
            before, starts, lambda moment: datetime.fromtimestamp(moment, zone).date() >= day
        )
    return starts * SECOND


def _first(before: int, after: int, holds: Callable[[int], bool]) -> int:
    """The first second for which it holds; it does not yet `before`, and does `after`."""
    while after - before > 1:
        middle = (before + after) // 2
        if holds(middle):
            after = middle
        else:
            before = middle
    return after


def _next_month(first: date) -> date:
    return (first.replace(day=1) + timedelta(days=32)).replace(day=1)


_DATES: Mapping[Period, tuple[Callable[[date], date], Callable[[date], date]]] = {
    Period.DAY: (lambda day: day, lambda day: day + timedelta(days=1)),
    Period.WEEK: (
        lambda day: day - timedelta(days=day.weekday()),
        lambda day: day + timedelta(days=7),
    ),
    Period.MONTH: (lambda day: day.replace(day=1), _next_month),
}
"""For each period its first day, and the first day of the next one."""
