"""How long the worst orders hold up everyone else, and what memory they leave behind.

While a gateway process reads one, its health is asked for over and over: it is answered by the
same loop, so that no wait is shorter than the loop was blocked.
"""

from __future__ import annotations

import argparse
import gzip
import http.client
import json
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hostile_xml import ALMOST_TOO_MUCH

HERE = Path(__file__).parent


@contextmanager
def started(*command: str, cwd: str, pattern: str) -> Iterator[tuple[list[int], int]]:
    """A process that says its ports in its first lines: (ports, pid)."""
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    said = ""
    try:
        assert process.stdout is not None
        while not (found := re.search(pattern, said, re.DOTALL)):
            line = process.stdout.readline()
            assert line, f"the process did not start: {said}"
            said += line
        yield [int(port) for port in found.groups()], process.pid
    finally:
        process.terminate()
        process.wait(30)


def resident(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def order(port: int, body: bytes, *, packed: bool) -> int:
    headers = {"Content-Type": "application/xml", "Authorization": "Basic dXNlcjpwYXNzd29yZA=="}
    if packed:
        headers["Content-Encoding"] = "gzip"
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/accounts/9900012/orders", body, headers)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status


def longest_wait(admin: int, over: threading.Event) -> float:
    """In milliseconds, of any question after its health until it is over."""
    connection = http.client.HTTPConnection("127.0.0.1", admin, timeout=60)
    waits = []
    while not waits or not over.is_set():
        began = time.perf_counter()
        connection.request("GET", "/healthz")
        connection.getresponse().read()
        waits.append((time.perf_counter() - began) * 1000)
    connection.close()
    return max(waits)


def measured(port: int, admin: int, body: bytes, *, packed: bool) -> dict[str, float]:
    over, status, took = threading.Event(), [0], [0.0]

    def send() -> None:
        began = time.perf_counter()
        status[0] = order(port, body, packed=packed)
        took[0] = (time.perf_counter() - began) * 1000
        over.set()

    thread = threading.Thread(target=send)
    thread.start()
    wait = longest_wait(admin, over)
    thread.join()
    return {"status": status[0], "took": took[0], "wait": wait}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    gateway = str(Path(sys.executable).parent / "ordertape")
    bodies = {f"{name}, plain": (body, False) for name, body in ALMOST_TOO_MUCH.items()}
    bodies |= {
        f"{name}, gzip": (gzip.compress(body), True) for name, body in ALMOST_TOO_MUCH.items()
    }
    with (
        tempfile.TemporaryDirectory() as folder,
        started(sys.executable, str(HERE / "stub.py"), cwd=folder, pattern=r"(\d+)") as (stub, _),
        started(
            gateway,
            *("serve", "--upstream", f"http://127.0.0.1:{stub[0]}"),
            *("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0"),
            cwd=folder,
            pattern=r"on http://127\.0\.0\.1:(\d+).*health on http://127\.0\.0\.1:(\d+)",
        ) as ((port, admin), pid),
    ):
        small = b"<Order><SiteId>1</SiteId></Order>"
        idle = [measured(port, admin, small, packed=False)["wait"] for _ in range(50)]
        before = resident(pid)
        rows = []
        for name, (body, packed) in bodies.items():
            figures = [measured(port, admin, body, packed=packed) for _ in range(asked.rounds)]
            waits = [figure["wait"] for figure in figures]
            rows.append(
                {
                    "order": name,
                    "bytes": len(body),
                    "status": figures[0]["status"],
                    "took ms": round(statistics.median(f["took"] for f in figures), 1),
                    "longest wait ms": round(statistics.median(waits), 1),
                    "worst of all ms": round(max(waits), 1),
                }
            )
        summary = {
            "longest wait beside a small order, ms": round(statistics.median(idle), 1),
            "resident before, MiB": round(before),
            "resident after, MiB": round(resident(pid)),
        }
    if asked.json:
        print(json.dumps({"rows": rows, **summary}))
        return
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))
    print(json.dumps(summary))


main()
