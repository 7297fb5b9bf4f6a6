"""Quotas under load, by real processes: never over, never short, as the service counts too."""

import asyncio
from collections import Counter
from contextlib import closing
from pathlib import Path

from gateways import ask, gateway
from ordertape.store.connection import connect_writer
from ordertape.testing import Respond, Scripted, order_created
from processes import running
from spending import (
    CONFIGURATION,
    LIMIT,
    SMALLEST,
    Spenders,
    books,
    given,
    ledger_service,
    order,
)

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
CLIENTS = 64


async def test_64_clients_get_all_of_a_limit_and_nothing_more(tmp_path: Path) -> None:
    ledger = tmp_path / "ledger"
    (tmp_path / "ordertape.toml").write_text(CONFIGURATION)
    with (
        ledger_service(ledger) as service,
        running(
            *("serve", "--upstream", f"http://127.0.0.1:{service}"),
            *("--listen", "127.0.0.1:0", "--admin", "off"),
            cwd=tmp_path,
        ) as started,
    ):
        spenders = Spenders(started.port)
        async with asyncio.timeout(120):
            await asyncio.gather(*(spenders.spend(number) for number in range(CLIENTS)))
        last = await ask(started.port, order("last", SMALLEST))
    found = books(tmp_path / "ordertape.db")
    statuses = Counter(spenders.statuses)
    print(statuses, found)  # noqa: T201 - with -s
    assert last.status == 429
    assert LIMIT - SMALLEST < found.used <= LIMIT
    assert found.used == given(ledger)
    assert found.counters["numbers"] == (found.used, found.held)
    assert found.held == found.unsettled
    assert found.unequal == []
    # All that can become of an order has become of some: given, given back, refused, in doubt.
    assert set(statuses) == {201, 400, 429, 502}


async def test_an_order_of_5000_that_is_refused_leaves_the_4000_that_were_left(
    tmp_path: Path,
) -> None:
    quota = {"name": "numbers", "limit": LIMIT, "window": "rolling", "seconds": 86_400}
    async with (
        Scripted([Respond(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url, quotas=[quota]) as running,
    ):
        statuses = [
            (await ask(running.port, order(f"c-{count}", cost))).status
            for count, cost in enumerate((5000, 1000, 5000, 5000, 4001, 4000, 1))
        ]
        count = len(service.attempts)
    assert statuses == [201, 201, 429, 429, 429, 201, 429]
    assert count == 3


async def test_a_store_that_cannot_count_sends_nothing_and_charges_nothing(
    tmp_path: Path,
) -> None:
    quota = {"name": "numbers", "limit": 10, "window": "rolling", "seconds": 86_400}
    async with (
        Scripted([Respond(CREATED)]) as service,
        gateway(
            tmp_path, upstream=service.url, quotas=[quota], store={"commit_deadline": 0.5}
        ) as running,
    ):
        with closing(connect_writer(running.db)) as other:
            other.execute("BEGIN IMMEDIATE")
            locked = [await ask(running.port, order(f"c-{count}", 10)) for count in range(2)]
            other.execute("ROLLBACK")
        sent = list(service.attempts)
        async with asyncio.timeout(20):
            while not running.parts.store.health().ok:  # noqa: ASYNC110 - it tells no event of it
                await asyncio.sleep(0.01)
        unused = books(running.db)
        again = await ask(running.port, order("again", 10))
        full = await ask(running.port, order("full", 1))
    assert [(answer.status, answer.code) for answer in locked] == [(503, "95030")] * 2
    assert [answer.headers["retry-after"] for answer in locked] == ["5", "5"]
    assert sent == []
    assert (unused.used, unused.unequal) == (0, [])
    assert (again.status, full.status) == (201, 429)
