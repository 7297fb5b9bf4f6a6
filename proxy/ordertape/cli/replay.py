"""`ordertape replay`: recordings answer in place of the service."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click

from ordertape import logs, service
from ordertape.build import replaying
from ordertape.cli.matching import matching_options, settings_of
from ordertape.cli.signals import unwinding
from ordertape.cli.terminal import printable
from ordertape.config import Settings, load
from ordertape.upstream.replay import Sessions

_ANSWERED, _NO = 0, 1
_MOST_UNUSED = 20


@click.command("replay")
@click.argument("sources", nargs=-1, required=True, type=click.Path(path_type=Path))
@click.option("--listen", metavar="HOST:PORT", help="Where clients connect [127.0.0.1:8080].")
@click.option(
    "--repeat",
    type=click.Choice(["last", "loop", "error"]),
    help="When all recordings of a request are used: the last again, all again, or an error "
    "[last for GET, HEAD and OPTIONS, error for others].",
)
@matching_options
@click.option("--strict", is_flag=True, help="Exit with 1 if any request had no recording.")
@click.option("--all-used", is_flag=True, help="List recordings not asked for; exit with 1 if any.")
@click.option("--config", "file", type=click.Path(path_type=Path), help="[ordertape.toml]")
def command(  # noqa: PLR0913, PLR0917 - each is an option of the command line
    sources: tuple[Path, ...],
    listen: str | None,
    repeat: str | None,
    ignore: tuple[str, ...],
    headers: tuple[str, ...],
    element_order: str | None,
    file: Path | None,
    *,
    strict: bool,
    all_used: bool,
) -> None:
    """Answer each recorded request with its recorded bytes; nothing is ever called.

    SOURCES are stores written by `ordertape serve`, cassettes (vcrpy YAML or JSON, HAR), and
    folders of them. They are only read. A request without a recording is answered 409, or 404
    where its whole path is unknown, and listed at the end, each time with the nearest recording
    and what differs.

    Tests that run at once keep apart by a session of their own: a header `Ordertape-Session: NAME`,
    or the base URL http://HOST:PORT/~NAME.
    """
    flags = {
        "listen": listen,
        "admin": "off",
        "repeat": repeat,
        "matching": settings_of(ignore, headers, element_order),
    }
    settings = load(file, flags).settings
    logs.configure(settings.log_level)
    codes = [_ANSWERED]
    with unwinding():  # what is killed while it reads its sources clears its scratch files away
        service.run(_main(settings, sources, codes, strict=strict, all_used=all_used))
    sys.exit(max(codes))


async def _main(
    settings: Settings, sources: tuple[Path, ...], codes: list[int], *, strict: bool, all_used: bool
) -> None:
    async with replaying(settings, sources) as (gateway, sessions):

        def announce(url: str, _: str | None) -> None:
            names = ", ".join(str(source) for source in sources)
            click.echo(f"ordertape is replaying {sessions.count} exchanges of {names} on {url}.")

        await service.serve(gateway, settings, announce, sessions=True)
        for line in _misses(sessions):
            click.echo(printable(line), err=True)
        unused = list(_unused(sessions)) if all_used else []
        for line in unused:
            click.echo(printable(line), err=True)
        codes += [_NO] * ((strict and sessions.misses.total() > 0) or bool(unused))


def _misses(sessions: Sessions) -> Iterator[str]:
    for miss, times in sessions.misses.items():
        sentence, *explanation = miss.split("\n")
        again = f" ({times} times)" if times > 1 else ""
        yield f"missed: {sentence}{again}"
        yield from (f"  {line}" for line in explanation)


def _unused(sessions: Sessions) -> Iterator[str]:
    names = sessions.unused()
    yield from (f"unused: {name}" for name in islice(names, _MOST_UNUSED))
    if more := sum(1 for _ in names):
        yield f"unused: {more} more"
