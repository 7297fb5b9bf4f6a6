"""Recordings first, then the service: what is answered from where, what is sent, what it costs."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateways import Gateway, ask, gateway, order_request
from ordertape.cassette import dump
from ordertape.cassette.taking_out import interactions
from ordertape.config import load
from ordertape.errors import ConfigurationError, StartUpError
from ordertape.model import Charge, Origin, State
from ordertape.quota import Calendar, Period, Quota, Unit
from ordertape.store.reading import Filter, Full, Reader
from ordertape.store.sqlite import SqliteStore
from ordertape.testing import Peer, ReadRequest, Respond, Scripted, Send, order_created, reply
from processes import Running, running
from recorded import intent, outcome, settings
from replayed import FIRST, SECOND, body_of, get, order, raw, record

KNOWN, NEW = order_request(order()), order_request(order("<Quantity>3</Quantity>"))
LIVE = Respond(order_created("live-1"))
FOUND = reply(200, b"<Numbers/>")
QUOTA = {"name": "numbers", "limit": 4, "window": "day"}
FREE = ("--listen", "127.0.0.1:0", "--admin", "off")


@pytest.fixture
async def tape(tmp_path: Path) -> Path:
    """One order and one search, recorded."""
    return await record(tmp_path / "tape", (KNOWN, FIRST), (get("/numbers?page=1"), FOUND))


@pytest.fixture
def folder() -> Iterator[Path]:
    """Where the gateway that spies records into."""
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def evidence(full: Full) -> tuple[str, Origin, str, State, int | None]:
    row = full.row
    return row.method, row.origin, row.upstream, row.state, row.status


def cost(full: Full) -> tuple[int | None, int | None, bool, Charge | None]:
    """What it would cost, and what it counts for."""
    return full.row.cost, full.row.used, full.row.held, full.row.charge


async def recorded(running: Gateway, count: int) -> Sequence[Full]:
    """So many exchanges; those of safe requests are written when they have been answered."""
    async with asyncio.timeout(20):
        while len(found := running.recorded()) < count:  # noqa: ASYNC110
            await asyncio.sleep(0.02)
    return found


async def test_what_was_recorded_is_answered_from_there_and_the_rest_goes_live(
    tape: Path, folder: Path
) -> None:
    async with (
        Scripted([Respond(reply(200, b"live"))]) as service,
        gateway(folder, upstream=service.url, spy=[tape]) as spy,
    ):
        answers = [
            await raw(spy.port, request)
            for request in (KNOWN, get("/numbers?page=1"), get("/numbers?page=2"))
        ]
        rows = await recorded(spy, 3)
    assert [body_of(answer) for answer in answers] == [body_of(FIRST), b"<Numbers/>", b"live"]
    assert [attempt.split(b" HTTP")[0] for attempt in service.attempts] == [b"GET /numbers?page=2"]
    assert [evidence(full) for full in rows] == [
        ("POST", Origin.RECORDED, "", State.COMPLETED, 201),
        ("GET", Origin.RECORDED, "", State.COMPLETED, 200),
        ("GET", Origin.LIVE, service.url, State.COMPLETED, 200),
    ]


async def test_an_order_that_a_recording_answers_counts_for_nothing_and_needs_no_room(
    tape: Path, folder: Path
) -> None:
    """Also not for quotas that are configured later: its row has nothing that could be added up."""
    none_left = {**QUOTA, "limit": 0}
    async with (
        Scripted([LIVE]) as service,
        gateway(folder, upstream=service.url, spy=[tape], quotas=[none_left]) as spy,
    ):
        answered = await ask(spy.port, KNOWN)
        [full] = spy.recorded()
        day = Quota("later", Unit.NUMBERS, 9, Calendar(Period.DAY))
        later = await spy.parts.store.open(intent(account="9900012", cost=9), [day])
    assert (answered.status, cost(full)) == (201, (2, None, False, None))
    assert later.reservation is not None
    assert [standing.used for standing in later.reservation.standings] == [0]


async def test_an_order_that_was_never_recorded_is_not_sent_and_is_told_why(
    tape: Path, folder: Path
) -> None:
    async with (
        Scripted([LIVE]) as service,
        gateway(folder, upstream=service.url, spy=[tape], quotas=[QUOTA]) as spy,
    ):
        with capture_logs() as logged:
            missed = await ask(spy.port, NEW)
            elsewhere = await ask(
                spy.port, order_request(order(), path=b"/v1/accounts/9900012/orders")
            )
        rows = spy.recorded()
    assert [(answer.status, answer.code) for answer in (missed, elsewhere)] == [
        (409, "94090"),
        (404, "94090"),
    ]
    quantity = b"/Order/NPANXXSearchAndOrderType/Quantity: recorded '2', asked '3'."
    assert quantity in missed.body
    told = [line["explanation"] for line in logged if line["event"] == "missed"]
    assert [quantity.decode() in lines for lines in told] == [True, False]
    assert service.connections == 0
    assert [evidence(full) for full in rows] == [
        ("POST", Origin.RECORDED, "", State.FAILED, 409),
        ("POST", Origin.RECORDED, "", State.FAILED, 404),
    ]
    assert [full.row.used for full in rows] == [None, None]


@pytest.mark.parametrize("send_orders", [False, True])
async def test_an_order_whose_recordings_are_used_up_is_never_sent(
    tape: Path, folder: Path, *, send_orders: bool
) -> None:
    more: dict[str, Any] = {"spy": [tape], "spy_send_orders": send_orders}
    async with Scripted([LIVE]) as service, gateway(folder, upstream=service.url, **more) as spy:
        together = await asyncio.gather(*(ask(spy.port, KNOWN) for _ in range(5)))
        exhausted = await ask(spy.port, KNOWN)
        rows = spy.recorded()
    assert sorted(answer.status for answer in together) == [201, 409, 409, 409, 409]
    assert (exhausted.status, exhausted.code) == (409, "94090")
    assert b"has been used (1 of 1)" in exhausted.body
    assert service.connections == 0
    assert {full.row.origin for full in rows} == {Origin.RECORDED}


async def test_an_order_that_goes_live_is_reserved_and_on_disk_before_it_is_sent(
    tape: Path, folder: Path
) -> None:
    seen: list[tuple[tuple[str, Origin, str, State, int | None], Any]] = []

    async def look(peer: Peer) -> None:
        await ReadRequest()(peer)
        with Reader(folder / "ordertape.db") as reader:
            [row] = reader.list(Filter())
            full = reader.show(row.id)
        assert full is not None
        seen.append((evidence(full), cost(full)))

    more: dict[str, Any] = {"spy": [tape], "spy_send_orders": True, "quotas": [QUOTA]}
    async with (
        Scripted([look, Send(order_created("live-1"))]) as service,
        gateway(folder, upstream=service.url, **more) as spy,
    ):
        answers = [await ask(spy.port, request) for request in (NEW, NEW, KNOWN)]
        rows = spy.recorded()
    assert seen == [(("POST", Origin.LIVE, service.url, State.PENDING, None), (3, 3, True, None))]
    assert [answer.status for answer in answers] == [201, 429, 201]
    assert len(service.attempts) == 1
    assert [(evidence(full), cost(full)) for full in rows] == [
        (("POST", Origin.LIVE, service.url, State.COMPLETED, 201), (3, 3, False, Charge.KEPT)),
        (("POST", Origin.LIVE, service.url, State.REFUSED, 429), (3, None, False, None)),
        (("POST", Origin.RECORDED, "", State.COMPLETED, 201), (2, None, False, None)),
    ]


async def test_a_version_2_order_that_was_recorded_passes_where_a_quota_would_refuse_it(
    tmp_path: Path, folder: Path
) -> None:
    second = order_request(order(), path=b"/v2/accounts/9900012/orders")
    tape = await record(tmp_path / "tape", (second, FIRST))
    async with gateway(folder, sandbox=True, spy=[tape], quotas=[QUOTA]) as spy:
        answered = await ask(spy.port, second)
        [full] = spy.recorded()
    assert (answered.status, full.row.origin, full.row.used) == (201, Origin.RECORDED, None)


@pytest.mark.parametrize("method", ["PUT", "DELETE", "PATCH", "POST"])
async def test_other_unsafe_requests_are_sent_only_where_orders_are(
    tape: Path, folder: Path, method: str
) -> None:
    request = get("/numbers/7", "Content-Length: 0", method=method)
    found = []
    async with Scripted([Respond(reply(200, b"done"))]) as service:
        for send_orders in (False, True):
            into = folder / str(send_orders)
            into.mkdir()
            more: dict[str, Any] = {"spy": [tape], "spy_send_orders": send_orders}
            async with gateway(into, upstream=service.url, **more) as spy:
                status = (await ask(spy.port, request)).status
                found.append((status, len(service.attempts)))
    assert found == [(404, 0), (200, 1)]


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
async def test_what_was_asked_live_is_asked_live_again(
    tape: Path, folder: Path, method: str
) -> None:
    request = get("/sites", method=method)
    async with (
        Scripted([Respond(reply(200, b""))]) as service,
        gateway(folder, upstream=service.url, spy=[tape]) as spy,
    ):
        assert [(await ask(spy.port, request)).status for _ in range(2)] == [200, 200]
    assert len(service.attempts) == 2


async def test_a_safe_request_that_was_recorded_is_not_sent_when_that_is_to_be_an_error(
    tape: Path, folder: Path
) -> None:
    request = get("/numbers?page=1")
    async with (
        Scripted([LIVE]) as service,
        gateway(folder, upstream=service.url, spy=[tape], repeat="error") as spy,
    ):
        assert [(await ask(spy.port, request)).status for _ in range(2)] == [200, 409]
    assert service.connections == 0


async def test_recordings_may_be_of_several_kinds_and_are_matched_as_configured(
    tmp_path: Path, folder: Path
) -> None:
    first = await record(tmp_path / "first", (KNOWN, FIRST))
    second = await record(tmp_path / "second", (NEW, SECOND))
    with Reader(second) as reader:
        text = dump(list(interactions(reader, Filter())), "vcr")
    (tmp_path / "cassettes").mkdir()
    (tmp_path / "cassettes" / "second.yaml").write_bytes(text)
    named = order("<Quantity>3</Quantity>", "<Name>of the test</Name>")
    async with gateway(
        folder,
        sandbox=True,
        spy=[first, tmp_path / "cassettes"],
        matching={"ignore": ["/Order/Name"]},
    ) as spy:
        answers = [await raw(spy.port, request) for request in (KNOWN, order_request(named))]
    assert [body_of(answer) for answer in answers] == [body_of(FIRST), body_of(SECOND)]


async def test_the_store_of_a_run_can_be_answered_from_alone(tape: Path, folder: Path) -> None:
    first, second = folder / "first", folder / "second"
    first.mkdir()
    second.mkdir()
    requests = (KNOWN, get("/numbers?page=1"), get("/sites"))
    async with Scripted([Respond(reply(200, b"sites"))]) as service:
        async with gateway(first, upstream=service.url, spy=[tape]) as spy:
            before = [await raw(spy.port, request) for request in requests]
        async with gateway(second, upstream=service.url, spy=[spy.db]) as again:
            after = [await raw(again.port, request) for request in requests]
    assert before == after
    assert len(service.attempts) == 1


@pytest.mark.parametrize("name", ["tape/ordertape.db", "tape", "link.db"])
async def test_a_store_is_not_answered_from_and_recorded_into(
    tape: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "link.db").symlink_to(tape)
    with pytest.raises(StartUpError, match="answered from and recorded into; name another"):
        async with gateway(tape.parent, sandbox=True, spy=[tmp_path / name]):
            pass


def test_orders_are_sent_on_top_of_recordings_only(tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.toml"
    wrong.write_text("spy_send_orders = true\n", encoding="utf-8")
    said = "The setting spy_send_orders is wrong: there are no recordings to answer from; name some"
    with pytest.raises(ConfigurationError, match=said) as refused:
        load(wrong, {})
    assert [problem.line for problem in refused.value.problems] == [1]
    assert load(wrong, {"spy": ["some.yaml"]}).settings.spy_send_orders


async def test_what_a_recording_was_to_answer_is_in_no_doubt_after_a_crash(tmp_path: Path) -> None:
    db, crashed = tmp_path / "ordertape.db", tmp_path / "crashed.db"
    store = await SqliteStore.start(db, settings=settings())
    try:
        await store.open(intent(customer_order_id="sent"))
        await store.open(intent(customer_order_id="unsent", origin=Origin.RECORDED))
        for suffix in ("", "-wal"):
            shutil.copy(f"{db}{suffix}", f"{crashed}{suffix}")
    finally:
        await store.close()
    store = await SqliteStore.start(crashed, settings=settings())
    await store.close()
    with Reader(crashed) as reader:
        found = {row.customer_order_id: (row.state, row.reason) for row in reader.list(Filter())}
    assert store.recovered == 1
    assert {name: state for name, (state, _) in found.items()} == {
        "sent": State.IN_DOUBT,
        "unsent": State.FAILED,
    }
    assert "it was not sent" in str(found["unsent"][1])


async def test_an_order_that_was_sent_is_shown_before_one_that_was_answered_again(
    tmp_path: Path,
) -> None:
    store = await SqliteStore.start(tmp_path / "some.db", settings=settings())
    try:
        sent = intent()
        again = intent(origin=Origin.RECORDED)
        for one in (sent, again):
            ended = outcome(State.COMPLETED)
            await store.settle((await store.open(one)).handle, one.id, ended)
    finally:
        await store.close()
    with Reader(tmp_path / "some.db") as reader:
        shown = [reader.show(name) for name in ("o-1", "c-1", again.id)]
    assert [full and full.row.id for full in shown] == [sent.id, sent.id, again.id]


def asked(spy: Running, request: bytes) -> int:
    return asyncio.run(ask(spy.port, request)).status


def test_the_command_says_what_it_answers_from_and_what_it_sends(tape: Path, folder: Path) -> None:
    scratch = folder / "scratch"
    scratch.mkdir()
    said = {}
    for more in ((), ("--spy-send-orders",)):
        with running(
            *("serve", "--sandbox", "--spy", str(tape), *more, *FREE),
            cwd=folder,
            environment={"TMPDIR": str(scratch)},
        ) as spy:
            found = spy.printed(r"Answering from .*")[0]
            said[more] = (found, asked(spy, KNOWN), asked(spy, NEW))
            assert len(list(scratch.iterdir())) == 1
            assert spy.stop() == 0
        assert list(scratch.iterdir()) == []
    from_tape = f"Answering from 2 exchanges of {tape}; "
    assert said == {
        (): (f"{from_tape}of the rest only GET, HEAD and OPTIONS are sent.", 201, 409),
        ("--spy-send-orders",): (f"{from_tape}the rest is sent, orders too.", 201, 201),
    }


async def test_recordings_that_are_not_there_stop_the_start(folder: Path) -> None:
    with pytest.raises(StartUpError, match="There is no recording none"):
        async with gateway(folder, sandbox=True, spy=["none.yaml"]):
            pass


def test_rules_that_would_find_recordings_no_more_are_not_reloaded(
    tape: Path, folder: Path
) -> None:
    """Or an order that was recorded would be taken for a new one, and sent."""
    spying = ("serve", "--sandbox", "--spy", str(tape), "--spy-send-orders", *FREE)
    with running(*spying, cwd=folder) as spy:
        (folder / "ordertape.toml").write_text("quota_refunds = [503]\n", encoding="utf-8")
        os.kill(spy.process.pid, signal.SIGHUP)
        spy.logged("reloaded")
        (folder / "ordertape.toml").write_text(
            "[rules.order-defaults]\npartial_allowed = 'leave'\n", encoding="utf-8"
        )
        os.kill(spy.process.pid, signal.SIGHUP)
        reason = spy.logged("reload-refused")["reason"]
        assert asked(spy, KNOWN) == 201
        assert asked(spy, KNOWN) == 409
        assert spy.stop() == 0
    assert reason == (
        "The recordings of spy are found by the rules of the start; restart to have others."
    )
