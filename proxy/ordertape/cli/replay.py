"""`ordertape replay`: the recordings of a store answer in place of the service."""

from __future__ import annotations

from pathlib import Path

import click

from ordertape import logs, service
from ordertape.build import replaying
from ordertape.cli.signals import unwinding
from ordertape.cli.terminal import printable
from ordertape.config import Settings, load


@click.command("replay")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--listen", metavar="HOST:PORT", help="Where clients connect [127.0.0.1:8080].")
@click.option("--config", "file", type=click.Path(path_type=Path), help="[ordertape.toml]")
def command(sources: tuple[Path, ...], listen: str | None, file: Path | None) -> None:
    """Answer each recorded request with its recorded bytes; nothing is ever called.

    SOURCES are stores written by `ordertape serve`. They are only read. A request without a
    recording is answered 409, or 404 where its whole path is unknown, and listed at the end.
    """
    settings = load(file, {"listen": listen, "admin": "off"}).settings
    logs.configure(settings.log_level)
    with unwinding():  # what is killed while it reads its sources clears its scratch files away
        service.run(_main(settings, sources))


async def _main(settings: Settings, sources: tuple[Path, ...]) -> None:
    async with replaying(settings, sources) as (gateway, replay):

        def announce(url: str, _: str | None) -> None:
            names = ", ".join(str(source) for source in sources)
            click.echo(f"ordertape is replaying {replay.count} exchanges of {names} on {url}.")

        await service.serve(gateway, settings, announce)
        for miss, times in replay.misses.items():
            again = f" ({times} times)" if times > 1 else ""
            click.echo(f"missed: {printable(miss)}{again}", err=True)
