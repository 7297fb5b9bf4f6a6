"""Log lines: their form on a pipe and on a terminal, and what never gets into them."""

import io
import json
from collections.abc import Iterator

import pytest
import structlog

from ordertape import logs


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self) -> bool:
        return True


class FullDisk(io.StringIO):
    """A stream that takes nothing."""

    def write(self, _: str) -> int:
        raise OSError(28, "No space left on device")


@pytest.fixture(autouse=True)
def _as_it_was() -> Iterator[None]:
    yield
    structlog.reset_defaults()


def fail_beside_a_secret(stream: io.StringIO) -> str:
    logs.configure("info", stream)
    authorization = "canary-secret"
    try:
        int(authorization[:0])
    except ValueError:
        structlog.get_logger("test").exception("failed", id="1")
    return stream.getvalue()


@pytest.mark.parametrize("stream", [io.StringIO(), Terminal()], ids=["pipe", "terminal"])
def test_a_logged_exception_shows_no_local_variable(stream: io.StringIO) -> None:
    said = fail_beside_a_secret(stream)
    assert "ValueError: invalid literal for int()" in said
    assert "canary-secret" not in said


def test_on_a_pipe_each_line_is_json_and_what_is_below_the_level_is_left_out() -> None:
    stream = io.StringIO()
    logs.configure("warning", stream)
    log = structlog.get_logger("test")
    log.info("unheard")
    log.warning("heard", count=2)
    [line] = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert (line["event"], line["level"], line["count"]) == ("heard", "warning", 2)


def test_a_log_that_cannot_be_written_fails_nobody() -> None:
    logs.configure("info", FullDisk())
    structlog.get_logger("test").info("lost")
