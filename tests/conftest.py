"""What every test may use."""

import os
from collections.abc import Sequence
from typing import Any

import pytest

_left_out: list[str] = []
_LONGEST = ("test_packaging.py", "test_kill.py", "test_hostile_orders.py", "test_check_rule.py")
"""Files that go first where several processes share the tests, so that all end together."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long forms of the slow sweeps")


def pytest_configure() -> None:
    # Else each of some hundred processes would compile all of ordertape for itself.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if hasattr(config, "workerinput"):
        first = {name: number for number, name in enumerate(_LONGEST)}
        items.sort(key=lambda item: first.get(item.path.name, len(first)))


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _left_out.extend(item.nodeid for item in items if item.get_closest_marker("system"))


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Tell the process that reports what this one has left out, where it is another."""
    if hasattr(session.config, "workeroutput"):
        session.config.workeroutput["left out"] = _left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    _left_out[:] = getattr(node, "workeroutput", {}).get("left out", _left_out)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not run, so that nobody takes silence for a pass."""
    if _left_out:
        terminalreporter.section("not run here; scripts/test-system runs them")
        for name in _left_out:
            terminalreporter.line(name)


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))
