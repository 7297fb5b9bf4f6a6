"""The pytest plugin, in runs of pytest over files that are written for them."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ordertape.cassette import load
from ordertape.testing import Scripted, Send, reply
from ordertape.testing.scripted import Peer, ReadRequest
from pytests import environment, run, run_apart, write

pytest_plugins = ["pytester"]


KINDS = """
import asyncio
import unittest

import aiohttp
import httpx
import requests

ORDERS = "/accounts/9900012/orders"


def test_sync(ordertape):
    assert order(ordertape)[0] == 201


class TestOrders:
    def test_in_a_class(self, ordertape):
        assert order(ordertape)[0] == 201
        assert requests.get(ordertape + ORDERS, timeout=20).status_code == 401


@pytest.mark.parametrize("area", ["617", "919"], ids=["a/b", "c?"])
def test_parametrized(ordertape, area):
    assert order(ordertape, area)[0] == 201


@pytest.mark.asyncio
async def test_asyncio_and_aiohttp(ordertape):
    async with aiohttp.ClientSession(base_url=ordertape) as session:
        async with session.get(ORDERS) as answer:
            assert answer.status == 401


@pytest.mark.asyncio
async def test_three_at_once(ordertape):
    areas = "617", "919", "212"
    answers = [asyncio.to_thread(order, ordertape, area) for area in areas]
    assert [status for status, _ in await asyncio.gather(*answers)] == [201, 201, 201]


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.anyio
async def test_anyio_and_httpx(ordertape):
    async with httpx.AsyncClient(base_url=ordertape) as client:
        assert (await client.get(ORDERS)).status_code == 401


class Unit(unittest.TestCase):
    @pytest.fixture(autouse=True)
    def given(self, ordertape):
        self.url = ordertape

    def test_of_unittest(self):
        self.assertEqual(order(self.url)[0], 201)


@pytest.mark.ordertape("shared")
def test_named(ordertape):
    assert order(ordertape)[0] == 201


def test_without():
    pass
"""

CASSETTES = {
    "TestOrders.test_in_a_class.yaml": 2,
    "Unit.test_of_unittest.yaml": 1,
    "shared.yaml": 1,
    "test_anyio_and_httpx.yaml": 1,
    "test_asyncio_and_aiohttp.yaml": 1,
    "test_parametrized[a-b].yaml": 1,
    "test_parametrized[c-].yaml": 1,
    "test_sync.yaml": 1,
    "test_three_at_once.yaml": 3,
}


def cassettes(folder: Path) -> dict[str, int]:
    """How many interactions each holds."""
    return {path.name: len(load(path)) for path in sorted(folder.iterdir())}


def test_tests_of_every_kind_are_recorded_once_and_replayed(pytester: pytest.Pytester) -> None:
    write(pytester.path, {"test_kinds.py": KINDS})
    strict = "-oasyncio_mode=strict"  # else pytest-asyncio takes anyio's tests too
    recorded = run(pytester, strict, "--record-mode=once")
    assert recorded.code == 0, recorded.text
    assert "ordertape: recording (once) from the sandbox" in recorded.text
    folder = pytester.path / "cassettes" / "test_kinds"
    assert cassettes(folder) == CASSETTES
    before = {path: path.read_bytes() for path in folder.iterdir()}
    replayed = run_apart(pytester.path, strict, "-n2")
    assert replayed.code == 0, replayed.text
    assert replayed.outcomes == recorded.outcomes
    assert "recording" not in replayed.text
    assert {path: path.read_bytes() for path in folder.iterdir()} == before


def test_a_service_is_recorded_with_the_path_that_the_settings_name(
    pytester: pytest.Pytester,
) -> None:
    test = "def test_path(ordertape):\n    assert ask(ordertape, '/a') == (200, b'GET /api/a')\n"

    async def answer(peer: Peer) -> None:
        await ReadRequest()(peer)
        line = peer.service.attempts[-1].partition(b" HTTP")[0]
        await Send(reply(200, line))(peer)

    with Scripted([answer], per="request").in_thread() as service:
        write(pytester.path, {"test_path.py": test})
        wrong = run(pytester, f"--ordertape-upstream={service.url}/api", "--record-mode=once")
        assert "--ordertape-upstream has the path /api, which replay could not know" in wrong.text
        ini = "ordertape_upstream = https://service.example/api\n"
        write(pytester.path, {}, ini)
        live = run(pytester, f"--ordertape-upstream={service.url}/api", "--record-mode=once")
        assert live.code == 0, live.text
        assert len(service.attempts) == 1
    assert run(pytester).code == 0


ORDERS = """
@pytest.mark.parametrize("_", range(3))
def test_order(ordertape, _):
    assert order(ordertape)[0] == 201
"""


def test_tests_get_sessions_of_a_server_that_is_named(pytester: pytest.Pytester) -> None:
    """Its one recording of the order answers each of them."""
    write(
        pytester.path, {"test_a.py": "def test_a(ordertape): assert order(ordertape)[0] == 201\n"}
    )
    assert run(pytester, "--record-mode=once").code == 0
    command = [Path(sys.executable).parent / "ordertape", "replay", "cassettes"]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1:0"],
        cwd=pytester.path,
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        assert server.stdout is not None
        url = server.stdout.readline().split()[-1].rstrip(".")
        (pytester.path / "test_a.py").unlink()
        write(pytester.path, {"test_a.py": ORDERS})
        found = run(pytester, f"--ordertape-server={url}")
        server.terminate()
    assert found.code == 0, found.text
    assert len(found.outcomes) == 3


KILLED = """
import os
import signal


def test_killed(ordertape):
    for area in ("617", "919"):
        assert order(ordertape, area)[0] == 201
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_killed_recording_keeps_everything_that_completed(tmp_path: Path) -> None:
    write(tmp_path, {"test_a.py": KILLED})
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    options = ["-p", "ordertape.pytest_plugin", "--record-mode=rewrite"]
    killed = subprocess.run(
        [sys.executable, "-m", "pytest", *options],
        cwd=tmp_path,
        env={**environment(), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stdout
    assert cassettes(tmp_path / "cassettes" / "test_a") == {"test_killed.yaml": 2}


def test_rewriting_removes_the_cassette_of_a_test_that_asks_for_nothing(
    pytester: pytest.Pytester,
) -> None:
    write(
        pytester.path, {"test_a.py": "def test_a(ordertape): assert order(ordertape)[0] == 201\n"}
    )
    assert run(pytester, "--record-mode=once").code == 0
    cassette = pytester.path / "cassettes" / "test_a" / "test_a.yaml"
    fails = "def test_a(ordertape): assert False\n"
    passes = "def test_a(ordertape): pass\n"
    for text, code, stays in ((fails, 1, True), (passes, 0, False)):
        (pytester.path / "test_a.py").unlink()
        write(pytester.path, {"test_a.py": text})
        assert run(pytester, "--record-mode=rewrite").code == code
        assert cassette.exists() == stays


OTHER = """
def pytest_addoption(parser):
    parser.addoption("--record-mode", choices=["none", "once"], default=None)
"""


@pytest.mark.parametrize("option", ["--record-mode=once", "--ordertape-record-mode=once"])
def test_where_pytest_recording_is_there_its_option_is_used(
    pytester: pytest.Pytester, option: str
) -> None:
    pytester.syspathinsert()
    write(
        pytester.path, {"test_a.py": "def test_a(ordertape): assert order(ordertape)[0] == 201\n"}
    )
    (pytester.path / "pytest_recording").mkdir()
    (pytester.path / "pytest_recording" / "__init__.py").touch()
    (pytester.path / "pytest_recording" / "plugin.py").write_text(OTHER)
    found = run(pytester, "-p", "pytest_recording.plugin", option)
    assert found.code == 0, found.text
    assert cassettes(pytester.path / "cassettes" / "test_a") == {"test_a.yaml": 1}


def test_nothing_of_the_gateway_is_imported_until_a_test_asks_for_it(tmp_path: Path) -> None:
    text = "import sys\nimport ordertape.pytest_plugin\nprint('ordertape.build' in sys.modules)\n"
    done = subprocess.run(
        [sys.executable, "-c", text], cwd=tmp_path, capture_output=True, timeout=60, check=True
    )
    assert done.stdout == b"False\n"
