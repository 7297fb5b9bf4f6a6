"""`ordertape audit list`: one line an exchange, the newest first."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len

from ordertape.cli.audit.as_json import moment, row_as_json
from ordertape.cli.audit.filters import asked_for, filter_options
from ordertape.cli.options import store_options
from ordertape.cli.terminal import columns, printable, width
from ordertape.store.reading import Reader, Row

_HEADINGS = ("received", "id", "state", "account", "request", "order", "cost", "status", "ms")
_NUMBERS = ("cost", "status", "ms")


@click.command("list")
@store_options
@filter_options(limit=100)
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, all fields.")
def list_exchanges(
    *,
    db: Path,
    limit: int,
    as_json: bool,
    **conditions: Any,  # noqa: ANN401 - the options above
) -> None:
    """List exchanges, the newest first."""
    with Reader(db) as reader:
        rows = reader.list(asked_for(reader, limit=limit + 1, **conditions))
        shown = islice(rows, limit)
        if as_json:
            for row in shown:
                click.echo(json.dumps(row_as_json(row)))
        else:
            for line in _lines(list(shown)):
                click.echo(line)
        if next(rows, None) is not None:
            click.echo(f"There are more than these {limit}; --limit N lists N.", err=True)


def _lines(rows: Sequence[Row]) -> Iterable[str]:
    """A table; two lines an exchange on a terminal that is too narrow for it."""
    if not rows:
        return ["No exchange matches."]
    cells = [_cells(row) for row in rows]
    table = columns(_HEADINGS, cells, right=_NUMBERS)
    room = width()
    if room is None or max(map(cell_len, table[1:])) <= room:
        return table
    return [line for row in cells for line in _two_lines(dict(zip(_HEADINGS, row, strict=True)))]


def _cells(row: Row) -> Sequence[str]:
    return (
        moment(row.received_at),
        row.id,
        row.state.value,
        row.account or "",
        f"{row.method} {row.target}",
        row.customer_order_id or row.order_id or row.order_type or "",
        "" if row.cost is None else str(row.cost),
        "" if row.status is None else str(row.status),
        "" if row.duration_ms is None else f"{row.duration_ms:.1f}",
    )


def _two_lines(row: dict[str, str]) -> Iterator[str]:
    first = f"{row['received']}  {row['state']:9}  {row['status']:>3}  {row['request']}"
    yield printable(first.rstrip())
    cost = f"cost {row['cost']}" if row["cost"] else ""
    yield printable("  ".join(filter(None, ("  " + row["id"], row["order"], cost))))
