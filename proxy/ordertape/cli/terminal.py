"""What is printed for people: nothing in it can move a terminal's cursor or hide other text."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from io import StringIO

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

__all__ = ["columns", "printable", "quoted"]

_WIDEST = 1 << 20
"""Columns: more than any row has, so that nothing is cut or folded."""


def printable(text: str) -> str:
    """The text with everything that a terminal would obey, or not show, written out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def quoted(value: str | None) -> str:
    """What stood somewhere: with the blanks at its ends, or that nothing did."""
    return "absent" if value is None else repr(value)


def columns(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()
) -> list[str]:
    """The lines of a table as wide as it needs to be; `right` names what is set to the right."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    for heading in headings:
        table.add_column(heading, justify="right" if heading in right else "left", no_wrap=True)
    for row in rows:
        table.add_row(*(Text(printable(cell)) for cell in row))
    console = Console(file=StringIO(), width=_WIDEST, color_system=None)
    with console.capture() as captured:
        console.print(table)
    first, *others = (line.rstrip() for line in captured.get().splitlines())
    return [click.style(first, bold=True), *others]
