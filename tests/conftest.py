"""What every test may use."""

from collections.abc import Sequence

import pytest

_left_out: list[str] = []


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--long", action="store_true", help="run the long forms of the slow sweeps")


def pytest_deselected(items: Sequence[pytest.Item]) -> None:
    _left_out.extend(item.nodeid for item in items if item.get_closest_marker("system"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Name what was not run, so that nobody takes silence for a pass."""
    if _left_out:
        terminalreporter.section("not run here; scripts/test-system runs them")
        for name in _left_out:
            terminalreporter.line(name)


@pytest.fixture(scope="session")
def long(request: pytest.FixtureRequest) -> bool:
    return bool(request.config.getoption("--long"))
