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

from ordertape.cli.audit.as_json import moment, row_as_json
from ordertape.model import Message
from ordertape.store.reading import Full, Reader

_PARTS = {
    "received": "Request as received",
    "sent": "Request as sent",
    "answered": "Response of the service",
}


@click.command("show")
@click.argument("ident", metavar="ID")
@click.option(
    "--db",
    type=click.Path(path_type=Path),
    default=Path("ordertape.db"),
    show_default=True,
    help="The store.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object, bodies in base64.")
def show(ident: str, db: Path, *, as_json: bool) -> None:
    """Show one exchange: ID is its own, the service's order id, or the client's."""
    with Reader(db) as reader:
        full = reader.show(ident)
    if full is None:
        click.echo(f"ordertape: No exchange in {db} has the id {ident}.", err=True)
        sys.exit(1)
    if as_json:
        click.echo(json.dumps(_full_as_json(full), ensure_ascii=False))
        return
    for line in _lines(full):
        click.echo(line)


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
        "cost": row.cost,
        "charge": None if row.charge is None else row.charge.value,
        "peer": row.peer,
        "delivered": {True: "yes", False: "no", None: None}[row.delivered],
        "rules": row.rules_version,
    }
    yield from (f"  {name}: {value}" for name, value in facts.items() if value is not None)
    if row.edits:
        yield "\nEdits"
        yield from (f"  {e.rule}: {e.xpath}: {e.before!r} -> {e.after!r}" for e in row.edits)
    if row.violations:
        yield "\nViolations"
        yield from (
            f"  {v.rule} ({v.severity}, {v.code}): {v.xpath}, line {v.line}: {v.message}"
            for v in row.violations
        )
    for part, title in _PARTS.items():
        if part in full.messages:
            yield f"\n{title}"
            yield from _message_lines(full.messages[part])
    if "sent" in full.messages:
        yield "\nWhat the rules changed (received -, sent +)"
        yield from _difference(full.messages["received"].body, full.messages["sent"].body)
    yield "\nTimeline"
    yield from (f"  {moment(event.at)} {event.kind}" for event in full.events)


def _message_lines(message: Message) -> Iterator[str]:
    yield f"  {_shown(message.line)}"
    yield from (f"  {_shown(name)}: {_shown(value)}" for name, value in message.headers)
    if message.body:
        yield ""
        yield from (f"  {_shown(line)}" for line in message.body.split(b"\n"))
    if message.truncated:
        yield f"  (the first {len(message.body)} of {message.length} bytes)"


def _difference(received: bytes, sent: bytes) -> Iterator[str]:
    diff = difflib.unified_diff(_indented(received), _indented(sent), n=1, lineterm="")
    yield from (f"  {line}" for line in list(diff)[2:])


def _indented(body: bytes) -> list[str]:
    """An element a line, so that a difference is shown where it is; values keep their blanks."""
    try:
        root = etree.fromstring(body, etree.XMLParser(resolve_entities=False, no_network=True))
    except etree.XMLSyntaxError:
        return _shown(body).splitlines()
    etree.indent(root)
    return [repr(line)[1:-1] for line in etree.tostring(root, encoding="unicode").split("\n")]


def _shown(raw: bytes) -> str:
    """Text for a terminal: what could move its cursor is written out."""
    text = raw.decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() or c == "\t" else repr(c)[1:-1] for c in text.rstrip("\r"))
