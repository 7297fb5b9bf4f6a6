"""`ordertape audit recheck`: whom another rule set would hit."""

from __future__ import annotations

import json
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.cells import cell_len

from ordertape.build import admission_policy
from ordertape.cli.audit.as_json import moment
from ordertape.cli.audit.filters import asked_for, filter_options
from ordertape.cli.progress import Progress, watched
from ordertape.cli.terminal import columns, printable, quoted, width
from ordertape.config import load
from ordertape.model import Kind, Violation
from ordertape.order import shown
from ordertape.recheck import CHANGES, Rechecked, Result, recheck
from ordertape.store.reading import Reader

_HEADINGS = ("received", "id", "account", "customer order id", "before", "after", "why")
_PAGE = 1000
"""Rows that are set together: a table of everything would be held in memory."""

_LENGTH = 120  # characters of a reason in the table

_WORDS: Mapping[Result, str] = {
    Result.NEWLY_REFUSED: "newly refused",
    Result.NEWLY_ADMITTED: "newly admitted",
    Result.NORMAL_FORM: "with another normal form",
    Result.WARNINGS: "with new warnings",
    Result.UNREADABLE: "could not be read",
    Result.UNJUDGED: "never came before the rules",
}
_LEFT_OUT = (Result.UNREADABLE, Result.UNJUDGED)


@click.command("recheck")
@click.option(
    "--config",
    "file",
    metavar="NEW.toml",
    type=click.Path(path_type=Path),
    required=True,
    help="The configuration whose rules are tried; the gateway's own stays in force.",
)
@click.option(
    "--db", type=click.Path(path_type=Path), help="The store [as NEW.toml says, else ordertape.db]."
)
@filter_options(limit=None)
@click.option("--warnings", is_flag=True, help="New warnings are changes too.")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, one object a changed order.")
def recheck_orders(
    *,
    file: Path,
    db: Path | None,
    warnings: bool,
    as_json: bool,
    **conditions: Any,  # noqa: ANN401 - the filters
) -> None:
    """Try other rules on recorded orders, and list those that would fare differently.

    Orders are judged as they were received. Nothing is sent, and nothing is recorded.
    Exits with 1 if any order would change.
    """
    settings = load(file, {"db": db}).settings
    policy = admission_policy(settings)
    counts: Counter[Result] = Counter()
    with Reader(settings.db) as reader:
        asked = asked_for(reader, kind=Kind.ORDER, **conditions)
        progress = Progress(reader.count(asked) if watched(as_json=as_json) else None, "orders")

        def changed() -> Iterator[Rechecked]:
            for one in recheck(reader, asked, policy, warnings=warnings):
                counts[one.result] += 1
                progress.step()
                if one.result in CHANGES:
                    yield one

        for line in map(_as_json, changed()) if as_json else _table(changed()):
            progress.clear()
            click.echo(line)
        progress.clear()
    click.echo(_summary(counts), err=True)
    sys.exit(1 if any(counts[change] for change in CHANGES) else 0)


def _as_json(one: Rechecked) -> str:
    row = one.row
    return json.dumps(
        {
            "id": row.id,
            "received_at": moment(row.received_at),
            "account": row.account,
            "customer_order_id": row.customer_order_id,
            "order_id": row.order_id,
            "change": one.result.value,
            "before": _verdict(admitted=one.admitted_before),
            "after": _verdict(admitted=one.admitted_after),
            "violations": [asdict(violation) for violation in one.violations],
            "edits_added": [edit._asdict() for edit in one.edits_added],
            "edits_removed": [edit._asdict() for edit in one.edits_removed],
        }
    )


def _verdict(*, admitted: bool) -> str:
    return "admitted" if admitted else "refused"


def _table(changed: Iterable[Rechecked]) -> Iterator[str]:
    """A page at a time; three lines an order on a terminal that is too narrow for a table."""
    page: list[Sequence[str]] = []
    heading = True
    for one in changed:
        page.append(_cells(one))
        if len(page) == _PAGE:
            yield from _set(page, heading=heading)
            page, heading = [], False
    if page:
        yield from _set(page, heading=heading)


def _set(page: Sequence[Sequence[str]], *, heading: bool) -> Sequence[str]:
    table = columns(_HEADINGS, page)
    room = width()
    if room is None or max(map(cell_len, table[1:])) <= room:
        return table if heading else table[1:]
    rows = (dict(zip(_HEADINGS, cells, strict=True)) for cells in page)
    return [printable(line) for row in rows for line in _three_lines(row)]


def _three_lines(row: Mapping[str, str]) -> Iterator[str]:
    yield f"{row['received']}  {row['before']} -> {row['after']}  account {row['account']}"
    yield f"  {row['id']}  {row['customer order id']}".rstrip()
    yield f"  {row['why']}"


def _cells(one: Rechecked) -> Sequence[str]:
    row = one.row
    return (
        moment(row.received_at),
        row.id,
        row.account or "",
        row.customer_order_id or "",
        _verdict(admitted=one.admitted_before),
        _verdict(admitted=one.admitted_after),
        shown(_WHY[one.result](one), _LENGTH),
    )


def _refusal(one: Rechecked) -> str:
    return next(_sentence(found) for found in one.violations if found.severity == "enforce")


def _past_refusal(one: Rechecked) -> str:
    enforced = (_sentence(found) for found in one.row.violations if found.severity == "enforce")
    return f"no longer {next(enforced, one.row.reason or '')}"


def _edits(one: Rechecked) -> str:
    signed = [("+", edit) for edit in one.edits_added] + [("-", edit) for edit in one.edits_removed]
    return "; ".join(
        f"{sign}{edit.rule}: {edit.xpath}: {quoted(edit.before)} -> {quoted(edit.after)}"
        for sign, edit in signed
    )


def _warning(one: Rechecked) -> str:
    return next(_sentence(found) for found in one.violations if found not in one.row.violations)


def _sentence(violation: Violation) -> str:
    return f"{violation.rule} ({violation.code}): {violation.message}"


_WHY: Mapping[Result, Callable[[Rechecked], str]] = {
    Result.NEWLY_REFUSED: _refusal,
    Result.NEWLY_ADMITTED: _past_refusal,
    Result.NORMAL_FORM: _edits,
    Result.WARNINGS: _warning,
}


def _summary(counts: Counter[Result]) -> str:
    """The last line: how many of how many, and in what way."""
    total, changes = counts.total(), sum(counts[change] for change in CHANGES)
    if not total:
        return "No order matches."
    many = _number(changes) if changes else "None"
    text = f"{many} of {_number(total)} order{'' if total == 1 else 's'} would change"
    for mark, results in ((": ", CHANGES), ("; ", _LEFT_OUT)):
        told = [f"{_number(counts[one])} {_WORDS[one]}" for one in results if counts[one]]
        text += mark + ", ".join(told) if told else ""
    return f"{text}."


def _number(count: int) -> str:
    return f"{count:,}".replace(",", " ")
