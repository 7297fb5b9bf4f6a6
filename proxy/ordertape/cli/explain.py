"""`ordertape explain`: which recording a request would find, or why it finds none; nothing runs."""

from __future__ import annotations

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ordertape import canonical
from ordertape.build import recorded
from ordertape.cli.matching import matching_options, settings_of
from ordertape.cli.signals import unwinding
from ordertape.cli.terminal import printable
from ordertape.config import Settings, load
from ordertape.errors import RefusedError
from ordertape.model import SAFE_METHODS, Body, Headers, Message, Request
from ordertape.upstream.replay import Playback

_STDIN = "-"
_FOUND, _NO = 0, 1
_MOST = 64 << 20
_HEADER = re.compile(r"(?P<name>[A-Za-z0-9!#$%&'*+.^_`|~-]+):[ \t]*(?P<value>[^\r\n\0]*)")
_METHOD = re.compile(r"[A-Z]+")


class _Line(click.ParamType[tuple[bytes, bytes]]):
    """A header as it is written in a request."""

    name = "header"

    def convert(self, value: Any, param: Any, ctx: Any) -> tuple[bytes, bytes]:  # noqa: ANN401 - click's signature
        """Its name and value."""
        if isinstance(value, tuple):
            return value
        line = _HEADER.fullmatch(value)
        if line is None:
            self.fail(f"{value!r} is no header such as 'X-Client: tests'", param, ctx)
        return line["name"].encode(), line["value"].rstrip().encode("latin-1", "replace")


@click.command("explain")
@click.argument("file", metavar="ORDER.xml")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--method", default="POST", show_default=True, help="Of the request.")
@click.option("--path", required=True, help="Path and query of the request, as clients send it.")
@click.option(
    "--header", "lines", type=_Line(), multiple=True, help="A header that it has; may be repeated."
)
@click.option("--anonymous", is_flag=True, help="No credentials come with it; else some do.")
@matching_options
@click.option("--config", "config", type=click.Path(path_type=Path), help="[ordertape.toml]")
@click.option("--json", "as_json", is_flag=True, help="One JSON object.")
def command(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    file: str,
    sources: tuple[Path, ...],
    method: str,
    path: str,
    lines: tuple[tuple[bytes, bytes], ...],
    ignore: tuple[str, ...],
    headers: tuple[str, ...],
    element_order: str | None,
    config: Path | None,
    *,
    anonymous: bool,
    as_json: bool,
) -> None:
    """Say which recording of SOURCES answers a request with this body, or which is nearest.

    ORDER.xml is the body, as clients send it; - reads stdin, /dev/null is none. SOURCES and options
    are those of `ordertape replay`. Exit code 0: there is a recording; 1: there is none, or the
    rules refuse the order.
    """
    if _METHOD.fullmatch(method) is None:
        raise click.BadParameter("it is no method such as POST", param_hint="--method")
    if not path.startswith("/"):
        raise click.BadParameter("it does not begin with /", param_hint="--path")
    matching = settings_of(ignore, headers, element_order)
    settings = load(config, {"matching": matching}).settings
    request = _request(method, path, lines, _read(file), anonymous=anonymous)
    with unwinding():
        found = asyncio.run(_explained(settings, sources, request))
    if as_json:
        click.echo(json.dumps(found))
    else:
        for line in _lines(found):
            click.echo(printable(line))
    sys.exit(_FOUND if found["matched"] else _NO)


async def _explained(
    settings: Settings, sources: tuple[Path, ...], request: Request
) -> Mapping[str, Any]:
    """The documented fields of `--json`."""
    async with recorded(settings, sources) as recordings:
        try:
            forward = recordings.admitted(request)
        except RefusedError as refusal:
            return {"matched": False, "reason": str(refusal), "code": refusal.code}
        playback = Playback(recordings, repeat=settings.repeat)
        key = recordings.key(forward)
        slot = playback.take(key, safe=forward.method in SAFE_METHODS)
        if slot is None:
            miss = await playback.miss(forward, key)
            told = {"nearest": miss.facts, "explanation": list(miss.told)}
            return {"matched": False, "reason": str(miss), "code": miss.code, **told}
        return {
            "matched": True,
            "recording": recordings.name(slot),
            "recorded": sum(map(recordings.recorded, canonical.matched_by(key))),
            "status": _status(recordings.answered(slot)),
        }


def _status(answered: Message | None) -> int | None:
    """None where the answer is not kept, or only in part."""
    if answered is None or answered.truncated:
        return None
    return int(answered.line.split(b" ")[1])


def _lines(found: Mapping[str, Any]) -> list[str]:
    if found["matched"]:
        answer = found["status"] or "nothing, for it is not kept whole"
        of = f"the first of {found['recorded']}" if found["recorded"] > 1 else "the only one"
        return [f"It is answered with {answer}, by {found['recording']}, {of}."]
    return [found["reason"], *(f"  {line}" for line in found.get("explanation", ()))]


def _request(
    method: str,
    target: str,
    lines: tuple[tuple[bytes, bytes], ...],
    body: bytes,
    *,
    anonymous: bool,
) -> Request:
    headers = Headers.of(lines)
    if body and headers.get(b"content-type") is None:
        headers = headers.with_added(b"Content-Type", b"application/xml")
    if not anonymous and headers.get(b"authorization") is None:
        headers = headers.with_added(b"Authorization", b"Basic")
    return Request(method, target, headers, Body(body))


def _read(file: str) -> bytes:
    """At most so many bytes: a file may have no end."""
    if file == _STDIN:
        return sys.stdin.buffer.read(_MOST)
    with Path(file).open("rb") as stream:
        return stream.read(_MOST)
