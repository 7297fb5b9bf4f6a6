"""A writer that hangs: callers go in bounded time, and are told what becomes of what they asked."""

import asyncio
import gc
import json
import sys
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
import structlog

from ordertape.errors import StartUpError, UnavailableError
from ordertape.model import Kind, State
from ordertape.store import Health, Pause
from ordertape.store.connection import connect_reader
from ordertape.store.group import Stamp
from ordertape.store.sqlite import SqliteStore
from ordertape.store.startup import Opened, open_to_write
from recorded import intent, message, outcome, settings, until

DEADLINE = 0.2
LATE = "The request cannot be recorded (the store did not take it in 0.2 s); nothing was sent, "
STOP = Pause("14", "too many", "ann", 1)


class Hanging:
    """A store whose writer can be held up before a statement, as by a disk that does not answer."""

    def __init__(self, store: SqliteStore, opened: Opened) -> None:
        self.store = store
        self.opened = opened
        self._go = threading.Event()

    @contextmanager
    def before(self, statement: str) -> Iterator[None]:
        def hang(executed: str) -> None:
            if executed == statement:
                self._go.wait(30)

        self._go.clear()
        self.opened.connection.set_trace_callback(hang)
        try:
            yield
        finally:
            self._go.set()


@pytest.fixture
async def hanging(db: Path) -> AsyncIterator[Hanging]:
    used = settings(commit_deadline=DEADLINE, queue_limit=20_000)
    stamp = Stamp("test", "boot")
    opened = await asyncio.to_thread(open_to_write, db, used, stamp)
    store = SqliteStore(opened, used, stamp)
    yield Hanging(store, opened)
    await store.close()


def rows(db: Path, statement: str) -> list[tuple[Any, ...]]:
    with closing(connect_reader(db)) as connection:
        return list(connection.execute(statement).fetchall())


async def in_force_after_a_restart(hanging: Hanging, db: Path) -> Pause | None:
    # Whatever the writer was still to do comes before this.
    await until(lambda: hanging.store.health().ok)
    await hanging.store.open(intent())
    await hanging.store.close()
    store = await SqliteStore.start(db, settings=settings())
    await store.close()
    return store.paused(STOP.account)


async def test_the_end_of_a_stop_that_lands_late_lifts_it_in_memory_too(
    db: Path, hanging: Hanging
) -> None:
    await hanging.store.pause(STOP)
    with hanging.before("COMMIT"):
        with pytest.raises(UnavailableError) as caught:
            await hanging.store.resume("14", "better", "ann", 2)
        assert hanging.store.paused("14") == STOP
    assert str(caught.value) == (
        "Orders stay stopped, unless the store still takes its end: the end of the stop is not "
        "recorded (the store did not take it in 0.2 s); resume again later."
    )
    await until(lambda: hanging.store.paused("14") is None)
    assert await in_force_after_a_restart(hanging, db) is None


async def test_the_end_of_a_stop_that_was_withdrawn_never_takes_effect(
    db: Path, hanging: Hanging
) -> None:
    await hanging.store.pause(STOP)
    with (
        hanging.before("BEGIN IMMEDIATE"),
        pytest.raises(UnavailableError, match=r"^Orders stay stopped: .* is not recorded"),
    ):
        await hanging.store.resume("14", "better", "ann", 2)
    assert await in_force_after_a_restart(hanging, db) == STOP
    assert hanging.store.paused("14") == STOP


async def test_a_stop_set_while_the_end_of_the_last_hangs_stays(db: Path, hanging: Hanging) -> None:
    await hanging.store.pause(STOP)
    again = Pause("14", "worse", "bob", 3)
    with hanging.before("COMMIT"):
        with pytest.raises(UnavailableError):
            await hanging.store.resume("14", "better", "ann", 2)
        pausing = asyncio.ensure_future(hanging.store.pause(again))
        await asyncio.sleep(0)
        assert hanging.store.paused("14") == again
    await pausing
    assert hanging.store.paused("14") == again
    assert await in_force_after_a_restart(hanging, db) == again


@pytest.mark.parametrize(
    ("statement", "sentence", "afterwards"),
    [
        ("BEGIN IMMEDIATE", "^Orders are stopped, but only until the gateway ends", None),
        ("COMMIT", "^Orders are stopped, but perhaps only until the gateway ends", STOP),
    ],
)
async def test_a_stop_that_could_not_be_recorded_is_in_force_and_says_for_how_long(
    db: Path, hanging: Hanging, statement: str, sentence: str, afterwards: Pause | None
) -> None:
    with hanging.before(statement), pytest.raises(UnavailableError, match=sentence) as caught:
        await hanging.store.pause(STOP)
    assert "nothing was sent" not in str(caught.value)
    assert hanging.store.paused("14") == STOP
    assert await in_force_after_a_restart(hanging, db) == afterwards


@pytest.mark.parametrize(
    ("statement", "recorded", "events"),
    [
        ("BEGIN IMMEDIATE", ("REFUSED", 503, "as told"), ["refused"]),
        ("COMMIT", ("FAILED", 503, LATE + "try again later."), ["pending", "failed"]),
    ],
)
async def test_a_request_whose_intent_ran_out_of_time_is_recorded_once_without_a_second_wait(
    db: Path, hanging: Hanging, statement: str, recorded: tuple[Any, ...], events: list[str]
) -> None:
    exchange = intent()
    with structlog.testing.capture_logs() as logged:
        with hanging.before(statement):
            with pytest.raises(UnavailableError) as caught:
                await hanging.store.open(exchange)
            refusing = asyncio.ensure_future(
                hanging.store.refuse(exchange, outcome(State.REFUSED, status=503, reason="as told"))
            )
            await asyncio.sleep(0)
            assert refusing.done()
            await refusing
        await until(lambda: rows(db, "SELECT state, status, reason FROM exchange") == [recorded])
    assert str(caught.value) == LATE + "try again later."
    found = rows(db, "SELECT kind FROM event WHERE exchange IS NOT NULL ORDER BY seq")
    assert [kind for (kind,) in found] == events
    assert logged == []


async def test_an_intent_that_landed_as_its_caller_left_ends_as_failed(
    db: Path, hanging: Hanging
) -> None:
    opening = asyncio.ensure_future(hanging.store.open(intent()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    while rows(db, "SELECT state FROM exchange") != [("PENDING",)]:
        pass  # the loop stands still, so that the caller cannot have heard of it
    await until_the_writer_reported(hanging)
    opening.cancel()
    await until(lambda: rows(db, "SELECT state FROM exchange") == [("FAILED",)])


async def until_the_writer_reported(hanging: Hanging) -> None:
    """One turn of the loop at a time, until the one in which the writer is idle again."""
    while hanging.store._inbox._busy:  # noqa: ASYNC110, SLF001 - no caller can see this moment
        await asyncio.sleep(0)


async def test_a_store_that_hangs_says_so_and_takes_nothing_new(hanging: Hanging) -> None:
    hangs = Health(ok=False, reason="The store tape.db hangs (a write has taken more than 0.2 s).")
    with hanging.before("BEGIN IMMEDIATE"):
        opening = asyncio.ensure_future(hanging.store.open(intent()))
        await until(lambda: not hanging.store.health().ok)
        assert hanging.store.health() == hangs
        with pytest.raises(UnavailableError, match="hangs"):
            await hanging.store.open(intent())
        with pytest.raises(UnavailableError):
            await opening
    await until(lambda: hanging.store.health().ok)
    await hanging.store.open(intent())


async def test_a_store_that_hangs_keeps_nothing_of_callers_that_gave_up(hanging: Hanging) -> None:
    bodies = [bytes(1000 + number) for number in range(10)]
    alone = [sys.getrefcount(body) for body in bodies]
    with hanging.before("BEGIN IMMEDIATE"):
        first = asyncio.ensure_future(hanging.store.open(intent()))
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        await give_up(hanging.store, bodies)
        await asyncio.sleep(0)  # the turn of the loop that gave the results holds them
        gc.collect()  # an error and the frames that it passed hold each other
        assert [sys.getrefcount(body) for body in bodies] == alone
        assert isinstance(first.exception(), UnavailableError)


async def give_up(store: SqliteStore, bodies: list[bytes]) -> None:
    """Each of the intents runs out of time; what this knew of them is gone when it returns."""
    opened = await asyncio.gather(
        *(store.open(intent(received=message(b"POST / HTTP/1.1", body))) for body in bodies),
        return_exceptions=True,
    )
    assert [type(each) for each in opened] == [UnavailableError] * len(bodies)


async def test_records_wait_for_a_store_that_hangs_in_bounded_time_and_losses_are_told(
    db: Path, hanging: Hanging
) -> None:
    big = intent(kind=Kind.OTHER, sent=None, received=message(b"GET / HTTP/1.1", bytes(18_000)))
    with structlog.testing.capture_logs() as logged:
        with hanging.before("BEGIN IMMEDIATE"):
            await hanging.store.record(big, outcome(State.COMPLETED))
            async with asyncio.timeout(20):
                await hanging.store.record(intent(), outcome(State.COMPLETED))
            await hanging.store.record(intent(), outcome(State.COMPLETED))
            assert hanging.store.lost == 2
        await until(lambda: hanging.store.health().ok)
        await hanging.store.open(intent())
    found = [
        json.loads(payload)
        for (payload,) in rows(db, "SELECT payload FROM event WHERE kind = 'interrupted'")
    ]
    assert [facts["lost"] for facts in found] == [2]
    assert [(line["event"], line.get("lost")) for line in logged] == [
        ("records-lost", None),
        ("records-lost-counted", 2),
    ]
    assert rows(db, "SELECT state FROM exchange") == [("COMPLETED",), ("PENDING",)]


async def test_the_lock_of_a_store_that_is_still_being_written_outlives_its_close(
    db: Path, hanging: Hanging
) -> None:
    with hanging.before("COMMIT"), structlog.testing.capture_logs() as logged:
        opening = asyncio.ensure_future(hanging.store.open(intent()))
        await asyncio.sleep(0)
        await hanging.store.close()
        with pytest.raises(UnavailableError):
            await opening
        with pytest.raises(StartUpError, match="is being written"):
            await SqliteStore.start(db, settings=settings())
    assert [line["event"] for line in logged] == ["store-not-closed"]
    await until(lambda: "ordertape-writer" not in {each.name for each in threading.enumerate()})
    hanging.opened.lock.release()
