"""`ordertape cassette import`: cassettes into a store, whole or not at all."""

from __future__ import annotations

from itertools import chain
from pathlib import Path

import click

from ordertape.build import importing
from ordertape.cli.cassette.sources import cassettes
from ordertape.cli.options import configured, store_options
from ordertape.cli.terminal import printable


@click.command("import")
@click.argument(
    "files", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path)
)
@store_options
@click.option(
    "--upstream",
    "upstreams",
    multiple=True,
    metavar="URL",
    help="The base URL that clients used; paths are what follows it [as configured].",
)
def import_files(*, files: tuple[Path, ...], db: Path, upstreams: tuple[str, ...]) -> None:
    """Add the interactions of vcrpy cassettes (YAML, JSON) and HAR files to a store.

    The store is made where there is none. A folder stands for every cassette in it, in order of
    name. If one cannot be read, nothing is added. Not while a gateway writes the store.
    """
    read = list(cassettes(files))
    settings = configured(db)
    bases = upstreams or ((settings.upstream,) if settings.upstream else ())
    count = importing(settings, chain.from_iterable(found for _, found in read), bases)
    what = f"{count} interaction{'' if count == 1 else 's'}"
    where = str(read[0][0]) if len(read) == 1 else f"{len(read)} cassettes"
    click.echo(printable(f"Added {what} of {where} to {db}."))
