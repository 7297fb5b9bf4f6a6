"""The loop's side of the writer: what waits to be written, and who waits for it.

The loop collects; whenever the writer is idle it is handed the whole list, which becomes one
transaction, and one wake-up brings back what became of it. A caller that goes away takes nothing
with it: what it asked for is written all the same.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Any

from ordertape.errors import UnavailableError
from ordertape.model import IllegalTransitionError, Outcome, State
from ordertape.store.batch import Batch
from ordertape.store.emergency import EmergencyFile, Spilled
from ordertape.store.group import Done, Fate, Job
from ordertape.store.log import tell
from ordertape.store.settings import StoreSettings
from ordertape.store.writer import Writer, outcome_job

__all__ = ["Inbox"]


class Inbox:
    """Used from the loop that made it. `lost` counts the records that a failing store dropped."""

    def __init__(self, writer: Writer, emergency: EmergencyFile, settings: StoreSettings) -> None:
        self.lost = 0
        self._writer = writer
        self._emergency = emergency
        self._settings = settings
        self._loop = asyncio.get_running_loop()
        self._closed = False
        self._busy = False
        self._waiting: list[Job] = []
        self._notes: list[tuple[int, str, bool]] = []
        self._notes_due: asyncio.TimerHandle | None = None
        self._queued = 0
        self._room: list[asyncio.Future[None]] = []
        self._spilling: set[asyncio.Task[None]] = set()
        writer.start(self._report)

    async def written(
        self, plan: Callable[[Batch], int | None], size: int, intent: str | None = None
    ) -> int | None:
        """Write it, in bounded time, and return what `plan` returned.

        `intent` is the exchange's id where it is one: an intent whose caller did not stay is ended
        as FAILED, for nothing was sent. Errors: UnavailableError.
        """
        future = self._loop.create_future()
        self.submit(Job(plan, Fate.REFUSED, size, future, exchange_id=intent))
        try:
            async with asyncio.timeout(self._settings.commit_deadline):
                result: int | None = await future
                return result
        except TimeoutError as error:
            raise UnavailableError(
                f"The store did not take the request in {self._settings.commit_deadline:g} s; "
                "nothing was sent, try again later."
            ) from error

    def settle(self, seq: int, exchange_id: str, outcome: Outcome) -> asyncio.Future[None]:
        """Write an outcome, past the deadline into the emergency file; done when either has it."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._settle(Spilled(seq, exchange_id, outcome), future)
        return future

    def record(self, plan: Callable[[Batch], int | None], size: int) -> asyncio.Future[None]:
        """Queue what may be dropped; the future is done when it was written or dropped."""
        future: asyncio.Future[None] = self._loop.create_future()
        self._queued += size
        self.submit(Job(plan, Fate.DROPPED, size, future))
        return future

    async def room(self, size: int, healthy: Callable[[], bool]) -> None:
        """Wait until the queue has room for `size` bytes, as long as the store is `healthy`."""
        while self._queued and self._queued + size > self._settings.queue_limit and healthy():
            waiter: asyncio.Future[None] = self._loop.create_future()
            self._room.append(waiter)
            await waiter

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
        self._waiting.append(job)
        if not self._busy:
            # Not at once: what else this turn of the loop brings joins the group.
            self._busy = True
            self._loop.call_soon(self._hand_over)

    async def close(self) -> None:
        """Write what waits, and stop the writer, in bounded time."""
        if self._notes_due is not None:
            self._notes_due.cancel()
        self._hand_over()
        self._closed = True
        self._wake_waiters()
        patience = self._settings.commit_deadline + self._settings.busy_timeout
        await asyncio.to_thread(self._writer.stop, patience)
        if self._spilling:
            await asyncio.wait(self._spilling, timeout=self._settings.commit_deadline)

    def _settle(self, spill: Spilled, future: asyncio.Future[None] | None) -> None:
        job = outcome_job(spill)
        job.future = future
        self.submit(job)
        deadline = self._settings.commit_deadline
        job.timer = self._loop.call_later(deadline, self._overdue, job, spill)

    def _hand_over(self) -> None:
        group, self._waiting = self._waiting, []
        if self._notes:
            notes, self._notes = self._notes, []
            now = time.time_ns() // 1000
            group.append(Job(lambda batch: batch.delivered(notes, now), Fate.KEPT, 256))
        self._busy = bool(group)
        if group:
            self._writer.hand_over(group)

    def _flush_notes(self) -> None:
        self._notes_due = None
        if not self._busy:
            self._hand_over()

    def _report(self, done: Sequence[Done], group_is_done: bool) -> None:  # noqa: FBT001 - a callback
        """Called in the writer's thread."""
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
            self.lost += one.error is not None
            one = Done(job)
        if future is not None and not future.done():
            _give(future, one)
        elif one.error is not None:
            tell("error", "not-recorded", reason=str(one.error))
        elif job.exchange_id is not None:
            self._never_sent(one.result, job.exchange_id)

    def _never_sent(self, seq: int, exchange_id: str) -> None:
        """End an intent whose caller did not stay for it, and so sent nothing."""
        if not self._closed:
            reason = "Nobody waited for the intent to be recorded; nothing was sent."
            outcome = Outcome(State.FAILED, time.time_ns() // 1000, reason=reason)
            self._settle(Spilled(seq, exchange_id, outcome), None)

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
    elif isinstance(error, UnavailableError | IllegalTransitionError):
        future.set_exception(error)
    else:
        unavailable = UnavailableError(f"The request cannot be recorded ({error}).")
        unavailable.__cause__ = error
        future.set_exception(unavailable)
