"""kill -9: what the service was given is in the store, and what a client read is there in full."""

import asyncio
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateways import gateway, order_request, parse
from ordertape.model import State
from ordertape.store.connection import connect_reader
from ordertape.store.reading import Filter, Reader
from ordertape.testing import (
    Hang,
    Peer,
    ReadRequest,
    Respond,
    Scripted,
    Send,
    Step,
    order_created,
    refused_port,
)
from processes import ORDERTAPE, Running, running

HERE = Path(__file__).parent
CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
CLIENTS = 16


def order(name: str) -> bytes:
    return order_request(
        f"<Order><SiteId>743</SiteId><CustomerOrderId>{name}</CustomerOrderId>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>".encode()
    )


@contextmanager
def ledger_service(ledger: Path) -> Iterator[int]:
    """The port of a service process that keeps `ledger`."""
    command = [sys.executable, str(HERE / "ledger_service.py"), str(ledger)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline())
        finally:
            process.kill()


class Load:
    """Clients that order without pause from whatever listens on `port`, and what they were told."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.acknowledged: dict[str, bytes] = {}
        self.count = 0
        self._told = asyncio.Event()

    async def progress(self) -> None:
        """Return when a client has been told of an order."""
        self._told.clear()
        await self._told.wait()

    async def client(self, number: int) -> None:
        """Order until cancelled; a connection that fails is tried anew."""
        while True:
            self.count += 1
            name = f"c{number}-{self.count}"
            try:
                reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
            except OSError:
                await asyncio.sleep(0.01)  # the gateway is down: it is started again meanwhile
                continue
            try:
                writer.write(order(name))
                raw = await reader.read()
            except OSError:
                continue
            finally:
                writer.close()
            if raw.startswith(b"HTTP/1.1 201") and raw.endswith(b"</OrderResponse>"):
                self.acknowledged[name] = parse(raw).body
                self._told.set()


def findings(db: Path, ledger: Path, acknowledged: dict[str, bytes]) -> dict[str, object]:
    """What is wrong with the store after the kills; all empty where nothing is."""
    with Reader(db) as reader:
        rows = {row.customer_order_id: row for row in reader.list(Filter(limit=None))}
        answers = {
            name: full.messages["answered"].body
            for name in acknowledged
            if name in rows
            and rows[name].state is State.COMPLETED
            and (full := reader.show(rows[name].id)) is not None
        }
    taken = [line.split()[0] for line in ledger.read_text(encoding="utf-8").splitlines()]
    connection = connect_reader(db)
    [integrity] = connection.execute("PRAGMA integrity_check").fetchone()
    connection.close()
    return {
        "lost": [name for name in taken if name not in rows],
        "called unsent": [
            name
            for name in taken
            if name in rows and rows[name].state in {State.REFUSED, State.FAILED}
        ],
        "sent twice": sorted({name for name in taken if taken.count(name) > 1}),
        "acknowledged and missing": [
            name for name, body in acknowledged.items() if answers.get(name) != body
        ],
        "pending": [name for name, row in rows.items() if row.state is State.PENDING],
        "integrity": [] if integrity == "ok" else [integrity],
    }


async def test_nothing_is_lost_over_random_kills_under_load(tmp_path: Path, *, long: bool) -> None:
    kills = 300 if long else 8
    db, ledger = tmp_path / "ordertape.db", tmp_path / "ledger"
    chance = random.Random(20261124)  # noqa: S311 - a repeatable choice of moments, no secret
    with ledger_service(ledger) as service:
        port = refused_port()
        load = Load(port)
        clients = [asyncio.create_task(load.client(number)) for number in range(CLIENTS)]
        try:
            for _ in range(kills):
                before = len(load.acknowledged)
                process = await asyncio.to_thread(_serve, tmp_path, service, port)
                async with asyncio.timeout(30):
                    while len(load.acknowledged) == before:  # until it answers again
                        await load.progress()
                await asyncio.sleep(chance.uniform(0, 0.3))  # the kill comes at any moment
                process.kill()
                await asyncio.to_thread(process.wait)
        finally:
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
    await _restart(tmp_path)
    found = findings(db, ledger, load.acknowledged)
    print(f"{kills} kills, {len(load.acknowledged)} acknowledged", found)  # noqa: T201 - with -s
    assert {name: wrong for name, wrong in found.items() if wrong} == {}
    assert len(load.acknowledged) > kills


def _serve(folder: Path, service: int, port: int) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [
            *(ORDERTAPE, "serve", "--upstream", f"http://127.0.0.1:{service}"),
            *("--listen", f"127.0.0.1:{port}", "--admin", "off"),
        ],
        cwd=folder,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


async def _restart(folder: Path) -> None:
    """Start once more on the same file, so that recovery runs, and stop in good order."""
    async with gateway(folder, sandbox=True):
        pass


def _dying(point: str, folder: Path, upstream: str, port: int) -> subprocess.Popen[bytes]:
    command = [sys.executable, str(HERE / "dying_gateway.py"), point, "serve"]
    return subprocess.Popen(
        [*command, "--upstream", upstream, "--listen", f"127.0.0.1:{port}", "--admin", "off"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )


POINTS = {
    "after-intent": (State.IN_DOUBT, 0),
    "after-response": (State.IN_DOUBT, 1),
    "before-completion": (State.IN_DOUBT, 1),
    "after-completion": (State.COMPLETED, 1),
}


@pytest.mark.parametrize("point", POINTS)
def test_a_kill_at_each_point_of_the_pipeline_leaves_the_right_state(
    point: str, tmp_path: Path
) -> None:
    state, attempts = POINTS[point]
    with Scripted([Respond(CREATED)]).in_thread() as service:
        port = refused_port()
        with _dying(point, tmp_path, service.url, port) as process:
            assert process.stdout is not None
            process.stdout.readline()
            assert _order_until_broken(port) == b""
            assert process.wait(30) == -signal.SIGKILL
        assert len(service.attempts) == attempts
    asyncio.run(_restart(tmp_path))
    assert _states(tmp_path) == [state]


class Kill:
    """A step of a script that kills the gateway which has just come this far."""

    def __init__(self) -> None:
        self.gateway: Running | None = None

    async def __call__(self, _peer: Peer) -> None:
        """Kill it, and wait until it is gone."""
        assert self.gateway is not None
        await asyncio.to_thread(self.gateway.kill)


KILL = Kill()
MOMENTS: dict[str, list[Step]] = {
    "after the connection": [KILL, Hang()],
    "after the head of the request": [ReadRequest(body=False), KILL, Hang()],
    "after the request": [ReadRequest(), KILL, Hang()],
    "in the middle of the answer": [ReadRequest(), Send(CREATED[:-40]), KILL, Hang()],
}


@pytest.mark.parametrize("moment", MOMENTS)
def test_a_kill_while_the_service_has_the_order_leaves_it_in_doubt(
    moment: str, tmp_path: Path
) -> None:
    with Scripted(MOMENTS[moment]).in_thread() as service:
        upstream = ("--upstream", service.url, "--listen", "127.0.0.1:0", "--admin", "off")
        with running("serve", *upstream, cwd=tmp_path) as killed:
            KILL.gateway = killed
            assert _order_until_broken(killed.port) == b""
        assert service.connections == 1
    asyncio.run(_restart(tmp_path))
    assert _states(tmp_path) == [State.IN_DOUBT]


def test_the_checks_see_a_gateway_that_sends_before_its_commit(tmp_path: Path) -> None:
    """The control: without the intent on disk first, the same findings are not empty."""
    ledger = tmp_path / "ledger"
    with ledger_service(ledger) as service:
        port = refused_port()
        upstream = f"http://127.0.0.1:{service}"
        with _dying("sends-too-early", tmp_path, upstream, port) as process:
            assert process.stdout is not None
            process.stdout.readline()
            _order_until_broken(port)
            process.kill()
    asyncio.run(_restart(tmp_path))
    assert findings(tmp_path / "ordertape.db", ledger, {})["lost"] == ["a-1"]


def _order_until_broken(port: int) -> bytes:
    """Order once; the bytes of the answer, none where the connection broke first."""

    async def once() -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(order("a-1"))
        try:
            async with asyncio.timeout(20):
                return await reader.read()
        except ConnectionError:
            return b""
        finally:
            writer.close()

    return asyncio.run(once())


def _states(folder: Path) -> list[State]:
    with Reader(folder / "ordertape.db") as reader:
        return [row.state for row in reader.list(Filter())]
