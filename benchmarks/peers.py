"""The programs that replay is measured beside: each set up by itself, once, in a cache folder.

The folder is `ordertape-benchmarks` in XDG_CACHE_HOME, else in ~/.cache; without it everything is
set up anew, in the versions of the day. mitmproxy comes from PyPI into an environment of its own,
WireMock's jar from npm, Java (and npm) from Debian where they are missing.
"""

from __future__ import annotations

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

SET_UP_WITHIN, UP_WITHIN = 900, 900  # seconds
TARGET = "/accounts/9900012/orders"
UPSTREAM = "http://127.0.0.1:9"  # nothing listens there; what a peer does not know must not leave

FLOWS = """
import base64, json, sys
from mitmproxy import connection, http, io

def pairs(of):
    return http.Headers([(name.encode(), value.encode()) for name, value in of])

with open(sys.argv[1], "wb") as file:
    writer = io.FlowWriter(file)
    for line in sys.stdin:
        one = json.loads(line)
        flow = http.HTTPFlow(
            connection.Client(peername=("127.0.0.1", 50000), sockname=("127.0.0.1", 8080)),
            connection.Server(address=tuple(one["address"])),
        )
        body = base64.b64decode(one["order"])
        flow.request = http.Request.make("POST", one["url"], body, pairs(one["sent"]))
        body = base64.b64decode(one["answer"])
        flow.response = http.Response.make(201, body, pairs(one["headers"]))
        writer.add(flow)
"""


class UnavailableError(Exception):
    """A peer cannot be set up or does not answer; the sentence says why."""


@dataclass(frozen=True)
class Recorded:
    """An order and what was answered, with the headers of both."""

    order: bytes
    answer: bytes
    sent: Sequence[tuple[str, str]]
    headers: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Peer:
    """A program that answers from recordings.

    `write` puts recordings into a folder as the peer's own recorder would; `command` serves those
    of its working directory on a port. An order without a recording is answered `missed`.
    """

    version: str
    write: Callable[[Path, Iterable[Recorded]], None]
    command: Callable[[int], Sequence[str]]
    missed: int = 404


def mitmproxy() -> Peer:
    """Errors: UnavailableError."""
    folder = cached("mitmproxy", _install_mitmproxy)
    python = str(folder / "bin" / "python")
    said = quietly("mitmdump --version", str(folder / "bin" / "mitmdump"), "--version")

    def write(into: Path, recordings: Iterable[Recorded]) -> None:
        host, port = UPSTREAM.removeprefix("http://").split(":")
        lines = (
            {
                "address": [host, int(port)],
                "url": UPSTREAM + TARGET,
                "order": base64.b64encode(one.order).decode(),
                "answer": base64.b64encode(one.answer).decode(),
                "sent": one.sent,
                "headers": one.headers,
            }
            for one in recordings
        )
        text = "".join(json.dumps(line) + "\n" for line in lines)
        quietly("Writing flows", python, "-c", FLOWS, str(into / "flows"), given=text)

    def command(port: int) -> Sequence[str]:
        return (
            str(folder / "bin" / "mitmdump"),
            *("--mode", f"reverse:{UPSTREAM}", "--listen-host", "127.0.0.1"),
            *("--listen-port", str(port), "--server-replay", "flows"),
            *("--server-replay-reuse", "--set", "server_replay_extra=404"),
            *("--set", "connection_strategy=lazy", "--set", "flow_detail=0"),
            *("--set", "confdir=."),
        )

    return Peer(said.split()[1], write, command)


def _install_mitmproxy(folder: Path) -> None:
    quietly("Making an environment", sys.executable, "-m", "venv", str(folder))
    pip = (str(folder / "bin" / "python"), "-m", "pip", "--disable-pip-version-check", "--no-input")
    quietly("pip install mitmproxy", *pip, "install", "mitmproxy>=10")


def wiremock() -> Peer:
    """Errors: UnavailableError."""
    java = program("java", "default-jre-headless")
    folder = cached("wiremock", _install_wiremock)
    [jar] = folder.glob("node_modules/wiremock/build/wiremock-standalone-*.jar")
    version = quietly("WireMock --version", java, "-jar", str(jar), "--version").split()[-1]

    def write(into: Path, recordings: Iterable[Recorded]) -> None:
        mappings = into / "mappings"
        mappings.mkdir()
        stubs = [_stub(one) for one in recordings]
        (mappings / "orders.json").write_text(json.dumps({"mappings": stubs}))

    def command(port: int) -> Sequence[str]:
        return (
            *(java, "-jar", str(jar), "--bind-address", "127.0.0.1", "--port", str(port)),
            *("--disable-banner", "--no-request-journal", "--disable-request-logging"),
        )

    return Peer(version, write, command)


def _stub(one: Recorded) -> dict[str, object]:
    """As `/__admin/recordings/stop` of WireMock 3.13 writes it."""
    ident = str(uuid.uuid4())
    return {
        "id": ident,
        "name": "accounts_9900012_orders",
        "request": {
            "url": TARGET,
            "method": "POST",
            "bodyPatterns": [{"equalToXml": one.order.decode()}],
        },
        "response": {
            "status": 201,
            "body": one.answer.decode(),
            "headers": {name: v for name, v in one.headers if name != "Content-Length"},
        },
        "uuid": ident,
        "persistent": True,
    }


def _install_wiremock(folder: Path) -> None:
    folder.mkdir()
    (folder / "package.json").write_text('{"private": true}\n')
    npm = program("npm", "npm")
    install = (npm, "install", "--no-audit", "--no-fund", "--ignore-scripts", "wiremock@>=3")
    quietly("npm install wiremock", *install, cwd=folder)
    if not list(folder.glob("node_modules/wiremock/build/wiremock-standalone-*.jar")):
        raise UnavailableError("the npm package wiremock has no jar of WireMock in it")


PEERS: dict[str, Callable[[], Peer]] = {"mitmproxy": mitmproxy, "WireMock": wiremock}


def cached(name: str, install: Callable[[Path], None]) -> Path:
    """The folder of what is installed once; a half-made one is made anew."""
    base = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    folder = base / "ordertape-benchmarks" / name
    done = folder.with_suffix(".done")
    if not (done.exists() and folder.exists()):
        print(f"Setting up {name} in {folder} (once)…", file=sys.stderr)
        done.unlink(missing_ok=True)
        shutil.rmtree(folder, ignore_errors=True)
        folder.parent.mkdir(parents=True, exist_ok=True)
        install(folder)
        done.touch()
    return folder


def program(name: str, package: str) -> str:
    """The path of a program; where it is missing, Debian's package is installed."""
    if found := shutil.which(name):
        return found
    if shutil.which("apt-get") is None or os.geteuid() != 0:
        raise UnavailableError(f"there is no {name}, and nothing here may install {package}")
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "--yes", "--no-install-recommends", package)
    quietly("apt-get update", "apt-get", "update", env=environment)
    quietly(f"apt-get install {package}", *install, env=environment)
    if found := shutil.which(name):
        return found
    raise UnavailableError(f"Debian's package {package} brought no {name}")


@contextmanager
def listening(command: Callable[[int], Sequence[str]], folder: Path) -> Iterator[tuple[int, int]]:
    """A process that takes connections: (port, pid). Errors: UnavailableError."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = folder / "log"  # in a file: a pipe that nobody reads would block it
    with log.open("wb") as said:
        process = subprocess.Popen(command(port), cwd=folder, stdout=said, stderr=said)
    try:
        until = time.monotonic() + UP_WITHIN
        while not open_at(port):
            if process.poll() is not None or time.monotonic() > until:
                last = log.read_text(errors="replace").strip().rpartition("\n")[2]
                raise UnavailableError(f"it did not start ({last})")
            time.sleep(0.02)
        yield port, process.pid
    finally:
        process.terminate()
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def open_at(port: int) -> bool:
    with suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def quietly(
    what: str,
    *command: str,
    cwd: Path | None = None,
    env: dict[str, str] | None = None,
    given: str = "",
) -> str:
    """What a command printed. Errors: UnavailableError, with its last line."""
    try:
        done = subprocess.run(
            command,
            cwd=cwd,
            env=env,
            input=given,
            capture_output=True,
            text=True,
            timeout=SET_UP_WITHIN,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise UnavailableError(f"{what} failed ({error})") from error
    if done.returncode:
        last = (done.stderr.strip() or done.stdout.strip()).rpartition("\n")[2]
        raise UnavailableError(f"{what} failed ({last or f'exit code {done.returncode}'})")
    return done.stdout
