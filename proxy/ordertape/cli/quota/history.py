"""`ordertape quota history`: who changed what, when, and why."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len

from ordertape.cli.audit.as_json import moment
from ordertape.cli.options import Moment, Word, store_options
from ordertape.cli.terminal import columns, printable, width
from ordertape.store.usage import Change, UsageReader

_HEADINGS = ("when", "account", "quota", "change", "old -> new", "operator", "reason")
_EVERY = "every"
_NONE: Mapping[str, str] = {"decided": "nothing"}
"""What null means in a change; unlimited but for these."""


@click.command("history")
@store_options
@click.option("--account", type=Word(), help="Changes of one account only.")
@click.option("--quota", type=Word(), help="Changes of this one, and what concerns every quota.")
@click.option("--since", type=Moment(), help="Changed at this time or later.")
@click.option("--until", type=Moment(), help="Changed before this time.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10**9),
    default=100,
    show_default=True,
    help="How many, the newest first.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, one object a change.")
def history(
    *,
    db: Path,
    limit: int,
    as_json: bool,
    **conditions: Any,  # noqa: ANN401 - the options above
) -> None:
    """List what operators changed, the newest first."""
    with UsageReader(db) as reader:
        found = reader.changes(**conditions)
        shown = list(islice(found, limit))
        for line in map(_as_json, shown) if as_json else _lines(shown):
            click.echo(line)
        if next(found, None) is not None:
            click.echo(f"There are more than these {limit}; --limit N lists N.", err=True)


def _as_json(change: Change) -> str:
    facts = change.facts or {}
    until = facts.get("until")
    return json.dumps(
        {
            "at": moment(change.at),
            "change": change.change,
            "account": facts.get("account"),
            "quota": facts.get("policy"),
            "exchange": change.exchange,
            "unit": facts.get("unit"),
            "old": facts.get("old"),
            "new": facts.get("new"),
            "amount": facts.get("amount"),
            "until": None if until is None else moment(until),
            "operator": facts.get("operator"),
            "reason": facts.get("reason"),
        }
    )


def _lines(changes: Sequence[Change]) -> Iterable[str]:
    """A table; two lines a change on a terminal that is too narrow for it."""
    if not changes:
        return ["No change matches."]
    cells = [_cells(change) for change in changes]
    table = columns(_HEADINGS, cells)
    room = width()
    if room is None or max(map(cell_len, table[1:])) <= room:
        return table
    return [
        printable(line) for row in cells for line in _two(dict(zip(_HEADINGS, row, strict=True)))
    ]


def _cells(change: Change) -> Sequence[str]:
    if change.facts is None:
        return (moment(change.at), "", "", change.change, "pruned", "", "")
    facts = change.facts
    return (
        moment(change.at),
        facts["account"],
        facts.get("policy", _EVERY),
        change.change,
        _difference(change, facts),
        facts["operator"],
        facts["reason"],
    )


def _difference(change: Change, facts: Mapping[str, Any]) -> str:
    none = _NONE.get(change.change, "unlimited")
    old, new = (none if facts[one] is None else str(facts[one]) for one in ("old", "new"))
    until = f" until {moment(facts['until'])}" if "until" in facts else ""
    exchange = "" if change.exchange is None else f" of {change.exchange}"
    return f"{old} -> {new}{until}{exchange}"


def _two(row: Mapping[str, str]) -> Iterator[str]:
    yield f"{row['when']}  {row['account']}  {row['quota']}  {row['change']}  {row['old -> new']}"
    yield f"  {row['operator']}: {row['reason']}"
