"""kill -9 and quotas: what the service has given is counted, and never more than the limit."""

import asyncio
import random
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from gateways import gateway
from ordertape.testing import refused_port
from processes import ORDERTAPE
from spending import (
    CONFIGURATION,
    LIMIT,
    SMALLEST,
    Books,
    Spenders,
    books,
    given,
    ledger_service,
    order,
)

HERE = Path(__file__).parent
CLIENTS = 16


@contextmanager
def serving(folder: Path, service: int, port: int, *point: str) -> Iterator[subprocess.Popen[str]]:
    """A gateway process that has opened its port; killed at the end if it still lives."""
    program = [sys.executable, str(HERE / "dying_gateway.py"), *point] if point else [ORDERTAPE]
    arguments = ("--upstream", f"http://127.0.0.1:{service}", "--listen", f"127.0.0.1:{port}")
    with subprocess.Popen(
        [*program, "serve", *arguments, "--admin", "off"],
        cwd=folder,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            assert process.stdout is not None
            assert any("listening" in line for line in process.stdout)
            yield process
        finally:
            process.kill()


def sound(folder: Path, limit: int = LIMIT) -> Books:
    """The books after a recovery; they are checked against themselves and against the service's."""
    taken = given(folder / "ledger")
    found = books(folder / "ordertape.db")
    assert found.unequal == []
    assert found.held == found.unsettled
    assert found.counters.get("numbers", (0, 0)) == (found.used, found.held)
    assert taken <= found.used <= limit
    return found


async def test_random_kills_under_load_neither_lose_what_is_used_nor_let_more_in(
    tmp_path: Path, *, long: bool
) -> None:
    kills = 30 if long else 4
    limit = 2500 * kills  # each kill leaves some in doubt
    configuration = CONFIGURATION.replace(f"limit = {LIMIT}", f"limit = {limit}")
    (tmp_path / "ordertape.toml").write_text(configuration)
    chance = random.Random(20261124)  # noqa: S311 - a repeatable choice of moments, no secret
    port = refused_port()
    spenders = Spenders(port)
    clients = []
    with ledger_service(tmp_path / "ledger") as service:
        try:
            for _ in range(kills):
                with serving(tmp_path, service, port) as process:
                    sound(tmp_path, limit)
                    clients = clients or [
                        asyncio.create_task(spenders.spend(number)) for number in range(CLIENTS)
                    ]
                    await spenders.progress()
                    await asyncio.sleep(chance.uniform(0, 0.1))  # the kill comes at any moment
                    process.kill()
            with serving(tmp_path, service, port):
                before = sound(tmp_path, limit)
                async with asyncio.timeout(60):
                    await asyncio.gather(*clients)
                found = sound(tmp_path, limit)
        finally:
            for client in clients:
                client.cancel()
            await asyncio.gather(*clients, return_exceptions=True)
        print(kills, "kills", Counter(spenders.statuses), before, found)  # noqa: T201 - with -s
        assert found.used > limit - SMALLEST
        assert found.held >= before.held > 0


@pytest.mark.parametrize(
    ("point", "taken", "used", "held"),
    [
        ("after-intent", 0, 250, 250),
        ("after-response", 250, 250, 250),
        ("before-completion", 250, 250, 250),
        ("after-completion", 250, 250, 0),
    ],
)
async def test_a_kill_at_each_point_of_the_pipeline_keeps_what_may_have_been_given(
    point: str, taken: int, used: int, held: int, tmp_path: Path
) -> None:
    found = await _killed(tmp_path, point, "c-1")
    assert given(tmp_path / "ledger") == taken
    assert (found.used, found.held) == (used, held)


@pytest.mark.parametrize(("point", "used"), [("before-completion", 250), ("after-completion", 0)])
async def test_what_the_service_refuses_comes_back_once_that_is_on_disk(
    point: str, used: int, tmp_path: Path
) -> None:
    found = await _killed(tmp_path, point, "c-1r")
    assert given(tmp_path / "ledger") == 0
    assert (found.used, found.held) == (used, used)


async def _killed(folder: Path, point: str, name: str) -> Books:
    """The books after an order of 250 on which the gateway died, and a recovery."""
    (folder / "ordertape.toml").write_text(CONFIGURATION)
    port = refused_port()
    with (
        ledger_service(folder / "ledger") as service,
        serving(folder, service, port, point) as process,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(order(name, 250))
        async with asyncio.timeout(20):
            assert await reader.read() == b""
        writer.close()
        assert await asyncio.to_thread(process.wait, 30) == -signal.SIGKILL
    async with gateway(folder, sandbox=True):
        return sound(folder)
