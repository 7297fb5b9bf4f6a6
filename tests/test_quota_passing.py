"""Orders that quotas let pass: what the client, the log and the record are told all the same."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
import structlog

from gateways import ask, order_request
from metered import (
    ACCOUNT,
    Clock,
    Rolling,
    deciding,
    fields,
    metered,
    numbers,
    said,
    used,
)
from ordertape.model import State
from ordertape.quota import Mode, Quota, Unit
from ordertape.store.changes import By, set_limit
from ordertape.testing import Respond, Scripted, order_created, reply

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
ORDERS = Quota("orders-per-hour", Unit.ORDERS, 2, Rolling(3600))
V2 = f"/api/v2/accounts/{ACCOUNT}/orders".encode()


async def test_success_is_answered_byte_for_byte_as_without_quotas(
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    async def raw(*quotas: Quota) -> bytes:
        async with (
            Scripted([Respond(CREATED)]) as service,
            metered(tmp_path_factory.mktemp("raw"), service.url, *quotas) as running,
        ):
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(order_request())
            answer = await reader.read()
            writer.close()
            await writer.wait_closed()
            return re.sub(rb"(?m)^Date: .*\r\n", b"", answer)

    plain = await raw()
    assert plain.startswith(b"HTTP/1.1 201 Created\r\n")
    assert await raw(numbers(1, warn_at=0.1), ORDERS) == plain


async def test_a_shadow_quota_admits_and_says_what_it_would_have_done(tmp_path: Path) -> None:
    shadow = numbers(10, mode=Mode.SHADOW)
    with structlog.testing.capture_logs() as logged:
        async with (
            Scripted([Respond(CREATED)]) as service,
            metered(tmp_path, service.url, shadow, headers="always") as running,
        ):
            answers = [await said(running, quantity) for quantity in (8, 3, 11)]
            rows = [full.row for full in running.recorded()]
    assert [answer.status for answer in answers] == [201, 201, 201]
    assert not any("ratelimit" in answer.headers for answer in answers)
    assert [[(v.rule, v.code, v.severity) for v in row.violations] for row in rows] == [
        [],
        [("quota numbers-per-day", "94290", "warn")],
        [("quota numbers-per-day", "94030", "warn")],
    ]
    assert "of which 8 are used (0 of them held)" in rows[1].violations[0].message
    assert used(running.db) == {("numbers-per-day", "2026-11-24T00:00:00Z"): (22, 0)}
    facts = {"account": ACCOUNT, "quota": "numbers-per-day", "limit": 10, "log_level": "warning"}
    assert [line for line in logged if line["event"].startswith("quota-")] == [
        {"event": "quota-nearly-used", "id": rows[0].id, "used": 8, **facts},
        {"event": "quota-would-refuse", "id": rows[1].id, "used": 11, **facts},
        {"event": "quota-would-refuse", "id": rows[2].id, "used": 22, **facts},
    ]


async def test_the_log_warns_once_in_a_window_that_a_quota_is_nearly_used(tmp_path: Path) -> None:
    """Also where a refund brings it below the share again in between."""
    clock = Clock()
    refunding = [[Respond(reply(400))], [Respond(CREATED)]]
    with structlog.testing.capture_logs() as logged:
        async with (
            Scripted(*refunding, per="request") as service,
            metered(tmp_path, service.url, numbers(10, warn_at=0.5), clock=clock) as running,
        ):
            assert await deciding(running, 5, 1, 4, 1, 5, 1) == [400, 201, 201, 201, 429, 201]
            clock.pass_by(86_400)
            assert await deciding(running, 4, 1, 1) == [201, 201, 201]
    warned = [line["used"] for line in logged if line["event"] == "quota-nearly-used"]
    assert warned == [5, 5]


async def test_a_version_2_order_is_refused_where_a_quota_limits_its_account(
    tmp_path: Path,
) -> None:
    request = order_request(b"{}", b"Accept: application/json", path=V2)
    async with Scripted([Respond(CREATED)]) as service:
        async with metered(tmp_path, service.url, numbers(None, name="free"), ORDERS) as running:
            refused = await ask(running.port, request)
            [full] = running.recorded()
        assert service.connections == 0
    sentence = (
        f"The quota orders-per-hour limits account {ACCOUNT}, and what a version 2 order costs is "
        "not known; send a version 1 order, or have `v2_orders` set to pass them."
    )
    assert (refused.status, refused.headers["ordertape-state"]) == (403, "refused")
    assert json.loads(refused.body) == {
        "code": "94030",
        "description": sentence,
        "state": "refused",
    }
    assert "retry-after" not in refused.headers
    assert (full.row.state, full.row.status, full.row.reason) == (State.REFUSED, 403, sentence)


@pytest.mark.parametrize(
    ("quotas", "more"),
    [
        ((), {}),
        ((numbers(None),), {}),
        ((numbers(0, mode=Mode.SHADOW),), {}),
        ((numbers(0), ORDERS), {"pass_v2": True}),
        ((ORDERS,), {"accounts": {ACCOUNT: ()}}),
    ],
    ids=["no quota", "unlimited", "shadow", "v2_orders = pass", "none for this account"],
)
async def test_a_version_2_order_passes_and_counts_nothing_where_none_limits_it(
    quotas: tuple[Quota, ...], more: dict[str, Any], tmp_path: Path
) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, *quotas, **more) as running,
    ):
        passed = await ask(running.port, order_request(b"{}", path=V2))
        [full] = running.recorded()
    assert (passed.status, full.row.used, full.row.held) == (201, None, False)
    assert used(running.db) == {}


async def test_a_limit_that_an_operator_has_set_wins_over_the_configured_one(
    tmp_path: Path,
) -> None:
    by = By("operator", "a test")

    async def set_to(limit: int | None) -> None:
        await running.parts.store.change(
            lambda batch: set_limit(batch, ACCOUNT, numbers(10), limit, by)
        )

    async with (
        Scripted([Respond(CREATED)]) as service,
        metered(tmp_path, service.url, numbers(10)) as running,
    ):
        version_2 = order_request(b"{}", path=V2)
        assert (await ask(running.port, version_2)).status == 403
        await set_to(None)
        assert (await ask(running.port, version_2)).status == 201
        assert await deciding(running, 11) == [201]
        await set_to(12)
        refused = await said(running, 2)
        assert await deciding(running, 1) == [201]
        await set_to(0)
        assert await deciding(running, 1) == [403]
        assert (await ask(running.port, version_2)).status == 403
    assert b"12 telephone numbers a day (UTC), of which 11 are used" in refused.body
    assert fields(refused, "ratelimit-policy")["numbers-per-day"]["q"] == 12
