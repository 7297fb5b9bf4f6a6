"""The WAL is emptied when nothing is being written, and never by the writer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import structlog

from ordertape.store.checkpoint import Checkpointer
from ordertape.store.connection import connect_reader, sqlite3
from ordertape.store.sqlite import SqliteStore
from recorded import intent, until

Start = Callable[..., Awaitable[SqliteStore]]


def wal_size(db: Path) -> int:
    return size(db.with_name("tape.db-wal"))


def size(path: Path) -> int:
    return path.stat().st_size


def changed(path: Path) -> int:
    return path.stat().st_mtime_ns


async def test_an_idle_store_empties_its_wal(db: Path, store: SqliteStore) -> None:
    await asyncio.gather(*(store.open(intent()) for _ in range(50)))
    written = size(db)
    assert wal_size(db) > 0
    await until(lambda: wal_size(db) == 0)
    assert size(db) > written


async def test_a_reader_that_stays_stops_nobody(db: Path, store: SqliteStore) -> None:
    await store.open(intent())
    with closing(connect_reader(db)) as reader:
        reader.execute("BEGIN")
        assert reader.execute("SELECT count(*) FROM exchange").fetchone() == (1,)
        await asyncio.gather(*(store.open(intent()) for _ in range(50)))
        assert reader.execute("SELECT count(*) FROM exchange").fetchone() == (1,)
        reader.execute("ROLLBACK")
        assert reader.execute("SELECT count(*) FROM exchange").fetchone() == (51,)


async def test_the_wal_is_emptied_once_a_reader_that_stayed_has_left(
    db: Path, start: Start
) -> None:
    # Without waiting for the disk: the try that meets the reader is over as soon as it is seen.
    store = await start(synchronous="OFF")
    await store.open(intent())
    with closing(connect_reader(db)) as reader:
        reader.execute("BEGIN")
        reader.execute("SELECT count(*) FROM exchange").fetchone()
        before = changed(db)
        await asyncio.gather(*(store.open(intent()) for _ in range(50)))
        # What the reader has seen is copied when the store is idle; the rest has to wait for it.
        await until(lambda: changed(db) > before)
        assert wal_size(db) > 0
        reader.execute("ROLLBACK")
    await until(lambda: wal_size(db) == 0)


async def test_a_log_that_cannot_be_looked_at_does_not_end_the_checkpoints(db: Path) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("CREATE TABLE t (x)")
    wal = db.with_name("tape.db-wal")
    wal.symlink_to(wal)
    checkpointer = Checkpointer(db, "FULL", lambda _: None)
    with structlog.testing.capture_logs() as logged:
        checkpointer.start()
        checkpointer.wrote(5 << 20)
        await until(lambda: len(logged) == 1)
        checkpointer.wrote(5 << 20)
        await until(lambda: len(logged) == 2)
        checkpointer.stop(5)
    assert [line["event"] for line in logged] == ["checkpoint-failed"] * 2


async def test_a_scratch_store_does_not_wait_for_the_disk(db: Path, start: Start) -> None:
    store = await start(synchronous="OFF")
    await store.open(intent())
    await store.close()
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
