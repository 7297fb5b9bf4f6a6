"""The control socket: one command, one answer, whoever runs."""

import asyncio
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
import uvloop

from ordertape.errors import StartUpError, UnavailableError
from ordertape.store.control import ask, ask_within, serve_control
from recorded import everything_in


async def echo(asked: dict[str, Any]) -> dict[str, Any]:
    return {"echo": asked}


async def refuse(_: dict[str, Any]) -> dict[str, Any]:
    raise UnavailableError("The store fails.")


async def need(asked: dict[str, Any]) -> dict[str, Any]:
    return {"got": asked["account"]}


async def break_down(_: dict[str, Any]) -> dict[str, Any]:
    return {"never": 1 // 0}


HANDLERS = {"echo": echo, "refuse": refuse, "need": need, "break": break_down}


async def _asked(db: Path, command: str, **arguments: Any) -> dict[str, Any] | None:
    return await asyncio.to_thread(ask, db, command, **arguments)


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


async def test_a_command_is_carried_out_by_whoever_serves(tmp_path: Path) -> None:
    db = tmp_path / "tape.db"
    assert await _asked(db, "echo") is None
    async with serve_control(db, HANDLERS):
        assert await _asked(db, "echo", account="14", n=[1, None]) == {
            "echo": {"account": "14", "n": [1, None]}
        }
        assert _mode(tmp_path / "tape.db.ctl") == 0o600
    assert await _asked(db, "echo") is None
    assert not everything_in(tmp_path)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ("refuse", "The store fails."),
        ("need", "The command 'need' lacks the argument 'account'."),
        ("unknown", "The running gateway does not know 'unknown'; restart it."),
        ("break", "The gateway failed to do that; see its log."),
    ],
)
async def test_what_went_wrong_comes_back_as_a_sentence(
    tmp_path: Path, command: str, sentence: str
) -> None:
    db = tmp_path / "tape.db"
    async with serve_control(db, HANDLERS):
        with pytest.raises(StartUpError) as error:
            await _asked(db, command)
        assert str(error.value) == sentence
        assert await _asked(db, "echo") == {"echo": {}}


async def test_a_dead_process_s_socket_is_replaced(tmp_path: Path) -> None:
    db = tmp_path / "tape.db"
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(tmp_path / "tape.db.ctl"))
    assert await _asked(db, "echo") is None
    async with serve_control(db, HANDLERS):
        assert await _asked(db, "echo") == {"echo": {}}


async def test_a_living_socket_and_another_file_are_left_alone(tmp_path: Path) -> None:
    db = tmp_path / "tape.db"
    async with serve_control(db, HANDLERS):
        with pytest.raises(StartUpError, match="Another gateway answers"):
            async with serve_control(db, HANDLERS):
                pass
        assert await _asked(db, "echo") == {"echo": {}}
    (tmp_path / "tape.db.ctl").write_text("mine")
    with pytest.raises(StartUpError, match="move it away"):
        async with serve_control(db, HANDLERS):
            pass
    assert (tmp_path / "tape.db.ctl").read_text() == "mine"


async def test_the_path_may_be_longer_than_a_socket_s_name(tmp_path: Path) -> None:
    deep = tmp_path / ("d" * 100) / ("e" * 100)
    deep.mkdir(parents=True)
    async with serve_control(deep / "tape.db", HANDLERS):
        assert await _asked(deep / "tape.db", "echo") == {"echo": {}}


@pytest.mark.parametrize("line", [b"\n", b"nonsense\n", b"[]\n", b'{"command": 1}\n', b"half"])
async def test_nonsense_gets_an_error_and_does_no_harm(tmp_path: Path, line: bytes) -> None:
    db = tmp_path / "tape.db"
    async with serve_control(db, HANDLERS):
        reader, writer = await asyncio.open_unix_connection(str(tmp_path / "tape.db.ctl"))
        writer.write(line)
        writer.write_eof()
        assert b"error" in await reader.read()
        writer.close()
        await writer.wait_closed()
        assert await _asked(db, "echo") == {"echo": {}}


async def test_a_gateway_that_goes_away_is_told_apart_from_none(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as dying:
        dying.bind(str(tmp_path / "tape.db.ctl"))
        dying.listen()
        asking = asyncio.ensure_future(_asked(tmp_path / "tape.db", "echo"))
        connection, _ = await asyncio.to_thread(dying.accept)
        with connection:
            await asyncio.to_thread(connection.recv, 1000)
    with pytest.raises(StartUpError, match="went away before it answered"):
        await asking


async def test_an_answer_that_does_not_come_is_not_waited_for_for_ever(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "tape.db.ctl"))
        silent.listen()
        with pytest.raises(StartUpError, match=r"did not answer in 0\.05 s"):
            await asyncio.to_thread(ask_within, 0.05, tmp_path / "tape.db", "echo", {})


def test_it_works_on_uvloop_and_leaves_no_file_descriptor(tmp_path: Path) -> None:
    async def main() -> dict[str, Any] | None:
        async with serve_control(tmp_path / "tape.db", HANDLERS):
            return await _asked(tmp_path / "tape.db", "echo")

    counts = []
    for _ in range(2):  # uvloop keeps some of its own from the first loop on
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            assert runner.run(main()) == {"echo": {}}
        counts.append(len(list(Path("/proc/self/fd").iterdir())))
    assert counts[0] == counts[1]
