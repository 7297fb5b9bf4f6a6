"""The read side: filters, pages, look-ups, views."""

from collections.abc import Awaitable, Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from ordertape.errors import StartUpError
from ordertape.model import Kind, Origin, State
from ordertape.store.connection import connect_reader
from ordertape.store.reading import Filter, Reader
from ordertape.store.sqlite import SqliteStore
from recorded import ARRIVED, intent, outcome

Start = Callable[..., Awaitable[SqliteStore]]


async def _fill(store: SqliteStore) -> None:
    """Four exchanges, c-1 to c-4, each different from the next."""
    made = [
        intent(customer_order_id="c-1"),
        intent(customer_order_id="c-2", account="15", received_at=ARRIVED + 1_000_000),
        intent(customer_order_id="c-3", origin=Origin.SANDBOX, received_at=ARRIVED + 2_000_000),
        intent(customer_order_id="c-4", kind=Kind.OTHER, received_at=ARRIVED + 3_000_000),
    ]
    handles = [(await store.open(exchange)).handle for exchange in made]
    await store.settle(handles[0], made[0].id, outcome(State.COMPLETED))
    await store.settle(handles[1], made[1].id, outcome(State.FAILED, status=502))


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        (Filter(), ["c-4", "c-3", "c-2", "c-1"]),
        (Filter(newest_first=False), ["c-1", "c-2", "c-3", "c-4"]),
        (Filter(account="15"), ["c-2"]),
        (Filter(state=State.PENDING), ["c-4", "c-3"]),
        (Filter(since=ARRIVED + 1_000_000), ["c-4", "c-3", "c-2"]),
        (Filter(until=ARRIVED + 1_000_000), ["c-1"]),
        (Filter(order_id="o-1"), ["c-1"]),
        (Filter(customer_order_id="c-3"), ["c-3"]),
        (Filter(status=502), ["c-2"]),
        (Filter(origin=Origin.SANDBOX), ["c-3"]),
        (Filter(kind=Kind.OTHER), ["c-4"]),
        (Filter(limit=2), ["c-4", "c-3"]),
        (Filter(limit=0), []),
        (Filter(account="14", state=State.PENDING, limit=1), ["c-4"]),
        (Filter(account="nobody"), []),
    ],
)
async def test_conditions_hold_together(
    db: Path, store: SqliteStore, asked: Filter, found: list[str]
) -> None:
    await _fill(store)
    with Reader(db) as reader:
        assert [row.customer_order_id for row in reader.list(asked)] == found
        assert reader.has_live()


async def test_pages_join_without_gap_or_repeat(db: Path, store: SqliteStore) -> None:
    for _ in range(1100):
        await store.record(intent(), outcome(State.COMPLETED))
    await store.close()
    with Reader(db) as reader:
        assert [row.seq for row in reader.list(Filter())] == list(range(1100, 0, -1))
        assert [row.seq for row in reader.list(Filter(limit=700))] == list(range(1100, 400, -1))
        assert [one.seq for one in reader.completed()] == list(range(1, 1101))


async def test_an_exchange_is_found_by_any_of_its_names(db: Path, store: SqliteStore) -> None:
    exchange = intent(id="abcdef01-2345-7000-8000-000000000000", customer_order_id="mine")
    twin = intent(id="abcdef01-9999-7000-8000-000000000000", customer_order_id="mine")
    handle = (await store.open(exchange)).handle
    await store.settle(handle, exchange.id, outcome(State.COMPLETED, order_id="order-7"))
    await store.open(twin)
    with Reader(db) as reader:
        assert {
            name: (full := reader.show(name)) and full.row.id
            for name in (exchange.id, exchange.id[:10], "order-7", "mine", "abcdef0", "nothing-")
        } == {
            exchange.id: exchange.id,
            exchange.id[:10]: exchange.id,
            "order-7": exchange.id,
            "mine": twin.id,
            "abcdef0": None,
            "nothing-": None,
        }
        with pytest.raises(StartUpError, match="Several exchanges begin with abcdef01"):
            reader.show("abcdef01")


async def test_replay_gets_what_was_completed_with_its_messages(
    db: Path, store: SqliteStore
) -> None:
    exchange, ended = intent(), outcome(State.COMPLETED)
    await store.refuse(intent(), outcome(State.REFUSED))
    await store.settle((await store.open(exchange)).handle, exchange.id, ended)
    with Reader(db) as reader:
        found = list(reader.completed())
        assert [
            (one.seq, one.id, one.kind, one.match_key, one.rules_version, one.settled_at)
            for one in found
        ] == [(2, exchange.id, Kind.ORDER, "a" * 64, "rules-1", ended.at)]
        parts = [reader.message(2, part) for part in ("received", "sent", "answered")]
    assert parts == [exchange.received, exchange.sent, ended.answered]


@pytest.mark.parametrize("content", [None, b"", b"my notes"])
def test_what_is_no_store_is_said_to_be_none(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "some.db"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(StartUpError, match=r"some\.db"):
        Reader(path)
    assert path.exists() == (content is not None)


async def test_views_are_made_for_people(db: Path, store: SqliteStore) -> None:
    exchange = intent()
    refused = intent(cost=None, violations=(replace(exchange.violations[0], severity="enforce"),))
    await store.settle((await store.open(exchange)).handle, exchange.id, outcome(State.COMPLETED))
    await store.refuse(refused, outcome(State.REFUSED, status=400, reason="Name is odd."))
    await store.open(intent(kind=Kind.OTHER))
    with closing(connect_reader(db)) as connection:
        cursor = connection.execute("SELECT * FROM orders ORDER BY id")
        names = [column[0] for column in cursor.description]
        first = dict(zip(names, cursor.fetchone(), strict=True))
        assert len(cursor.fetchall()) == 1
        assert connection.execute(
            "SELECT id, violation_code, violation_message FROM refusals"
        ).fetchall() == [(refused.id, "5019", "Name is odd.")]
        assert connection.execute("SELECT count(*) FROM exchanges").fetchone() == (3,)
    assert first == {
        "id": exchange.id,
        "state": "COMPLETED",
        "kind": "order",
        "origin": "live",
        "method": "POST",
        "target": "/accounts/14/orders?a=%41",
        "account": "14",
        "order_type": "ExistingTelephoneNumberOrderType",
        "customer_order_id": "c-1",
        "order_id": "o-1",
        "quantity": 2,
        "cost": 2,
        "status": 201,
        "reason": None,
        "charge": "kept",
        "received_at": "2026-09-21T14:13:20.123Z",
        "duration_ms": 1500.0,
        "delivered": None,
        "edits": 1,
        "violations": 1,
    }
