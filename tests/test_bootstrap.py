"""Setting up .venv by the scripts: once, by one at a time, and from nothing where it is not whole.

The Python here is a script that does what `python -m venv` and `pip install` leave behind, in no
time; that pip really brings a working ordertape is what test_packaging.py shows.
"""

import errno
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

PYTHON = """\
#!/bin/sh
# `install` waits at the named pipe where there is one, and fails where it is told to.
case "$*" in
-c*version_info*) exit "${TOO_OLD:-0}" ;;
-c*ensurepip*) exit "${NO_VENV:-0}" ;;
"-m venv --clear "*)
    rm -rf "$4" && mkdir -p "$4/bin" && cp "$0" "$4/bin/python" && echo made >>"$CALLS" ;;
*" install "*)
    echo "a line of progress"
    if [ -n "${PIP_FAILS:-}" ]; then echo "ERROR: $PIP_FAILS" >&2; exit 1; fi
    echo installing >>"$CALLS"
    if [ -p "$CALLS.gate" ]; then cat "$CALLS.gate"; fi
    printf '#!/bin/sh\\necho "ordertape $*"\\n' >"$(dirname "$0")/ordertape"
    chmod +x "$(dirname "$0")/ordertape"
    echo installed >>"$CALLS" ;;
esac
"""


class Checkout:
    """A fresh checkout with a Python of its own."""

    def __init__(self, folder: Path) -> None:
        self.root = folder / "check out"
        (self.root / "scripts").mkdir(parents=True)
        for name in ("pyproject.toml", "scripts/bootstrap", "scripts/ordertape"):
            shutil.copy(ROOT / name, self.root / name)
        self.calls = folder / "calls"
        self.calls.touch()
        self.python = folder / "python"
        self.python.write_text(PYTHON, encoding="utf-8")
        self.python.chmod(0o755)

    def start(self, **environment: str) -> subprocess.Popen[str]:
        """Run `scripts/ordertape --version` from elsewhere, in a process group of its own."""
        told: Mapping[str, str] = {"PYTHON": str(self.python), "CALLS": str(self.calls)}
        return subprocess.Popen(
            [self.root / "scripts" / "ordertape", "--version"],
            cwd="/",
            env={**os.environ, **told, **environment},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def run(self, **environment: str) -> tuple[int, str, str]:
        process = self.start(**environment)
        output, errors = process.communicate(timeout=60)
        return process.returncode, output, errors

    def done(self) -> list[str]:
        """What was done since it was last asked."""
        lines = self.calls.read_text(encoding="utf-8").split()
        self.calls.write_text("", encoding="utf-8")
        return lines

    def close_gate(self) -> None:
        """Let the next installation wait in the middle."""
        os.mkfifo(self._gate)

    @contextmanager
    def half_way(self) -> Iterator[None]:
        """An installation waits in the middle for as long as the block lasts; then none does."""
        deadline = time.monotonic() + 20
        while True:
            try:
                gate = os.open(self._gate, os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError as error:
                if error.errno != errno.ENXIO or time.monotonic() > deadline:
                    raise
            time.sleep(0.01)  # until it reads
        try:
            yield
        finally:
            self._gate.unlink()
            os.close(gate)

    @property
    def _gate(self) -> Path:
        return self.calls.with_name("calls.gate")


SET_UP = (0, "ordertape --version\n", "Setting up .venv (once)…\n")
READY = (0, "ordertape --version\n", "")
WHOLE = ["made", "installing", "installed"]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_first_start_sets_up_without_a_word_of_pip_and_the_second_does_nothing(
    checkout: Checkout,
) -> None:
    assert (checkout.run(), checkout.done()) == (SET_UP, WHOLE)
    assert (checkout.run(), checkout.done()) == (READY, [])


def test_a_change_of_what_is_needed_is_installed_into_what_is_there(checkout: Checkout) -> None:
    checkout.run()
    with (checkout.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    checkout.done()
    assert (checkout.run(), checkout.done()) == (SET_UP, ["installing", "installed"])
    assert checkout.run() == READY


def test_a_moved_checkout_is_set_up_anew(checkout: Checkout) -> None:
    """The scripts in .venv/bin name their Python by the old path."""
    checkout.run()
    checkout.root = checkout.root.rename(checkout.root.with_name("moved"))
    checkout.done()
    assert (checkout.run(), checkout.done()) == (SET_UP, WHOLE)


def test_a_copied_checkout_does_not_run_the_code_of_the_first(checkout: Checkout) -> None:
    checkout.run()
    checkout.root = Path(shutil.copytree(checkout.root, checkout.root.with_name("copy")))
    checkout.done()
    assert (checkout.run(), checkout.done()) == (SET_UP, WHOLE)


def test_a_venv_whose_python_is_gone_is_made_anew(checkout: Checkout) -> None:
    checkout.run()
    (checkout.root / ".venv" / "bin" / "python").unlink()
    checkout.done()
    assert (checkout.run(), checkout.done()) == (SET_UP, WHOLE)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_a_setting_up_that_was_broken_off_begins_anew(
    checkout: Checkout, number: signal.Signals
) -> None:
    checkout.close_gate()
    process = checkout.start()
    with checkout.half_way():
        os.killpg(process.pid, number)
        process.communicate(timeout=60)
    assert process.returncode != 0
    assert checkout.done() == ["made", "installing"]
    assert (checkout.run(), checkout.done()) == (SET_UP, WHOLE)


def test_a_broken_off_change_begins_anew_as_well(checkout: Checkout) -> None:
    checkout.run()
    with (checkout.root / "pyproject.toml").open("a", encoding="utf-8") as file:
        file.write("# changed\n")
    checkout.close_gate()
    process = checkout.start()
    with checkout.half_way():
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate(timeout=60)
    checkout.done()
    assert (checkout.run(), checkout.done()) == (SET_UP, WHOLE)


@pytest.mark.skipif(shutil.which("flock") is None, reason="There is no flock to wait with.")
def test_two_at_once_set_up_once(checkout: Checkout) -> None:
    checkout.close_gate()
    results: list[tuple[str, str]] = []
    processes = [checkout.start(), checkout.start()]
    threads = [
        threading.Thread(target=lambda p=process: results.append(p.communicate(timeout=60)))
        for process in processes
    ]
    for thread in threads:
        thread.start()
    with checkout.half_way():
        """The one is inside its installation; the other waits for it, or has not come so far."""
    for thread in threads:
        thread.join(60)
    assert [process.returncode for process in processes] == [0, 0]
    assert sorted(results) == sorted([SET_UP[1:], READY[1:]])
    assert checkout.done() == WHOLE


def test_a_failed_installation_shows_why_and_is_tried_again(checkout: Checkout) -> None:
    code, output, errors = checkout.run(PIP_FAILS="no such package")
    assert (code, output) == (1, "")
    assert errors == (
        "Setting up .venv (once)…\na line of progress\nERROR: no such package\n"
        "ordertape: Installing into .venv failed, as said above; mend that and run the command "
        "again.\n"
    )
    checkout.done()
    assert (checkout.run(), checkout.done()) == (SET_UP, WHOLE)


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        ({"PYTHON": "no-such-python"}, "There is no 'no-such-python'; install "),
        ({"TOO_OLD": "1"}, "does not run or is older than Python 3.11; install "),
        ({"NO_VENV": "1"}, "cannot make a virtual environment; install its venv "),
    ],
)
def test_a_python_that_will_not_do_is_one_sentence(
    checkout: Checkout, environment: dict[str, str], sentence: str
) -> None:
    code, output, errors = checkout.run(**environment)
    assert (code, output) == (2, "")
    assert errors.startswith("ordertape: ")
    assert errors.endswith(" in PYTHON.\n")
    assert errors.count("\n") == 1
    assert sentence in errors
    assert not (checkout.root / ".venv").exists()


def test_it_runs_by_a_link_from_anywhere(checkout: Checkout, tmp_path: Path) -> None:
    link = tmp_path / "ordertape"
    link.symlink_to(checkout.root / "scripts" / "ordertape")
    checkout.run()
    done = subprocess.run(
        [link, "audit", "list"],
        cwd=tmp_path,
        env={**os.environ, "CDPATH": "/usr", "PYTHON": "no-such-python"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "ordertape audit list\n", "")
