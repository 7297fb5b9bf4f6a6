"""Orders through a gateway with four quotas beside the same gateway with none, in one run.

Both stores hold the same order of each of many accounts; the ledger of one of them has all those
accounts. The load goes round the accounts. The two take turns, so that every figure is a ratio of
neighbouring rounds; `x none` is the median of those, `least` and `greatest` are their extremes.

Then an order's way through the store alone, in a rolling window that holds few orders and one that
holds many, of which one leaves with every order that comes, and after many that were refused: it
must not take longer for that.
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
import time
import uuid
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import replace
from pathlib import Path

import uvloop
from orders import ORDER, REQUEST, Client, cpu_seconds, load, percentile, started

from ordertape.model import (
    Charge,
    Exchange,
    Headers,
    Kind,
    Message,
    Origin,
    Outcome,
    State,
)
from ordertape.quota import Burst, Calendar, Period, Quota, Rolling, Unit
from ordertape.quota.window import SECOND
from ordertape.store import Intent
from ordertape.store.emergency import Spilled
from ordertape.store.group import Fate, Job, Stamp, commit
from ordertape.store.settings import StoreSettings
from ordertape.store.startup import open_to_write
from ordertape.store.writer import outcome_job
from ordertape.transcript import moment

HERE = Path(__file__).parent
CONFIGURATION = """
[[quotas]]
name = "numbers-per-day"
limit = 100000000
window = "day"
zone = "America/New_York"
[[quotas]]
name = "orders-per-month"
unit = "orders"
limit = 100000000
window = "month"
[[quotas]]
name = "numbers-an-hour"
limit = 100000000
window = "rolling"
seconds = 3600
[[quotas]]
name = "burst"
unit = "orders"
window = "burst"
per_second = 100000
size = 100000
"""
QUOTAS = (
    Quota("numbers-per-day", Unit.NUMBERS, 10**8, Calendar(Period.DAY, "America/New_York")),
    Quota("orders-per-month", Unit.ORDERS, 10**8, Calendar(Period.MONTH)),
    Quota("numbers-an-hour", Unit.NUMBERS, 10**8, Rolling(3600)),
    Quota("burst", Unit.ORDERS, 100_000, Burst(100_000)),
)
FIRST_ACCOUNT = 9_900_012
ORDERTAPE = str(Path(sys.executable).parent / "ordertape")
LISTEN = ("--listen", "127.0.0.1:0", "--admin", "off")
STAMP = Stamp("benchmark", "benchmark")
SETTINGS = StoreSettings(synchronous="OFF", ballast=0, min_free=0)


def account(number: int) -> str:
    return str(FIRST_ACCOUNT + number)


class Rounds(Client):
    """Orders for one account after the other, in strides that no cache foresees."""

    accounts = 1
    sent = 0

    def send(self) -> None:
        Rounds.sent += 1
        name = account(Rounds.sent * 7919 % Rounds.accounts)
        self.since = time.perf_counter()
        self.transport.write(REQUEST.replace(b"/9900012/", b"/%b/" % name.encode(), 1))


def exchange(name: str) -> Exchange:
    target = f"/accounts/{name}/orders"
    line = f"POST {target} HTTP/1.1".encode()
    return Exchange(
        id=str(uuid.uuid4()),
        received_at=moment(),
        kind=Kind.ORDER,
        origin=Origin.LIVE,
        upstream="http://service.example",
        method="POST",
        target=target,
        peer="127.0.0.1:50000",
        received=Message(line, Headers(()), ORDER, len(ORDER), None),
        account=name,
        quantity=1,
        cost=1,
        rules_version="benchmark",
    )


class Filled:
    """A store that is written without a gateway, and without waiting for the disk."""

    def __init__(self, db: Path, stamp: Stamp = STAMP) -> None:
        opened = open_to_write(db, SETTINGS, stamp)
        self.connection, self.lock, self.stamp = opened.connection, opened.lock, stamp

    def checkpoint(self) -> None:
        self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def close(self) -> None:
        self.checkpoint()
        self.connection.close()
        self.lock.release()

    def write(self, jobs: Iterable[Job]) -> list[object]:
        done = commit(self.connection, list(jobs), self.stamp)
        for one in done:
            assert one.error is None, one.error
        return [one.result for one in done]

    def open(self, exchanges: Sequence[Exchange], quotas: Sequence[Quota]) -> list[object]:
        """The intents or refusals of these orders, in one transaction."""
        return self.write(
            Job(
                lambda batch, one=one: batch.open(one, quotas),
                Fate.REFUSED,
                account=one.account,
            )
            for one in exchanges
        )

    def orders(self, names: Sequence[str], quotas: Sequence[Quota]) -> None:
        """An order of each account, which costs what it asks for."""
        exchanges = [exchange(name) for name in names]
        intents = self.open(exchanges, quotas)
        outcome = Outcome(State.COMPLETED, moment(), 201, charge=Charge.KEPT)
        self.write(
            outcome_job(Spilled(intent.handle, one.id, outcome))
            for intent, one in zip(intents, exchanges, strict=True)
            if isinstance(intent, Intent)
        )

    def forget(self) -> None:
        """Leave the exchanges, and no ledger."""
        for table in ("quota", "burst"):
            self.connection.execute(f"DELETE FROM {table}")  # noqa: S608 - two names from above


def fill(folder: Path, accounts: int) -> tuple[Path, Path]:
    """Two folders with equal stores, but for the ledger: without quotas, and with four."""
    none, four = folder / "none", folder / "four"
    none.mkdir()
    four.mkdir()
    with closing(Filled(four / "ordertape.db")) as store:
        for start in range(0, accounts, 1000):
            store.orders([account(n) for n in range(start, min(start + 1000, accounts))], QUOTAS)
    shutil.copy(four / "ordertape.db", none)
    with closing(Filled(none / "ordertape.db")) as store:
        store.forget()
    (four / "ordertape.toml").write_text(CONFIGURATION)
    return none, four


def throughput(folder: Path, rounds: int, seconds: float, accounts: int) -> list[dict[str, object]]:
    Rounds.accounts = accounts
    gateways: dict[str, tuple[int, int]] = {}
    rows = []
    with ExitStack() as stack:
        stub, _ = stack.enter_context(started(sys.executable, str(HERE / "stub.py"), cwd=folder))
        for name, place in zip(("none", "four"), fill(folder, accounts), strict=True):
            command = ("serve", "--upstream", f"http://127.0.0.1:{stub}", *LISTEN)
            gateways[name] = stack.enter_context(started(ORDERTAPE, *command, cwd=place))
        for connections in (1, 32):
            figures: dict[str, list[dict[str, float]]] = {name: [] for name in gateways}
            for number in range(rounds + 1):
                for name in list(gateways)[:: 1 if number % 2 else -1]:
                    port, pid = gateways[name]
                    before = cpu_seconds(pid)
                    rate, took = uvloop.run(load(port, connections, seconds, Rounds))
                    if number:  # the first round warms up
                        figures[name].append(
                            {
                                "rate": rate,
                                "p50": percentile(took, 0.5) * 1000,
                                "p99": percentile(took, 0.99) * 1000,
                                "cpu": (cpu_seconds(pid) - before) / len(took) * 1e6,
                            }
                        )
            rows += [
                {"connections": connections, "quotas": name, **compared(figures, name)}
                for name in gateways
            ]
    return rows


def compared(figures: Mapping[str, list[dict[str, float]]], name: str) -> dict[str, float]:
    """The medians of one case, and its ratios to the other."""
    row = {}
    for figure in ("rate", "p50", "p99", "cpu"):
        values = [one[figure] for one in figures[name]]
        ratios = [value / one[figure] for value, one in zip(values, figures["none"], strict=True)]
        row[figure] = round(statistics.median(values), 2)
        row[f"{figure} x none"] = round(statistics.median(ratios), 3)
        if figure == "rate":
            row |= {"least": round(min(ratios), 3), "greatest": round(max(ratios), 3)}
    return row


class Clock:
    """Goes on by as much as the window is long, divided by the orders that it is to hold."""

    def __init__(self, step: int) -> None:
        self.now, self.step = moment(), step

    def __call__(self) -> int:
        self.now += self.step
        return self.now


def latencies(folder: Path, many: int) -> list[dict[str, object]]:
    """Microseconds of the median order, admitted or refused, by what is in its window."""
    rows = []
    for holds in (many // 100, many):
        seconds = 3600
        clock = Clock(seconds * SECOND // holds)
        limits = [
            Quota("numbers-an-hour", Unit.NUMBERS, limit, Rolling(seconds))
            for limit in (10 * many, 0)
        ]
        stamp = replace(STAMP, clock=clock)
        with closing(Filled(folder / f"{holds}.db", stamp)) as store:
            for _ in range(holds + 10):
                store.open([exchange(account(0))], limits[:1])
            row: dict[str, object] = {"orders in the window": holds}
            row["admitted"] = median_of(store, limits[:1])
            clock.step = 0  # what is refused does not move the window on
            full = [replace(limits[0], limit=holds)]
            row["refused"] = median_of(store, full)
            for _ in range(many // 1000):
                store.open([exchange(account(0)) for _ in range(1000)], full)
            row["refused after many"] = median_of(store, full)
            row["admitted after many"] = median_of(store, limits[:1])
        rows.append(row)
    return rows


def median_of(store: Filled, quotas: Sequence[Quota]) -> float:
    store.checkpoint()  # a long WAL would slow down all that is read
    took = []
    for _ in range(300):
        one = exchange(account(0))
        before = time.perf_counter()
        store.open([one], quotas)
        took.append(time.perf_counter() - before)
    return round(statistics.median(took) * 1e6)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--accounts", type=int, default=100_000)
    parser.add_argument("--orders", type=int, default=20_000, help="in the rolling window")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        rows = throughput(Path(folder), asked.rounds, asked.seconds, asked.accounts)
    with tempfile.TemporaryDirectory() as folder:
        windows = latencies(Path(folder), asked.orders)
    if asked.json:
        print(json.dumps({"rows": rows, "windows": windows}))
        return
    for row in (*rows, *windows):
        print("  ".join(f"{key} {value}" for key, value in row.items()))


if __name__ == "__main__":
    main()
