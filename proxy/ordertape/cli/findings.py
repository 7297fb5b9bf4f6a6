"""What the gateway would make of an order, and what it finds on the way, each with its place."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import click
from lxml import etree

from ordertape import admission
from ordertape.admission import Policy
from ordertape.cli.places import NOWHERE, Place, Places, text_of
from ordertape.cli.terminal import printable, quoted
from ordertape.errors import RefusedError, ViolatedError
from ordertape.model import Body, Edit, Request, Violation
from ordertape.order import Order, nearest, shown

__all__ = ["Examined", "Finding", "as_json", "examined", "finding_lines"]

Kind = Literal["error", "warning", "note"]

_COLOURS: Mapping[Kind, str] = {"error": "red", "warning": "yellow", "note": "cyan"}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing to be said of an order: a violation, an edit, or why it could not be read."""

    kind: Kind
    place: Place
    message: str
    code: str | None = None
    rule: str | None = None


@dataclass(frozen=True, slots=True)
class Examined:
    """An order's verdict: `refusal` is what the client would be answered, None if it is admitted.

    `body` is what would be sent, and `text` its characters. `cost` is in telephone numbers. Of a
    refused order all three are None. Edits and violations come with their places.
    """

    places: Places
    order: Order | None
    refusal: RefusedError | None
    body: bytes | None
    text: str | None
    cost: int | None
    edits: tuple[tuple[Edit, Place], ...]
    violations: tuple[tuple[Violation, Place], ...]
    at: Place
    """Where `refusal` is, if it is no violation's."""

    @property
    def codes(self) -> tuple[str, ...]:
        """The codes that a refusal is answered with, each once."""
        if isinstance(self.refusal, ViolatedError):
            return tuple(dict.fromkeys(found.code for found in self.refusal.violations))
        return () if self.refusal is None else (self.refusal.code,)

    @property
    def findings(self) -> list[Finding]:
        """Everything that is to be said of it: by place, what has none at the end."""
        found = [
            Finding("note", place, _change(edit), rule=edit.rule) for edit, place in self.edits
        ]
        found += [
            Finding(
                "error" if violation.severity == "enforce" else "warning",
                place,
                violation.message,
                violation.code,
                violation.rule,
            )
            for violation, place in self.violations
        ]
        if self.refusal is not None and not isinstance(self.refusal, ViolatedError):
            found.append(Finding("error", self.at, str(self.refusal), self.refusal.code))
        return sorted(found, key=lambda finding: _rank(finding.place))


def examined(body: bytes, policy: Policy, account: str | None) -> Examined:
    """Do with a body what the gateway does before it sends anything; it came with no headers."""
    request = Request("POST", "", body=Body(body))
    places = Places(text_of(body, policy.fallback_charset))
    order = judged = refusal = cost = None
    sent: tuple[bytes, str] | tuple[None, None] = (None, None)
    try:
        order = admission.read(request, policy)
        places.locate(order.root)
        judged = admission.judge(order, request, policy, account)
        refusal, cost = judged.refusal, judged.cost
        if refusal is None:
            forward = judged.forward.body.held
            sent = forward, forward.decode() if judged.rewritten else places.text
    except RefusedError as error:
        refusal = error
    violations = () if judged is None else judged.violations
    by_path = {} if order is None else {order.xpath(e): e for e in order.root.iter(etree.Element)}
    return Examined(
        places=places,
        order=order,
        refusal=refusal,
        body=sent[0],
        text=sent[1],
        cost=cost,
        edits=tuple(
            (edit, _edited(edit, by_path, places)) for edit in (judged.edits if judged else ())
        ),
        violations=tuple((found, _violated(found, by_path, places)) for found in violations),
        at=NOWHERE if refusal is None else _blamed(refusal, order, places),
    )


def finding_lines(name: str, finding: Finding, places: Places) -> Iterator[str]:
    """A finding as compilers write it: `order.xml:3:12: error 5016: …`, the line, the caret."""
    known = (printable(name), *(str(part) for part in finding.place if part is not None))
    kind = finding.kind if finding.code is None else f"{finding.kind} {printable(finding.code)}"
    where = click.style(":".join(known) + ":", bold=True)
    kind = click.style(f"{kind}:", fg=_COLOURS[finding.kind], bold=True)
    by = "" if finding.rule is None else f" ({finding.rule})"
    yield f"{where} {kind} {printable(finding.message + by)}"
    yield from (f"  {line}" for line in places.shown(finding.place))


def as_json(found: Examined) -> dict[str, Any]:
    """The verdict's documented fields; names never change their meaning.

    `line` and `column` beside `reason` are null where `violations` have their own.
    """
    return {
        "verdict": "admitted" if found.refusal is None else "refused",
        "status": None if found.refusal is None else found.refusal.status,
        "codes": list(found.codes),
        "reason": None if found.refusal is None else str(found.refusal),
        **found.at._asdict(),
        "order_type": None if found.order is None else found.order.order_type,
        "cost": found.cost,
        "edits": [{**edit._asdict(), **place._asdict()} for edit, place in found.edits],
        "violations": [{**asdict(one), **place._asdict()} for one, place in found.violations],
        "normalized": found.text,
    }


def _edited(edit: Edit, by_path: Mapping[str, etree._Element], places: Places) -> Place:
    """What was removed is shown at what held it; what was added stands nowhere."""
    path = edit.xpath if edit.after is not None else edit.xpath.rpartition("/")[0]
    return _known(path, by_path, places)


def _violated(violation: Violation, by_path: Mapping[str, etree._Element], places: Places) -> Place:
    """An element that is absent is missed at its nearest ancestor."""
    return _known(nearest(violation.xpath, by_path), by_path, places)


def _known(path: str, by_path: Mapping[str, etree._Element], places: Places) -> Place:
    element = by_path.get(path)
    return NOWHERE if element is None else places.of(element)


def _blamed(refusal: RefusedError, order: Order | None, places: Places) -> Place:
    """The place of what could not be read, as exactly as the reader told it."""
    node, cause = refusal.node, refusal.__cause__
    if etree.iselement(node):
        if order is None:
            places.locate(node.getroottree().getroot())
        return places.of(node)
    if order is not None:
        return NOWHERE
    if isinstance(cause, etree.XMLSyntaxError):
        line, column = cause.position
        return Place(line, max(1, column or 1))
    if isinstance(cause, UnicodeDecodeError):
        return places.at(len(text_of(cause.object[: cause.start], None)))
    return NOWHERE


def _change(edit: Edit) -> str:
    before, after = (None if one is None else shown(one) for one in (edit.before, edit.after))
    return f"{edit.xpath}: {quoted(before)} -> {quoted(after)}"


def _rank(place: Place) -> tuple[int | float, int]:
    return (float("inf") if place.line is None else place.line, place.column or 0)
