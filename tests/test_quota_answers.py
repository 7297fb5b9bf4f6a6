"""What a client is told that a quota refuses, and what the audit keeps of it."""

import json
from pathlib import Path

import pytest

from gateways import ORDER, ask, gateway, order_request
from metered import (
    ACCOUNT,
    Calendar,
    Clock,
    Period,
    Rolling,
    deciding,
    fields,
    metered,
    numbers,
    order,
    said,
    used,
)
from ordertape.cli import main
from ordertape.errors import NeverFitsError
from ordertape.model import State
from ordertape.quota import Boost, Quota, Reservation, Standing, Unit, refusal
from ordertape.quota.window import SECOND
from ordertape.testing import Respond, Scripted, order_created

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
TEN_THOUSAND = numbers(10_000, Calendar(Period.DAY, "America/New_York"))
ORDERS = Quota("orders-per-hour", Unit.ORDERS, 2, Rolling(3600))


def answered(code: str, *sentences: str, echo: bytes = b"<Order/>") -> bytes:
    """The body of a refusal, as SDKs read it."""
    problems = "".join(
        f"<Error><Code>{code}</Code><Description>{sentence}</Description></Error>"
        for sentence in sentences
    )
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f"<OrderResponse><ErrorList>{problems}</ErrorList>{echo.decode()}</OrderResponse>"
    ).encode()


async def test_an_order_over_the_limit_is_refused_in_full_and_what_is_left_stays_usable(
    tmp_path: Path,
) -> None:
    """The trap of fixed windows: a refused order of 5000 that burns what is left."""
    async with Scripted([Respond(CREATED)]) as service:
        async with metered(tmp_path, service.url, TEN_THOUSAND) as running:
            assert await deciding(running, 5000, 1000) == [201, 201]
            refused = await said(running, 5000)
            assert await deciding(running, 4000, 1) == [201, 429]
            rows = [full.row for full in running.recorded()]
        assert len(service.attempts) == 3
    assert refused.status == 429
    sentence = (
        f"The quota numbers-per-day allows account {ACCOUNT} 10000 telephone numbers a day "
        "(America/New_York), of which 6000 are used (0 of them held), and this order asks for "
        "5000; send it again after 2026-11-25T05:00:00Z, or ask for at most 4000."
    )
    assert refused.body == answered("94290", sentence, echo=order(5000))
    assert {name: refused.headers[name] for name in SAID} == {
        "content-type": "application/xml; charset=utf-8",
        "cache-control": "no-store",
        "ordertape-state": "refused",
        "ordertape-exchange": rows[2].id,
        "retry-after": "61200",
    }
    assert fields(refused, "ratelimit-policy") == {"numbers-per-day": {"q": 10_000, "w": 86_400}}
    assert fields(refused, "ratelimit") == {"numbers-per-day": {"r": 4000, "t": 61_200}}
    row = rows[2]
    assert (row.state, row.status, row.reason, row.cost) == (State.REFUSED, 429, sentence, 5000)
    assert (row.used, row.held, row.charge) == (None, False, None)
    assert [(v.rule, v.code, v.severity, v.message) for v in row.violations] == [
        ("quota numbers-per-day", "94290", "enforce", sentence)
    ]
    assert [row.status for row in rows] == [201, 201, 429, 201, 429]
    assert used(running.db) == {("numbers-per-day", "2026-11-24T05:00:00Z"): (10_000, 0)}


SAID = ("content-type", "cache-control", "ordertape-state", "ordertape-exchange", "retry-after")


async def test_the_audit_names_the_code_and_status_of_what_a_quota_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, numbers(3)) as running,
    ):
        assert await deciding(running, 3, 1, 4) == [201, 429, 403]

    def asked(*arguments: str) -> str:
        capsys.readouterr()
        with pytest.raises(SystemExit):
            main([*arguments, "--db", str(running.db)])
        return capsys.readouterr().out

    listed = [json.loads(line) for line in asked("audit", "list", "--json").splitlines()]
    assert [(one["status"], [v["code"] for v in one["violations"]]) for one in listed] == [
        (403, ["94030"]),
        (429, ["94290"]),
        (201, []),
    ]
    shown = asked("audit", "show", listed[1]["id"])
    assert "status: 429" in shown
    assert "94290" in shown


async def test_every_quota_that_has_no_room_is_named_and_the_last_to_free_tells_when(
    tmp_path: Path,
) -> None:
    roomy = numbers(1000, Calendar(Period.MONTH), name="numbers-per-month")
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, numbers(10), roomy, ORDERS) as running,
    ):
        assert await deciding(running, 4, 4) == [201, 201]
        refused = await said(running, 4)
    assert refused.body.count(b"<Error><Code>94290</Code><Description>The quota ") == 2
    assert set(fields(refused, "ratelimit-policy")) == {
        "numbers-per-day",
        "numbers-per-month",
        "orders-per-hour",
    }
    assert fields(refused, "ratelimit") == {
        "numbers-per-day": {"r": 2, "t": 43_200},
        "orders-per-hour": {"r": 0, "t": 3600},
    }
    assert refused.headers["retry-after"] == "43200"


async def test_an_order_without_a_quantity_counts_5000_and_is_told_so(tmp_path: Path) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, numbers(6000)) as running,
    ):
        assert await deciding(running, None) == [201]
        refused = await said(running, None)
        [admitted, barred] = [full.row for full in running.recorded()]
    sentence = (
        "of which 5000 are used (0 of them held), and this order asks for 5000 (it states no "
        "Quantity); send it again after 2026-11-25T00:00:00Z, or ask for at most 1000."
    )
    assert sentence.encode() in refused.body
    assert barred.reason is not None
    assert sentence in barred.reason
    for row in (admitted, barred):
        assert (row.quantity, row.cost) == (None, 5000)
        assert "has no Quantity and counts as 5000 numbers" in row.violations[0].message


async def test_distinct_numbers_of_a_list_are_what_an_order_costs(tmp_path: Path) -> None:
    body = (
        b"<Order><SiteId>743</SiteId><ExistingTelephoneNumberOrderType><TelephoneNumberList>"
        b"<TelephoneNumber>9193752369</TelephoneNumber><TelephoneNumber>9193752720"
        b"</TelephoneNumber></TelephoneNumberList></ExistingTelephoneNumberOrderType>"
        b"<PartialAllowed>true</PartialAllowed></Order>"
    )
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, numbers(3)) as running,
    ):
        assert (await ask(running.port, order_request(body))).status == 201
        refused = await ask(running.port, order_request(body))
    assert b"2 are used (0 of them held), and this order asks for 2; send it" in refused.body


WITHOUT_ONE = (
    " a day (UTC), and this order asks for 5000 (it states no Quantity); ask for at most 100."
)


@pytest.mark.parametrize(
    ("limit", "quantity", "asked"),
    [
        (100, 101, " a day (UTC), and this order asks for 101; ask for at most 100."),
        (100, None, WITHOUT_ONE),
        (0, 1, ", and this order asks for 1; ask whoever runs the gateway for more."),
    ],
    ids=["over the whole limit", "without a Quantity", "a limit of 0"],
)
async def test_an_order_that_can_never_fit_is_not_told_to_come_again(
    limit: int, quantity: int | None, asked: str, tmp_path: Path
) -> None:
    allows = f"The quota numbers-per-day allows account {ACCOUNT} {limit} telephone numbers"
    sentence = allows + asked
    async with Scripted([Respond(CREATED)]) as service:
        async with metered(tmp_path, service.url, numbers(limit), ORDERS) as running:
            refused = await said(running, quantity)
            [full] = running.recorded()
        assert service.connections == 0
    assert (refused.status, refused.code) == (403, "94030")
    assert refused.body == answered("94030", sentence, echo=order(quantity))
    assert not {"retry-after", "ratelimit", "ratelimit-policy"} & set(refused.headers)
    assert (full.row.state, full.row.status, full.row.reason) == (State.REFUSED, 403, sentence)
    assert (full.row.violations[-1].code, full.row.used) == ("94030", None)
    assert all(counts == (0, 0) for counts in used(running.db).values())


def test_a_limit_of_0_refuses_an_order_of_no_numbers_too() -> None:
    """One of those passes the rules only where they are off."""
    blocked = Standing(numbers(0), used=0, asked=0, more_at=1, fits_at=1)
    error = refusal(Reservation(ACCOUNT, 0, (blocked,)))
    assert isinstance(error, NeverFitsError)


async def test_an_order_that_can_never_fit_is_told_only_of_that(tmp_path: Path) -> None:
    """When the others have room again is of no use to it; the record has them all."""
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, ORDERS, numbers(10)) as running,
    ):
        assert await deciding(running, 1, 1) == [201, 201]
        refused = await said(running, 11)
        *_, full = running.recorded()
    assert (refused.status, refused.body.count(b"<Error>")) == (403, 1)
    assert b"orders-per-hour" not in refused.body
    assert [v.code for v in full.row.violations] == ["94290", "94030"]


async def test_a_boost_lets_an_order_in_until_it_ends(tmp_path: Path) -> None:
    clock = Clock()
    boosted = numbers(10, boosts=(Boost(5, clock.now + 60 * SECOND),))
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, boosted, clock=clock) as running,
    ):
        assert await deciding(running, 10, 3) == [201, 201]
        refused = await said(running, 3)
        clock.pass_by(60)
        after = await said(running, 2)
    assert b"15 telephone numbers a day (UTC), of which 13 are used" in refused.body
    assert fields(refused, "ratelimit-policy")["numbers-per-day"]["q"] == 15
    assert b"10 telephone numbers a day (UTC), of which 13 are used" in after.body
    assert fields(after, "ratelimit") == {"numbers-per-day": {"r": 0, "t": 43_140}}


@pytest.mark.parametrize("accept", [b"application/json", b"text/plain", b"*/*"])
async def test_on_the_orders_route_a_refusal_is_xml_whatever_is_accepted(
    accept: bytes, tmp_path: Path
) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, ORDERS) as running,
    ):
        assert await deciding(running, 1, 1) == [201, 201]
        refused = await ask(running.port, order_request(ORDER, b"Accept: " + accept))
    assert (refused.status, refused.code) == (429, "94290")
    assert refused.headers["content-type"] == "application/xml; charset=utf-8"


async def test_the_configuration_brings_a_quota_into_the_answer(tmp_path: Path) -> None:
    rolling = {"window": "rolling", "seconds": 3600}
    quotas = [{"name": "orders-per-hour", "unit": "orders", "limit": 1, **rolling}]
    more = {"quotas": quotas, "quota_headers": "never"}
    async with (
        Scripted([Respond(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url, **more) as running,
    ):
        assert await deciding(running, 5000) == [201]
        refused = await said(running, 1)
    assert (refused.status, refused.code) == (429, "94290")
    assert 1 <= int(refused.headers["retry-after"]) <= 3600
    assert "ratelimit" not in refused.headers
