"""Group commit: everything that waited during the last one becomes one transaction.

Jobs are written in the order they came. A job that cannot be written (an illegal transition, an id
that exists, what must see others' rows written) fails alone: the group is then written again, each
job under a SAVEPOINT of its own, with a batch that reads what those before it have written.
"""

from __future__ import annotations

import asyncio
import enum
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from ordertape.model import IllegalTransitionError, State, move
from ordertape.store.batch import Batch, NotMovedError
from ordertape.store.chain import read_head
from ordertape.store.connection import sqlite3
from ordertape.store.emergency import Spilled
from ordertape.store.ledger import Ledger
from ordertape.transcript import moment

__all__ = ["Done", "Fate", "Job", "NotWrittenError", "Stamp", "commit", "is_fault_of_the_store"]


class NotWrittenError(Exception):
    """Why a job was not written, in a few words; `may_land` where it may yet be."""

    def __init__(self, why: str, *, may_land: bool = False) -> None:
        super().__init__(why)
        self.may_land = may_land


class Fate(enum.Enum):
    """What becomes of a job while the store cannot be written."""

    REFUSED = enum.auto()
    """Its caller is told at once: intents, refusals."""
    DROPPED = enum.auto()
    """It is counted: records of safe requests."""
    KEPT = enum.auto()
    """It waits until the store can be written again: outcomes, deliveries."""


@dataclass(slots=True, eq=False)
class Job:
    """One thing to be written. `plan` gathers its rows; what it returns is the future's result.

    `exchange_id` and `account` are set for intents, `spill` for outcomes. `size` is in bytes,
    about. `after` is called in the loop once it is committed, whether anyone waits for it or not.
    """

    plan: Callable[[Batch], Any]
    fate: Fate
    size: int = 0
    future: asyncio.Future[Any] | None = None
    exchange_id: str | None = None
    account: str | None = None
    spill: Spilled | None = None
    timer: asyncio.TimerHandle | None = None
    after: Callable[[], None] | None = None
    landed: bool = False
    spilled: bool = False
    _taken: bool = False
    _claim: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> bool:
        """In the writer's thread: whether it is still wanted; from then on it may be written."""
        self._taken = self._taken or self._claim.acquire(blocking=False)
        return self._taken

    def withdraw(self) -> bool:
        """In the loop: whether it could be withdrawn; it is never written then."""
        return self._claim.acquire(blocking=False)


@dataclass(frozen=True, slots=True)
class Done:
    """What became of a job: its result, or the error its caller gets."""

    job: Job
    result: Any = None
    error: Exception | None = None


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is noted with every exchange: the gateway's version, and which run of it.

    `clock` tells microseconds since 1970 UTC; quotas are judged by it.
    """

    software: str
    boot: str
    clock: Callable[[], int] = moment

    def batch(self, connection: sqlite3.Connection) -> Batch:
        """An empty batch after all that this transaction sees."""
        ledger = Ledger(connection, self.clock())
        return Batch(read_head(connection), ledger, self.software, self.boot)


def commit(connection: sqlite3.Connection, jobs: Sequence[Job], stamp: Stamp) -> list[Done]:
    """Write the jobs in one transaction, durable on return; those withdrawn are left out.

    Errors: SQLite's own, when the fault is the store's (`is_fault_of_the_store`): nothing is
    written then. A job's own error is in its `Done`.
    """
    try:
        return _transaction(connection, jobs, stamp, _together)
    except Exception as error:
        # Whatever one job raised must not take the others with it.
        if is_fault_of_the_store(error):
            raise
        return _transaction(connection, jobs, stamp, _one_by_one)


def is_fault_of_the_store(error: Exception) -> bool:
    """Whether no job could be written (disk, lock, damage), rather than this one."""
    jobs_own = (sqlite3.IntegrityError, sqlite3.DataError, sqlite3.ProgrammingError)
    return isinstance(error, sqlite3.DatabaseError) and not isinstance(error, jobs_own)


_Write = Callable[[sqlite3.Connection, Sequence[Job], Stamp], list[Done]]


def _transaction(
    connection: sqlite3.Connection, jobs: Sequence[Job], stamp: Stamp, write: _Write
) -> list[Done]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Not before: the lock may have been waited for, and a caller have given up meanwhile.
        done = write(connection, [job for job in jobs if job.take()], stamp)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return done


def _together(connection: sqlite3.Connection, jobs: Sequence[Job], stamp: Stamp) -> list[Done]:
    batch = stamp.batch(connection)
    batch.ledger.foresee(
        [job.account for job in jobs if job.account is not None],
        [job.spill.seq for job in jobs if job.spill is not None],
    )
    done = [Done(job, job.plan(batch)) for job in jobs]
    batch.write(connection)
    return done


def _one_by_one(connection: sqlite3.Connection, jobs: Sequence[Job], stamp: Stamp) -> list[Done]:
    return [_alone(connection, job, stamp) for job in jobs]


def _alone(connection: sqlite3.Connection, job: Job, stamp: Stamp) -> Done:
    connection.execute("SAVEPOINT job")
    try:
        batch = stamp.batch(connection)
        done = Done(job, job.plan(batch))
        batch.write(connection)
    except NotMovedError as error:
        connection.execute("ROLLBACK TO job")
        done = _not_moved(connection, job, error)
    except Exception as error:
        # It goes to the job's caller, who asked for what cannot be written.
        if is_fault_of_the_store(error):
            raise
        connection.execute("ROLLBACK TO job")
        done = Done(job, error=error)
    connection.execute("RELEASE job")
    return done


def _not_moved(connection: sqlite3.Connection, job: Job, raised: NotMovedError) -> Done:
    """An outcome that is in the store already is as good as written; another is illegal."""
    if job.spill is None:
        return Done(job, error=raised)
    outcome = job.spill.outcome
    row = connection.execute(
        "SELECT state, settled_at FROM exchange WHERE seq = ? AND id = ?",
        (job.spill.seq, job.spill.exchange_id),
    ).fetchone()
    if row == (outcome.state.value, outcome.at):
        return Done(job)
    try:
        move(None if row is None else State(row[0]), outcome.state)
    except IllegalTransitionError as error:
        return Done(job, error=error)
    return Done(job, error=IllegalTransitionError("There is no such exchange to end."))
