"""`ordertape demo`: the whole story, in time, and nothing left of it."""

import os
import re
import signal
import subprocess
import time
from pathlib import Path

import pytest

from processes import ORDERTAPE
from terminals import on_terminal

IN_TIME = 20  # seconds, as issue 3 has it
STORY = (
    "A sandbox of the orders service starts, and a gateway in front of it.",
    "A client orders through the gateway: blanks around values, defaults left out.",
    "The service answers 201.",
    "An order that is not well-formed is refused, and nothing is sent.",
    "What the client sent beside what the service saw, and which rule changed it.",
    "  order-defaults: /Order/PartialAllowed: absent -> 'true'",
    "  trim-whitespace: /Order/SiteId: ' 743 ' -> '743'",
    "The audit: ordertape audit list.",
    "Sandbox and gateway are gone. ordertape replay ordertape.db answers the same order.",
    "  201, as recorded",
    "It has one recording of it: asked again, it says so and calls nobody.",
    "  409",
    "That is ordertape: recorded before it was sent, and answered without it.",
)


def started(scratch: Path, **variables: str) -> subprocess.Popen[str]:
    """The demo without a terminal; whatever it makes lies below `scratch`."""
    return subprocess.Popen(
        [ORDERTAPE, "demo"],
        cwd=scratch,
        env={**os.environ, "TMPDIR": str(scratch), **variables},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def working_in(scratch: Path) -> list[str]:
    """The command lines of processes whose working directory lies below."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").readlink().is_relative_to(scratch):
                found.append((process / "cmdline").read_text(encoding="utf-8"))
        except OSError:
            continue  # it has ended, or is someone else's
    return found


def test_it_tells_the_whole_story_in_time_and_leaves_nothing(tmp_path: Path) -> None:
    """Also where a real gateway is configured, whose store is none of its business."""
    real = tmp_path / "real.db"
    begun = time.monotonic()
    with started(tmp_path, ORDERTAPE_DB=str(real), ORDERTAPE_UPSTREAM="http://real") as demo:
        told, errors = demo.communicate(timeout=60)
    assert (demo.returncode, errors) == (0, "")
    assert time.monotonic() - begun < IN_TIME
    lines = told.splitlines()
    assert [line for line in lines if line in STORY] == list(STORY)
    assert [line.split()[2] for line in lines if " POST /accounts/" in line and "Z  " in line] == [
        "REFUSED",
        "COMPLETED",
    ]
    assert (list(tmp_path.iterdir()), working_in(tmp_path)) == ([], [])


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_broken_off_it_leaves_nothing_either(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    with started(tmp_path) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "  sandbox http" in line:  # both processes run
                break
        assert working_in(tmp_path) != []
        demo.send_signal(number)
        _, errors = demo.communicate(timeout=60)
    assert (demo.returncode, errors.strip()) == (code, "")
    assert (list(tmp_path.iterdir()), working_in(tmp_path)) == ([], [])


def test_a_reader_that_goes_away_ends_it_and_it_leaves_nothing(tmp_path: Path) -> None:
    """As `ordertape demo | head -1` does."""
    with started(tmp_path) as demo:
        assert demo.stdout is not None
        demo.stdout.readline()
        demo.stdout.close()
        assert demo.wait(60) == 1
        assert demo.stderr is not None
        assert demo.stderr.read() == ""
    assert (list(tmp_path.iterdir()), working_in(tmp_path)) == ([], [])


def test_on_a_terminal_its_table_fits(tmp_path: Path) -> None:
    told = re.sub(r"\x1b\[\d+m", "", on_terminal("demo", cwd=tmp_path, columns=80))
    [table] = re.findall(r"The audit: ordertape audit list\.\n((?:.+\n)+)", told)
    assert len(table.splitlines()) == 4
    assert max(map(len, table.splitlines())) <= 80
