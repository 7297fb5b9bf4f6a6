"""The one thread that writes, and what it does when it cannot.

The loop hands it a group at a time. While the file cannot be written, intents are turned away,
outcomes are kept, and the thread tries again by itself: after anything but a full disk or a lock
the file is closed, opened and checked first, because a failed fsync must not be trusted to have
failed cleanly. Source: reference page durable-audit, sections 3 and 4.
"""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from ordertape.errors import UnavailableError
from ordertape.model import Outcome, State
from ordertape.store.batch import Batch
from ordertape.store.checkpoint import Checkpointer
from ordertape.store.connection import check_quickly, connect_writer, sqlite3
from ordertape.store.emergency import EmergencyFile, Spilled
from ordertape.store.group import (
    Done,
    Fate,
    Job,
    NotWrittenError,
    Stamp,
    commit,
    is_fault_of_the_store,
)
from ordertape.store.log import tell
from ordertape.store.losses import Losses
from ordertape.store.settings import StoreSettings
from ordertape.store.space import Ballast
from ordertape.transcript import moment

__all__ = ["Writer"]

_TRANSIENT = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
"""Primary result codes after which the connection is still sound."""
_GROUP_PAGES = 40 << 10
"""What a group adds to the WAL beyond its jobs: the same few pages, written once a group."""
_PROBE = 64 << 10

Report = Callable[[Sequence[Done], bool], None]
"""Called in the writer's thread: what is done, and whether a group that was handed over is."""


class Writer:
    """Owns the connection from `start` to `stop`. `failure` is why it cannot write, or None.

    `losses` counts the records that were dropped, here or before they came here.
    """

    def __init__(
        self,
        database: Path,
        connection: sqlite3.Connection,
        *,
        settings: StoreSettings,
        stamp: Stamp,
        emergency: EmergencyFile,
        ballast: Ballast,
    ) -> None:
        self.failure: str | None = None
        self.losses = Losses()
        self._database = database
        self._connection: sqlite3.Connection | None = connection
        self._stamp = stamp
        self._emergency = emergency
        self._ballast = ballast
        self._settings = settings
        self._report: Report = _unheard
        self._queue: queue.SimpleQueue[list[Job] | sqlite3.Error | None] = queue.SimpleQueue()
        self._kept: list[Job] = []
        self._unsure: list[str] = []
        self._broken = False
        self._failing_since = 0
        self._retry_at = 0.0
        self._checkpointer = Checkpointer(database, settings.synchronous, self._queue.put)
        self._thread = threading.Thread(target=self._run, name="ordertape-writer", daemon=True)

    def start(self, report: Report) -> None:
        """Begin to take groups, and to report on them."""
        self._report = report
        self._checkpointer.start()
        self._thread.start()

    def hand_over(self, group: list[Job]) -> None:
        """Give it a group; it is reported on once, jobs that are kept for later apart."""
        self._queue.put(group)

    def stop(self, timeout: float) -> bool:
        """Write what was handed over, close the file, end; whether it did in `timeout` seconds."""
        self._queue.put(None)
        self._thread.join(timeout)
        return not self._thread.is_alive()

    # In the writer's thread from here.

    def _run(self) -> None:
        while True:
            given = self._next()
            if given is None:
                break
            try:
                self._take(given)
            except Exception as error:  # noqa: BLE001 - nothing above this thread would hear of it
                # A fault of the program's own must leave nobody waiting: it counts as a failure
                # of the store, and the thread goes on.
                tell("exception", "writer-failed")
                self._fails(error)
                if isinstance(given, list):
                    self._turn_away([job for job in given if not job.landed])
        self._end()

    def _next(self) -> list[Job] | sqlite3.Error | None:
        waits = self.failure is not None or self._ballast.missing
        try:
            return self._queue.get(timeout=self._settings.retry_interval if waits else None)
        except queue.Empty:
            return []

    def _take(self, given: list[Job] | sqlite3.Error) -> None:
        if isinstance(given, sqlite3.Error):
            if is_fault_of_the_store(given) and _primary(given) not in _TRANSIENT:
                self._fails(given)
        elif given and self.failure is None:
            self._attempt(given)
        elif given:
            self._turn_away(given)
        if self.failure is not None and time.monotonic() >= self._retry_at:
            self._heal()
        if self.failure is None and self._ballast.missing:
            self._ballast.hold(self._settings.min_free)

    def _attempt(self, group: list[Job]) -> None:
        lost = self.losses.untold
        gap = [_gap(self.losses.reason, self.losses.since, lost)] if lost else []
        try:
            done = commit(self._sound_connection(), [*gap, *group], self._stamp)
        except sqlite3.Error as error:
            self._fails(error)
            self._unsure += [job.exchange_id for job in group if job.exchange_id is not None]
            self._turn_away(group)
        else:
            self.losses.told(lost)
            self._landed(done, group_is_done=True)

    def _landed(self, done: list[Done], *, group_is_done: bool) -> None:
        spilled = []
        for one in done:
            one.job.landed = True
            if one.job.spill is not None and one.job.spilled:
                spilled.append(one.job.spill.exchange_id)
            if one.job.fate is Fate.DROPPED and one.error is not None:
                self.losses.add(1, str(one.error))
        if spilled:
            self._forget(spilled)
        self._checkpointer.wrote(_GROUP_PAGES + sum(one.job.size for one in done))
        self._report(done, group_is_done)

    def _forget(self, exchange_ids: list[str]) -> None:
        try:
            self._emergency.landed(exchange_ids)
        except OSError as error:
            # It holds what the store holds too: the next start applies it again, without harm.
            tell("warning", "emergency-file-not-removed", reason=str(error))

    def _turn_away(self, group: list[Job]) -> None:
        self._kept += [job for job in group if job.fate is Fate.KEPT]
        self.losses.add(sum(job.fate is Fate.DROPPED for job in group), str(self.failure))
        error = NotWrittenError(str(self.failure))
        turned = [Done(job, error=error) for job in group if job.fate is not Fate.KEPT]
        self._report(turned, True)

    def _fails(self, error: Exception) -> None:
        if self.failure is None:
            self._failing_since = moment()
            tell("error", "store-failing", db=str(self._database), reason=str(error))
        self.failure = str(error)
        self._broken = self._broken or _primary(error) not in _TRANSIENT
        self._retry_at = time.monotonic() + self._settings.retry_interval
        if _primary(error) == sqlite3.SQLITE_FULL and self._ballast.release():
            self._retry_at = 0.0

    def _heal(self) -> None:
        """Try to write again: a probe, what was kept, and an event that says there was a gap."""
        lost = self.losses.untold
        try:
            connection = self._sound_connection()
            _probe(connection)
            gap = _gap(str(self.failure), self._failing_since, lost)
            jobs = [gap, *self._never_sent(connection), *self._kept]
            done = commit(connection, jobs, self._stamp)
        except sqlite3.Error as error:
            self._fails(error)
            return
        self._kept, self._unsure = [], []
        self.failure = None
        tell("info", "store-resumed", db=str(self._database))
        self.losses.told(lost)
        self._landed(done, group_is_done=False)

    def _sound_connection(self) -> sqlite3.Connection:
        """The connection, new and checked where the old one is not to be trusted."""
        if self._broken and self._connection is not None:
            old, self._connection = self._connection, None
            old.close()
        if self._connection is None:
            fresh = connect_writer(
                self._database,
                synchronous=self._settings.synchronous,
                busy_timeout=self._settings.lock_wait,
            )
            damage = check_quickly(fresh)
            if damage is not None:
                fresh.close()
                raise sqlite3.DatabaseError(damage)
            self._connection = fresh
            self._broken = False
        return self._connection

    def _never_sent(self, connection: sqlite3.Connection) -> list[Job]:
        """Jobs that end intents which a failed commit left behind after all.

        Their callers were told that nothing was recorded, and sent nothing.
        """
        jobs = []
        for exchange_id in self._unsure:
            row = connection.execute(
                "SELECT seq FROM exchange WHERE id = ? AND state = ?",
                (exchange_id, State.PENDING.value),
            ).fetchone()
            if row is not None:
                reason = "The intent could not be recorded in time; nothing was sent."
                outcome = Outcome(State.FAILED, moment(), 503, reason)
                jobs.append(outcome_job(Spilled(row[0], exchange_id, outcome)))
        return jobs

    def _end(self) -> None:
        if self.failure is not None:
            self._heal()
        elif self.losses.untold:
            self._attempt([])
        done = []
        for job in self._kept:
            if job.spill is None or job.spilled:
                continue
            try:
                self._emergency.append(job.spill)
            except OSError as error:
                done.append(Done(job, error=UnavailableError(f"Nothing took it: {error}.")))
            else:
                done.append(Done(job))
        if done:
            self._report(done, False)
        self._checkpointer.stop(self._settings.busy_timeout)
        if self._connection is not None:
            self._close(self._connection)

    def _close(self, connection: sqlite3.Connection) -> None:
        try:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        except sqlite3.Error as error:
            # Nothing is lost: the next start reads the WAL.
            tell("warning", "last-checkpoint-failed", reason=str(error))
        connection.close()


def _unheard(_: Sequence[Done], __: bool) -> None:  # noqa: FBT001 - a Report
    """Before the start nobody listens, and nothing is done."""


def outcome_job(spill: Spilled) -> Job:
    """The job that ends an exchange."""
    answered = spill.outcome.answered
    return Job(
        plan=lambda batch: batch.settle(spill.seq, spill.exchange_id, spill.outcome),
        fate=Fate.KEPT,
        size=2048 + (0 if answered is None else len(answered.body)),
        spill=spill,
    )


def _gap(reason: str, since: int, lost: int) -> Job:
    """The job that says there was a gap, and how many records were dropped in it."""

    def plan(batch: Batch) -> None:
        facts = {"reason": reason, "since": since, "lost": lost}
        batch.event("interrupted", None, moment(), facts)

    return Job(plan, Fate.REFUSED)


def _probe(connection: sqlite3.Connection) -> None:
    """Whether pages can be had: the gap's event alone may fit where no order would."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        connection.execute(
            "INSERT INTO event (seq, at, kind, payload, payload_sha256, hash)"
            " VALUES (-1, 0, 'probe', ?, x'', x'')",
            (" " * _PROBE,),
        )
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")


def _primary(error: Exception) -> int:
    """SQLite's primary result code; 0 where there is none."""
    code = getattr(error, "sqlite_errorcode", 0)
    return code & 0xFF
