"""The loop's side of the writer: what waits to be written, and who waits for it.

The loop collects; whenever the writer is idle it is handed the whole list, which becomes one
transaction, and one wake-up brings back what became of it. A caller that goes away takes nothing
with it; what is not written in time is withdrawn, where it still can be.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

from ordertape.errors import StartUpError, UnavailableError
from ordertape.model import IllegalTransitionError, Outcome, State
from ordertape.store import Intent
from ordertape.store.batch import Batch
from ordertape.store.emergency import EmergencyFile, Spilled
from ordertape.store.group import Done, Fate, Job, NotWrittenError
from ordertape.store.log import tell
from ordertape.store.settings import StoreSettings
from ordertape.store.writer import Writer, outcome_job
from ordertape.transcript import moment

__all__ = ["Inbox", "cannot_record"]


_SENTENCES = (UnavailableError, IllegalTransitionError, NotWrittenError, StartUpError)
"""Errors that callers know as they are."""


def cannot_record(error: NotWrittenError) -> UnavailableError:
    """What a client is told whose request was not recorded."""
    return UnavailableError(
        f"The request cannot be recorded ({error}); nothing was sent, try again later."
    )


class Inbox:
    """Used from the loop that made it.

    `abandoned` has the ids of intents that were given up just now, and whether they may yet land.
    """

    def __init__(self, writer: Writer, emergency: EmergencyFile, settings: StoreSettings) -> None:
        self.abandoned: dict[str, bool] = {}
        self._writer = writer
        self._emergency = emergency
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._busy = False
        self._handed_at: float | None = None
        self._waiting: dict[Job, None] = {}
        self._notes: list[tuple[int, str, bool]] = []
        self._notes_due: asyncio.TimerHandle | None = None
        self._queued = 0
        self._room: list[asyncio.Future[None]] = []
        self._spilling: set[asyncio.Task[None]] = set()
        writer.start(self._report)

    @property
    def hangs(self) -> bool:
        """Whether the writer has had a group in its hands for longer than the deadline."""
        if self._handed_at is None:
            return False
        return self._loop.time() - self._handed_at > self._settings.commit_deadline

    async def written(
        self,
        plan: Callable[[Batch], Any],
        size: int,
        *,
        intent: str | None = None,
        account: str | None = None,
        after: Callable[[], None] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever was planned
        """Write it, in bounded time, and return what `plan` returned; `after` as in `Job`.

        `intent` is the exchange's id where it is one, and `account` whose it is: an intent whose
        caller did not stay is ended as FAILED, for nothing was sent. Errors: NotWrittenError.
        """
        future: asyncio.Future[Any] = self._loop.create_future()
        job = Job(
            plan, Fate.REFUSED, size, future, exchange_id=intent, account=account, after=after
        )
        self._submit_for_a_while(job)
        try:
            return await future
        except asyncio.CancelledError:
            if not future.cancelled() and future.exception() is None and intent is not None:
                self._never_sent(job, intent, future.result())
            raise

    def leave(self, plan: Callable[[Batch], Any], size: int) -> None:
        """Have it written if that can be done in time; nobody waits for it."""
        self._submit_for_a_while(Job(plan, Fate.REFUSED, size))

    def settle(self, seq: int, exchange_id: str, outcome: Outcome) -> asyncio.Future[None]:
        """Write an outcome, past the deadline into the emergency file; done when either has it."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._settle(Spilled(seq, exchange_id, outcome), future)
        return future

    def record(self, plan: Callable[[Batch], Any], size: int) -> asyncio.Future[None]:
        """Queue what may be dropped; the future is done when it was written or dropped."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._queued += size
        self.submit(Job(plan, Fate.DROPPED, size, future))
        return future

    async def room(self, size: int, healthy: Callable[[], bool]) -> bool:
        """Whether the queue has room for `size` bytes.

        Waits for it until the deadline, as long as the store is `healthy`.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.commit_deadline):
                while self._is_full(size) and healthy():
                    waiter: asyncio.Future[None] = self._loop.create_future()
                    self._room.append(waiter)
                    await waiter
        return not self._is_full(size)

    def note(self, seq: int, exchange_id: str, *, delivered: bool) -> None:
        """Gather what is known of a delivery; it is written with the next group, or soon."""
        if self._closed:
            return
        self._notes.append((seq, exchange_id, delivered))
        if self._notes_due is None:
            interval = self._settings.delivery_interval
            self._notes_due = self._loop.call_later(interval, self._flush_notes)

    def submit(self, job: Job) -> None:
        """Have it written with the next group. Errors: UnavailableError when closed."""
        if self._closed:
            raise UnavailableError("The store is closed; nothing can be recorded.")
        self._waiting[job] = None
        if not self._busy:
            # Not at once: what else this turn of the loop brings joins the group.
            self._busy = True
            self._loop.call_soon(self._hand_over)

    async def close(self) -> bool:
        """Write what waits, and stop the writer; whether it ended in time."""
        if self._notes_due is not None:
            self._notes_due.cancel()
        self._hand_over()
        self._closed = True
        self._wake_waiters()
        patience = self._settings.commit_deadline + self._settings.busy_timeout
        ended = await asyncio.to_thread(self._writer.stop, patience)
        if self._spilling:
            await asyncio.wait(self._spilling, timeout=self._settings.commit_deadline)
        return ended

    def _submit_for_a_while(self, job: Job) -> None:
        self.submit(job)
        job.timer = self._loop.call_later(self._settings.commit_deadline, self._give_up, job)

    def _give_up(self, job: Job) -> None:
        """Withdraw it where that can be done still, and let its caller go."""
        may_land = not job.withdraw()
        self._waiting.pop(job, None)
        deadline = self._settings.commit_deadline
        error = NotWrittenError(f"the store did not take it in {deadline:g} s", may_land=may_land)
        if job.future is None:
            tell("error", "not-recorded", reason=str(error))
        elif not job.future.done():
            job.future.set_exception(error)
            if job.exchange_id is not None:
                self.abandoned[job.exchange_id] = may_land
                self._loop.call_later(deadline, self.abandoned.pop, job.exchange_id, None)

    def _is_full(self, size: int) -> bool:
        return self._queued > 0 and self._queued + size > self._settings.queue_limit

    def _settle(self, spill: Spilled, future: asyncio.Future[None] | None) -> None:
        job = outcome_job(spill)
        job.future = future
        self.submit(job)
        deadline = self._settings.commit_deadline
        job.timer = self._loop.call_later(deadline, self._overdue, job, spill)

    def _hand_over(self) -> None:
        group, self._waiting = list(self._waiting), {}
        if self._notes:
            notes, self._notes = self._notes, []
            now = moment()
            group.append(Job(lambda batch: batch.delivered(notes, now), Fate.KEPT, 256))
        self._busy = bool(group)
        self._handed_at = self._loop.time() if group else None
        if group:
            self._writer.hand_over(group)

    def _flush_notes(self) -> None:
        self._notes_due = None
        if not self._busy:
            self._hand_over()

    def _report(self, done: Sequence[Done], group_is_done: bool) -> None:  # noqa: FBT001 - a callback
        """Called in the writer's thread."""
        with suppress(RuntimeError):  # the loop ended before a writer that hung: nobody waits
            self._loop.call_soon_threadsafe(self._take_back, done, group_is_done)

    def _take_back(self, done: Sequence[Done], group_is_done: bool) -> None:  # noqa: FBT001 - a callback
        for one in done:
            self._resolve(one)
        if self._room:
            self._wake_waiters()
        if group_is_done:
            self._hand_over()

    def _wake_waiters(self) -> None:
        waiters, self._room = self._room, []
        for waiter in waiters:
            if not waiter.done():
                waiter.set_result(None)

    def _resolve(self, one: Done) -> None:
        job, future = one.job, one.job.future
        if job.timer is not None:
            job.timer.cancel()
        if job.fate is Fate.DROPPED:
            self._queued -= job.size
            one = Done(job)
        if job.after is not None and one.error is None:
            job.after()
        if future is not None and not future.done():
            _give(future, one)
        elif one.error is not None:
            tell("error", "not-recorded", reason=str(one.error))
        elif job.exchange_id is not None:
            self._never_sent(job, job.exchange_id, one.result)

    def _never_sent(self, job: Job, exchange_id: str, planned: object) -> None:
        """End an intent whose caller did not stay for it, and so sent nothing."""
        if not isinstance(planned, Intent) or job.future is None:
            return  # it was refused, and is recorded as that
        at = moment()
        error = None if job.future.cancelled() else job.future.exception()
        if isinstance(error, NotWrittenError):
            told = cannot_record(error)
            outcome = Outcome(State.FAILED, at, status=told.status, reason=str(told))
        else:
            reason = "Nobody waited for the intent to be recorded; nothing was sent."
            outcome = Outcome(State.FAILED, at, reason=reason)
        spill = Spilled(planned.handle, exchange_id, outcome)
        if self._closed:
            self._leave_behind(spill)
        else:
            self._settle(spill, None)

    def _leave_behind(self, spill: Spilled) -> None:
        """Too late for the writer: the next start reads it before it recovers anything."""
        try:
            self._emergency.append(spill)
        except OSError as error:
            tell("error", "outcome-not-recorded", id=spill.exchange_id, reason=str(error))

    def _overdue(self, job: Job, spill: Spilled) -> None:
        task = self._loop.create_task(self._spill(job, spill))
        self._spilling.add(task)
        task.add_done_callback(self._spilling.discard)

    async def _spill(self, job: Job, spill: Spilled) -> None:
        failed: Exception | None = None
        try:
            async with asyncio.timeout(self._settings.commit_deadline):
                await asyncio.to_thread(self._append, job, spill)
            tell("warning", "outcome-in-emergency-file", id=spill.exchange_id)
        except (OSError, TimeoutError) as error:
            tell("error", "outcome-not-recorded", id=spill.exchange_id, reason=str(error))
            failed = UnavailableError(
                "Neither the store nor the emergency file took the outcome of the request."
            )
        if job.future is not None and not job.future.done():
            _give(job.future, Done(job, error=failed))

    def _append(self, job: Job, spill: Spilled) -> None:
        if job.landed:
            return
        self._emergency.append(spill)
        job.spilled = True
        if job.landed:
            # It reached the store while it was being written here.
            self._emergency.landed([spill.exchange_id])


def _give(future: asyncio.Future[Any], one: Done) -> None:
    """Hand over what became of a job, in the words that callers know.

    An error of one job's own that is no transition's means that it could not be recorded.
    """
    error = one.error
    if error is None:
        future.set_result(one.result)
    elif isinstance(error, _SENTENCES):
        future.set_exception(error)
    elif one.job.fate is Fate.REFUSED:
        future.set_exception(NotWrittenError(str(error)))
    else:
        unavailable = UnavailableError(f"The request cannot be recorded ({error}).")
        unavailable.__cause__ = error
        future.set_exception(unavailable)
