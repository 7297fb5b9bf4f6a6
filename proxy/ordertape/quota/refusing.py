"""What a client is told about quotas: the refusal, and the header fields.

Source: draft-ietf-httpapi-ratelimit-headers-11 (structured fields, RFC 9651); quotas, section 3.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Self

from ordertape.errors import NeverFitsError, OverQuotaError, RefusedError
from ordertape.quota.policy import Quota, Unit
from ordertape.quota.standing import Standing
from ordertape.quota.window import SECOND, Burst, Calendar, Period, Rolling

__all__ = ["Reservation", "headers", "refusal", "said", "unpriced", "warnings"]

_NAMED = {Unit.NUMBERS: "telephone numbers", Unit.ORDERS: "orders"}
_EXACT = {Period.HOUR: 3600, Period.DAY: 86_400, Period.WEEK: 604_800}
"""Seconds of a calendar window, near enough to be told; a month's are too far apart."""


@dataclass(frozen=True, slots=True)
class Reservation:
    """What the quotas of an account made of one order at one moment, in microseconds UTC.

    `assumed`: the order states no Quantity, and counts as many numbers as the service may give.
    `now` is the wall clock's moment: `at` is later where that was set back, and `at` where None.
    """

    account: str
    at: int
    standings: tuple[Standing, ...]
    assumed: bool = False
    now: int | None = None

    @property
    def clock(self) -> int:
        """The moment that whoever is told to wait waits from."""
        return self.at if self.now is None else self.now

    @property
    def admitted(self) -> bool:
        """Whether all of them admit the order; if not, nothing is counted."""
        return not any(standing.refuses for standing in self.standings)

    def settled(self, numbers: int | None) -> Self:
        """As it is once the order counts for so many telephone numbers, or None, for nothing.

        What a burst has counted it keeps.
        """
        counts = {Unit.NUMBERS: numbers or 0, Unit.ORDERS: 0 if numbers is None else 1}
        standings = tuple(
            one
            if isinstance(one.quota.window, Burst)
            else replace(one, asked=counts[one.quota.unit])
            for one in self.standings
        )
        return replace(self, standings=standings)


def refusal(reservation: Reservation) -> RefusedError | None:
    """What the client is answered where a quota refuses; None where none does."""
    refusing = [standing for standing in reservation.standings if standing.refuses]
    if not refusing:
        return None
    never = [standing for standing in refusing if standing.never_fits]
    sentences = tuple(said(reservation, standing) for standing in never or refusing)
    if never:  # of the others it would say when to come again, and it need not
        return NeverFitsError(sentences)
    error = OverQuotaError(sentences)
    error.retry_after = max(_seconds(one.fits_at, reservation.clock) for one in refusing)
    error.headers = headers(reservation, refusing)
    return error


def unpriced(account: str, quota: Quota) -> NeverFitsError:
    """What is answered to an order of which nobody knows what it costs."""
    sentence = (
        f"The quota {quota.name} limits account {account}, and what a version 2 order costs is "
        "not known; send a version 1 order, or have `v2_orders` set to pass them."
    )
    return NeverFitsError((sentence,))


def headers(
    reservation: Reservation, limits: Sequence[Standing]
) -> tuple[tuple[bytes, bytes], ...]:
    """RateLimit-Policy for every quota that refuses orders, and RateLimit for some of them."""
    policies = [_policy(one.quota) for one in reservation.standings if one.quota.refuses_some]
    states = [_state(reservation, one) for one in limits if one.quota.refuses_some]
    fields = (("RateLimit-Policy", policies), ("RateLimit", states))
    return tuple((name.encode(), ", ".join(items).encode()) for name, items in fields if items)


def _policy(quota: Quota) -> str:
    window = quota.window
    seconds = None
    if isinstance(window, Calendar):
        seconds = _EXACT.get(window.period)
    elif isinstance(window, Rolling):
        seconds = window.seconds
    else:
        seconds = max(1, round((quota.limit or 0) / window.per_second))
    window_said = "" if seconds is None else f";w={_integer(seconds)}"
    return f"{_string(quota.name)};q={_integer(quota.limit or 0)}{window_said}"


def _state(reservation: Reservation, standing: Standing) -> str:
    left = standing.remaining
    if reservation.admitted:
        left = max(0, left - standing.asked)
    until = _seconds(standing.more_at, reservation.clock)
    return f"{_string(standing.quota.name)};r={_integer(left)};t={_integer(until)}"


def _string(text: str) -> str:
    """As a String of RFC 9651, section 3.3.3, which holds printable ASCII only."""
    printable = text.encode("ascii", "replace").decode()
    escaped = "".join(f"\\{one}" if one in '"\\' else one for one in printable)
    return f'"{"".join(one if " " <= one <= "~" else "?" for one in escaped)}"'


def _integer(number: int) -> int:
    """As an Integer of RFC 9651, section 3.3.1, which has fifteen digits at most."""
    return min(number, 10**15 - 1)


def _seconds(until: int, now: int) -> int:
    """Whole seconds, rounded up: who waits for them is not early."""
    return max(1, -(-(until - now) // SECOND))


def said(reservation: Reservation, standing: Standing) -> str:
    """The sentence for an order that this quota has no room for."""
    quota = standing.quota
    unit = _NAMED[quota.unit]
    allows = f"The quota {quota.name} allows account {reservation.account} {quota.limit} {unit}"
    asks = f"this order asks for {standing.asked}"
    if reservation.assumed and quota.unit is Unit.NUMBERS:
        asks += " (it states no Quantity)"
    if quota.limit == 0:
        return f"{allows}, and {asks}; ask whoever runs the gateway for more."
    if standing.never_fits:
        return f"{allows} {_per(quota)}, and {asks}; ask for at most {standing.lasting}."
    counted = f"{standing.used} are used ({standing.held} of them held)"
    when = datetime.fromtimestamp(-(-standing.fits_at // SECOND), UTC).isoformat()
    retry = f"send it again after {when.replace('+00:00', 'Z')}"
    if standing.remaining and quota.unit is Unit.NUMBERS:
        retry += f", or ask for at most {standing.remaining}"
    return f"{allows} {_per(quota)}, of which {counted}, and {asks}; {retry}."


def _per(quota: Quota) -> str:
    window = quota.window
    match window:
        case Calendar():
            article = "an" if window.period is Period.HOUR else "a"
            return f"{article} {window.period} ({window.zone})"
        case Rolling():
            return f"in any {window.seconds} seconds"
        case Burst():
            return f"at once and {window.per_second:g} a second"


def warnings(reservation: Reservation) -> Sequence[Standing]:
    """The standings that the log warns of: near the limit, or past one that does not refuse."""
    return [one for one in reservation.standings if one.warns or not one.fits]
