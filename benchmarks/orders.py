"""Orders through one gateway process beside its upstream called directly and a bare pass-through.

The three take turns (A B C, C B A), so that every figure is a ratio in one run.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import uvloop

HERE = Path(__file__).parent
ORDER = (
    b"<?xml version='1.0' encoding='UTF-8'?><Order><AreaCodeSearchAndOrderType><AreaCode>617"
    b"</AreaCode><Quantity> 1 </Quantity></AreaCodeSearchAndOrderType><CustomerOrderId>123456789"
    b"</CustomerOrderId><Name>Area Code Order</Name><SiteId>743</SiteId></Order>"
)
REQUEST = (
    b"POST /accounts/9900012/orders HTTP/1.1\r\nHost: gateway.example\r\n"
    b"Authorization: Basic dXNlcjpwYXNzd29yZA==\r\nAccept: */*\r\n"
    b"Content-Type: application/xml\r\nContent-Length: %d\r\n\r\n" % len(ORDER)
) + ORDER


class Client(asyncio.Protocol):
    """One connection that sends the next order as soon as the last was answered."""

    def __init__(self, until: float, took: list[float]) -> None:
        self.until, self.took = until, took
        self.done = asyncio.get_running_loop().create_future()
        self.seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass
        self.send()

    def send(self) -> None:
        self.since = time.perf_counter()
        self.transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        self.seen += data
        if not self.seen.startswith(b"HTTP/1.1 201"):
            self.done.set_exception(RuntimeError(self.seen.decode("latin-1")))
            self.transport.close()
            return
        if not self.seen.endswith(b"</OrderResponse>"):
            return
        now = time.perf_counter()
        self.took.append(now - self.since)
        self.seen = b""
        if now < self.until:
            self.send()
        else:
            self.transport.close()

    def connection_lost(self, _: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


async def load(
    port: int, connections: int, seconds: float, client: type[Client] = Client
) -> tuple[float, list[float]]:
    """Orders per second and every latency in seconds."""
    took: list[float] = []
    start = time.perf_counter()
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: client(start + seconds, took), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    async with asyncio.timeout(seconds + 30):
        await asyncio.gather(*(client.done for client in clients))
    return len(took) / (time.perf_counter() - start), took


@contextmanager
def started(*command: str, cwd: str | Path) -> Iterator[tuple[int, int]]:
    """A process that says its port in its first line: (port, pid)."""
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        assert process.stdout is not None
        found = re.search(r"(?:^|http://127\.0\.0\.1:)(\d+)", process.stdout.readline())
        assert found, "the process did not start"
        yield int(found[1]), process.pid
    finally:
        process.terminate()
        process.wait(30)


def cpu_seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    found = re.search(r"VmHWM:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def percentile(values: list[float], share: float) -> float:
    return sorted(values)[min(len(values) - 1, int(len(values) * share))]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=3)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    python = sys.executable
    gateway = str(Path(python).parent / "ordertape")
    with (
        tempfile.TemporaryDirectory() as folder,
        started(python, str(HERE / "stub.py"), cwd=folder) as (stub, _),
        started(python, str(HERE / "bare.py"), str(stub), cwd=folder) as (bare, bare_pid),
        started(
            gateway,
            "serve",
            "--upstream",
            f"http://127.0.0.1:{stub}",
            "--listen",
            "127.0.0.1:0",
            "--admin",
            "off",
            cwd=folder,
        ) as (ours, ours_pid),
    ):
        ports = {"direct": (stub, None), "bare": (bare, bare_pid), "ordertape": (ours, ours_pid)}
        rows = []
        for connections in (1, 32):
            figures: dict[str, list[dict[str, float]]] = {name: [] for name in ports}
            for number in range(asked.rounds + 1):
                for name in list(ports)[:: 1 if number % 2 else -1]:
                    port, pid = ports[name]
                    before = cpu_seconds(pid) if pid else 0.0
                    rate, took = uvloop.run(load(port, connections, asked.seconds))
                    spent = cpu_seconds(pid) - before if pid else 0.0
                    if number:  # the first round warms up
                        figures[name].append(
                            {
                                "rate": rate,
                                "p50": percentile(took, 0.5) * 1000,
                                "p99": percentile(took, 0.99) * 1000,
                                "cpu": spent / len(took) * 1e6,
                            }
                        )
            for name in ports:
                row: dict[str, object] = {"connections": connections, "case": name}
                for figure in ("rate", "p50", "p99", "cpu"):
                    values = [f[figure] for f in figures[name]]
                    against = [f[figure] for f in figures["bare"]]
                    row[figure] = round(statistics.median(values), 2)
                    if against[0]:
                        row[f"{figure} x bare"] = round(
                            statistics.median(a / b for a, b in zip(values, against, strict=True)),
                            2,
                        )
                rows.append(row)
        peaks = {name: round(peak_mib(pid)) for name, (_, pid) in ports.items() if pid}
    one = {str(row["case"]): row for row in rows if row["connections"] == 1}
    summary = {
        "latency added at 1 connection, ms": round(
            float(str(one["ordertape"]["p50"])) - float(str(one["direct"]["p50"])), 3
        ),
        "peak memory, MiB": peaks,
    }
    if asked.json:
        print(json.dumps({"rows": rows, **summary}))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    print(json.dumps(summary, ensure_ascii=False))


if __name__ == "__main__":
    main()
