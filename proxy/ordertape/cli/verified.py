"""What became of recordings that were verified, as it is printed."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import click
from rich.cells import cell_len

from ordertape.cli.progress import Progress, watched
from ordertape.cli.terminal import columns, printable, quoted, width
from ordertape.drift import STATUS, Change
from ordertape.errors import NotSentError
from ordertape.model import Kind
from ordertape.verifying import Result, Survey, Verified

__all__ = ["Report"]

_HEADINGS = ("recording", "request", "place", "recorded", "now")
_MOST_PLACES = 10


class Report:
    """Prints drift on stdout, at the end as a table or at once as JSON; all else on stderr."""

    def __init__(self, *, send_orders: bool, varying: bool, as_json: bool) -> None:
        self._send_orders = send_orders
        self._varying = varying
        self._as_json = as_json
        self._progress = Progress(None, "")
        self._survey = Survey()
        self._counts: Counter[Result] = Counter()
        self._drift = self._varies = 0
        self._rows: list[Sequence[str]] = []
        self._skipped: dict[str, list[str]] = {}

    @property
    def compared(self) -> int:
        """How many requests were sent, and their answers waited for."""
        return self._counts.total() - self._counts[Result.SKIPPED]

    @property
    def drifted(self) -> int:
        """How many answers are no longer as recorded."""
        return self._counts[Result.DRIFTED] + self._counts[Result.UNANSWERED]

    def begin(self, survey: Survey, url: str) -> None:
        """Say what will be sent that can change something, before any of it is."""
        self._survey = survey
        if self._send_orders:
            what = survey.told()
            if what is None:
                click.echo("There is no order to send.", err=True)
            else:
                sentence = (
                    f"SENDING {what} to {url}, each once; nothing of it is recorded or counted by "
                    "a quota here."
                )
                click.echo(click.style(printable(sentence), fg="red", bold=True), err=True)
        shown = survey.recordings if watched(as_json=self._as_json) else None
        self._progress = Progress(shown, "recordings", quick=False)

    def take(self, one: Verified) -> None:
        """One more has been verified."""
        self._counts[one.result] += 1
        self._drift += sum(change.varies is None for change in one.changes)
        self._varies += sum(change.varies is not None for change in one.changes)
        self._progress.step()
        if one.sent and not one.task.safe:
            self._progress.clear()
            click.echo(click.style(printable(_sent(one)), fg="red", bold=True), err=True)
        if self._as_json:
            self._progress.clear()
            click.echo(json.dumps(_fields(one)))
        elif one.result is Result.SKIPPED:
            self._skipped.setdefault(str(one.reason), []).append(_named(one))
        else:
            self._rows += self._cells(one)

    def end(self) -> None:
        """Print what is left, and how many of how many have drifted."""
        self._progress.clear()
        for line in _table(self._rows):
            click.echo(line)
        for reason, (first, *others) in self._skipped.items():
            more = f" and {len(others)} more" if others else ""
            click.echo(printable(f"skipped: {first}{more}: {reason}."), err=True)
        if self.compared:
            click.echo(self._summary(), err=True)
        what = self._survey.told()
        if what is not None and not self._send_orders:
            click.echo(f"Not sent without --send-orders: {what}.", err=True)

    def broken_off(self, failure: NotSentError) -> str:
        """Why it ended before the end."""
        if not self.compared:
            return str(failure)
        were = "request before it was" if self.compared == 1 else "requests before it were"
        return f"{failure} ({self.compared} {were} sent.)"

    def nothing(self, sources: str) -> str:
        """Why this is no success though nothing has drifted."""
        total = self._counts.total()
        if not total:
            why = f"there is no recording in {sources}; name another cassette"
        elif total == 1:
            why = "the only recording was skipped; see why above"
        else:
            why = f"all {total} recordings were skipped; see why above"
        return f"Nothing was verified: {why}."

    def _summary(self) -> str:
        answers = _counted(self.compared, "answer")
        if self.drifted:
            said = f"{self.drifted} of {answers} {_has(self.drifted)} drifted"
            said += f", in {_counted(self._drift, 'place')}" if self._drift else ""
        else:
            said = f"No drift in {answers}"
        varying = "value varies" if self._varies == 1 else "values vary"
        for count, what in (
            (self._counts[Result.UNANSWERED], "never came whole"),
            (self._varies, f"{varying} as expected"),
            (self._counts[Result.SKIPPED], "skipped"),
        ):
            said += f"; {count} {what}" if count else ""
        return f"{said}."

    def _cells(self, one: Verified) -> Iterator[Sequence[str]]:
        """The rows of one recording."""
        if one.result is Result.UNANSWERED:
            recorded = "" if one.task.recorded is None else str(one.task.recorded.status)
            yield one.task.name, _request(one), "answer", recorded, str(one.reason)
        changes = [change for change in one.changes if self._varying or change.varies is None]
        # With another status it is another answer altogether: all of it differs.
        most = 1 if changes and changes[0].place == STATUS else _MOST_PLACES
        for change in changes[:most]:
            place = change.place if change.varies is None else f"{change.place} ({change.varies})"
            values = quoted(change.recorded), quoted(change.now)
            yield one.task.name, _request(one), place, *values
        if more := len(changes[most:]):
            yield one.task.name, _request(one), _counted(more, "more place"), "", ""


def _fields(one: Verified) -> Mapping[str, Any]:
    """What `--json` prints of one recording; names never change their meaning."""
    task = one.task
    return {
        "recording": task.name,
        "method": task.method,
        "target": task.target,
        "kind": task.kind.value,
        "cost": task.cost,
        "result": one.result.value,
        "reason": one.reason,
        "sent": one.sent,
        "status": None if task.recorded is None else task.recorded.status,
        "status_now": one.status,
        "order_id": one.order_id,
        "drift": [_change(change) for change in one.changes if change.varies is None],
        "varies": [
            {**_change(change), "as": change.varies}
            for change in one.changes
            if change.varies is not None
        ],
    }


def _change(change: Change) -> dict[str, str | None]:
    return {"place": change.place, "recorded": change.recorded, "now": change.now}


def _sent(one: Verified) -> str:
    """A request that can have changed something, and what came of it."""
    what = "request" if one.task.kind is Kind.OTHER else "order"
    if one.result is Result.UNANSWERED:
        why = f"{one.reason} Look what became of it; it is not sent again."
        return f"SENT {what}: {_named(one)}: {why}"
    order = "" if one.order_id is None else f", order id {one.order_id}"
    return f"SENT {what}: {_named(one)}: {one.status}{order}."


def _named(one: Verified) -> str:
    return f"{one.task.name} ({_request(one)})"


def _request(one: Verified) -> str:
    return f"{one.task.method} {one.task.target}"


def _table(rows: Sequence[Sequence[str]]) -> Sequence[str]:
    """A table; on a terminal that is too narrow for it a paragraph a recording."""
    if not rows:
        return []
    table = columns(_HEADINGS, list(_once(rows)))
    room = width()
    if room is None or max(map(cell_len, table[1:])) <= room:
        return table
    return [printable(line) for line in _paragraphs(rows)]


def _once(rows: Sequence[Sequence[str]]) -> Iterator[Sequence[str]]:
    """The rows, the recording and its request in the first of its own only."""
    before = ""
    for recording, request, *rest in rows:
        yield ("", "", *rest) if recording == before else (recording, request, *rest)
        before = recording


def _paragraphs(rows: Sequence[Sequence[str]]) -> Iterator[str]:
    before = ""
    for recording, request, place, recorded, now in rows:
        if recording != before:
            before = recording
            yield f"{recording}  {request}"
        yield f"  {place}: {recorded} -> {now}" if now else f"  {place}"


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"


def _has(count: int) -> str:
    return "has" if count == 1 else "have"
