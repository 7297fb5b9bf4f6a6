"""How a command changes a store that a gateway is writing: it asks that gateway.

One JSON line each way over `FILE.db.ctl`, a Unix socket that only the store's owner may use:
`{"command": ..., "arguments": {...}}`, answered by `{"answer": {...}}` or `{"error": sentence}`.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager, suppress
from pathlib import Path
from typing import Any

import structlog

from ordertape.errors import GatewayError, StartUpError
from ordertape.store.connection import companion

__all__ = ["Handler", "ask", "ask_within", "serve_control"]

Handler = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]
"""Takes a command's arguments; GatewayError and StartUpError go back as their sentence."""

_READ_TIMEOUT = 5.0
_HANDLE_TIMEOUT = 30.0
_LINE_LIMIT = 1 << 20

_log = structlog.get_logger("ordertape.control")


@asynccontextmanager
async def serve_control(database: Path, handlers: Mapping[str, Handler]) -> AsyncIterator[None]:
    """Answer commands about this store until the context ends.

    The caller holds the store's lock; a socket that is there already is a dead process's, and is
    replaced. Errors: StartUpError.
    """
    path = companion(database, "ctl")
    busy: set[asyncio.Task[None]] = set()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            busy.add(task)
            task.add_done_callback(busy.discard)
        try:
            answer = await _answer(reader, handlers)
            if answer is not None:
                writer.write(json.dumps(answer).encode() + b"\n")
                async with asyncio.timeout(_READ_TIMEOUT):
                    await writer.drain()
        except (OSError, TimeoutError):
            # The command went away; what it asked for is done, and recorded.
            _log.info("control-peer-left")
        finally:
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    server = await asyncio.start_unix_server(connected, sock=_bind(path), limit=_LINE_LIMIT)
    try:
        yield
    finally:
        server.close()
        path.unlink(missing_ok=True)
        if busy:
            await asyncio.wait(busy, timeout=_READ_TIMEOUT)
        for task in busy:
            task.cancel()


def ask(database: Path, command: str, **arguments: Any) -> dict[str, Any] | None:  # noqa: ANN401 - whatever JSON holds
    """Have the gateway that writes this store carry out a command; None when none runs.

    Errors: StartUpError with the gateway's sentence, or when it went away or is too slow.
    """
    return ask_within(_HANDLE_TIMEOUT + _READ_TIMEOUT, database, command, arguments)


def ask_within(
    timeout: float, database: Path, command: str, arguments: Mapping[str, Any]
) -> dict[str, Any] | None:
    """`ask`, waiting at most `timeout` seconds for each step."""
    line = json.dumps({"command": command, "arguments": dict(arguments)}).encode() + b"\n"
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(timeout)
        try:
            with _short(companion(database, "ctl")) as name:
                connection.connect(name)
        except (FileNotFoundError, ConnectionRefusedError):
            return None
        except OSError as error:
            raise StartUpError(
                f"The gateway that writes {database} cannot be asked ({error.strerror}); "
                "use its own user."
            ) from error
        try:
            connection.sendall(line)
            with connection.makefile("rb") as stream:
                answered = stream.readline()
        except OSError as error:
            raise StartUpError(
                f"The gateway that writes {database} did not answer in {timeout:g} s; "
                "see its log for whether it did what was asked."
            ) from error
    if not answered.endswith(b"\n"):
        raise StartUpError(
            f"The gateway that writes {database} went away before it answered; "
            "see its log for whether it did what was asked."
        )
    answer = json.loads(answered)
    if "error" in answer:
        raise StartUpError(answer["error"])
    found: dict[str, Any] = answer["answer"]
    return found


async def _answer(
    reader: asyncio.StreamReader, handlers: Mapping[str, Handler]
) -> dict[str, Any] | None:
    """What goes back; None when nothing was asked."""
    try:
        async with asyncio.timeout(_READ_TIMEOUT):
            line = await reader.readline()
        if not line:
            return None
        asked = json.loads(line)
        command, arguments = str(asked["command"]), dict(asked["arguments"])
    except (TimeoutError, ValueError, KeyError, TypeError):
        return {"error": "The command is not the JSON line that ordertape sends."}
    handler = handlers.get(command)
    if handler is None:
        return {"error": f"The running gateway does not know {command!r}; restart it."}
    return await _carry_out(command, handler, arguments)


async def _carry_out(command: str, handler: Handler, arguments: dict[str, Any]) -> dict[str, Any]:
    try:
        async with asyncio.timeout(_HANDLE_TIMEOUT):
            return {"answer": await handler(arguments)}
    except (GatewayError, StartUpError) as error:
        return {"error": str(error)}
    except KeyError as error:
        return {"error": f"The command {command!r} lacks the argument {error}."}
    except Exception:  # noqa: BLE001 - one command that fails must not end the gateway
        _log.exception("control-failed", command=command)
        return {"error": "The gateway failed to do that; see its log."}


def _bind(path: Path) -> socket.socket:
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        _replace_stale(path)
        os.fchmod(bound.fileno(), 0o600)  # Linux gives the file this mode from the first moment
        with _short(path) as name:
            bound.bind(name)
        path.chmod(0o600)
        bound.listen(16)
    except OSError as error:
        bound.close()
        raise StartUpError(
            f"The control socket {path} cannot be made ({error.strerror}); "
            "the gateway needs to write that directory."
        ) from error
    except BaseException:
        bound.close()
        raise
    return bound


def _replace_stale(path: Path) -> None:
    """Remove a dead process's socket. Errors: StartUpError when it is alive, or no socket."""
    if not path.exists():
        return
    if not path.is_socket():
        raise StartUpError(f"{path} is in the control socket's place; move it away.")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        try:
            with _short(path) as name:
                probe.connect(name)
        except ConnectionRefusedError:
            path.unlink()
            return
    raise StartUpError(f"Another gateway answers on {path}; stop it first.")


@contextmanager
def _short(path: Path) -> Iterator[str]:
    """A name for a socket's path that fits in `sun_path` (108 bytes), however deep it lies."""
    directory = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        yield f"/proc/self/fd/{directory}/{path.name}"
    finally:
        os.close(directory)
