"""`ordertape config show`: the effective configuration, and where each value came from."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from ordertape.config import load


@click.group("config")
def command() -> None:
    """Show the configuration in force."""


@command.command("show")
@click.option("--config", "file", type=click.Path(path_type=Path), help="The TOML file to read.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a setting.")
def show(file: Path | None, *, as_json: bool) -> None:
    """Print every setting, its value, and the place that set it."""
    loaded = load(file, {})
    if as_json:
        for key, value, place in loaded.rows():
            click.echo(json.dumps({"key": key, "value": value, "from": place}))
        return
    table = Table("setting", "value", "from", box=None, pad_edge=False)
    for key, value, place in loaded.rows():
        table.add_row(key, "" if value is None else str(value), place)
    Console().print(table)
