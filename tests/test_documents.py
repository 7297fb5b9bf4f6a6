"""Every command of the README and of docs/ runs, and prints what is shown under it.

A fence `console` holds commands after `$ ` and their output; one of `console server` holds a
command that goes on, and the lines that it prints when it is ready. Ids, times, ports and
durations differ from run to run and are compared as such; a line of `…` stands for any lines.
"""

import inspect
import os
import pwd
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from pydantic import BaseModel

from ordertape import errors
from ordertape.config import Settings
from ordertape.rule import discover
from ordertape.testing import refused_port

ROOT = Path(__file__).parent.parent
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
_FENCE = re.compile(
    r"^```(console|console server|toml|python|xml)(?: file=(\S+))?\n(.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_VARYING = [
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "<id>"),
    (re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{3})?Z"), "<time>"),
    (re.compile(r"(Retry-After: |;t=)\d+"), r"\1<seconds>"),
    (re.compile(r"127\.0\.0\.1:\d+"), "<address>"),
    (re.compile(r"\b\d+\.\d+"), "<figure>"),
    (re.compile(r"ordertape:[0-9a-f]{8}:[0-9a-f]{16}"), "<digest>"),
    (re.compile(r"Date: .*"), "Date: <date>"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "<hash>"),
    (re.compile(rf"\b{re.escape(pwd.getpwuid(os.getuid()).pw_name)}\b"), "alice"),
    (re.compile(r"[ \t]+"), " "),
]


@dataclass(frozen=True)
class Block:
    """A fence of a document: its kind, the file that it shows, and its lines."""

    kind: str
    file: str | None
    text: str


def blocks(document: Path) -> list[Block]:
    return [Block(*match.groups()) for match in _FENCE.finditer(document.read_text("utf-8"))]


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """Each command with the lines shown under it; a backslash at a line's end continues it."""
    command, shown = "", list[str]()
    going_on = False
    for line in text.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, shown
            command, shown = line[2:], []
            going_on = line.endswith("\\")
        elif going_on:
            command += "\n" + line
            going_on = line.endswith("\\")
        else:
            shown.append(line)
    if command:
        yield command, shown


def plain(lines: list[str]) -> list[str]:
    found = [line.rstrip() for line in lines]
    for pattern, name in _VARYING:
        found = [pattern.sub(name, line) for line in found]
    return [line.strip() for line in found if line.strip()]


def agrees(shown: list[str], printed: list[str]) -> bool:
    """Whether what is shown is what was printed; `…` stands for any lines."""
    if not shown:
        return not printed
    if shown[0] == "…":
        return any(agrees(shown[1:], printed[skip:]) for skip in range(len(printed) + 1))
    return bool(printed) and shown[0] == printed[0] and agrees(shown[1:], printed[1:])


@pytest.mark.system
@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_of_a_document_prints_what_is_shown(document: Path, tmp_path: Path) -> None:
    ports = {
        "127.0.0.1:8080": f"127.0.0.1:{refused_port()}",
        "127.0.0.1:8081": f"127.0.0.1:{refused_port()}",
    }

    def placed(text: str) -> str:
        """The text with ports that are free here."""
        for named, port in ports.items():
            text = text.replace(named, port)
        return text

    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "ORDERTAPE_LISTEN": ports["127.0.0.1:8080"],
        "ORDERTAPE_ADMIN": ports["127.0.0.1:8081"],
        "COLUMNS": "200",
    }
    servers: list[subprocess.Popen[str]] = []
    try:
        for block in blocks(document):
            if block.kind in {"toml", "python", "xml"}:
                if block.file is not None:
                    (tmp_path / block.file).write_text(placed(block.text), encoding="utf-8")
                continue
            for command, shown in commands(block.text):
                line = placed(command.replace("scripts/", f"{ROOT}/scripts/"))
                if block.kind == "console server":
                    stop(servers)
                    servers.append(start(line, plain(shown), tmp_path, environment))
                    continue
                done = subprocess.run(
                    ["bash", "-c", line],
                    cwd=tmp_path,
                    env=environment,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    text=True,
                    timeout=240,
                    check=False,
                )
                printed = plain(done.stdout.splitlines())
                assert agrees(plain(shown), printed), f"{command}\nprinted:\n{done.stdout}"
    finally:
        stop(servers)


def start(
    command: str, shown: list[str], folder: Path, environment: dict[str, str]
) -> subprocess.Popen[str]:
    """Run a server until it has printed what is shown."""
    server = subprocess.Popen(
        ["bash", "-c", f"exec {command}"],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert server.stdout is not None
    printed: list[str] = []
    while not agrees(shown, plain(printed)):
        line = server.stdout.readline()
        assert line, f"{command}\nprinted:\n{''.join(printed)}"
        printed.append(line)
    return server


def stop(servers: list[subprocess.Popen[str]]) -> None:
    """A new server of a document stands where the last one stood."""
    while servers:
        server = servers.pop()
        server.send_signal(signal.SIGTERM)
        server.communicate(timeout=60)


def test_the_reference_lists_every_code_with_its_status_and_reason() -> None:
    families = {errors.GatewayError, errors.RefusedError, errors.ViolatedError}
    live = sorted(
        (error.code, error.status, str(inspect.getdoc(error)).splitlines()[0])
        for _, error in inspect.getmembers(errors, inspect.isclass)
        if issubclass(error, errors.GatewayError) and error not in families
    )
    text = (ROOT / "docs" / "reference.md").read_text("utf-8")
    rows = re.findall(r"^\| (9\d{4}) \| (\d{3}) \| (.*) \|$", text, re.MULTILINE)
    assert sorted((code, int(status), reason) for code, status, reason in rows) == live


def settings(model: type[BaseModel], prefix: str = "") -> Iterator[tuple[str, str, str | None]]:
    """(dotted key, default as shown, description) of every setting."""
    for name, field in model.model_fields.items():
        default = field.default
        if isinstance(default, BaseModel):
            yield from settings(type(default), f"{prefix}{name}.")
        else:
            shown = "" if default in (None, (), {}) else str(default)
            yield f"{prefix}{name}", shown, field.description


def test_the_reference_lists_every_setting_with_its_default() -> None:
    text = (ROOT / "docs" / "reference.md").read_text("utf-8").partition("## Settings")[2]
    rows = re.findall(r"^\| `([a-z0-9_.]+)` \| (.*?) ?\| (.*) \|$", text, re.MULTILINE)
    assert rows == list(settings(Settings))


def test_the_readme_says_of_every_built_in_rule_what_it_says_of_itself() -> None:
    text = (ROOT / "README.md").read_text("utf-8")
    live = [
        (name, str(inspect.getdoc(found.rule)).splitlines()[0])
        for name, found in sorted(discover().items())
    ]
    assert re.findall(r"^\| `([a-z-]+)` \| (.*) \|$", text, re.MULTILINE) == live


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_every_fence_of_commands_is_one_that_is_run(document: Path) -> None:
    text = document.read_text("utf-8")
    assert not re.findall(r"^```(?:sh|bash|shell)$", text, re.MULTILINE)
    assert text.count("\n```console") == sum(b.kind.startswith("console") for b in blocks(document))
