"""What an order counts for once it has ended, whatever the service does with it."""

import asyncio
import socket
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import pytest

from gateways import ORDER, ask, gateway, order_request
from metered import (
    Burst,
    Calendar,
    Clock,
    Period,
    counted,
    deciding,
    metered,
    numbers,
    order,
    said,
    used,
)
from ordertape.gateway import Limits
from ordertape.model import Charge, State
from ordertape.quota import Quota, Unit
from ordertape.store import Pause
from ordertape.testing import (
    Close,
    HoldOn,
    ReadRequest,
    Reset,
    Respond,
    Scripted,
    Send,
    Step,
    order_created,
    refused_port,
    reply,
)
from ordertape.upstream.sandbox import Sandbox

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
TODAY, NOON, TOMORROW = "2026-11-24T00:00:00Z", "2026-11-24T12:00:00Z", "2026-11-25T00:00:00Z"
NUMBERS, ORDERS = (
    numbers(10, name="numbers"),
    Quota("orders", Unit.ORDERS, 3, Calendar(Period.HOUR)),
)


def done(status: str, *more: str) -> bytes:
    """What a service answers that is done with an order at once."""
    body = f"<OrderResponse>{''.join(more)}<OrderStatus>{status}</OrderStatus></OrderResponse>"
    return reply(201, body.encode(), (b"Content-Type", b"application/xml"))


GAVE_2 = "<CompletedQuantity>2</CompletedQuantity>"


@pytest.mark.parametrize(
    ("answer", "charge", "stands"),
    [
        (CREATED, Charge.KEPT, (5, False)),
        (reply(204), Charge.KEPT, (5, False)),
        (done("RECEIVED", GAVE_2), Charge.KEPT, (5, False)),
        (done("COMPLETE", GAVE_2), Charge.KEPT, (2, False)),
        (done("PARTIAL", GAVE_2), Charge.KEPT, (2, False)),
        (done("FAILED", "<CompletedQuantity>0</CompletedQuantity>"), Charge.KEPT, (0, False)),
        (done("FAILED", GAVE_2, GAVE_2), Charge.KEPT, (5, False)),
        (done("PARTIAL", "<CompletedQuantity>6</CompletedQuantity>"), Charge.KEPT, (5, False)),
        (reply(400, b"<OrderResponse/>"), Charge.REFUNDED, (None, False)),
        (reply(401), Charge.REFUNDED, (None, False)),
        (reply(404, GAVE_2.encode()), Charge.REFUNDED, (None, False)),
        (reply(429), Charge.REFUNDED, (None, False)),
        (reply(302), Charge.UNKNOWN, (5, True)),
        (reply(500, done("FAILED", GAVE_2)), Charge.UNKNOWN, (5, True)),
        (reply(503), Charge.REFUNDED, (None, False)),
        (reply(504), Charge.UNKNOWN, (5, True)),
    ],
)
async def test_the_services_answer_settles_what_an_order_counts_for(
    answer: bytes, charge: Charge, stands: tuple[int | None, bool], tmp_path: Path
) -> None:
    refunded = frozenset({503})
    async with (
        Scripted([Respond(answer)]) as service,
        metered(tmp_path, service.url, NUMBERS, ORDERS, refunded=refunded) as running,
    ):
        given = await said(running, 5)
        [full] = running.recorded()
    assert answer.startswith(b"HTTP/1.1 %d " % given.status)
    assert (full.row.state, full.row.cost, full.row.charge) == (State.COMPLETED, 5, charge)
    assert counted(full) == stands
    counts, held = stands
    in_numbers, in_orders = counts or 0, int(counts is not None)
    assert used(running.db) == {
        ("numbers", TODAY): (in_numbers, in_numbers * held),
        ("orders", NOON): (in_orders, in_orders * held),
    }


async def test_what_is_refunded_can_be_ordered_at_once_but_for_a_burst(tmp_path: Path) -> None:
    burst = Quota("burst", Unit.ORDERS, 4, Burst(0.001))
    refusing = [Respond(reply(409))]
    script = (refusing, [Respond(done("PARTIAL", GAVE_2))], refusing, [Respond(CREATED)])
    async with (
        Scripted(*script, per="request") as service,
        metered(tmp_path, service.url, NUMBERS, burst) as running,
    ):
        assert await deciding(running, 10, 10, 8, 8, 1) == [409, 201, 409, 201, 429]
        *_, last = running.recorded()
    assert [v.rule for v in last.row.violations] == ["quota numbers", "quota burst"]


@pytest.mark.parametrize("asked", ["true", "1"])
async def test_an_order_whose_rest_may_come_later_keeps_its_cost(
    asked: str, tmp_path: Path
) -> None:
    """Also where the rule that refuses another spelling of true is off."""
    more = f"<BackOrderRequested>{asked}</BackOrderRequested>"
    off = {"booleans": {"severity": "off"}}
    async with (
        Scripted([Respond(done("PARTIAL", GAVE_2))]) as service,
        gateway(tmp_path, upstream=service.url, rules=off) as running,
    ):
        assert (await said(running, 5, more)).status == 201
        [full] = running.recorded()
    assert counted(full) == (5, False)


@pytest.mark.parametrize(
    ("answer", "before"),
    [
        (CREATED, (4, 0)),
        (reply(400), (0, 0)),
        (done("COMPLETE", GAVE_2), (2, 0)),
        (reply(500), (4, 4)),
    ],
    ids=["kept", "refunded", "less", "held"],
)
async def test_an_answer_settles_in_the_window_of_the_reservation(
    answer: bytes, before: tuple[int, int], tmp_path: Path
) -> None:
    clock = Clock(datetime(2026, 11, 24, 23, 59, 59, tzinfo=UTC))
    slow = [ReadRequest(), HoldOn(), Send(answer)]
    async with (
        Scripted(slow, [Respond(CREATED)]) as service,
        metered(tmp_path, service.url, NUMBERS, clock=clock) as running,
    ):
        waiting = asyncio.create_task(said(running, 4))
        await service.wait_for_attempts(1)
        assert used(running.db) == {("numbers", TODAY): (4, 4)}
        clock.pass_by(1)
        assert await deciding(running, 10) == [201]
        service.proceed()
        await waiting
    assert used(running.db) == {("numbers", TODAY): before, ("numbers", TOMORROW): (10, 0)}


async def test_a_clock_that_goes_back_opens_no_window_again(tmp_path: Path) -> None:
    clock = Clock(datetime(2026, 11, 25, tzinfo=UTC))
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, NUMBERS, clock=clock) as running,
    ):
        assert await deciding(running, 6) == [201]
        clock.pass_by(-1)
        assert await deciding(running, 4, 1) == [201, 429]
    assert used(running.db) == {("numbers", TOMORROW): (10, 0)}


async def test_an_order_that_could_not_be_sent_is_refunded(tmp_path: Path) -> None:
    nobody = f"http://127.0.0.1:{refused_port()}"
    async with metered(tmp_path, nobody, NUMBERS) as running:
        answers = [await said(running, 10) for _ in range(2)]
        rows = running.recorded()
    assert [(one.status, one.headers["ordertape-state"]) for one in answers] == 2 * [
        (502, "failed")
    ]
    assert [counted(full) for full in rows] == 2 * [(None, False)]
    assert used(running.db) == {("numbers", TODAY): (0, 0)}


@pytest.mark.parametrize(
    "script",
    [
        [ReadRequest(), Reset()],
        [ReadRequest(), Close()],
        [ReadRequest(), Send(CREATED[:-1]), Close()],
        [ReadRequest(), Send(reply(400, b"<OrderResponse/>")[:-1]), Close()],
    ],
    ids=["reset", "closed", "cut short", "a refusal cut short"],
)
async def test_an_order_in_doubt_is_held_and_the_next_refusal_says_so(
    script: Sequence[Step], tmp_path: Path
) -> None:
    async with (
        Scripted(script) as service,
        metered(tmp_path, service.url, NUMBERS) as running,
    ):
        doubtful = await said(running, 7)
        refused = await said(running, 4)
        [full, _] = running.recorded()
    assert (doubtful.status, doubtful.headers["ordertape-state"]) == (502, "in-doubt")
    assert (full.row.state, full.row.charge, counted(full)) == (State.IN_DOUBT, None, (7, True))
    assert refused.status == 429
    assert b"of which 7 are used (7 of them held), and this order asks for 4;" in refused.body


async def test_an_answer_that_comes_too_late_changes_nothing(tmp_path: Path) -> None:
    limits = Limits(order_total=0.2)
    async with (
        Scripted([ReadRequest(), HoldOn(), Send(reply(400))]) as service,
        metered(tmp_path, service.url, NUMBERS, limits=limits) as running,
    ):
        late = await said(running, 7)
        service.proceed()
        await service.wait_for_closed(1)
        [full] = running.recorded()
    assert (late.status, late.code) == (504, "95040")
    assert (full.row.state, counted(full)) == (State.IN_DOUBT, (7, True))
    assert used(running.db) == {("numbers", TODAY): (7, 7)}


@pytest.mark.parametrize(
    ("answer", "counts"), [(CREATED, 7), (reply(400), None)], ids=["taken", "refused"]
)
async def test_an_order_whose_client_has_gone_is_settled_all_the_same(
    answer: bytes, counts: int | None, tmp_path: Path
) -> None:
    async with (
        Scripted([ReadRequest(), HoldOn(), Send(answer)]) as service,
        metered(tmp_path, service.url, NUMBERS) as running,
    ):
        client = socket.create_connection(("127.0.0.1", running.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(order_request(order(7)))
        await service.wait_for_attempts(1)
        client.close()
        service.proceed()
        [full] = await running.recorded_when(lambda full: full.row.settled_at is not None)
    assert (full.row.state, counted(full)) == (State.COMPLETED, (counts, False))
    assert used(running.db) == {("numbers", TODAY): (counts or 0, 0)}


FREE = {
    "not well-formed": (order_request(b"<Order>"), 400),
    "refused by a rule": (order_request(order(5).replace(b"617", b"117")), 400),
    "no Quantity that can be read": (order_request(order(5).replace(b">5<", b">5x<")), 400),
    "two Quantities": (
        order_request(order(5).replace(b"<Quantity>", b"<Quantity>1</Quantity><Quantity>")),
        400,
    ),
    "a divided Quantity": (order_request(order(5).replace(b">5<", b">1<!-- -->0<")), 400),
    "too large": (order_request(b"<Order>" + b" " * (1 << 20) + b"</Order>"), 413),
    "no XML": (order_request().replace(b"application/xml", b"application/json"), 415),
    "a path trick": (order_request(path=b"/accounts/9900012/x/../orders"), 400),
    "another account's path": (order_request(path=b"/accounts/%39900012/orders"), 400),
}


async def test_what_is_refused_for_another_reason_counts_for_nothing(tmp_path: Path) -> None:
    async with Scripted([Respond(CREATED)]) as service:
        async with metered(tmp_path, service.url, NUMBERS, ORDERS) as running:
            found = [(await ask(running.port, asked)).status for asked, _ in FREE.values()]
            await running.parts.store.pause(Pause("*", "a test", "operator", 0))
            assert await deciding(running, 10) == [503]
            await running.parts.store.resume("*", "a test", "operator", 0)
            assert used(running.db) == {}
            assert [counted(full) for full in running.recorded()] == [(None, False)] * 10
            assert await deciding(running, 10) == [201]
        assert len(service.attempts) == 1
    assert dict(zip(FREE, found, strict=True)) == {name: row[1] for name, row in FREE.items()}


async def test_only_orders_count(tmp_path: Path) -> None:
    others = [
        (b"GET", b"/accounts/9900012/orders"),
        (b"PUT", b"/accounts/9900012/orders"),
        (b"DELETE", b"/accounts/9900012/orders/1"),
        (b"POST", b"/accounts/9900012/orders/1/notes"),
        (b"POST", b"/accounts/9900012/portins"),
    ]
    async with (
        Scripted([Respond(reply(200))]) as service,
        metered(tmp_path, service.url, numbers(0)) as running,
    ):
        for method, path in others:
            request = order_request(ORDER, path=path).replace(b"POST", method, 1)
            assert (await ask(running.port, request)).status == 200
        assert await deciding(running, 1) == [403]
    assert used(running.db) == {("numbers-per-day", TODAY): (0, 0)}


async def test_accounts_do_not_count_for_one_another(tmp_path: Path) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, NUMBERS, accounts={"8": ()}) as running,
    ):
        paths = [b"/accounts/%b/orders" % account for account in (b"7", b"007", b"8", b"8", b"7")]
        found = [(await said(running, 10, path=path)).status for path in paths]
    assert found == [201, 400, 201, 201, 429]


async def test_a_large_order_is_settled_like_any_other(tmp_path: Path) -> None:
    padded = order(5).replace(b"</Order>", b"<!-- of many -->" * 1000 + b"</Order>")
    async with (
        Scripted([Respond(done("PARTIAL", GAVE_2))]) as service,
        metered(tmp_path, service.url, NUMBERS) as running,
    ):
        assert (await ask(running.port, order_request(padded))).status == 201
        [full] = running.recorded()
        refused = await ask(running.port, order_request(padded.replace(b">5<", b">9<")))
    assert counted(full) == (2, False)
    assert (refused.status, refused.code) == (429, "94290")


async def test_the_sandbox_is_an_upstream_like_any_other(tmp_path: Path) -> None:
    """It takes an order as RECEIVED, which keeps all of it, and wants credentials."""
    anonymous = order_request(order(4)).replace(b"Authorization", b"X-Authorization")
    async with metered(tmp_path, Sandbox(), NUMBERS) as running:
        assert (await ask(running.port, anonymous)).status == 401
        assert await deciding(running, 4, 6, 1) == [201, 201, 429]
        rows = running.recorded()
    assert [counted(full) for full in rows] == [
        (None, False),
        (4, False),
        (6, False),
        (None, False),
    ]
    assert used(running.db) == {("numbers", TODAY): (10, 0)}


async def test_what_counts_is_the_same_after_a_restart(tmp_path: Path) -> None:
    month = numbers(10, Calendar(Period.MONTH, "Europe/Berlin"), name="month")
    clock = Clock()
    async with Scripted([Respond(CREATED)], [ReadRequest(), Reset()], per="request") as service:
        async with metered(tmp_path, service.url, month, clock=clock) as running:
            assert await deciding(running, 3, 4) == [201, 502]
            before = used(running.db)
        clock.pass_by(60)
        async with metered(tmp_path, service.url, month, clock=clock) as running:
            refused = await said(running, 4)
    assert before == used(running.db) == {("month", "2026-10-31T23:00:00Z"): (7, 4)}
    assert b"of which 7 are used (4 of them held), and this order asks for 4;" in refused.body
