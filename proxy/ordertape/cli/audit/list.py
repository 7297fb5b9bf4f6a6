"""`ordertape audit list`: one line an exchange, the newest first."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len

from ordertape.cli.audit.as_json import moment, row_as_json
from ordertape.cli.options import Moment, Word, store_options
from ordertape.cli.terminal import columns, printable
from ordertape.model import Origin, State
from ordertape.store.reading import Filter, Reader, Row

_HEADINGS = ("received", "id", "state", "account", "request", "order", "cost", "status", "ms")
_NUMBERS = ("cost", "status", "ms")


def _state(_: click.Context, __: click.Parameter, value: str | None) -> State | None:
    return None if value is None else State(value.upper().replace("-", "_"))


@click.command("list")
@store_options
@click.option("--account", type=Word(), help="The account of the path.")
@click.option(
    "--state",
    type=click.Choice([state.token for state in State], case_sensitive=False),
    callback=_state,
    help="Where the exchange stands.",
)
@click.option("--since", type=Moment(), help="Received at this time or later.")
@click.option("--until", type=Moment(), help="Received before this time.")
@click.option("--order-id", type=Word(), help="The service's id of the order.")
@click.option("--customer-order-id", type=Word(), help="The client's id of the order.")
@click.option(
    "--status", type=click.IntRange(100, 999), help="The status that the client was given."
)
@click.option(
    "--origin",
    type=click.Choice([*(origin.value for origin in Origin), "all"]),
    help="What answered [live where there are any, else all].",
)
@click.option("--limit", type=click.IntRange(1, 10**9), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, all fields.")
def list_exchanges(
    *,
    db: Path,
    origin: str | None,
    limit: int,
    as_json: bool,
    **conditions: Any,  # noqa: ANN401 - the options above
) -> None:
    """List exchanges, the newest first."""
    with Reader(db) as reader:
        if origin is None and reader.has_live():
            origin = Origin.LIVE.value
        chosen = None if origin in {None, "all"} else Origin(origin)
        rows = reader.list(Filter(origin=chosen, limit=limit + 1, **conditions))
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
    room = _room()
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


def _room() -> int | None:
    """Columns of the terminal; None where there is none, so that nothing need fit."""
    if sys.stdout is None or not sys.stdout.isatty():
        return None
    return os.get_terminal_size(sys.stdout.fileno()).columns or None
