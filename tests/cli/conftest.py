"""The store that the audit commands are asked about, and a way to ask that is fast."""

from collections.abc import Callable
from pathlib import Path

import pytest

from audited import fill_with_six
from ordertape.cli import main

Asked = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an `ordertape.db` of six lies; it is only read."""
    found = tmp_path_factory.mktemp("audited")
    fill_with_six(found / "ordertape.db")
    return found


@pytest.fixture
def here(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Asked:
    """Run a command in this process: its exit code, and what it printed on either side."""

    def run(*arguments: str, cwd: Path) -> tuple[int, str, str]:
        monkeypatch.chdir(cwd)
        with pytest.raises(SystemExit) as left:
            main(list(arguments))
        printed = capsys.readouterr()
        return int(left.value.code or 0), printed.out, printed.err

    return run
