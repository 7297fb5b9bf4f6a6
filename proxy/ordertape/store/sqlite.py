"""The store in SQLite, as the gateway sees it: coroutines in front of one writer thread."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ordertape import __version__
from ordertape.errors import RefusedError, UnavailableError
from ordertape.model import Exchange, Outcome
from ordertape.quota import Quota
from ordertape.store import Health, Intent, Pause
from ordertape.store.batch import Batch
from ordertape.store.group import NotWrittenError, Stamp
from ordertape.store.inbox import Inbox, cannot_record
from ordertape.store.log import tell
from ordertape.store.settings import StoreSettings
from ordertape.store.space import FreeSpace
from ordertape.store.startup import Opened, open_to_write
from ordertape.store.writer import Writer

__all__ = ["SqliteStore", "StoreSettings"]

_HEALTHY = Health(ok=True)


class SqliteStore:
    """The `Store` of `ordertape.store`; made by `start`, used from the loop that made it.

    `recovered` is how many exchanges the start found PENDING.
    """

    def __init__(self, opened: Opened, settings: StoreSettings, stamp: Stamp) -> None:
        self.recovered = opened.recovered
        self._path = opened.path
        self._settings = settings
        self._lock = opened.lock
        self._ballast = opened.ballast
        self._free = FreeSpace(opened.path.parent)
        self._pauses = {pause.account: pause for pause in opened.pauses}
        self._closed = False
        self._writer = Writer(
            opened.path,
            opened.connection,
            settings=settings,
            stamp=stamp,
            emergency=opened.emergency,
            ballast=opened.ballast,
        )
        self._inbox = Inbox(self._writer, opened.emergency, settings)

    def __repr__(self) -> str:
        return f"<SqliteStore {self._path.name}: {self.health().reason or 'ok'} {self.lost} lost>"

    @classmethod
    async def start(cls, path: Path, *, settings: StoreSettings) -> SqliteStore:
        """Open the store at `path`, made where there is none, and recover what was left PENDING.

        Errors: StartUpError, also when another process writes it.
        """
        stamp = Stamp(__version__, str(uuid.uuid4()), settings.clock)
        return cls(await asyncio.to_thread(open_to_write, path, settings, stamp), settings, stamp)

    @property
    def lost(self) -> int:
        """How many records of safe requests a failing store dropped."""
        return self._writer.losses.total

    async def open(self, exchange: Exchange, quotas: Sequence[Quota] = ()) -> Intent:
        """Record the intent, PENDING, and count its cost against every quota, in one step.

        Errors: OverQuotaError where one of them has no room for it; it is then recorded as
        refused, and counts for nothing. UnavailableError.
        """
        planned = await self._written(
            lambda batch: batch.open(exchange, quotas), exchange, exchange.id
        )
        if isinstance(planned, RefusedError):
            raise planned
        intent: Intent = planned
        return intent

    async def refuse(self, exchange: Exchange, outcome: Outcome) -> None:
        """Record a refused request in one write. Errors: UnavailableError.

        A request whose `open` has just run out of time is not waited for again. Where its intent
        may yet land it ends as FAILED by itself; where it was withdrawn the refusal is queued.
        """
        may_land = self._inbox.abandoned.pop(exchange.id, None)
        if may_land is None:
            await self._written(lambda batch: batch.refuse(exchange, outcome), exchange)
        elif not may_land:
            self._inbox.leave(lambda batch: batch.refuse(exchange, outcome), _size(exchange))

    async def settle(self, handle: int, exchange_id: str, outcome: Outcome) -> None:
        """Record how it ended, in the store or, past the deadline, in the emergency file.

        It is written even if the caller is cancelled. Errors: UnavailableError when neither took
        it; IllegalTransitionError, nothing changed, when the exchange cannot end so.
        """
        await self._inbox.settle(handle, exchange_id, outcome)

    async def record(self, exchange: Exchange, outcome: Outcome) -> None:
        """Queue a safe request with its outcome; wait for room, in strict durability for disk.

        Past the deadline, or while the store fails, the record is lost, and counted.
        """
        size = _size(exchange, outcome)
        has_room = True
        try:
            has_room = await self._inbox.room(size, lambda: self.health().ok)
        finally:
            # A caller that goes away while it waits leaves its record here all the same.
            written = self._queue(exchange, outcome, size, has_room=has_room)
        if written is not None and self._settings.durability == "strict":
            with suppress(TimeoutError):  # a store that hangs must not hang a read
                async with asyncio.timeout(self._settings.commit_deadline):
                    await written

    def delivered(self, handle: int, exchange_id: str, delivered: bool) -> None:  # noqa: FBT001 - the protocol's shape
        """Note, without waiting, whether the client was given the whole answer."""
        self._inbox.note(handle, exchange_id, delivered=delivered)

    async def pause(self, pause: Pause) -> None:
        """Stop new orders, at once; durable on return.

        Errors: UnavailableError when it could not be recorded; it is in force all the same, but
        only until the gateway ends, unless the store still takes it.
        """
        self._pauses[pause.account] = pause
        try:
            await self._inbox.written(lambda batch: batch.pause(pause), 512)
        except NotWrittenError as error:
            perhaps = "perhaps " if error.may_land else ""
            raise UnavailableError(
                f"Orders are stopped, but {perhaps}only until the gateway ends: "
                f"the stop is not recorded ({error}); pause again later."
            ) from error

    async def resume(self, account: str, reason: str, operator: str, at: int) -> bool:
        """Lift the stop of this account, once that is durable; False where there was none.

        Errors: UnavailableError when it could not be recorded; the stop stays in force, unless
        the store still takes its end.
        """
        lifted = self._pauses.get(account)
        if lifted is None:
            return False

        def lift() -> None:
            # A stop that was set meanwhile is written after this end, and stays.
            if self._pauses.get(account) is lifted:
                del self._pauses[account]

        try:
            await self._inbox.written(
                lambda batch: batch.resume(account, reason, operator, at), 512, after=lift
            )
        except NotWrittenError as error:
            unless = ", unless the store still takes its end" if error.may_land else ""
            raise UnavailableError(
                f"Orders stay stopped{unless}: the end of the stop is not recorded ({error}); "
                "resume again later."
            ) from error
        return True

    async def change(self, plan: Callable[[Batch], dict[str, Any]]) -> dict[str, Any]:
        """Carry out what an operator changes, one of `store.changes`; what it returned.

        Errors: StartUpError where it cannot be done; UnavailableError when it was not recorded.
        """
        try:
            changed: dict[str, Any] = await self._inbox.written(plan, 512)
        except NotWrittenError as error:
            perhaps = "may yet be" if error.may_land else "is not"
            raise UnavailableError(
                f"The change {perhaps} recorded ({error}); see what is in force, and try again."
            ) from error
        return changed

    def paused(self, account: str | None) -> Pause | None:
        """The stop that concerns this account, from memory; None where there is none."""
        general = self._pauses.get("*")
        return general if general is not None or account is None else self._pauses.get(account)

    def health(self) -> Health:
        """Whether new exchanges can be recorded now; asks for the lock file, not for the disk."""
        if self._closed:
            return Health(ok=False, reason="The store is closed.")
        failure = self._writer.failure
        if failure is not None:
            return Health(ok=False, reason=f"The store {self._path.name} fails ({failure}).")
        if self._inbox.hangs:
            return Health(
                ok=False,
                reason=f"The store {self._path.name} hangs "
                f"(a write has taken more than {self._settings.commit_deadline:g} s).",
            )
        if self._lock.displaced():
            return Health(
                ok=False,
                reason=f"The lock {self._lock.path.name} was removed while the gateway ran, and "
                "another one could write its store; start the gateway again.",
            )
        if self._ballast.missing or self._free.bytes() < self._settings.min_free:
            return Health(ok=False, reason=f"The disk of {self._path.name} is nearly full.")
        return _HEALTHY

    async def close(self) -> None:
        """Write what is queued and let go of the file."""
        if not self._closed:
            self._closed = True
            if await self._inbox.close():
                self._lock.release()
            else:
                # It may write yet: the lock goes with the process.
                tell("error", "store-not-closed", db=str(self._path), reason="A write hangs.")

    async def _written(
        self, plan: Callable[[Batch], Any], exchange: Exchange, intent: str | None = None
    ) -> Any:  # noqa: ANN401 - whatever was planned
        self._require_health()
        try:
            account = None if intent is None else exchange.account
            return await self._inbox.written(plan, _size(exchange), intent=intent, account=account)
        except NotWrittenError as error:
            raise cannot_record(error) from error

    def _require_health(self) -> None:
        health = self.health()
        if not health.ok:
            raise UnavailableError(
                f"The request cannot be recorded: {health.reason} "
                "Nothing was sent, try again later."
            )

    def _queue(
        self, exchange: Exchange, outcome: Outcome, size: int, *, has_room: bool
    ) -> asyncio.Future[None] | None:
        health = self.health()
        if not (health.ok and has_room):
            self._writer.losses.add(1, health.reason or "The queue of records stayed full.")
            return None
        return self._inbox.record(lambda batch: batch.record(exchange, outcome), size)


def _size(exchange: Exchange, outcome: Outcome | None = None) -> int:
    """About what a job adds to the WAL: its bodies, and its rows' share of pages."""
    messages = [exchange.received, exchange.sent, None if outcome is None else outcome.answered]
    return 4096 + sum(len(message.body) for message in messages if message is not None)
