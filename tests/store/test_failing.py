"""A store that cannot be written: nothing is sent, outcomes still land, service resumes."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
import structlog

from ordertape.errors import StartUpError, UnavailableError
from ordertape.model import Kind, State
from ordertape.store import Pause
from ordertape.store.connection import connect_reader, connect_writer
from ordertape.store.group import Stamp
from ordertape.store.sqlite import SqliteStore, StoreSettings
from ordertape.store.startup import Opened, open_to_write
from recorded import everything_in, intent, message, outcome, settings, until

Start = Callable[..., Awaitable[SqliteStore]]
COMPLETED = outcome(State.COMPLETED)


def states(db: Path) -> dict[str, str]:
    """State by customer order id."""
    with closing(connect_reader(db)) as connection:
        return dict(connection.execute("SELECT customer_order_id, state FROM exchange").fetchall())


def kinds(db: Path) -> list[str]:
    with closing(connect_reader(db)) as connection:
        return [kind for (kind,) in connection.execute("SELECT kind FROM event ORDER BY seq")]


def test_io_errors_refuse_intents_and_lose_no_outcome(db: Path) -> None:
    child = subprocess.run(
        [sys.executable, str(Path(__file__).with_name("limited_child.py")), str(db)],
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parent.parent)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert child.returncode == 0, child.stderr
    assert {path.name for path in db.parent.iterdir()} == {"tape.db", "tape.db.lock", "log"}
    again = "Nothing was sent, try again later."
    assert json.loads(child.stdout) == {
        "intent": "The request cannot be recorded (disk I/O error); "
        "nothing was sent, try again later.",
        "health": "The store tape.db fails (disk I/O error).",
        "intent at once": "The request cannot be recorded: "
        f"The store tape.db fails (disk I/O error). {again}",
        "settled": ["taken", "taken"],
        "in time": True,
        "emergency lines": 2,
        "lost": 1,
        "settled without room": "UnavailableError",
    }
    assert states(db) == {
        "sent-0": "COMPLETED",
        "sent-1": "COMPLETED",
        "sent-2": "COMPLETED",
        "after": "PENDING",
    }
    assert kinds(db).count("interrupted") == 1


@pytest.fixture
async def capped(db: Path) -> AsyncIterator[tuple[SqliteStore, Opened]]:
    """A store with ballast whose file can be kept from growing: SQLITE_FULL on demand."""
    used = settings(ballast=1 << 16, commit_deadline=0.5)
    stamp = Stamp("test", "boot")
    opened = await asyncio.to_thread(open_to_write, db, used, stamp)
    store = SqliteStore(opened, used, stamp)
    yield store, opened
    await store.close()


async def test_a_full_file_gives_up_the_ballast_and_takes_orders_again_when_it_can(
    db: Path, capped: tuple[SqliteStore, Opened]
) -> None:
    store, opened = capped
    ballast = db.with_name("tape.db.ballast")
    assert ballast.stat().st_size == 1 << 16
    first = intent(customer_order_id="first")
    handle = (await store.open(first)).handle
    pages = opened.connection.execute("PRAGMA page_count").fetchone()[0]
    opened.connection.execute(f"PRAGMA max_page_count = {pages + 1}")
    big = intent(customer_order_id="big", received=message(b"POST / HTTP/1.1", bytes(100_000)))
    with pytest.raises(UnavailableError, match="database or disk is full"):
        await store.open(big)
    assert not ballast.exists()
    assert not store.health().ok
    settling = asyncio.ensure_future(store.settle(handle, first.id, COMPLETED))
    opened.connection.execute("PRAGMA max_page_count = 1000000")
    await settling
    await until(lambda: store.health().ok)
    assert ballast.stat().st_size == 1 << 16
    await store.open(intent(customer_order_id="next"))
    assert states(db) == {"first": "COMPLETED", "next": "PENDING"}


async def test_another_programs_lock_refuses_intents_and_outcomes_wait_for_its_end(
    db: Path, start: Start
) -> None:
    store = await start(busy_timeout=0.05, commit_deadline=30)
    first = intent(customer_order_id="first")
    handle = (await store.open(first)).handle
    with closing(connect_writer(db)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(UnavailableError, match="database is locked"):
            await store.open(intent(customer_order_id="second"))
        settling = asyncio.ensure_future(store.settle(handle, first.id, COMPLETED))
        with pytest.raises(UnavailableError, match="only until the gateway ends"):
            await store.pause(Pause("*", "now", "ann", 1))
        assert store.paused("14") is not None
        other.execute("ROLLBACK")
    await settling
    await until(lambda: store.health().ok)
    assert states(db) == {"first": "COMPLETED"}


async def test_outcomes_past_the_deadline_go_to_the_emergency_file_and_then_to_the_store(
    db: Path, start: Start
) -> None:
    store = await start(busy_timeout=0.05, commit_deadline=0.2)
    emergency = db.with_name("tape.db.emergency")
    first = intent(customer_order_id="first")
    handle = (await store.open(first)).handle
    with closing(connect_writer(db)) as other:
        other.execute("BEGIN IMMEDIATE")
        await store.settle(handle, first.id, COMPLETED)
        assert states(db) == {"first": "PENDING"}
        assert len(emergency.read_bytes().splitlines()) == 1
        other.execute("ROLLBACK")
    await until(lambda: not emergency.exists())
    assert states(db) == {"first": "COMPLETED"}


async def test_how_many_records_a_failing_store_dropped_is_in_its_events_and_its_log(
    db: Path, start: Start
) -> None:
    store = await start(busy_timeout=0.05)
    with structlog.testing.capture_logs() as logged:
        with closing(connect_writer(db)) as other:
            other.execute("BEGIN IMMEDIATE")
            await store.record(intent(kind=Kind.OTHER), COMPLETED)
            await until(lambda: not store.health().ok)
            await store.record(intent(kind=Kind.OTHER), COMPLETED)
            assert store.lost == 2
            other.execute("ROLLBACK")
        await until(lambda: store.health().ok)
    with closing(connect_reader(db)) as connection:
        found = connection.execute("SELECT payload FROM event WHERE kind = 'interrupted'")
        payloads = [json.loads(payload) for (payload,) in found]
    assert [(facts["reason"], facts["lost"]) for facts in payloads] == [("database is locked", 2)]
    assert [(line["event"], line.get("lost")) for line in logged] == [
        ("store-failing", None),
        ("records-lost", None),
        ("store-resumed", None),
        ("records-lost-counted", 2),
    ]


@pytest.mark.parametrize("applications", [1, 2])
async def test_the_emergency_file_is_applied_at_the_next_start_before_recovery(
    db: Path, start: Start, applications: int
) -> None:
    emergency = db.with_name("tape.db.emergency")
    store = await start(busy_timeout=0.05, commit_deadline=0.5)
    known, unknown = intent(customer_order_id="known"), intent(customer_order_id="unknown")
    handle = (await store.open(known)).handle
    await store.open(unknown)
    with closing(connect_writer(db)) as other:
        other.execute("BEGIN IMMEDIATE")
        await store.settle(handle, known.id, COMPLETED)
        left_behind = emergency.read_bytes()
        await store.close()
        assert states(db) == {"known": "PENDING", "unknown": "PENDING"}
        other.execute("ROLLBACK")
    for _ in range(applications):
        emergency.write_bytes(left_behind + b'{"torn')
        store = await start()
        await store.close()
        assert not emergency.exists()
    assert states(db) == {"known": "COMPLETED", "unknown": "IN_DOUBT"}
    assert kinds(db).count("completed") == 1


async def test_closing_a_failing_store_writes_outcomes_to_the_emergency_file(
    db: Path, start: Start
) -> None:
    store = await start(busy_timeout=0.05, commit_deadline=20)
    first = intent(customer_order_id="first")
    handle = (await store.open(first)).handle
    with closing(connect_writer(db)) as other:
        other.execute("BEGIN IMMEDIATE")
        settling = asyncio.ensure_future(store.settle(handle, first.id, COMPLETED))
        await until(lambda: not store.health().ok)
        await store.close()
        await settling
        other.execute("ROLLBACK")
    await start()
    assert states(db) == {"first": "COMPLETED"}


async def test_an_outcome_that_comes_too_late_becomes_an_event(db: Path, start: Start) -> None:
    emergency = db.with_name("tape.db.emergency")
    store = await start(busy_timeout=0.05, commit_deadline=0.1)
    first = intent(customer_order_id="first")
    handle = (await store.open(first)).handle
    with closing(connect_writer(db)) as other:
        other.execute("BEGIN IMMEDIATE")
        await store.settle(handle, first.id, COMPLETED)
        left_behind = emergency.read_bytes()
        other.execute("ROLLBACK")
    await until(lambda: not emergency.exists())
    await store.close()
    emergency.write_bytes(left_behind.replace(b'"at":', b'"at":1'))
    await start()
    assert states(db) == {"first": "COMPLETED"}
    assert kinds(db)[-2:] == ["superseded", "started"]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (b'{"seq": 1}\n', "is damaged"),
        (b"nonsense\n{}\n", "is damaged"),
    ],
)
async def test_a_damaged_emergency_file_stops_the_start(
    db: Path, start: Start, text: bytes, sentence: str
) -> None:
    emergency = db.with_name("tape.db.emergency")
    emergency.write_bytes(text)
    with pytest.raises(StartUpError, match=sentence):
        await start()
    assert emergency.read_bytes() == text


async def test_an_emergency_file_of_another_store_stops_the_start(
    db: Path, start: Start, tmp_path: Path
) -> None:
    shared = tmp_path / "shared.emergency"
    store = await start(busy_timeout=0.05, commit_deadline=0.1, emergency_path=shared)
    first = intent()
    handle = (await store.open(first)).handle
    with closing(connect_writer(db)) as other:
        other.execute("BEGIN IMMEDIATE")
        await store.settle(handle, first.id, COMPLETED)
        await store.close()
        other.execute("ROLLBACK")
    with pytest.raises(StartUpError, match="give each store its own"):
        await SqliteStore.start(tmp_path / "other.db", settings=settings(emergency_path=shared))
    assert shared.exists()


@pytest.mark.parametrize(
    ("name", "reason"), [("none/spilled", "No such file or directory"), ("", "Is a directory")]
)
async def test_an_emergency_file_that_cannot_be_written_stops_the_start(
    tmp_path: Path, start: Start, name: str, reason: str
) -> None:
    place = tmp_path / "elsewhere"
    place.mkdir()
    with pytest.raises(StartUpError, match=f"cannot be written .{reason}.; name one that can be"):
        await start(emergency_path=place / name)
    await start(emergency_path=place / "spilled")
    assert [path.name for path in place.iterdir()] == ["spilled.lock"]


@pytest.mark.parametrize("named", [True, False])
async def test_two_stores_never_share_an_emergency_file(
    db: Path, start: Start, tmp_path: Path, *, named: bool
) -> None:
    shared = tmp_path / "shared" if named else db.with_name("tape.db.emergency")
    store = await start(emergency_path=shared if named else None)
    with pytest.raises(StartUpError, match=f"in use by process {os.getpid()}; give each store"):
        await SqliteStore.start(tmp_path / "other.db", settings=settings(emergency_path=shared))
    await store.close()
    other = await SqliteStore.start(tmp_path / "other.db", settings=settings(emergency_path=shared))
    await other.close()


async def test_too_little_room_refuses_what_is_new_and_takes_outcomes(
    db: Path, start: Start
) -> None:
    store = await start()
    first = intent(customer_order_id="first")
    await store.open(first)
    await store.close()
    store = await start(min_free=1 << 60)
    assert store.health().reason == "The disk of tape.db is nearly full."
    with pytest.raises(UnavailableError, match="nearly full"):
        await store.open(intent())
    with pytest.raises(UnavailableError, match="nearly full"):
        await store.refuse(intent(), outcome(State.REFUSED))
    await store.record(intent(), COMPLETED)
    assert store.lost == 1
    await store.settle(1, first.id, COMPLETED)
    assert states(db) == {"first": "COMPLETED"}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    mounted = tmp_path / "disk"
    mounted.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=8m", "tmpfs", mounted], check=True)
    yield mounted
    subprocess.run(["umount", "--lazy", mounted], check=True)


def _fill_up(path: Path) -> None:
    with path.open("wb", buffering=0) as file, suppress(OSError):
        while file.write(bytes(4096)):
            pass


@pytest.mark.system
async def test_on_a_full_disk_outcomes_land_and_orders_wait_for_room(small_disk: Path) -> None:
    db = small_disk / "tape.db"
    store = await SqliteStore.start(
        db, settings=StoreSettings(ballast=2 << 20, min_free=0, retry_interval=0.02)
    )
    sent = [intent(customer_order_id=f"sent-{number}") for number in range(20)]
    handles = [(await store.open(exchange)).handle for exchange in sent]
    filler = small_disk / "filler"
    _fill_up(filler)
    refused = [intent(customer_order_id=None) for _ in range(1000)]
    opened = await asyncio.gather(*map(store.open, refused), return_exceptions=True)
    assert isinstance(opened[-1], UnavailableError)
    for handle, exchange in zip(handles, sent, strict=True):
        await store.settle(handle, exchange.id, COMPLETED)
    assert not store.health().ok
    filler.unlink()
    await until(lambda: store.health().ok)
    await store.open(intent(customer_order_id="after"))
    assert {name: state for name, state in states(db).items() if name is not None} == {
        **{f"sent-{number}": "COMPLETED" for number in range(20)},
        "after": "PENDING",
    }
    await store.close()


async def test_what_a_failing_store_keeps_out_is_kept_out_of_its_files(
    db: Path, start: Start
) -> None:
    store = await start(busy_timeout=0.05, commit_deadline=0.1)
    with closing(connect_writer(db)) as other:
        other.execute("BEGIN IMMEDIATE")
        body = message(b"GET /x HTTP/1.1", b"canary-of-a-dropped-record")
        with pytest.raises(UnavailableError):
            await store.open(intent(received=body))
        await store.record(intent(kind=Kind.OTHER, received=body), COMPLETED)
        other.execute("ROLLBACK")
    await until(lambda: store.health().ok)
    await store.close()
    assert b"canary-of-a-dropped-record" not in everything_in(db.parent)
