"""Match keys made anew: after a change of rules replay need not, and nothing else moves."""

import asyncio
import json
import sqlite3
from pathlib import Path
from typing import Any

from gateways import gateway, order_request
from ordertape.admission import Policy
from ordertape.build import admission_policy, change
from ordertape.cassette.reindexing import AT_ONCE, COMMAND
from ordertape.cassette.storing import into_store
from ordertape.config import Settings
from ordertape.model import State
from ordertape.store.reading import Filter, Reader
from processes import ordertape_here
from replayed import FIRST, get, order, record, replaying_on_a_port
from storable import READ, REDACTION, placed

LEFT = {"order-defaults": {"partial_allowed": "leave"}}
"""Rules that leave out PartialAllowed where the client does."""

ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def chosen(db: Path) -> Settings:
    return Settings.model_validate({"db": db, "rules": LEFT})


def reindexed(db: Path) -> Any:
    return change(db, lambda: chosen(db), COMMAND, after=0, once=None)


def keys(db: Path) -> list[tuple[str | None, str, str]]:
    """The keys, the rules that they go by, and the rules that judged the requests."""
    with Reader(db) as reader:
        judged = {row.id: row.rules_version for row in reader.list(Filter())}
        return [(one.match_key, one.rules_version, judged[one.id]) for one in reader.completed()]


def events(db: Path) -> list[dict[str, Any]]:
    connection = sqlite3.connect(db)
    try:
        found = connection.execute("SELECT payload FROM event WHERE kind = 'rekeyed'").fetchall()
    finally:
        connection.close()
    return [json.loads(payload) for (payload,) in found]


async def test_keys_go_by_the_rules_in_force_and_the_record_stays(tmp_path: Path) -> None:
    db = await record(tmp_path, (order_request(order()), FIRST), (get(), ANSWER))
    (before, version, judged), (read, _, _) = keys(db)
    assert version == judged
    new = admission_policy(chosen(db)).rules.version
    assert await asyncio.to_thread(reindexed, db) == {"last": None, "seen": 2, "changed": 2}
    (after, by, still), (still_read, _, _) = keys(db)
    assert (after != before, by, still, still_read) == (True, new, judged, read)
    with Reader(db) as reader:
        ids = [one.id for one in reader.completed()]
    [event] = events(db)
    assert event.pop("at") > 1_790_000_000_000_000
    assert event == {
        "key_rules": new,
        "match_keys": dict(zip(ids, (after, read), strict=True)),
    }
    assert await asyncio.to_thread(reindexed, db) == {"last": None, "seen": 2, "changed": 0}
    assert len(events(db)) == 1
    async with replaying_on_a_port(db, rules=LEFT) as replay:
        assert await replay.status(order_request(order())) == 201
        assert await replay.status(get()) == 200


async def test_a_running_gateway_makes_them_by_its_own_rules(tmp_path: Path) -> None:
    await record(tmp_path, (order_request(order()), FIRST), (get(), ANSWER))
    async with gateway(tmp_path, sandbox=True, rules=LEFT) as running:
        told = await asyncio.to_thread(ordertape_here, "cassette", "reindex", cwd=tmp_path)
        assert told == (0, "Made 2 of 2 match keys in ordertape.db anew.\n", "")
        new = running.parts.gateway.policy.rules.version
        assert {by for _, by, _ in keys(running.db)} == {new}


def test_many_are_done_piece_by_piece(tmp_path: Path) -> None:
    db = tmp_path / "ordertape.db"
    old: Policy = admission_policy(Settings())
    count = AT_ONCE + 1
    into_store(db, (READ for _ in range(count)), old, REDACTION)
    assert reindexed(db) == {"last": None, "seen": count, "changed": count}
    assert [len(event["match_keys"]) for event in events(db)] == [AT_ONCE, 1]


async def test_what_was_kept_in_part_keeps_its_key(tmp_path: Path) -> None:
    head = (
        b"PUT /files/1 HTTP/1.1\r\nHost: g\r\nConnection: close\r\nContent-Length: 2000000\r\n\r\n"
    )
    db = await record(tmp_path, (head + bytes(2_000_000), ANSWER))
    before = keys(db)
    assert await asyncio.to_thread(reindexed, db) == {"last": None, "seen": 1, "changed": 0}
    assert keys(db) == before


def test_a_store_of_before_is_read_as_it_is(tmp_path: Path) -> None:
    db = tmp_path / "ordertape.db"
    into_store(db, [placed()], admission_policy(Settings()), REDACTION)
    before = keys(db)
    connection = sqlite3.connect(db)
    connection.execute("DROP INDEX exchange_key_rules")
    connection.execute("ALTER TABLE exchange DROP COLUMN key_rules")
    connection.close()
    with Reader(db) as reader:
        [one] = reader.completed()
        [row] = reader.list(Filter(state=State.COMPLETED))
    assert [(one.match_key, one.rules_version, row.rules_version)] == before
