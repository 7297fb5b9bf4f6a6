"""The store that the audit commands are asked about, and a way to ask that is fast."""

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from audited import fill_with_six
from processes import ordertape_here

Asked = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an `ordertape.db` of six lies; it is only read."""
    found = tmp_path_factory.mktemp("audited")
    fill_with_six(found / "ordertape.db")
    return found


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Run a command in this process: its exit code, and what it printed on either side."""

    def run(
        *arguments: str, cwd: Path, variables: Mapping[str, str] | None = None
    ) -> tuple[int, str, str]:
        with monkeypatch.context() as environment:
            for name, value in (variables or {}).items():
                environment.setenv(name, value)
            return ordertape_here(*arguments, cwd=cwd)

    return run
