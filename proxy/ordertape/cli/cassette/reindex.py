"""`ordertape cassette reindex`: the keys that replay looks for, by the rules in force."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ordertape.build import change
from ordertape.cassette.reindexing import COMMAND
from ordertape.cli.options import configured, store_options
from ordertape.cli.terminal import printable
from ordertape.store import control
from ordertape.store.reading import Reader


@click.command("reindex")
@store_options
def reindex(db: Path) -> None:
    """Make the match keys of a store anew, after a change of rules or of ordertape.

    What was recorded stays as it is. Replay does so for itself each time that it starts; after
    this it need not. Where a gateway writes the store, its rules are those in force.
    """
    with Reader(db):  # whatever is wrong with it is said first
        pass
    seen, changed = _by_the_gateway(db)
    if seen is None:
        answer = change(db, lambda: configured(db), COMMAND, after=0, once=None)
        seen, changed = answer["seen"], answer["changed"]
    click.echo(printable(f"Made {changed} of {seen} match keys in {db} anew."))


def _by_the_gateway(db: Path) -> tuple[int | None, int]:
    """Piece by piece, so that it has time for its clients; None where none runs."""
    seen = changed = 0
    answer: Mapping[str, Any] | None = {"last": 0}
    while answer is not None and answer["last"] is not None:
        answer = control.ask(db, COMMAND, after=answer["last"], once=True)
        if answer is not None:
            seen, changed = seen + answer["seen"], changed + answer["changed"]
    return (None, 0) if answer is None else (seen, changed)
