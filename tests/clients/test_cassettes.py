"""The SDK and the README's example run from `cassettes/`, without any service.

`python tests/sdk_story.py` records them anew.
"""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from ordertape.cassette import load
from processes import Running, running
from sdk_story import CASSETTES, readme_test, record, story

_MOMENT = re.compile(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The clients obey the proxy of whoever runs the tests."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def replay(tmp_path: Path) -> Iterator[Running]:
    free = ("--listen", "127.0.0.1:0", "--strict")
    with running("replay", str(CASSETTES), *free, cwd=tmp_path) as started:
        yield started


def test_the_sdk_is_told_from_the_cassettes_what_the_sandbox_tells_it(
    replay: Running, tmp_path: Path
) -> None:
    told = record(tmp_path)
    assert story(replay.url) == told
    assert replay.stop() == 0
    for name in ("sdk.yaml", "readme.yaml"):
        assert _lasting(tmp_path / name) == _lasting(CASSETTES / name)


def _lasting(path: Path) -> list[tuple[object, ...]]:
    """What a cassette says that does not differ from one recording to the next."""
    return [
        (one.method, one.url, one.request_body, one.status, one.reason, _MOMENT.sub(b"", one.body))
        for one in load(path)
    ]


def test_the_readmes_example_passes_from_the_cassettes(replay: Running) -> None:
    readme_test(replay.url)
    assert replay.stop() == 0


def test_the_cassettes_can_be_published() -> None:
    for path in CASSETTES.iterdir():
        held = path.read_bytes()
        assert b"canary" not in held
        assert re.findall(rb"ordertape:[0-9a-f]{8}", held) == []
        assert {one.request_headers.get(b"authorization") for one in load(path)} == {
            b"Basic redacted-1"
        }
