"""`ordertape audit show`: everything that is kept of one exchange."""

from __future__ import annotations

import base64
import difflib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
from lxml import etree

from ordertape import coding
from ordertape.cli.audit.as_json import moment, row_as_json
from ordertape.cli.options import Word, store_options
from ordertape.cli.terminal import printable, quoted
from ordertape.errors import RefusedError
from ordertape.model import Message, State
from ordertape.store.reading import Full, Reader, Row

_PARTS = {
    "received": "Request as received",
    "sent": "Request as sent",
    "answered": "Response of the service",
}
_UNSENT = frozenset({State.REFUSED, State.FAILED})
_UNPACKED = 8 << 20  # bytes of a compressed body that are shown


@click.command("show")
@click.argument("ident", metavar="ID", type=Word())
@store_options
@click.option("--json", "as_json", is_flag=True, help="One JSON object, bodies in base64.")
def show(ident: str, db: Path, *, as_json: bool) -> None:
    """Show one exchange: ID is its own or the beginning of it, or an order's of either side.

    Of several exchanges with one order id the newest is shown, of live ones if there are any.
    """
    with Reader(db) as reader:
        full = reader.show(ident)
    if full is None:
        sentence = f"ordertape: No exchange in {db} has the id {ident}; `audit list` names them."
        click.echo(printable(sentence), err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(_full_as_json(full)))
        return
    for line in _lines(full):
        click.echo(printable(line))


def _full_as_json(full: Full) -> dict[str, Any]:
    return {
        **row_as_json(full.row),
        "messages": {part: _message_as_json(message) for part, message in full.messages.items()},
        "events": [
            {"seq": event.seq, "at": moment(event.at), "kind": event.kind} for event in full.events
        ],
    }


def _message_as_json(message: Message) -> dict[str, Any]:
    return {
        "line": message.line.decode("latin-1"),
        "headers": [[n.decode("latin-1"), v.decode("latin-1")] for n, v in message.headers],
        "body": base64.b64encode(message.body).decode(),
        "length": message.length,
        "sha256": None if message.sha256 is None else message.sha256.hex(),
        "truncated": message.truncated,
    }


def _lines(full: Full) -> Iterator[str]:
    """Line by line, as printed but for what `printable` writes out."""
    row = full.row
    yield f"Exchange {row.id}"
    facts = {
        "state": row.state.value,
        "status": row.status,
        "reason": row.reason,
        "origin": f"{row.origin.value} {row.upstream}".strip(),
        "account": row.account,
        "order type": row.order_type,
        "customer order id": row.customer_order_id,
        "order id": row.order_id,
        "quantity": row.quantity,
        "cost": _cost(row),
        "counts": None if row.cost is None else _counts(row),
        "charge": None if row.charge is None else row.charge.value,
        "peer": row.peer,
        "delivered": {True: "yes", False: "no", None: None}[row.delivered],
        "rules": row.rules_version,
    }
    yield from (f"  {name}: {value}" for name, value in facts.items() if value is not None)
    if row.edits:
        yield from ("", "Edits")
        yield from (
            f"  {edit.rule}: {edit.xpath}: {quoted(edit.before)} -> {quoted(edit.after)}"
            for edit in row.edits
        )
    if row.violations:
        yield from ("", "Violations")
        yield from (
            f"  {v.rule} ({v.severity}, {v.code}): {v.xpath}, line {v.line}: {v.message}"
            for v in row.violations
        )
    for part, title in _PARTS.items():
        if part in full.messages:
            yield from ("", title)
            yield from _message_lines(full.messages[part])
        elif part == "sent" and row.state not in _UNSENT:
            yield from ("", f"{title}: no rule changed it")
    if "sent" in full.messages:
        yield from ("", "What the rules changed (received -, sent +)")
        yield from _difference(full.messages["received"], full.messages["sent"])
    yield from ("", "Timeline")
    yield from (f"  {moment(event.at)} {event.kind}" for event in full.events)


def _cost(row: Row) -> str | None:
    if row.cost is None:
        return None
    return f"{row.cost} (no Quantity: counted as {row.cost})" if row.assumed else str(row.cost)


def _counts(row: Row) -> str:
    """What quotas count it for."""
    if row.used is None or row.counted_at is None:
        return "nothing"
    held = ", held until it is known what became of it" if row.held else ""
    many = "1 number" if row.used == 1 else f"{row.used} numbers"
    return f"{many}, from {moment(row.counted_at)} on{held}"


def _message_lines(message: Message) -> Iterator[str]:
    yield f"  {_text(message.line)}"
    yield from (f"  {_text(name)}: {_text(value)}" for name, value in message.headers)
    if message.body:
        yield ""
        yield from (f"  {line}" for line in _body_lines(message))
    if message.truncated:
        whole = "more" if message.length is None else message.length
        yield f"  (the first {len(message.body)} of {whole} bytes)"


def _body_lines(message: Message) -> Iterator[str]:
    body = _unpacked(message)
    if body != message.body:
        yield f"({len(message.body)} compressed bytes, shown unpacked)"
    if b"\0" in body:
        yield f"({len(body)} bytes that are no text; --json has them in base64)"
        return
    yield from (line.removesuffix("\r").expandtabs() for line in _text(body).split("\n"))


def _unpacked(message: Message) -> bytes:
    try:
        return coding.decoded(message.body, message.headers, _UNPACKED)
    except RefusedError:
        return message.body  # truncated, damaged, or in a coding that is not known


def _difference(received: Message, sent: Message) -> Iterator[str]:
    before, after = (_indented(_unpacked(message)) for message in (received, sent))
    diff = difflib.unified_diff(before, after, n=1, lineterm="")
    yield from (f"  {line}" for line in list(diff)[2:])


def _indented(body: bytes) -> list[str]:
    """An element a line, so that a difference is shown where it is; values keep their blanks."""
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return _text(body).splitlines()
    etree.indent(root)
    return etree.tostring(root, encoding="unicode").split("\n")


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "backslashreplace")
