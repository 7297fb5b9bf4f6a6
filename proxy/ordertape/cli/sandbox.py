"""`ordertape sandbox`: the stand-in of the orders service, alone."""

from __future__ import annotations

from pathlib import Path

import click

from ordertape import logs, service
from ordertape.build import standing_alone
from ordertape.config import load


@click.command("sandbox")
@click.option("--listen", metavar="HOST:PORT", help="Where clients connect [127.0.0.1:8080].")
@click.option("--seed", type=int, help="What ids and numbers are made from [0].")
@click.option("--config", "file", type=click.Path(path_type=Path), help="[ordertape.toml]")
def command(listen: str | None, seed: int | None, file: Path | None) -> None:
    """Run a stand-in of the orders service, in memory: for demos and tests."""
    settings = load(file, {"listen": listen, "seed": seed, "admin": "off"}).settings
    logs.configure(settings.log_level)
    service.run(service.serve(standing_alone(settings), settings, _announce))


def _announce(url: str, _: str | None) -> None:
    click.echo(f"The sandbox of the orders service is listening on {url}.")
