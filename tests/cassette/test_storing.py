"""Interactions into a store and out of it: whole, in order, found by their keys, all or none."""

import asyncio
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from gateways import gateway, order_request
from ordertape.cassette.interaction import CassetteError, Interaction
from ordertape.cassette.ordinals import Secrets, numbered
from ordertape.cassette.storing import into_store
from ordertape.cassette.taking_out import interactions
from ordertape.errors import StartUpError
from ordertape.matching import Matching
from ordertape.model import Headers, Kind, Origin, State
from ordertape.store.reading import Filter, Reader, Row
from ordertape.store.settings import SCRATCH
from recorded import everything_in
from replayed import get, order, raw, record, replaying_on_a_port
from storable import POLICY, READ, REDACTION, XML, placed

BASIC = (b"Authorization", b"Basic canary-credentials")
COOKIE = (b"Set-Cookie", b"session=canary-cookie; Path=/")


def stored(db: Path, *found: Interaction, **how: Any) -> int:
    return into_store(db, found, POLICY, REDACTION, **how)


def taken_out(db: Path, asked: Filter | None = None, **how: Any) -> list[Interaction]:
    with Reader(db) as reader:
        return list(interactions(reader, asked or Filter(), **how))


def rows(db: Path) -> Sequence[Row]:
    with Reader(db) as reader:
        return list(reader.list(Filter(newest_first=False)))


def test_what_is_stored_is_taken_out_again_as_it_was_and_in_order(tmp_path: Path) -> None:
    db = tmp_path / "s.db"
    assert stored(db, placed(), READ, placed()) == 3
    assert stored(db, READ) == 1
    assert taken_out(db) == [placed(), READ, placed(), READ]
    assert taken_out(db, Filter(limit=3)) == [READ, placed(), READ]
    assert taken_out(db, Filter(account="14")) == [placed(), placed()]


def test_an_order_is_stored_with_all_that_listings_tell_of_it(tmp_path: Path) -> None:
    stored(tmp_path / "s.db", placed())
    [row] = rows(tmp_path / "s.db")
    assert (row.state, row.kind, row.origin) == (State.COMPLETED, Kind.ORDER, Origin.RECORDED)
    assert (row.upstream, row.target) == ("https://service.example", "/v1.0/accounts/14/orders")
    assert (row.account, row.order_type) == ("14", "NPANXXSearchAndOrderType")
    assert (row.customer_order_id, row.order_id, row.quantity, row.cost) == ("c", "o-1", 2, 2)
    assert (row.status, row.charge, row.used, row.held) == (201, "kept", None, False)
    assert (row.received_at, row.duration_ms) == (1_790_000_000_123_456, 1.5)
    assert row.rules_version == POLICY.rules.version


def test_without_a_moment_it_is_of_now(tmp_path: Path) -> None:
    stored(tmp_path / "s.db", placed(started_at=None, duration=None))
    [row] = rows(tmp_path / "s.db")
    assert row.received_at > 1_790_000_000_123_456
    assert row.duration_ms == 0


@pytest.mark.parametrize(
    ("url", "upstreams", "upstream", "target"),
    [
        ("http://h:8/a?b#c", (), "http://h:8", "/a?b"),
        ("http://h", (), "http://h", "/"),
        ("http://h?a=/b", (), "http://h", "/?a=/b"),
        ("http://u:p%40@h/a@b", (), "http://h", "/a@b"),
        ("http://h/v1/a", ("http://h/v1/",), "http://h/v1", "/a"),
        ("http://h/v1", ("http://h", "http://h/v1"), "http://h/v1", "/"),
        ("http://h/v10/a", ("http://h/v1",), "http://h", "/v10/a"),
    ],
)
def test_a_url_is_taken_apart_into_base_and_target(
    tmp_path: Path, url: str, upstreams: tuple[str, ...], upstream: str, target: str
) -> None:
    stored(tmp_path / "s.db", placed(url=url), upstreams=upstreams)
    [row] = rows(tmp_path / "s.db")
    assert (row.upstream, row.target) == (upstream, target)


def test_all_are_stored_or_none(tmp_path: Path) -> None:
    db = tmp_path / "s.db"
    stored(db, READ)

    def breaking_off() -> Iterator[Interaction]:
        for _ in range(1200):  # more than are written at once
            yield placed()
        raise CassetteError("The second cassette is damaged.")

    with pytest.raises(CassetteError):
        into_store(db, breaking_off(), POLICY, REDACTION)
    with pytest.raises(CassetteError, match=r"'nowhere' is no absolute URL"):
        stored(db, placed(), placed(url="nowhere"))
    assert taken_out(db) == [READ]


async def test_a_store_that_a_gateway_writes_is_refused(tmp_path: Path) -> None:
    async with gateway(tmp_path, sandbox=True) as running:
        with pytest.raises(StartUpError, match="is being written by process"):
            await asyncio.to_thread(stored, running.db, READ)


def test_a_store_that_stays_holds_no_secret(tmp_path: Path) -> None:
    one = placed(
        url="https://service.example/accounts/14/orders?token=canary-token",
        request_headers=Headers.of([XML, BASIC]),
        headers=Headers.of([COOKIE]),
    )
    db = tmp_path / "s.db"
    stored(db, one, settings=replace(SCRATCH, synchronous="FULL"))
    assert b"canary" not in everything_in(tmp_path)


def test_a_scratch_store_keeps_what_is_answered(tmp_path: Path) -> None:
    one = placed(request_headers=Headers.of([XML, BASIC]), headers=Headers.of([XML, COOKIE]))
    db = tmp_path / "s.db"
    stored(db, one, keep_answers=True)
    [found] = taken_out(db)
    assert found.headers == one.headers
    assert b"canary-credentials" not in everything_in(tmp_path)


def test_ordinals_are_no_secrets(tmp_path: Path) -> None:
    one = placed(
        url="https://service.example/accounts/14/orders?token=redacted-3",
        request_headers=Headers.of(
            [(b"Authorization", b"Basic redacted-1"), (b"Cookie", b"a=redacted-2; b=3")]
        ),
        headers=Headers.of([(b"Set-Cookie", b"s=redacted-12; Path=/")]),
    )
    stored(tmp_path / "s.db", one)
    [found] = taken_out(tmp_path / "s.db")
    assert (found.url, found.headers) == (one.url, one.headers)
    [basic, cookie] = [value for _, value in found.request_headers]
    assert basic == b"Basic redacted-1"
    assert cookie.startswith(b"a=redacted-2; b=ordertape:12345678:")


def test_keys_go_by_the_options_of_matching_only_in_a_scratch_store(tmp_path: Path) -> None:
    policy = replace(POLICY, matching=Matching(ignore=("/Order/CustomerOrderId",)))
    for name, how in (("stays", {}), ("scratch", {"keep_answers": True})):
        into_store(tmp_path / name, [placed()], policy, REDACTION, **how)
        into_store(tmp_path / name, [placed()], POLICY, REDACTION, **how)
    first, second = (row.match_key for row in rows(tmp_path / "stays"))
    assert first == second
    first, second = (row.match_key for row in rows(tmp_path / "scratch"))
    assert first != second


async def test_an_order_has_the_key_that_it_was_recorded_with(tmp_path: Path) -> None:
    """It was normalised on its way; the cassette holds what left."""
    answer = b"HTTP/1.1 201 Created\r\nDate: today\r\nX: 1\r\nContent-Length: 2\r\n\r\nok"
    request = order_request(order("<Quantity> 2 </Quantity>"))
    db = await record(tmp_path / "recorded", (request, answer), (get("/n?b&a"), answer))
    found = taken_out(db)
    stored(tmp_path / "again.db", *numbered(found, Secrets()))
    assert [row.match_key for row in rows(tmp_path / "again.db")] == [
        row.match_key for row in rows(db)
    ]
    assert found[0].request_headers == Headers.of(
        [
            (b"Authorization", found[0].request_headers.get(b"authorization") or b""),
            XML,
            (b"Content-Length", b"%d" % len(found[0].request_body)),
        ]
    )
    assert b"<PartialAllowed>true</PartialAllowed>" in found[0].request_body
    assert found[0].headers == Headers.of([(b"X", b"1"), (b"Content-Length", b"2")])
    assert taken_out(db, keep_headers=True)[0].headers.get(b"date") == b"today"
    async with replaying_on_a_port(tmp_path / "again.db") as replay:
        assert (await raw(replay.port, request)).endswith(b"ok")


async def test_what_was_kept_in_part_or_not_answered_is_left_out(tmp_path: Path) -> None:
    large = b"HTTP/1.1 200 OK\r\nContent-Length: 2000000\r\n\r\n" + bytes(2_000_000)
    db = await record(tmp_path, (get("/large"), large), (order_request(b"<Order"), b""))
    assert [row.state for row in rows(db)] == [State.COMPLETED, State.REFUSED]
    assert taken_out(db) == []


def test_ten_thousand_are_stored_in_seconds(tmp_path: Path, long: bool) -> None:  # noqa: FBT001 - a fixture
    count = 10_000 if long else 1_000
    found = (placed(url=f"http://h/accounts/{n}/orders") for n in range(count))
    assert into_store(tmp_path / "s.db", found, POLICY, REDACTION) == count
