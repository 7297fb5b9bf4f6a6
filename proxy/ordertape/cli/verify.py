"""`ordertape verify`: recorded requests once more, to see whether the service has changed."""

from __future__ import annotations

import asyncio
import os
import sys
from pathlib import Path

import click

from ordertape.build import verifying
from ordertape.cli.signals import unwinding
from ordertape.cli.verified import Report
from ordertape.config import load
from ordertape.errors import NotSentError, StartUpError
from ordertape.matching import mistake_in_ignored
from ordertape.verifying import Authorization

_SAME, _DRIFT = 0, 1
_VARIABLE = "ORDERTAPE_UPSTREAM_AUTHORIZATION"
_LARGEST = 64 << 10  # bytes of a file that holds one line


def _places(_: click.Context, __: click.Parameter, entries: tuple[str, ...]) -> tuple[str, ...]:
    for entry in entries:
        mistake = mistake_in_ignored(entry)
        if mistake is None and entry.startswith("?"):
            mistake = f"{entry!r} is a query key, and an answer has none"
        if mistake is not None:
            raise click.BadParameter(mistake)
    return entries


@click.command("verify")
@click.argument(
    "sources", metavar="CASSETTE...", nargs=-1, required=True, type=click.Path(path_type=Path)
)
@click.option("--against", required=True, metavar="URL", help="The service that is asked now.")
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="URL",
    help="The base URL that clients used; paths are what follows it [as configured].",
)
@click.option(
    "--authorization-file",
    "file",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help=f"Holds the whole value of Authorization [${_VARIABLE}].",
)
@click.option(
    "--send-orders",
    is_flag=True,
    help="Send orders too, and whatever else can change something: each once, for real.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="PLACE",
    callback=_places,
    help="An XPath (//TelephoneNumber) or header of the answers that does not count; may be "
    "repeated.",
)
@click.option("--varying", is_flag=True, help="List also what varies as expected.")
@click.option("--config", type=click.Path(path_type=Path), help="[ordertape.toml]")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, one object a recording.")
def command(  # noqa: PLR0913 - each is an option of the command line
    *,
    sources: tuple[Path, ...],
    against: str,
    upstreams: tuple[str, ...],
    file: Path | None,
    send_orders: bool,
    ignore: tuple[str, ...],
    varying: bool,
    config: Path | None,
    as_json: bool,
) -> None:
    """Send the recorded requests to URL, and say how its answers differ from the recorded ones.

    CASSETTE is what `ordertape replay` takes: cassettes, stores, and folders of them. Only GET,
    HEAD and OPTIONS are sent, one after the other, each once. Ids, times and the like may differ.
    Credentials are those given here, never the recorded ones. Exits with 1 if the service has
    changed, with 2 if nothing could be compared.
    """
    settings = load(config, {}).settings
    authorization = _authorization(file)
    bases = upstreams or ((settings.upstream,) if settings.upstream else ())
    report = Report(send_orders=send_orders, varying=varying, as_json=as_json)

    async def verify() -> None:
        async with verifying(
            settings, sources, against, ignore=ignore, upstreams=bases, authorization=authorization
        ) as verification:
            report.begin(verification.survey(), verification.url)
            async for one in verification.run(send_orders=send_orders):
                report.take(one)

    failure = None
    with unwinding():
        try:
            asyncio.run(verify())
        except NotSentError as error:
            failure = error
    report.end()
    if failure is not None:
        raise StartUpError(report.broken_off(failure))
    if not report.compared:
        raise StartUpError(report.nothing(", ".join(map(str, sources))))
    sys.exit(_DRIFT if report.drifted else _SAME)


def _authorization(file: Path | None) -> Authorization | None:
    """The credentials that were given, if any. Errors: StartUpError, OSError."""
    if file is not None:
        with file.open("rb") as opened:
            text = opened.read(_LARGEST).decode("latin-1")
        return Authorization.of(text, str(file))
    text = os.environ.get(_VARIABLE, "")
    return Authorization.of(text, _VARIABLE) if text else None
