"""`ordertape cassette export`: a store's completed exchanges as a file that can be published."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ordertape.cassette import FORMATS, Interaction, dump
from ordertape.cassette.files import write
from ordertape.cassette.ordinals import numbered
from ordertape.cassette.taking_out import interactions
from ordertape.cli.audit.filters import asked_for, filter_options
from ordertape.cli.cassette.sources import configured_secrets
from ordertape.cli.options import configured, store_options
from ordertape.cli.progress import Progress
from ordertape.cli.terminal import printable
from ordertape.config import Settings
from ordertape.model import State
from ordertape.store.connection import companion
from ordertape.store.key import load_key
from ordertape.store.reading import Filter, Reader

_BY_SUFFIX = {".har": "har", ".json": "vcr-json"}


@click.command("export")
@store_options
@filter_options(limit=None)
@click.option(
    "--format",
    "form",
    type=click.Choice(sorted(FORMATS)),
    help="[har for FILE.har, vcr-json for FILE.json, else vcr]",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    required=True,
    metavar="FILE",
    help="Where it is written; what is there is replaced as a whole.",
)
@click.option(
    "--keep-headers", is_flag=True, help="Also headers that differ each time, such as Date."
)
@click.option("--redact-header", "headers", multiple=True, metavar="NAME", help="A secret header.")
@click.option("--redact-query", "keys", multiple=True, metavar="KEY", help="A secret query key.")
@click.option(
    "--redact-xpath", "xpaths", multiple=True, metavar="XPATH", help="A secret place of XML."
)
def export(
    *,
    db: Path,
    form: str | None,
    output: Path,
    keep_headers: bool,
    headers: tuple[str, ...],
    keys: tuple[str, ...],
    xpaths: tuple[str, ...],
    **conditions: Any,  # noqa: ANN401 - the options above
) -> None:
    """Write completed exchanges to a cassette.

    Credentials, cookies and what else is secret, here or in the configuration ([redact]), becomes
    redacted-1 and so on, equal for equal.
    """
    settings = configured(db)
    usual = configured_secrets(settings)
    secret = replace(
        usual,
        headers=(*usual.headers, *headers),
        query_keys=(*usual.query_keys, *keys),
        xpaths=xpaths,
    )
    if conditions["state"] not in {None, State.COMPLETED}:
        raise click.UsageError("Only completed exchanges can be exported; leave --state out.")
    with Reader(db) as reader:
        asked = replace(asked_for(reader, **conditions), state=State.COMPLETED)
        there = reader.count(asked)
        read = _watched(reader, asked, there, keep_headers=keep_headers)
        found = numbered(read, secret, _key(settings))
    if left := there - len(found):
        were = "exchange was" if left == 1 else "exchanges were"
        click.echo(f"{left} {were} left out, of which a body was kept only in part.", err=True)
    if not found:
        click.echo(printable(f"ordertape: No completed exchange in {db} matches."), err=True)
        sys.exit(1)
    write(output, dump(found, form or _BY_SUFFIX.get(output.suffix.lower(), "vcr")))
    things = "interaction" if len(found) == 1 else "interactions"
    click.echo(printable(f"Wrote {len(found)} {things} to {output}."))


def _key(settings: Settings) -> tuple[bytes, str] | None:
    """The key that the store's digests were made with, where it is here."""
    path = settings.key_file or companion(settings.db, "key")
    return load_key(settings.db, settings.key_file) if path.exists() else None


def _watched(
    reader: Reader, asked: Filter, there: int, *, keep_headers: bool
) -> Iterable[Interaction]:
    progress = Progress(there if sys.stderr is not None and sys.stderr.isatty() else None, "read")

    def counted() -> Iterator[Interaction]:
        for one in interactions(reader, asked, keep_headers=keep_headers):
            progress.step()
            yield one
        progress.clear()

    return counted()
