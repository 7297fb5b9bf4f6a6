"""`replaying`: recordings on a port while a block runs, under any test framework."""

import asyncio
import os
import re
import subprocess
import sys
import threading
import unittest
from pathlib import Path

import pytest

from ordertape.errors import StartUpError
from ordertape.testing import MissedError, replaying
from ordertape.testing.bench import Wanted, shared
from test_recording_modes import ORDER, ask, played

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def cassette(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One order, and one look at another that is not there."""
    path = tmp_path_factory.mktemp("recorded") / "orders.yaml"
    with played(path, "once") as playing:
        assert ask(playing, "/accounts/1/orders", ORDER)[0] == 201
        assert ask(playing, "/accounts/1/orders/none")[0] == 404
    return path


def test_a_block_is_answered_from_the_cassette(cassette: Path) -> None:
    with replaying(cassette) as url, replaying(cassette.parent) as folder:
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+", url)
        for one in (url, folder):
            assert ask(one, "/accounts/1/orders", ORDER)[0] == 201


def test_each_block_has_its_own_place_in_every_sequence(cassette: Path) -> None:
    for _ in range(2):
        with replaying(cassette) as url:
            assert ask(url, "/accounts/1/orders", ORDER)[0] == 201


def test_a_miss_is_raised_at_the_end_with_its_explanation(cassette: Path) -> None:
    other = ORDER.replace(b"617", b"919")
    with pytest.raises(MissedError) as raised, replaying(cassette) as url:
        assert ask(url, "/accounts/1/orders", other)[0] == 409
    text = str(raised.value)
    assert "There is no recording of POST /accounts/1/orders" in text
    assert "/Order/AreaCodeSearchAndOrderType/AreaCode: recorded '617', asked '919'." in text
    assert f"- interaction 1 of {cassette}" in text
    assert isinstance(raised.value, AssertionError)


def test_the_explanation_is_a_note_on_what_the_block_itself_raises(cassette: Path) -> None:
    def missing_and_failing() -> None:
        with replaying(cassette) as url:
            ask(url, "/accounts/2/orders", ORDER)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError) as raised:
        missing_and_failing()
    [note] = raised.value.__notes__
    assert note.startswith("Requests without a recording:\n  - There is no recording of any")


def test_what_counts_is_an_option(cassette: Path) -> None:
    area = ["/Order/AreaCodeSearchAndOrderType/AreaCode"]
    other = ORDER.replace(b"617", b"919")
    with replaying(cassette, ignore=area, repeat="loop", unused="report") as url:
        assert [ask(url, "/accounts/1/orders", other)[0] for _ in range(3)] == [201] * 3
    with replaying(cassette, missed="report") as url:
        assert ask(url, "/accounts/1/orders", other)[0] == 409
    unused = pytest.raises(MissedError, match="Recordings that were not asked for")
    with unused, replaying(cassette, unused="fail"):
        pass


def test_rules_are_those_of_the_configuration(cassette: Path, tmp_path: Path) -> None:
    file = tmp_path / "strict.toml"
    file.write_text("[rules.quantity]\nmissing = 'refuse'\n")
    bare = ORDER.replace(b"<Quantity>1</Quantity>", b"")
    with replaying(cassette, config=file) as url:
        status, answer = ask(url, "/accounts/1/orders", bare)
    assert status == 400
    assert "AreaCodeSearchAndOrderType has no Quantity" in answer


@pytest.mark.parametrize("text", [None, "interactions:\n- request"], ids=["missing", "damaged"])
def test_what_cannot_be_read_is_one_sentence(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "a.yaml"
    if text is not None:
        path.write_text(text)
    with pytest.raises(StartUpError, match=re.escape(str(path))), replaying(path):
        pass


async def test_it_answers_a_loop_that_waits_in_the_same_thread(cassette: Path) -> None:
    with replaying(cassette) as url:
        answers = [asyncio.to_thread(ask, url, "/accounts/1/orders/none") for _ in range(5)]
        assert {status for status, _ in await asyncio.gather(*answers)} == {404}


def test_it_serves_unittest(cassette: Path) -> None:
    class Orders(unittest.TestCase):
        def test_order(self) -> None:
            url = self.enterContext(replaying(cassette))
            assert ask(url, "/accounts/1/orders", ORDER)[0] == 201

    result = unittest.TestResult()
    unittest.defaultTestLoader.loadTestsFromTestCase(Orders).run(result)
    assert (result.testsRun, result.errors, result.failures) == (1, [], [])


CHILD = """
import os, sys
sys.path.insert(0, sys.argv[2])
from pathlib import Path
from ordertape.testing import replaying
from test_recording_modes import ORDER, ask

def once():
    with replaying(Path(sys.argv[1])) as url:
        print(ask(url, "/accounts/1/orders", ORDER)[0], flush=True)

once()
child = os.fork()
once()
if child:
    assert os.waitpid(child, 0)[1] == 0
    once()
"""


def test_a_fork_gets_a_thread_of_its_own_and_nothing_is_left_behind(
    cassette: Path, tmp_path: Path
) -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", CHILD, str(cassette), str(HERE)],
        cwd=tmp_path,
        env={**os.environ, "TMPDIR": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "201\n" * 4, "")
    assert list(tmp_path.iterdir()) == []


def test_a_gateway_that_was_stopped_leaves_no_file_and_no_thread(cassette: Path) -> None:
    def left() -> tuple[int, int]:
        return len(list(Path("/proc/self/fd").iterdir())), threading.active_count()

    with replaying(cassette):
        pass
    before = left()
    for _ in range(5):
        with replaying(cassette, missed="report") as url:
            ask(url, "/accounts/1/orders", ORDER.replace(b"617", b"919"))
    files, threads = left()
    assert files == before[0]
    assert threads <= before[1] + 2  # the loop's executor keeps its threads


def test_nothing_that_could_call_out_is_made_for_a_replay(cassette: Path) -> None:
    playing = shared().play(Wanted((cassette,), upstream="http://service.example"))
    try:
        assert (playing.tape, repr(playing.playback)[:9]) == (None, "<Playback")
    finally:
        playing.end()
