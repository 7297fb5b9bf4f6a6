"""Where exchanges are kept: what the gateway asks of a store, whatever the engine."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from ordertape.model import Exchange, Outcome
from ordertape.quota import Quota, Reservation


@dataclass(frozen=True, slots=True)
class Health:
    """Whether new orders can be recorded now; `reason` is the sentence when they cannot."""

    ok: bool
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Pause:
    """An emergency stop: no new orders for `account` ("*" for all). `at` in microseconds UTC."""

    account: str
    reason: str
    operator: str
    at: int


@dataclass(frozen=True, slots=True)
class Intent:
    """An exchange that is on disk: the handle to settle it by, and what its order reserved."""

    handle: int
    reservation: Reservation | None = None


class Store(Protocol):
    """Durable when a coroutine returns; a failure to record raises UnavailableError."""

    async def refuse(self, exchange: Exchange, outcome: Outcome) -> None:
        """Record a refused request in one write.

        One whose `open` ran out of time just now is not waited for: it ends as FAILED, never sent,
        if its intent lands late, and else the refusal is queued.
        """

    async def open(self, exchange: Exchange, quotas: Sequence[Quota] = ()) -> Intent:
        """Record the intent, PENDING, and count its cost against every quota, in one step.

        One of origin `recorded` is not sent, and counts for nothing. Errors: OverQuotaError where a
        quota has no room for another; it is then recorded as refused, and counts for nothing.
        """

    async def settle(self, handle: int, exchange_id: str, outcome: Outcome) -> None:
        """Record how it ended.

        Errors: UnavailableError only if neither the store nor the emergency file took it.
        """

    async def record(self, exchange: Exchange, outcome: Outcome) -> None:
        """Queue intent and outcome of a safe request as one write.

        Returns when there is room in the bounded queue, not when it is durable; in strict
        durability when it is. Waits in bounded time and never raises: a store that fails or hangs
        counts the loss.
        """

    def delivered(self, handle: int, exchange_id: str, delivered: bool) -> None:  # noqa: FBT001
        """Note, without waiting, whether the client was given the whole answer."""

    async def pause(self, pause: Pause) -> None:
        """Stop new orders; an event; in force at once, and across restarts on return."""

    async def resume(self, account: str, reason: str, operator: str, at: int) -> bool:
        """Lift the stop of this account ("*": the general one); False where there was none.

        Errors: UnavailableError; the stop is in force until its end is durable.
        """

    def paused(self, account: str | None) -> Pause | None:
        """The stop that concerns this account, from memory; None where there is none."""

    def health(self) -> Health:
        """Whether orders can be recorded now, from memory."""

    async def close(self) -> None:
        """Write what is queued and let go of the file."""
