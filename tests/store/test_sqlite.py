"""The store as the gateway uses it: what is on disk when a call returns, and in what order."""

import asyncio
import hashlib
import json
import stat
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import uvloop

from ordertape.errors import StartUpError, UnavailableError
from ordertape.model import TRANSITIONS, IllegalTransitionError, Kind, State
from ordertape.store import Health, Intent, Pause, Store
from ordertape.store.connection import connect_reader
from ordertape.store.reading import Filter, Reader
from ordertape.store.sqlite import SqliteStore
from recorded import ARRIVED, ORDER, everything_in, intent, message, outcome, settings, until


def rows(db: Path, statement: str, *values: Any) -> list[tuple[Any, ...]]:
    with closing(connect_reader(db)) as connection:
        return list(connection.execute(statement, values).fetchall())


def protocol(store: Store) -> Store:
    return store


async def test_the_intent_is_there_for_everyone_when_open_returns(
    db: Path, store: SqliteStore
) -> None:
    exchange = intent()
    handle = (await protocol(store).open(exchange)).handle
    with Reader(db) as reader:
        found = reader.show(exchange.id)
    assert found is not None
    assert (found.row.seq, found.row.state, found.row.cost) == (handle, State.PENDING, 2)
    assert (found.row.edits, found.row.violations) == (exchange.edits, exchange.violations)
    assert found.messages == {"received": exchange.received, "sent": exchange.sent}


async def test_an_outcome_is_there_for_everyone_when_settle_returns(
    db: Path, store: SqliteStore
) -> None:
    exchange, ended = intent(), outcome(State.COMPLETED)
    await store.settle((await store.open(exchange)).handle, exchange.id, ended)
    with Reader(db) as reader:
        found = reader.show(exchange.id)
    assert found is not None
    row = found.row
    assert (row.state, row.status, row.order_id, row.charge, row.settled_at, row.duration_ms) == (
        *(State.COMPLETED, 201, "o-1", ended.charge, ended.at, 1500.0),
    )
    assert found.messages["answered"] == ended.answered
    assert [event.kind for event in found.events] == ["pending", "completed"]


async def test_refusals_and_safe_requests_take_one_write(db: Path, store: SqliteStore) -> None:
    refused = outcome(State.REFUSED, status=400, reason="No Order.")
    await store.refuse(intent(), refused)
    await store.record(
        intent(kind=Kind.OTHER, method="GET", sent=None), outcome(State.COMPLETED, order_id=None)
    )
    await store.close()
    assert rows(db, "SELECT kind FROM event WHERE kind != 'started'") == [
        ("refused",),
        ("completed",),
    ]
    assert rows(db, "SELECT state, method, reason FROM exchanges ORDER BY id") == [
        ("REFUSED", "POST", "No Order."),
        ("COMPLETED", "GET", None),
    ]


async def _to(store: SqliteStore, state: State | None) -> tuple[int, str]:
    """An exchange in this state, reached by legal moves."""
    exchange = intent()
    if state is None:
        return 999, exchange.id
    if state is State.REFUSED:
        await store.refuse(exchange, outcome(State.REFUSED))
        return 1, exchange.id
    handle = (await store.open(exchange)).handle
    if state is not State.PENDING:
        await store.settle(handle, exchange.id, outcome(state))
    return handle, exchange.id


@pytest.mark.parametrize("before", TRANSITIONS)
@pytest.mark.parametrize("after", State)
async def test_an_exchange_moves_along_the_table_and_no_other_way(
    db: Path, store: SqliteStore, before: State | None, after: State
) -> None:
    handle, exchange_id = await _to(store, before)
    look = "SELECT seq, id, state, settled_at, status, order_id, charge FROM exchange"
    standing = rows(db, look)
    events = rows(db, "SELECT count(*) FROM event")
    ended = outcome(after, at=ARRIVED + 9)
    if before is not None and after in TRANSITIONS[before]:
        await store.settle(handle, exchange_id, ended)
        assert rows(db, "SELECT state, settled_at FROM exchange") == [(after.value, ended.at)]
    else:
        with pytest.raises(IllegalTransitionError):
            await store.settle(handle, exchange_id, ended)
        assert rows(db, look) == standing
        assert rows(db, "SELECT count(*) FROM event") == events


async def test_a_group_keeps_the_order_of_asking_and_one_bad_job_fails_alone(
    db: Path, store: SqliteStore
) -> None:
    exchanges = [intent() for _ in range(30)]
    twice = [*exchanges[:12], exchanges[3], *exchanges[12:]]
    results = await asyncio.gather(*map(store.open, twice), return_exceptions=True)
    assert isinstance(results.pop(12), UnavailableError)
    assert [one.handle for one in results if isinstance(one, Intent)] == list(range(1, 31))
    assert rows(db, "SELECT id FROM exchange ORDER BY seq") == [(each.id,) for each in exchanges]


async def test_a_caller_that_goes_away_takes_no_outcome_with_it(
    db: Path, store: SqliteStore
) -> None:
    exchange = intent()
    handle = (await store.open(exchange)).handle
    settling = asyncio.ensure_future(store.settle(handle, exchange.id, outcome(State.COMPLETED)))
    await asyncio.sleep(0)
    settling.cancel()
    await store.close()
    assert rows(db, "SELECT state FROM exchange") == [("COMPLETED",)]


async def test_an_intent_that_nobody_stayed_for_ends_as_failed(
    db: Path, store: SqliteStore
) -> None:
    opening = asyncio.ensure_future(store.open(intent()))
    await asyncio.sleep(0)
    opening.cancel()
    await until(lambda: rows(db, "SELECT state FROM exchange") == [("FAILED",)])
    assert rows(db, "SELECT kind FROM event WHERE exchange IS NOT NULL") == [
        ("pending",),
        ("failed",),
    ]


async def test_a_streamed_request_gets_its_length_with_its_outcome(
    db: Path, store: SqliteStore
) -> None:
    beginning = message(b"POST /upload HTTP/1.1", b"begin")
    head = intent(
        kind=Kind.OTHER,
        sent=None,
        received=type(beginning)(beginning.line, beginning.headers, b"begin", None, None, True),
    )
    whole = type(beginning)(
        beginning.line, beginning.headers, b"begin", 9, hashlib.sha256(b"beginning").digest(), True
    )
    handle = (await store.open(head)).handle
    with Reader(db) as reader:
        assert reader.message(handle, "received") == head.received
    await store.settle(handle, head.id, outcome(State.COMPLETED, streamed=whole))
    with Reader(db) as reader:
        assert reader.message(handle, "received") == whole


async def test_deliveries_are_written_together_and_at_the_latest_at_the_end(
    db: Path, store: SqliteStore
) -> None:
    exchanges = [intent() for _ in range(3)]
    intents = await asyncio.gather(*map(store.open, exchanges))
    for one, exchange in zip(intents, exchanges, strict=True):
        store.delivered(one.handle, exchange.id, exchange is not exchanges[1])
    assert rows(db, "SELECT delivered FROM exchange") == [(None,)] * 3
    await store.close()
    assert rows(db, "SELECT delivered FROM exchange ORDER BY seq") == [(1,), (0,), (1,)]
    payload = json.loads(rows(db, "SELECT payload FROM event WHERE kind = 'delivered'")[0][0])
    assert payload["undelivered"] == [exchanges[1].id]


async def test_deliveries_do_not_wait_for_the_end(db: Path, start: Any) -> None:
    store = await start(delivery_interval=0.01)
    exchange = intent()
    store.delivered((await store.open(exchange)).handle, exchange.id, True)
    await until(lambda: rows(db, "SELECT delivered FROM exchange") == [(1,)])


async def test_pauses_hold_across_restarts_and_the_general_one_comes_first(
    db: Path, start: Callable[..., Awaitable[SqliteStore]]
) -> None:
    one, every = Pause("14", "odd", "ann", 5), Pause("*", "drill", "bob", 6)
    store = await start()
    await store.pause(one)
    assert (store.paused("14"), store.paused("15"), store.paused(None)) == (one, None, None)
    await store.pause(every)
    assert (store.paused("14"), store.paused(None)) == (every, every)
    await store.close()
    store = await start()
    assert store.paused("15") == every
    assert await store.resume("*", "over", "bob", 7) is True
    assert await store.resume("*", "over", "bob", 8) is False
    assert (store.paused("14"), store.paused("15")) == (one, None)
    with Reader(db) as reader:
        assert reader.pauses() == (one,)


async def test_a_pause_that_follows_a_resume_in_one_group_stays_on_disk(
    db: Path, store: SqliteStore
) -> None:
    first, second = Pause("14", "odd", "ann", 5), Pause("14", "odd again", "bob", 7)
    await store.pause(first)
    await asyncio.gather(store.resume("14", "over", "ann", 6), store.pause(second))
    with Reader(db) as reader:
        assert reader.pauses() == (second,) == (store.paused("14"),)


async def test_only_one_process_writes_and_readers_work_beside_it(
    db: Path, store: SqliteStore
) -> None:
    await store.open(intent())
    with pytest.raises(StartUpError, match=r"is being written by process \d+; stop it"):
        await SqliteStore.start(db, settings=settings())
    with Reader(db) as reader:
        assert len(list(reader.list(Filter()))) == 1


async def test_what_was_pending_is_in_doubt_at_the_next_start(
    db: Path, start: Callable[..., Awaitable[SqliteStore]]
) -> None:
    store = await start()
    exchange = intent()
    await store.open(exchange)
    await store.close()
    store = await start()
    assert store.recovered == 1
    with Reader(db) as reader:
        found = reader.show(exchange.id)
    assert found is not None
    assert found.row.state is State.IN_DOUBT
    assert (found.row.reason or "").startswith("The gateway stopped before the outcome")
    assert [event.kind for event in found.events] == ["pending", "in-doubt"]


async def test_the_chain_links_every_event(db: Path, store: SqliteStore) -> None:
    exchanges = [intent() for _ in range(5)]
    intents = await asyncio.gather(*map(store.open, exchanges))
    for one, exchange in zip(intents, exchanges, strict=True):
        await store.settle(one.handle, exchange.id, outcome(State.COMPLETED))
    await store.close()
    before, count = bytes(32), 0
    for seq, kind, exchange_id, payload, digest, after in rows(
        db, "SELECT seq, kind, exchange, payload, payload_sha256, hash FROM event ORDER BY seq"
    ):
        count += 1
        name = (exchange_id or "").encode()
        framed = len(kind).to_bytes(8, "big") + kind.encode() + len(name).to_bytes(8, "big") + name
        assert (seq, digest) == (count, hashlib.sha256(payload.encode()).digest())
        before = hashlib.sha256(before + seq.to_bytes(8, "big") + framed + digest).digest()
        assert after == before
    assert count == 11


async def test_events_hold_every_fact_that_columns_are_made_of(
    db: Path, store: SqliteStore
) -> None:
    exchange, ended = intent(), outcome(State.COMPLETED)
    await store.settle((await store.open(exchange)).handle, exchange.id, ended)
    facts: dict[str, Any] = {}
    for (payload,) in rows(db, "SELECT payload FROM event WHERE exchange IS NOT NULL"):
        facts |= json.loads(payload)
        messages = facts.pop("messages")
    names = [name for name in facts if name not in {"at", "edits", "violations"}]
    column_values = rows(db, f"SELECT {', '.join(names)}, settled_at FROM exchange")[0]  # noqa: S608
    assert column_values == (*(facts[name] for name in names), facts["at"])
    assert ended.answered is not None
    headers = b'[["Location","/orders/o-1"]]'
    pieces = (ended.answered.line, headers, ended.answered.body)
    framed = b"".join(len(piece).to_bytes(8, "big") + piece for piece in pieces)
    assert messages == {"answered": hashlib.sha256(framed).hexdigest()}


async def test_whatever_a_client_writes_can_be_stored(db: Path, store: SqliteStore) -> None:
    exchange = intent(
        target="/a\udcff", quantity=10**30, customer_order_id="a\x00b", order_type="\ud800"
    )
    await store.open(exchange)
    assert rows(db, "SELECT target, quantity, customer_order_id, order_type FROM exchange") == [
        ("/a\\udcff", 2**63 - 1, "a\x00b", "\\ud800")
    ]


async def test_records_wait_for_room_and_all_arrive(db: Path, start: Any) -> None:
    store = await start(queue_limit=20_000)
    big = intent(kind=Kind.OTHER, method="GET", sent=None)
    await asyncio.gather(
        *(
            store.record(
                intent(received=message(b"GET / HTTP/1.1", b"x" * 9_000), sent=None),
                outcome(State.COMPLETED),
            )
            for _ in range(40)
        ),
        store.record(big, outcome(State.COMPLETED)),
    )
    await store.close()
    assert rows(db, "SELECT count(*) FROM exchange") == [(41,)]
    assert store.lost == 0


async def test_strict_durability_waits_for_the_record(db: Path, start: Any) -> None:
    store = await start(durability="strict")
    await store.record(intent(), outcome(State.COMPLETED))
    assert rows(db, "SELECT count(*) FROM exchange") == [(1,)]


async def test_only_the_owner_may_read_the_files(db: Path, store: SqliteStore) -> None:
    await store.open(intent())
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in db.parent.iterdir()}
    assert set(modes) >= {"tape.db", "tape.db-wal", "tape.db.lock"}
    assert set(modes.values()) == {0o600}


async def test_closing_leaves_one_file_without_a_log(db: Path, store: SqliteStore) -> None:
    await store.open(intent())
    await store.close()
    await store.close()
    assert {path.name for path in db.parent.iterdir()} == {"tape.db", "tape.db.lock"}
    assert store.health() == Health(ok=False, reason="The store is closed.")
    assert repr(store) == "<SqliteStore tape.db: The store is closed. 0 lost>"
    with pytest.raises(UnavailableError):
        await store.open(intent())


async def test_names_that_lead_to_one_file_share_its_lock(db: Path, store: SqliteStore) -> None:
    other = db.with_name("other.db")
    other.symlink_to(db)
    with pytest.raises(StartUpError, match="is being written"):
        await SqliteStore.start(other, settings=settings())
    await store.open(intent())


def test_the_store_works_on_uvloop(db: Path) -> None:
    async def main() -> list[int]:
        store = await SqliteStore.start(db, settings=settings())
        exchanges = [intent() for _ in range(50)]
        intents = await asyncio.gather(*map(store.open, exchanges))
        await asyncio.gather(
            *(
                store.settle(one.handle, exchange.id, outcome(State.COMPLETED))
                for one, exchange in zip(intents, exchanges, strict=True)
            )
        )
        await store.close()
        return [one.handle for one in intents]

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(main()) == list(range(1, 51))
    assert rows(db, "SELECT DISTINCT state FROM exchange") == [("COMPLETED",)]


async def test_bodies_are_kept_as_they_are(db: Path, store: SqliteStore) -> None:
    await store.open(intent())
    assert ORDER in everything_in(db.parent)
