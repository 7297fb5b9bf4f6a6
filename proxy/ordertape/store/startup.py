"""Opening a store to write, in the one right order: whatever is wrong stops the start.

Version, file, locks, damage, schema, then what the last run left behind: first the emergency file,
which knows how some exchanges ended, then every PENDING exchange, of which nobody does.
"""

from __future__ import annotations

import fcntl
import os
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from ordertape.errors import StartUpError, StoreHeldError
from ordertape.model import IllegalTransitionError, Origin, Outcome, State
from ordertape.store import Pause
from ordertape.store.connection import (
    check_quickly,
    check_sqlite_version,
    companion,
    connect_writer,
    sqlite3,
)
from ordertape.store.emergency import EmergencyFile, Spilled, sync_directory
from ordertape.store.group import Fate, Job, Stamp, commit
from ordertape.store.log import tell
from ordertape.store.schema import migrate
from ordertape.store.settings import StoreSettings
from ordertape.store.space import Ballast
from ordertape.store.writer import outcome_job
from ordertape.transcript import moment

__all__ = ["Lock", "Opened", "open_to_write"]

_STOPPED = (
    "The gateway stopped before the outcome was recorded; the request may have been sent: "
    "ask the service before sending it again."
)
_STOPPED_ALONE = (
    "The gateway stopped before the outcome was recorded; recordings were to answer the request, "
    "and it was not sent."
)
_AT_ONCE = 1000


@dataclass(frozen=True, slots=True)
class Lock:
    """The right to write this store and its emergency file: one process has it.

    `path` is the store's lock, whose file is the first of `files`.
    """

    path: Path
    files: tuple[int, ...]

    def displaced(self) -> bool:
        """Whether the lock lies there no more, so that another process could take a new one."""
        try:
            return not os.path.samestat(self.path.stat(), os.fstat(self.files[0]))
        except OSError:
            return True

    def release(self) -> None:
        """Let another process write."""
        for file in self.files:
            os.close(file)


class _HeldError(Exception):
    """Another process has the lock; the text names it."""


@dataclass(frozen=True, slots=True)
class Opened:
    """A store that is ready: `recovered` exchanges became IN_DOUBT."""

    path: Path
    emergency: EmergencyFile
    ballast: Ballast
    connection: sqlite3.Connection
    lock: Lock
    recovered: int
    pauses: tuple[Pause, ...]


def open_to_write(path: Path, settings: StoreSettings, stamp: Stamp) -> Opened:
    """Open, check, migrate and recover the store at `path`, made where there is none.

    Errors: StartUpError.
    """
    check_sqlite_version(sqlite3.sqlite_version_info)
    path = path.resolve()
    emergency = EmergencyFile((settings.emergency_path or companion(path, "emergency")).resolve())
    ballast = Ballast(companion(path, "ballast"), settings.ballast)
    lock = _lock_both(path, emergency)
    with ExitStack() as undo:
        undo.callback(lock.release)
        try:
            connection = _connect(path, settings)
            undo.callback(connection.close)
            recovered = _recover(connection, path, stamp, emergency, ballast)
            pauses = _pauses(connection)
        except sqlite3.Error as error:
            raise StartUpError(
                f"The store {path} cannot be opened ({error}); mend it, or name another with --db."
            ) from error
        ballast.hold(settings.min_free)
        undo.pop_all()
        return Opened(path, emergency, ballast, connection, lock, recovered, pauses)


def _create(path: Path) -> None:
    """An empty file that only its owner may read, its name on disk."""
    if not path.exists():
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600))
        sync_directory(path.parent)


def _lock_both(path: Path, emergency: EmergencyFile) -> Lock:
    """The store's lock covers the emergency file beside it: FILE.emergency goes by FILE.lock."""
    store_lock = companion(path, "lock")
    name = emergency.path.name.removesuffix(".emergency")
    emergency_lock = emergency.path.with_name(f"{name}.lock")
    with ExitStack() as undo:
        try:
            _create(path)
            _refuse_links(path)
            files = [_acquire(store_lock)]
            undo.callback(os.close, files[0])
        except _HeldError as held:
            raise StoreHeldError(
                f"The store {path} is being written by {held}; stop it, or name another with --db."
            ) from held
        except OSError as error:
            raise StartUpError(
                f"The store {path} cannot be written ({error.strerror}); name another with --db."
            ) from error
        if emergency_lock != store_lock:
            files.append(_take_emergency(emergency, emergency_lock))
        undo.pop_all()
        return Lock(store_lock, tuple(files))


def _take_emergency(emergency: EmergencyFile, lock: Path) -> int:
    """Lock it and see that it can be written; two stores in one would lose each other's lines."""
    with ExitStack() as undo:
        try:
            file = _acquire(lock)
            undo.callback(os.close, file)
            emergency.check()
        except _HeldError as held:
            raise StartUpError(
                f"The emergency file {emergency.path} is in use by {held}; give each store its own."
            ) from held
        except OSError as error:
            raise StartUpError(
                f"The emergency file {emergency.path} cannot be written ({error.strerror}); "
                "name one that can be."
            ) from error
        undo.pop_all()
        return file


def _acquire(name: Path) -> int:
    """The locked file, with this process's id in it. Errors: _HeldError, OSError."""
    file = os.open(name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        holder = os.pread(file, 20, 0).decode("ascii", "replace").strip()
        os.close(file)
        raise _HeldError(f"process {holder}" if holder else "another process") from error
    os.ftruncate(file, 0)
    os.pwrite(file, f"{os.getpid()}\n".encode(), 0)
    return file


def _refuse_links(path: Path) -> None:
    """Under another name the same file would have another lock, and another WAL."""
    if path.stat().st_nlink > 1:
        raise StartUpError(
            f"The store {path} has a second name (a hard link), under which another gateway could "
            "write it; remove that link, or name another with --db."
        )


def _connect(path: Path, settings: StoreSettings) -> sqlite3.Connection:
    with ExitStack() as undo:
        connection = connect_writer(
            path, synchronous=settings.synchronous, busy_timeout=settings.lock_wait
        )
        undo.callback(connection.close)
        damage = check_quickly(connection)
        if damage is not None:
            raise StartUpError(
                f"The store {path} is damaged ({damage}); move it aside with its -wal, and save "
                f"what can be saved with: sqlite3 {path.name} .recover"
            )
        migrate(connection, path)
        undo.pop_all()
        return connection


def _recover(
    connection: sqlite3.Connection,
    path: Path,
    stamp: Stamp,
    emergency: EmergencyFile,
    ballast: Ballast,
) -> int:
    """Settle what the last run left behind; its ballast is room for that on a full disk."""
    try:
        return _settle_the_past(connection, path, stamp, emergency)
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode != sqlite3.SQLITE_FULL or not ballast.discard():
            raise
        return _settle_the_past(connection, path, stamp, emergency)


def _settle_the_past(
    connection: sqlite3.Connection, path: Path, stamp: Stamp, emergency: EmergencyFile
) -> int:
    _apply_emergency(connection, path, stamp, emergency)
    pending = connection.execute(
        "SELECT seq, id, origin FROM exchange WHERE state = ? ORDER BY seq",
        (State.PENDING.value,),
    ).fetchall()
    now = moment()
    in_doubt = Outcome(State.IN_DOUBT, now, reason=_STOPPED)
    unsent = Outcome(State.FAILED, now, reason=_STOPPED_ALONE)
    ended = {Origin.RECORDED.value: unsent}
    jobs = [
        outcome_job(Spilled(seq, exchange_id, ended.get(origin, in_doubt)))
        for seq, exchange_id, origin in pending
    ]
    recovered = sum(origin not in ended for _, _, origin in pending)
    facts = {
        "boot": stamp.boot,
        "software": stamp.software,
        "pid": os.getpid(),
        "sqlite": sqlite3.sqlite_version,
        "recovered": recovered,
    }
    started = Job(lambda batch: batch.event("started", None, now, facts), Fate.KEPT)
    _commit_all(connection, [*jobs, started], stamp)
    return recovered


def _apply_emergency(
    connection: sqlite3.Connection, path: Path, stamp: Stamp, emergency: EmergencyFile
) -> None:
    """Give the store what the file holds, then empty the file; any number of times, without harm.

    An exchange that has moved on since keeps its state: the late outcome becomes an event.
    """
    spilled = emergency.read()
    for one in spilled:
        row = (one.seq, one.exchange_id)
        if not connection.execute(
            "SELECT 1 FROM exchange WHERE seq = ? AND id = ?", row
        ).fetchone():
            raise StartUpError(
                f"The emergency file {emergency.path} holds the outcome of exchange "
                f"{one.exchange_id}, which {path} does not know; give each store its own."
            )
    for one in spilled:
        done = commit(connection, [outcome_job(one)], stamp)[0]
        if isinstance(done.error, IllegalTransitionError):
            tell("warning", "late-outcome", id=one.exchange_id, reason=str(done.error))
            commit(connection, [_late(one)], stamp)
        elif done.error is not None:
            raise done.error
    if spilled:
        tell("warning", "emergency-file-applied", outcomes=len(spilled))
    emergency.clear()


def _late(spilled: Spilled) -> Job:
    facts = {"state": spilled.outcome.state.value, "status": spilled.outcome.status}
    return Job(
        lambda batch: batch.event("superseded", spilled.exchange_id, spilled.outcome.at, facts),
        Fate.KEPT,
    )


def _commit_all(connection: sqlite3.Connection, jobs: Sequence[Job], stamp: Stamp) -> None:
    for start in range(0, len(jobs), _AT_ONCE):
        for done in commit(connection, jobs[start : start + _AT_ONCE], stamp):
            if done.error is not None:
                raise done.error


def _pauses(connection: sqlite3.Connection) -> tuple[Pause, ...]:
    rows = connection.execute("SELECT account, reason, operator, at FROM pause").fetchall()
    return tuple(Pause(*row) for row in rows)
