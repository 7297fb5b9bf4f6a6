"""`ordertape audit list`: one line an exchange, the newest first."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from ordertape.cli.audit.as_json import moment, row_as_json
from ordertape.model import Origin, State
from ordertape.store.reading import Filter, Reader, Row

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGE = re.compile(r"(\d{1,6})([smhd])")
_WIDE = 200
"""Columns of a table that is not shown on a terminal: nothing is cut for want of room."""


class Moment(click.ParamType[int]):
    """A date or time of ISO 8601 (UTC where no zone is named), or an age such as 15m, 2h, 7d."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:  # noqa: ANN401 - click's signature
        """Microseconds since 1970 UTC."""
        if isinstance(value, int):
            return value
        if age := _AGE.fullmatch(value):
            at = datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        else:
            try:
                at = datetime.fromisoformat(value)
            except ValueError:
                self.fail(f"{value!r} is neither ISO 8601 nor an age such as 15m or 7d", param, ctx)
            at = at if at.tzinfo else at.replace(tzinfo=UTC)
        return round(at.timestamp() * 1_000_000)


def _state(_: click.Context, __: click.Parameter, value: str | None) -> State | None:
    return None if value is None else State(value.upper().replace("-", "_"))


@click.command("list")
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    default=Path("ordertape.db"),
    show_default=True,
    help="The store.",
)
@click.option("--account", help="The account of the path.")
@click.option(
    "--state",
    type=click.Choice([state.token for state in State], case_sensitive=False),
    callback=_state,
    help="Where the exchange stands.",
)
@click.option("--since", type=Moment(), help="Received at this time or later.")
@click.option("--until", type=Moment(), help="Received before this time.")
@click.option("--order-id", help="The service's id of the order.")
@click.option("--customer-order-id", help="The client's id of the order.")
@click.option("--status", type=int, help="The status that the client was given.")
@click.option(
    "--origin",
    type=click.Choice([*(origin.value for origin in Origin), "all"]),
    help="What answered [live where there are any, else all].",
)
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, all fields.")
def list_exchanges(
    *,
    db: Path,
    origin: str | None,
    as_json: bool,
    **conditions: Any,  # noqa: ANN401 - the options above
) -> None:
    """List exchanges, the newest first."""
    with Reader(db) as reader:
        if origin is None and reader.has_live():
            origin = Origin.LIVE.value
        chosen = None if origin in {None, "all"} else Origin(origin)
        rows = reader.list(Filter(origin=chosen, **conditions))
        if as_json:
            for row in rows:
                click.echo(json.dumps(row_as_json(row), ensure_ascii=False))
            return
        _print_table(rows)


def _print_table(rows: Iterable[Row]) -> None:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("received", "id", "state", "account", "request", "order", "cost"):
        table.add_column(heading, overflow="fold")
    table.add_column("status", justify="right")
    table.add_column("ms", justify="right")
    for row in rows:
        table.add_row(
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
    console = Console(width=None if sys.stdout.isatty() else _WIDE, markup=False)
    console.print(table if table.row_count else "No exchange matches.")
