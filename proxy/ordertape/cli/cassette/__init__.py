"""`ordertape cassette`: recordings as files that other programs and people read."""

from __future__ import annotations

import click

from ordertape.cli.cassette.export import export
from ordertape.cli.cassette.import_ import import_files
from ordertape.cli.cassette.list import list_interactions
from ordertape.cli.cassette.reindex import reindex
from ordertape.cli.cassette.show import show


@click.group("cassette")
def command() -> None:
    """Export, import, list, show and reindex recordings."""


for _each in (export, import_files, list_interactions, show, reindex):
    command.add_command(_each)
