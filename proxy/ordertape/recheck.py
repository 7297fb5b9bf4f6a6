"""Another rule set over recorded orders: which verdicts change, and which normal forms.

Orders are judged as they were received, by the code that judges them when they come. Nothing is
written or sent. What is not the rules' is left out: pauses, quotas and the service's own answers.
"""

from __future__ import annotations

import enum
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TypeAlias

from lxml import etree

from ordertape import admission, hops
from ordertape.admission import Policy
from ordertape.coding import forbids_changes
from ordertape.errors import MalformedError, RefusedError, ViolatedError
from ordertape.model import Body, Edit, Kind, Message, Request, State, Violation
from ordertape.order import read_tree
from ordertape.route import classify
from ordertape.store.reading import Filter, Reader, Row

__all__ = ["CHANGES", "Rechecked", "Result", "compare", "recheck"]

_BY_READING_OR_RULES = frozenset({400, 413, 415, 500})


class Result(enum.StrEnum):
    """What another rule set makes of a recorded order; the value is what JSON shows."""

    SAME = "same"
    NEWLY_REFUSED = "newly-refused"
    NEWLY_ADMITTED = "newly-admitted"
    NORMAL_FORM = "normal-form"
    """Admitted both times, but what is sent says something else."""
    WARNINGS = "warnings"
    """Admitted both times in the same form, with warnings that are not recorded."""
    UNREADABLE = "unreadable"
    """What would have to be judged is no longer there, or was only kept in part."""
    UNJUDGED = "unjudged"
    """Refused before any rule could see it: its path, its framing, its size on the wire."""


CHANGES = (Result.NEWLY_REFUSED, Result.NEWLY_ADMITTED, Result.NORMAL_FORM, Result.WARNINGS)


@dataclass(frozen=True, slots=True)
class Rechecked:
    """A recorded order under another rule set.

    `violations` is all that is found now, warnings too. What cannot be read or fails has one by
    `reading` or `rules`. The edits are set where the normal form is another.
    """

    row: Row
    result: Result
    violations: tuple[Violation, ...] = ()
    edits_added: tuple[Edit, ...] = ()
    edits_removed: tuple[Edit, ...] = ()

    @property
    def admitted_before(self) -> bool:
        """Whether the rules of its time had let the order through."""
        return _admitted(self.row) is True

    @property
    def admitted_after(self) -> bool:
        """Whether the rules tried let it through."""
        if self.result in {Result.NEWLY_REFUSED, Result.NEWLY_ADMITTED}:
            return not self.admitted_before
        return self.admitted_before


def recheck(
    reader: Reader, asked: Filter, policy: Policy, *, warnings: bool = False
) -> Iterator[Rechecked]:
    """Every order that is asked for, one at a time. Errors: StartUpError."""
    for row in reader.list(replace(asked, kind=Kind.ORDER)):
        received = reader.message(row.seq, "received")
        sent = reader.message(row.seq, "sent") if row.edits else None
        yield compare(row, received, sent, policy, warnings=warnings)


def compare(
    row: Row,
    received: Message | None,
    sent: Message | None,
    policy: Policy,
    *,
    warnings: bool = False,
) -> Rechecked:
    """One recorded order under the rules of `policy`; new `warnings` count only if asked for.

    `sent` None: it left, or would have left, as received.
    """
    left_out = _left_out(row, received)
    if received is None or left_out is not None:
        return Rechecked(row, left_out or Result.UNREADABLE)
    request = Request(row.method, row.target, received.headers, Body(received.body))
    after = _judged(request, policy, row.account)
    if after.refused:
        result = Result.NEWLY_REFUSED if _admitted(row) else Result.SAME
        return Rechecked(row, result, after.violations)
    if not _admitted(row):
        return Rechecked(row, Result.NEWLY_ADMITTED, after.violations)
    try:
        same = _same_form(row, request, sent, after, policy)
    except RefusedError:
        return Rechecked(row, Result.UNREADABLE)
    if not same:
        added, removed = Counter(after.edits), Counter(row.edits)
        return Rechecked(
            row,
            Result.NORMAL_FORM,
            after.violations,
            tuple((added - removed).elements()),
            tuple((removed - added).elements()),
        )
    warned = warnings and bool(Counter(after.violations) - Counter(row.violations))
    return Rechecked(row, Result.WARNINGS if warned else Result.SAME, after.violations)


def _left_out(row: Row, received: Message | None) -> Result | None:
    """Why this order cannot be judged; None: it can."""
    admitted = _admitted(row)
    if admitted is None:
        return Result.UNJUDGED
    if received is None or not _whole(received):
        return Result.UNREADABLE
    # The listener keeps no body of what it does not take in, and no empty order is ever admitted.
    return None if admitted or received.body else Result.UNJUDGED


def _admitted(row: Row) -> bool | None:
    """Whether reading and rules had let the order through; None where it never came to them."""
    if row.state is not State.REFUSED or row.cost is not None:
        return True  # a quota, a pause or a store that failed came after the rules
    if classify(row.method, row.target).error is not None:
        return None
    return False if row.status in _BY_READING_OR_RULES else None


def _whole(message: Message) -> bool:
    return not message.truncated and message.length == len(message.body)


@dataclass(frozen=True, slots=True)
class _Judged:
    """What would become of an order; `rewritten` is its new body and tree, if it left so."""

    refused: bool
    edits: tuple[Edit, ...] = ()
    violations: tuple[Violation, ...] = ()
    rewritten: tuple[bytes, etree._Element] | None = None


def _judged(request: Request, policy: Policy, account: str | None) -> _Judged:
    """What the gateway would make of this order before it sends anything."""
    try:
        order = admission.read(request, policy)
    except RefusedError as error:
        return _Judged(refused=True, violations=(_said("reading", error),))
    forward = replace(request, headers=hops.end_to_end(request.headers))
    judged = admission.judge(order, forward, policy, account)
    refusal, violations = judged.refusal, judged.violations
    if refusal is not None and not isinstance(refusal, ViolatedError):
        violations = (_said("rules", refusal), *violations)
    rewritten = (judged.forward.body.held, judged.leaves.root) if judged.rewritten else None
    return _Judged(refusal is not None, judged.edits, violations, rewritten)


def _said(step: str, error: RefusedError) -> Violation:
    return Violation(step, error.code, "/Order", 0, str(error))


def _same_form(
    row: Row, request: Request, sent: Message | None, after: _Judged, policy: Policy
) -> bool:
    """Whether what had left and what would leave now say the same.

    Errors: RefusedError where it can no longer be told what had left.
    """
    lost = sent is None and bool(row.edits) and not forbids_changes(request.headers)
    if lost or (sent is not None and not _whole(sent)):
        raise MalformedError("What had left is not kept whole.")
    if sent is None and after.rewritten is None:
        return True
    if sent is not None and after.rewritten is not None and sent.body == after.rewritten[0]:
        return True
    if sent is None:
        before = admission.read(request, policy).root
    else:
        before = read_tree(sent.body, sent.headers.get(b"content-type"))
    now = admission.read(request, policy).root if after.rewritten is None else after.rewritten[1]
    return _form(before) == _form(now)


_Form: TypeAlias = tuple[str, tuple[tuple[str, str], ...], str, tuple["_Form", ...]]


def _form(element: etree._Element) -> _Form:
    """What an order says, however it is written down: siblings in any order, no comments.

    Values keep the blanks around them, unlike in a match key: to trim or not is a rule's matter.
    """
    children = sorted(_form(child) for child in element if isinstance(child.tag, str))
    attributes = sorted((str(name), str(value)) for name, value in element.items())
    text = "" if children else element.text or ""
    return str(element.tag), tuple(attributes), text, tuple(children)
