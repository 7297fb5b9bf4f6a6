"""Starting on a file: what is refused, what is recovered, what is set up."""

import asyncio
import os
import subprocess
import sys
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest
from sqlite_utils import Database

from ordertape.errors import StartUpError, UnavailableError
from ordertape.model import State
from ordertape.store.connection import check_sqlite_version, connect_writer, sqlite3
from ordertape.store.reading import Filter, Reader
from ordertape.store.schema import SCHEMA
from ordertape.store.sqlite import SqliteStore
from recorded import everything_in, intent, settings

Start = Callable[..., Awaitable[SqliteStore]]


@pytest.mark.parametrize(
    ("version", "sound"),
    [
        ((3, 40, 1), False),
        ((3, 44, 5), False),
        ((3, 44, 6), False),
        ((3, 45, 9), False),
        ((3, 50, 6), False),
        ((3, 50, 7), False),
        ((3, 51, 2), False),
        ((3, 51, 3), True),
        ((3, 52, 0), False),
        ((3, 53, 0), True),
        ((3, 54, 1), True),
        ((4, 0, 0), True),
    ],
)
def test_a_sqlite_that_can_lose_pages_or_is_older_than_the_fix_is_refused(
    version: tuple[int, int, int],
    sound: bool,  # noqa: FBT001 - a column of the table
) -> None:
    if sound:
        check_sqlite_version(version)
    else:
        with pytest.raises(StartUpError, match=r"SQLite 3\.\d+\.\d+ can lose committed pages"):
            check_sqlite_version(version)


async def test_after_kill_9_every_intent_is_there_and_in_doubt(db: Path, start: Start) -> None:
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        str(Path(__file__).with_name("killed_child.py")),
        str(db),
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert await child.stdout.readline() == b"recorded\n"
    with pytest.raises(StartUpError, match=f"written by process {child.pid}"):
        await SqliteStore.start(db, settings=settings())
    child.kill()
    await child.communicate()
    store = await start()
    assert store.recovered == 5
    with Reader(db) as reader:
        found = {row.customer_order_id: row.state for row in reader.list(Filter())}
    assert found == {"done": State.COMPLETED} | {
        f"open-{number}": State.IN_DOUBT for number in range(5)
    }


async def test_the_file_is_set_up_as_the_reference_has_it(db: Path, start: Start) -> None:
    await start()
    with closing(connect_writer(db)) as connection:
        found = {
            name: connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in (
                *("journal_mode", "synchronous", "wal_autocheckpoint", "journal_size_limit"),
                *("foreign_keys", "cell_size_check", "trusted_schema", "auto_vacuum"),
                *("secure_delete", "application_id"),
            )
        }
    assert found == {
        "journal_mode": "wal",
        "synchronous": 2,
        "wal_autocheckpoint": 0,
        "journal_size_limit": 64 << 20,
        "foreign_keys": 1,
        "cell_size_check": 1,
        "trusted_schema": 0,
        "auto_vacuum": 2,
        "secure_delete": 1,
        "application_id": 0x6F746170,
    }


async def test_another_programs_database_is_left_alone(db: Path, start: Start) -> None:
    with closing(sqlite3.connect(db)) as connection:
        connection.execute("CREATE TABLE guests (name)")
    with pytest.raises(StartUpError, match="is no ordertape store"):
        await start()
    with closing(sqlite3.connect(db)) as connection:
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("guests",)]


async def test_a_file_that_is_no_database_is_left_alone(db: Path, start: Start) -> None:
    _write_notes(db)
    with pytest.raises(StartUpError, match="file is not a database"):
        await start()
    assert everything_in(db.parent).startswith(b"my notes my notes")


async def test_a_damaged_store_stops_the_start(db: Path, start: Start) -> None:
    store = await start()
    for _ in range(40):
        await store.open(intent())
    await store.close()
    _overwrite_a_page(db)
    with pytest.raises(StartUpError, match=r"tape\.db"):
        await start()


async def test_a_store_of_a_newer_ordertape_is_left_alone(db: Path, start: Start) -> None:
    await (await start()).close()
    with closing(sqlite3.connect(db)) as connection:
        connection.execute(
            "INSERT INTO _sqlite_migrations (migration_set, name, applied_at)"
            " VALUES ('ordertape', 'teleport', 'tomorrow')"
        )
        connection.commit()
    with pytest.raises(StartUpError, match=r"written by a newer ordertape \(teleport\)"):
        await start()


async def test_a_directory_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartUpError, match="cannot be written"):
        await SqliteStore.start(tmp_path / "none" / "tape.db", settings=settings())


async def test_a_start_that_fails_lets_go_of_the_lock(db: Path, start: Start) -> None:
    _write_notes(db)
    for _ in range(2):
        with pytest.raises(StartUpError, match="not a database"):
            await start()
    _overwrite_with_nothing(db)
    await start()


def _write_notes(path: Path) -> None:
    path.write_text("my notes " * 1000)


def _overwrite_a_page(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[: 4096 * 4] + b"\xff" * 4096 + whole[4096 * 5 :])


def _overwrite_with_nothing(path: Path) -> None:
    path.write_bytes(b"")


def test_migrations_have_names_that_stay() -> None:
    with closing(sqlite3.connect(":memory:")) as connection:
        names = [step.name for step in SCHEMA.pending(Database(connection))]
        assert names == ["first_tables", "quotas", "keys", "look_ups"]


async def test_a_store_with_a_second_name_is_refused(tmp_path: Path) -> None:
    """Two names have two locks and two WALs: two gateways would destroy the file."""
    db = tmp_path / "a.db"
    store = await SqliteStore.start(db, settings=settings())
    (tmp_path / "b.db").hardlink_to(db)
    with pytest.raises(StartUpError, match="has a second name"):
        await SqliteStore.start(tmp_path / "b.db", settings=settings())
    await store.close()


async def test_a_lock_that_was_removed_stops_new_orders(tmp_path: Path) -> None:
    store = await SqliteStore.start(tmp_path / "a.db", settings=settings())
    assert store.health().ok
    (tmp_path / "a.db.lock").unlink()
    assert not store.health().ok
    (tmp_path / "a.db.lock").write_text("1")
    assert "lock a.db.lock was removed" in store.health().reason
    with pytest.raises(UnavailableError, match=r"lock a\.db\.lock was removed"):
        await store.open(intent())
    await store.close()
