"""What is published: a source archive and a wheel, and what a stranger gets who installs them."""

import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TOLD = """\
import json
from importlib.metadata import entry_points
rules = entry_points(group="ordertape.rules")
print(json.dumps({rule.name: rule.load().__module__ for rule in rules}))
"""
RULES = {
    name: place.partition(":")[0]
    for name, place in tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"][
        "entry-points"
    ]["ordertape.rules"].items()
}


def run(*command: str | Path, cwd: Path) -> str:
    """What a program prints; it has to exit 0. The developer's settings of Python stay outside."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PYTHON")}
    done = subprocess.run(
        command,
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert done.returncode == 0, f"{command}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def listed(*which: str) -> list[str]:
    """What git lists that is there: one that it still knows may have been removed."""
    command = ("git", "-c", f"safe.directory={ROOT}", "ls-files", "-z", *which)
    names = run(*command, cwd=ROOT).split("\0")
    return [name for name in names if name and (ROOT / name).is_file()]


@pytest.fixture(scope="module")
def clone(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The files that git knows or would take, as they are now, without what tests left behind."""
    if not (ROOT / ".git").exists():
        pytest.skip("This is no git checkout: what belongs to the project is not known.")
    folder = tmp_path_factory.mktemp("clone")
    for name in listed("--cached", "--others", "--exclude-standard"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / name, folder / name)
    return folder


@dataclass(frozen=True)
class Published:
    """What `python -m build` makes."""

    sdist: Path
    wheel: Path


@pytest.fixture(scope="module")
def published(clone: Path, tmp_path_factory: pytest.TempPathFactory) -> Published:
    folder = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--outdir", folder, cwd=clone)
    [sdist], [wheel] = folder.glob("*.tar.gz"), folder.glob("*.whl")
    return Published(sdist, wheel)


@dataclass(frozen=True)
class Environment:
    """A virtual environment, and a folder that has nothing to do with the checkout."""

    bin: Path
    elsewhere: Path

    def run(self, program: str, *arguments: str | Path) -> str:
        return run(self.bin / program, *arguments, cwd=self.elsewhere)

    def pip(self, command: str, *arguments: str | Path) -> str:
        """What pip says of this environment; it is not in it, for making it takes longer so."""
        pip = (sys.executable, "-m", "pip", "--disable-pip-version-check")
        here = ("--python", self.bin / "python")
        return run(*pip, *here, command, *arguments, cwd=self.elsewhere)

    def install(self, *arguments: str | Path) -> None:
        self.pip("install", "--no-compile", *arguments)


@pytest.fixture(scope="module")
def installed(published: Published, tmp_path_factory: pytest.TempPathFactory) -> Environment:
    """An environment that was empty, and the wheel in it."""
    folder = tmp_path_factory.mktemp("environment")
    run(sys.executable, "-m", "venv", "--without-pip", folder / "venv", cwd=folder)
    environment = Environment(folder / "venv" / "bin", folder)
    environment.install(published.wheel)
    return environment


def of_the_tutorial() -> str:
    """The test file that docs/testing.md begins with."""
    [text] = re.findall(
        r"^```python file=test_orders.py\n(.*?)^```$",
        (ROOT / "docs" / "testing.md").read_text("utf-8"),
        re.MULTILINE | re.DOTALL,
    )
    assert isinstance(text, str)
    return text


def version(folder: Path) -> str:
    stated = tomllib.loads((folder / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert isinstance(stated, str)
    return stated


def sources(folder: Path) -> set[str]:
    """Every file of both packages, as it is called once it is installed."""
    return {
        str(file.relative_to(folder / root))
        for root in ("proxy", "rules")
        for file in (folder / root).rglob("*")
        if file.is_file()
    }


def test_the_wheel_holds_both_packages_and_nothing_else(clone: Path, published: Published) -> None:
    about = f"ordertape-{version(clone)}.dist-info"
    with zipfile.ZipFile(published.wheel) as wheel:
        assert set(wheel.namelist()) == {
            *sources(clone),
            *(f"{about}/{name}" for name in ("METADATA", "RECORD", "WHEEL", "entry_points.txt")),
            f"{about}/licenses/LICENSE",
        }
    assert {"ordertape/py.typed", "ordertape_rules/py.typed"} < sources(clone)


def test_the_source_archive_holds_what_is_needed_to_work_on_it(
    clone: Path, published: Published
) -> None:
    with tarfile.open(published.sdist) as sdist:
        held = {name.partition("/")[2] for name in sdist.getnames()}
    wanted = {name for name in listed("--cached") if not name.startswith(".")}
    assert wanted - held == set()
    assert {name for name in held if not (clone / name).is_file()} == {"PKG-INFO"}


def test_the_wheel_in_an_empty_environment_is_a_working_ordertape(
    clone: Path, installed: Environment
) -> None:
    assert installed.run("ordertape", "--version").strip() == f"ordertape, version {version(clone)}"
    assert json.loads(installed.run("python", "-c", TOLD)) == RULES
    assert installed.pip("check").strip() == "No broken requirements found."


def test_the_demo_runs_where_only_the_wheel_is_installed(installed: Environment) -> None:
    told = installed.run("ordertape", "demo")
    assert told.rstrip().endswith("recorded before it was sent, and answered without it.")


def test_the_tutorial_records_once_and_replays_with_what_pip_installs(
    installed: Environment, tmp_path: Path
) -> None:
    """One test file in an empty folder, and two commands."""
    installed.install("pytest")
    file = tmp_path / "test_orders.py"
    file.write_text(of_the_tutorial())
    pytest_there = installed.bin / "pytest"
    recorded = run(pytest_there, "--record-mode=once", cwd=tmp_path)
    assert "ordertape: recording (once) from the sandbox" in recorded
    cassette = tmp_path / "cassettes" / "test_orders" / "test_an_order_is_received.yaml"
    before = cassette.read_bytes()
    replayed = run(pytest_there, cwd=tmp_path)
    assert ("1 passed" in replayed, cassette.read_bytes()) == (True, before)
    # It is the cassette that answers: without it there is nothing to answer from.
    cassette.unlink()
    failed = subprocess.run(
        [pytest_there], cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False
    )
    assert (failed.returncode, "Requests without a recording:" in failed.stdout) == (1, True)


def test_pip_installs_from_a_clean_clone(
    clone: Path, installed: Environment, tmp_path: Path
) -> None:
    """Into a folder of its own; what it depends on is in the environment already."""
    installed.install("--no-deps", "--target", tmp_path / "site", clone)
    inside = tmp_path / "site"
    assert {str(f.relative_to(inside)) for f in inside.rglob("*.py")} == {
        name for name in sources(clone) if name.endswith(".py")
    }
    assert (inside / "bin" / "ordertape").is_file()
