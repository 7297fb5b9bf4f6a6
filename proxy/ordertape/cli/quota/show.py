"""`ordertape quota show`: how accounts stand towards their quotas."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len

from ordertape.build import usage
from ordertape.cli.audit.as_json import moment
from ordertape.cli.options import AccountId, configured, store_options
from ordertape.cli.quota.changing import limited, note
from ordertape.cli.terminal import columns, printable, width
from ordertape.quota_control import usages
from ordertape.store.usage import Usage

_HEADINGS = (
    *("account", "quota", "of the limit", "used", "held", "settled", "left"),
    *("limit", "limit from", "window", "until", "mode"),
)
_NUMBERS = ("used", "held", "settled", "left", "limit")
_LENGTH = 20  # cells of a bar


@dataclass(frozen=True, slots=True)
class _Ink:
    """What a bar is drawn with."""

    settled: str
    held: str
    free: str


_BLOCKS = _Ink("█", "▒", "░")
_PLAIN = _Ink("#", "+", ".")


@click.command("show")
@store_options
@click.option("--account", type=AccountId(), help="One account only.")
@click.option(
    "--limit",
    type=click.IntRange(1, 10**6),
    default=100,
    show_default=True,
    help="How many accounts, the last active first.",
)
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, one object a quota.")
def show(db: Path, account: str | None, limit: int, *, as_json: bool) -> None:
    """Show what accounts have used of their quotas, and what limits are in force.

    The quotas are those of the running gateway; where none runs, those that are configured.
    """
    answer = usage(db, lambda: configured(db), account, limit)
    if account is not None:
        note(db, account)
    rows = usages(answer)
    for line in map(_as_json, rows) if as_json else _lines(rows, answer):
        click.echo(line)
    if answer["more"]:
        sentence = f"There are more than these {limit} accounts; --limit N lists N, --account one."
        click.echo(sentence, err=True)


def _as_json(row: Usage) -> str:
    return json.dumps(
        {
            "account": row.account,
            "quota": row.quota,
            "unit": row.unit,
            "window": row.window,
            "ends": None if row.ends is None else moment(row.ends),
            "limit": row.limit,
            "source": row.source,
            "set_by": row.operator,
            "boosts": [{"by": by, "until": moment(until)} for by, until in row.boosts],
            "used": row.used,
            "held": row.held,
            "settled": row.settled,
            "remaining": row.remaining,
            "mode": row.mode,
        }
    )


def _lines(rows: Sequence[Usage], answer: Mapping[str, Any]) -> Iterable[str]:
    """A table; four lines a quota on a terminal that is too narrow for it."""
    if not rows:
        without = "No quota is configured; add one as [[quotas]]."
        return ["No account has ordered yet." if answer["configured"] else without]
    ink = _ink()
    cells = [_cells(row, ink) for row in rows]
    table = columns(_HEADINGS, cells, right=_NUMBERS)
    room = width()
    if room is None or max(map(cell_len, table[1:])) <= room:
        return table
    return [
        printable(line) for row in cells for line in _four(dict(zip(_HEADINGS, row, strict=True)))
    ]


def _cells(row: Usage, ink: _Ink) -> Sequence[str]:
    return (
        row.account,
        row.quota,
        _bar(row, ink),
        str(row.used),
        str(row.held),
        str(row.settled),
        "" if row.remaining is None else str(row.remaining),
        limited(row.limit) if row.limit is None else f"{row.limit} {row.unit}",
        _source(row),
        row.window,
        "" if row.ends is None else moment(row.ends),
        row.mode,
    )


def _four(row: Mapping[str, str]) -> Iterator[str]:
    left = f", {row['left']} left" if row["left"] else ""
    until = f" until {row['until']}" if row["until"] else ""
    yield f"{row['account']}  {row['quota']}  {row['of the limit']}".rstrip()
    yield (
        f"  {row['used']} used ({row['held']} of them held) of {row['limit']}{left}, {row['mode']}"
    )
    yield f"  {row['window']}{until}"
    yield f"  limit from {row['limit from']}"


def _source(row: Usage) -> str:
    source = row.source if row.operator is None else f"set by {row.operator}"
    return "".join([source, *(f" + {by} until {moment(until)}" for by, until in row.boosts)])


def _bar(row: Usage, ink: _Ink) -> str:
    """How full it is, what is held after what is settled; nothing where there is no limit."""
    if row.limit is None:
        return ""
    share = row.used / row.limit if row.limit else 1.0
    filled = min(_LENGTH, math.ceil(share * _LENGTH))
    held = math.ceil(filled * row.held / row.used) if row.used else 0
    drawn = ink.settled * (filled - held) + ink.held * held + ink.free * (_LENGTH - filled)
    return f"{drawn} {int(share * 100):3} %"


def _ink() -> _Ink:
    """Blocks where the output's charset has them."""
    try:
        f"{_BLOCKS.settled}{_BLOCKS.held}{_BLOCKS.free}".encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        return _PLAIN
    return _BLOCKS
