"""`ordertape cassette list`: one line an interaction, in the order of the file."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from ordertape.cassette import Interaction
from ordertape.cassette.ordinals import numbered
from ordertape.cli.audit.as_json import moment
from ordertape.cli.cassette.sources import cassettes, configured_secrets
from ordertape.cli.terminal import columns
from ordertape.config import load

_HEADINGS = ("cassette", "no", "request", "sent", "status", "bytes")
_NUMBERS = ("no", "sent", "status", "bytes")


@click.command("list")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@click.option("--config", type=click.Path(path_type=Path), help="[ordertape.toml]")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, all fields.")
def list_interactions(*, files: tuple[Path, ...], config: Path | None, as_json: bool) -> None:
    """List what cassettes hold; secrets are shown as redacted-1 and so on.

    A folder stands for every cassette in it, in order of name.
    """
    secret = configured_secrets(load(config, {}).settings)
    rows: list[tuple[Path, int, Interaction]] = []
    for path, found in cassettes(files):
        rows += [(path, number, one) for number, one in enumerate(numbered(found, secret), 1)]
    if as_json:
        for path, number, one in rows:
            click.echo(json.dumps({"cassette": str(path), "number": number, **as_fields(one)}))
    elif not rows:
        click.echo("There is no interaction.")
    else:
        for line in columns(_HEADINGS, [_cells(*row) for row in rows], right=_NUMBERS):
            click.echo(line)


def as_fields(one: Interaction) -> dict[str, Any]:
    """What `--json` prints of one interaction; names never change their meaning."""
    return {
        "method": one.method,
        "url": one.url,
        "status": one.status,
        "request_bytes": len(one.request_body),
        "response_bytes": len(one.body),
        "started_at": None if one.started_at is None else moment(one.started_at),
        "duration_ms": None if one.duration is None else one.duration / 1000,
    }


def _cells(path: Path, number: int, one: Interaction) -> Sequence[str]:
    sent, given = str(len(one.request_body)), str(len(one.body))
    return (str(path), str(number), f"{one.method} {one.url}", sent, str(one.status), given)
