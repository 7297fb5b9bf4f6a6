"""`ordertape cassette show`: interactions of a cassette, unpacked and readable."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from ordertape import coding
from ordertape.cassette import Interaction
from ordertape.cli.cassette.list import as_fields
from ordertape.cli.cassette.sources import publishable
from ordertape.cli.terminal import printable
from ordertape.config import load
from ordertape.errors import RefusedError
from ordertape.model import Headers

_UNPACKED = 8 << 20  # bytes of a compressed body that are shown


@click.command("show")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False))
@click.argument("number", type=click.IntRange(min=1), required=False)
@click.option("--config", type=click.Path(path_type=Path), help="[ordertape.toml]")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, bodies in base64.")
def show(*, file: Path, number: int | None, config: Path | None, as_json: bool) -> None:
    """Show every interaction of a cassette, or the one of this NUMBER, counted from 1.

    Secrets are shown as redacted-1 and so on.
    """
    found = publishable(file, load(config, {}).settings)
    if number is not None and number > len(found):
        there = "1 interaction" if len(found) == 1 else f"{len(found)} interactions"
        raise click.UsageError(f"{file} has {there}; name one of those by its number.")
    for count, one in enumerate(found, 1):
        if number not in {None, count}:
            continue
        if as_json:
            click.echo(json.dumps(_as_json(count, one)))
        else:
            for line in _lines(count, one):
                click.echo(printable(line))


def _as_json(number: int, one: Interaction) -> dict[str, Any]:
    return {
        "number": number,
        **as_fields(one),
        "request_headers": _pairs(one.request_headers),
        "request_body": base64.b64encode(one.request_body).decode(),
        "reason": _text(one.reason),
        "response_headers": _pairs(one.headers),
        "response_body": base64.b64encode(one.body).decode(),
    }


def _pairs(headers: Headers) -> list[list[str]]:
    return [[name.decode("latin-1"), value.decode("latin-1")] for name, value in headers]


def _lines(number: int, one: Interaction) -> Iterator[str]:
    yield f"Interaction {number}"
    yield from _message(f"{one.method} {one.url}", one.request_headers, one.request_body)
    first = f"{one.status} {_text(one.reason)}".rstrip()
    yield from _message(first, one.headers, one.body)


def _message(first: str, headers: Headers, body: bytes) -> Iterator[str]:
    yield from ("", f"  {first}")
    yield from (f"  {_text(name)}: {_text(value)}" for name, value in headers)
    if body:
        yield ""
        yield from (f"  {line}" for line in _body(headers, body))


def _body(headers: Headers, body: bytes) -> Iterator[str]:
    try:
        plain = coding.decoded(body, headers, _UNPACKED)
    except RefusedError:
        plain = body  # damaged, or in a coding that is not known
    if plain != body:
        yield f"({len(body)} compressed bytes, shown unpacked)"
    if b"\0" in plain:
        yield f"({len(plain)} bytes that are no text; --json has them in base64)"
        return
    yield from (line.removesuffix("\r").expandtabs() for line in _text(plain).split("\n"))


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
