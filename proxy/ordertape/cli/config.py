"""`ordertape config show`: the effective configuration, and where each value came from."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ordertape.cli.terminal import columns
from ordertape.config import load


@click.group("config")
def command() -> None:
    """Show the configuration in force."""


@command.command("show")
@click.option("--config", "file", type=click.Path(path_type=Path), help="[ordertape.toml]")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, one object a setting.")
def show(file: Path | None, *, as_json: bool) -> None:
    """Print every setting, its value, and the place that set it; secrets as ***."""
    rows = list(load(file, {}).rows())
    if as_json:
        for key, value, place in rows:
            click.echo(json.dumps({"key": key, "value": value, "from": place}))
        return
    shown = [(key, "" if value is None else _as_toml(value), place) for key, value, place in rows]
    for line in columns(("setting", "value", "from"), shown):
        click.echo(line)


def _as_toml(value: object) -> str:
    """Near to what is written in the file: true, not True."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
