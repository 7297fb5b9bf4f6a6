"""Clients that spend a quota, a service that keeps its own books, and what both come to."""

import asyncio
import random
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from gateways import order_request
from ordertape.store.connection import connect_reader

LIMIT = 10_000
COSTS = (3, 3, 3, 7, 7, 11, 50, 250)
SMALLEST = min(COSTS)

# A rolling window, for it has no edge that a test could run into; the others count along.
CONFIGURATION = f"""
[[quotas]]
name = "numbers"
limit = {LIMIT}
window = "rolling"
seconds = 86400
[[quotas]]
name = "orders-a-month"
unit = "orders"
limit = "unlimited"
window = "month"
zone = "America/New_York"
[[quotas]]
name = "numbers-an-hour"
limit = 1000000
window = "hour"
"""

_UNEQUAL = """SELECT policy, starts, used, (
        SELECT ifnull(sum(CASE unit WHEN 'numbers' THEN used ELSE 1 END), 0)
        FROM exchange WHERE exchange.account = quota.account AND exchange.used IS NOT NULL
            AND counted_at >= starts AND counted_at < ends
    ) AS counted FROM quota WHERE counted != quota.used"""
_SUMS = """SELECT ifnull(sum(used), 0), ifnull(sum(used * held), 0),
        ifnull(sum(used * (state IN ('PENDING', 'IN_DOUBT'))), 0)
    FROM exchange WHERE used IS NOT NULL"""


def order(name: str, quantity: int, account: str = "9900012") -> bytes:
    """An order as clients send it, on a connection of its own."""
    body = (
        f"<Order><SiteId>743</SiteId><CustomerOrderId>{name}</CustomerOrderId>"
        f"<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>{quantity}</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )
    return order_request(body.encode(), path=f"/accounts/{account}/orders".encode())


@contextmanager
def ledger_service(ledger: Path) -> Iterator[int]:
    """The port of a service process that keeps `ledger`."""
    script = Path(__file__).parent / "crash" / "ledger_service.py"
    command = [sys.executable, str(script), str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


def given(ledger: Path) -> int:
    """How many numbers the service has given, by its own books; a torn last line is not given."""
    lines = ledger.read_bytes().split(b"\n")[:-1] if ledger.exists() else []
    return sum(int(line.split()[1]) for line in lines)


@dataclass(frozen=True)
class Books:
    """The gateway's own books at one moment, in telephone numbers.

    `unsettled` are numbers of orders of which nobody knows the end; `unequal` has every row of
    the ledger that is not the sum of its orders.
    """

    used: int
    held: int
    unsettled: int
    counters: dict[str, tuple[int, int]]
    unequal: list[Any]


def books(db: Path) -> Books:
    """What the store says, read in one transaction."""
    with closing(connect_reader(db)) as connection:
        connection.execute("BEGIN")
        used, held, unsettled = connection.execute(_SUMS).fetchone()
        rows = connection.execute("SELECT policy, used, held FROM quota_usage").fetchall()
        counters = {policy: (used, held) for policy, used, held in rows}
        unequal = connection.execute(_UNEQUAL).fetchall()
        return Books(used, held, unsettled, counters, unequal)


@dataclass
class Spenders:
    """Clients that order from `port` until not even the smallest order is admitted.

    One order in eight is one that the service refuses, so that its numbers come back.
    """

    port: int
    seed: int = 20261124
    statuses: list[int] = field(default_factory=list)
    _progress: asyncio.Event = field(default_factory=asyncio.Event)

    async def spend(self, number: int) -> None:
        """One client; a connection that fails is tried anew."""
        chance = random.Random(self.seed + number)  # noqa: S311 - repeatable costs, no secret
        costs: Sequence[int] = COSTS
        for count in range(1_000_000):
            cost = chance.choice(costs)
            refused = "r" if chance.random() < 1 / 8 else ""
            try:
                status = await self._order(f"c{count}-{number}{refused}", cost)
            except OSError:
                await asyncio.sleep(0.01)  # the gateway is down: it is started again meanwhile
                continue
            self.statuses.append(status)
            self._progress.set()
            if status == 429:
                costs = [one for one in costs if one < cost]
                if not costs:
                    return

    async def progress(self, within: float = 30) -> None:
        """Return when a client has been answered."""
        self._progress.clear()
        async with asyncio.timeout(within):
            await self._progress.wait()

    async def _order(self, name: str, cost: int) -> int:
        """The status of the answer. Errors: OSError, also where there is none."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        try:
            writer.write(order(name, cost))
            line = await reader.readline()
            await reader.read()
        finally:
            writer.close()
        if not line:
            raise ConnectionError("No answer came.")
        return int(line.split()[1])
