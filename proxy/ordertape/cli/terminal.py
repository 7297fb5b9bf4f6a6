"""What is printed for people: nothing in it can move a terminal's cursor or hide other text."""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Iterable, Sequence

import click
from rich.cells import cell_len

__all__ = ["columns", "printable", "quoted", "width"]


def printable(text: str) -> str:
    """The text with everything that a terminal would obey, or not show, written out."""
    return "".join(c if c.isprintable() else repr(c)[1:-1] for c in text)


def quoted(value: str | None) -> str:
    """What stood somewhere: with the blanks at its ends, or that nothing did."""
    return "absent" if value is None else repr(value)


def columns(
    headings: Sequence[str], rows: Iterable[Sequence[str]], *, right: Collection[str] = ()
) -> list[str]:
    """The lines of a table as wide as it needs to be; `right` names what is set to the right.

    rich's own tables took 50 times as long for thousands of rows.
    """
    cells = [list(headings), *([printable(cell) for cell in row] for row in rows)]
    widths = [max(map(cell_len, column)) for column in zip(*cells, strict=True)]
    first, *others = (
        "  ".join(
            " " * (width - cell_len(cell)) + cell
            if heading in right
            else cell + " " * (width - cell_len(cell))
            for heading, width, cell in zip(headings, widths, row, strict=True)
        ).rstrip()
        for row in cells
    )
    return [click.style(first, bold=True), *others]


def width() -> int | None:
    """Columns of the terminal; None where there is none, so that nothing need fit."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return os.get_terminal_size(sys.stdout.fileno()).columns or None
