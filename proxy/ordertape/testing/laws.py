"""The laws that every rule keeps, tried on generated orders.

def test_the_house_rule_keeps_the_laws() -> None:
    check_rule(HouseRule(limit=3))
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, cast

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Flaky
from hypothesis.strategies import SearchStrategy
from lxml import etree

from ordertape.errors import RefusedError, StartUpError
from ordertape.model import Violation
from ordertape.order import ORDER_TYPES, Order, nearest
from ordertape.order.names import SPECIFIED, VALUES
from ordertape.order.reading import read_root
from ordertape.rule import Rule
from ordertape.rule.shape import check_abilities, check_class, is_required
from ordertape.testing.orders import order_of, wild_orders

_IDEMPOTENT = "A second time changes nothing"
_NOTED = "No edit without a note"
_NEVER_RAISES = "It never raises"
_LEFT_ALONE = "An order that needs nothing is left alone"
_PLACED = "A violation has a place, a code and a sentence"
_CONCERNED = "It has nothing to say of what does not concern it"
_STRUCTURAL = "What is structural depends on no value"
_REPEATABLE = "The same order gets the same verdict"

_CODE = re.compile("[0-9]+")
_SEVERITIES = ("enforce", "warn")
_OTHER_VALUES = ("", "1", "true")
_HOLDERS = tuple(spelling for spelling, name in SPECIFIED.items() if name in VALUES)


def check_rule(rule: Rule | type[Rule], *, examples: int = 200) -> None:
    """Try the laws that every rule must keep on about this many generated orders.

    Half of them are wild, half are valid ones of every order type.

    `rule` is a rule with its fields set, or a class whose fields all have defaults. The laws:

    * A second time changes nothing: the edited order, read anew, gets no edit and equal violations.
    * No edit without a note: `normalize` changes the tree by the order's own methods only,
      `validate` not at all.
    * It never raises, not even SystemExit, but for a RefusedError, which is a refusal.
    * An order that needs nothing is left alone: what is put back as it was is not edited.
    * A violation has a place, a code and a sentence: the path of an element, or of one that is
      absent inside one that is there; digits; one line.
    * It has nothing to say of what does not concern it: where none of its `concerns` is, `validate`
      would not be called, so it finds nothing.
    * What is structural depends on no value: if the rule is `structural`, it has something to do,
      or to find, in all orders of a structure or in none, and adds the same to all of them.
    * The same order gets the same verdict.

    Errors: AssertionError with the law, the rule and the smallest order that breaks it; TypeError
    for what is no rule, or would not be taken for one by the gateway.
    """
    tried = _instance(rule)
    _try(tried, wild_orders(), max(examples // 2, 1))
    # Chance would leave out a type now and then.
    for order_type in ORDER_TYPES:
        _try(tried, order_of(order_type), max(examples // 2 // len(ORDER_TYPES), 1))


def _try(rule: Rule, orders: SearchStrategy[bytes], examples: int) -> None:
    @settings(
        max_examples=examples,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        report_multiple_bugs=False,
        suppress_health_check=list(HealthCheck),
    )
    @given(orders)
    def try_order(body: bytes) -> None:
        _keeps_the_laws(_Trial(rule, body))

    try:
        try_order()
    except _BreachError as breach:
        smallest = _smallest(breach)
        # Without hypothesis' own notes: the message has all that they say.
        raise AssertionError(str(smallest)) from smallest.__cause__
    except Flaky as error:
        what = f"{_REPEATABLE}: {rule!r} breaks this law; it keeps a state or asks chance."
        raise AssertionError(what) from error


def _instance(rule: Rule | type[Rule]) -> Rule:
    """The rule as it will be applied. Errors: TypeError for what is no rule."""
    kind = rule if isinstance(rule, type) else type(rule)
    try:
        check_class(kind, kind.__name__)
        made = _with_defaults(rule) if isinstance(rule, type) else rule
        check_abilities(made, kind.__name__)
    except StartUpError as error:
        raise TypeError(str(error)) from error
    return made


def _with_defaults(kind: type[Rule]) -> Rule:
    fields = dataclasses.fields(cast("Any", kind))
    required = [field.name for field in fields if is_required(field)]
    if required:
        raise TypeError(
            f"{kind.__name__} needs {', '.join(required)}; give check_rule one with its fields set."
        )
    return kind()


@dataclass(frozen=True)
class _Trial:
    """A rule on one order."""

    rule: Rule
    body: bytes

    def breach(self, law: str, what: str) -> _BreachError:
        return _BreachError(law, what, self)


class _BreachError(AssertionError):
    """A law was broken; the text is the whole message."""

    def __init__(self, law: str, what: str, trial: _Trial) -> None:
        super().__init__(
            f"{law}: {trial.rule!r} breaks this law.\n{what}\n"
            f"The smallest order that shows it: {trial.body!r}"
        )
        self.law = law
        self.trial = trial


def _smallest(breach: _BreachError) -> _BreachError:
    """The breach without the elements that it can do without: valid orders come with many."""
    for body in _with_one_less(breach.trial.body):
        try:
            _keeps_the_laws(_Trial(breach.trial.rule, body))
        except _BreachError as smaller:
            if smaller.law == breach.law:
                return _smallest(smaller)
    return breach


def _with_one_less(body: bytes) -> Iterator[bytes]:
    """The order without one element or comment, for each of them but the root."""
    for number in range(1, len(list(etree.fromstring(body).iter()))):
        root = etree.fromstring(body)
        node = list(root.iter())[number]
        parent = node.getparent()
        if parent is not None:
            parent.remove(node)
            yield etree.tostring(root)


class _Watched(Order):
    """An order that knows its tree as its own methods left it."""

    def __init__(self, body: bytes, trial: _Trial) -> None:
        root, found, _ = read_root(body, None, None)
        super().__init__(root, found)
        self.rule = type(trial.rule).__name__
        self.trial = trial
        self.step = "normalize"
        self._first = root
        self._left = self.now()

    def now(self) -> str:
        """The whole tree as text."""
        return etree.tostring(self._first.getroottree(), encoding="unicode")

    def expect(self) -> None:
        """Raise if the tree is not what the last noted edit left."""
        found = self.now()
        if found != self._left or self.root is not self._first:
            what = f"{self.step} changed the tree by itself: before {self._left!r}, after {found!r}"
            raise self.trial.breach(_NOTED, what)

    def set_text(self, element: etree._Element, value: str) -> None:
        self.expect()
        super().set_text(element, value)
        self._left = self.now()

    def add(self, parent: etree._Element, name: str, value: str) -> etree._Element:
        self.expect()
        added = super().add(parent, name, value)
        self._left = self.now()
        return added

    def rename(self, element: etree._Element, name: str) -> None:
        self.expect()
        super().rename(element, name)
        self._left = self.now()

    def remove(self, element: etree._Element) -> None:
        self.expect()
        super().remove(element)
        self._left = self.now()


def _keeps_the_laws(trial: _Trial) -> None:
    """Errors: _BreachError for the first law that is broken."""
    order = _Watched(trial.body, trial)
    received = order.now()
    try:
        found = _verdict(order)
    except RefusedError:
        return
    if order.changed and order.now() == received:
        raise trial.breach(_LEFT_ALONE, f"It puts back what it edits: {_listed(order.edits)}")
    _well_told(found, order)
    if getattr(trial.rule, "structural", False):
        _blind_to_values(trial)
    try:
        again = _Watched(order.serialize(), trial)
        found_again = _verdict(again)
    except RefusedError as error:
        what = f"What it makes of the order is refused: {error}"
        raise trial.breach(_IDEMPOTENT, what) from error
    if again.changed:
        raise trial.breach(_IDEMPOTENT, f"The second time it edits {_listed(again.edits)}")
    first, second = (sorted(map(_facts, each)) for each in (found, found_again))
    if first != second:
        what = f"The first time it finds {_listed(first)}, the second time {_listed(second)}"
        raise trial.breach(_IDEMPOTENT, what)


def _blind_to_values(trial: _Trial) -> None:
    """Errors: _BreachError if the rule does something else with other values than with these."""
    busy = _busy(trial)
    for value in _OTHER_VALUES:
        root = read_root(trial.body, None, None)[0]
        for leaf in root.iter(*_HOLDERS):
            leaf.text = value
        other = dataclasses.replace(trial, body=etree.tostring(root.getroottree()))
        if _busy(other) != busy:
            what = f"It does not do the same with it and with {other.body!r}"
            raise trial.breach(_STRUCTURAL, what)


def _busy(trial: _Trial) -> list[object]:
    """Whether each method of the rule has anything to do or to find, and what it adds."""
    order = _Watched(trial.body, trial)
    steps = [step for step in ("normalize", "validate") if hasattr(trial.rule, step)]
    busy: list[object] = []
    for step in steps:
        edited = order.edited
        try:
            busy.append(bool(_step(trial.rule, step, order)) or order.edited != edited)
        except RefusedError:
            busy.append(True)
    return [*busy, [edit for edit in order.edits if edit.before is None]]


def _verdict(order: _Watched) -> list[Violation]:
    """What the rule finds once it has normalised. Errors: RefusedError, its own; _BreachError."""
    rule: Any = order.trial.rule
    found: list[Violation] = []
    for step in ("normalize", "validate"):
        if hasattr(rule, step):
            found += _step(rule, step, order)
    return [*found, *order.misshapen(getattr(rule, "formats", {}))]


def _step(rule: Any, step: str, order: _Watched) -> list[Violation]:  # noqa: ANN401 - it has the step
    """What one of its methods finds, as the gateway takes it. Errors: as `_verdict`."""
    order.step, edited = step, order.edited
    try:
        result = getattr(rule, step)(order)
        found = list(result or ()) if step == "validate" else []
    except (RefusedError, _BreachError, KeyboardInterrupt):
        raise
    except BaseException as error:  # a stranger's code may raise anything
        what = f"{step} raises {type(error).__name__}: {error}"
        raise order.trial.breach(_NEVER_RAISES, what) from error
    order.expect()
    if step == "validate":
        if order.edited != edited:
            what = f"validate edits the order: {_listed(order.edits[edited:])}"
            raise order.trial.breach(_NOTED, what)
        concerns = getattr(rule, "concerns", None)
        if found and concerns is not None and _has_none(order, concerns):
            what = f"The order has none of {_listed(concerns)}, but it finds {_listed(found)}"
            raise order.trial.breach(_CONCERNED, what)
    return found


def _has_none(order: Order, concerns: Iterable[str]) -> bool:
    return {name for name, _ in order.every()}.isdisjoint(concerns)


def _well_told(found: Iterable[object], order: _Watched) -> None:
    """Every violation can be answered and shown. Errors: _BreachError."""
    positions = order.positions()
    for violation in found:
        if not isinstance(violation, Violation):
            wrong = "is no Violation"
        elif not all(isinstance(text, str) for text in _facts(violation)):
            wrong = "has a path, a code, a message or a severity that is no text"
        elif nearest(violation.xpath, positions) == "":
            wrong = f"has the path {violation.xpath!r}, which is nowhere in the order"
        elif not _CODE.fullmatch(violation.code):
            wrong = f"has the code {violation.code!r}, which is not digits"
        elif not (violation.message.strip() and violation.message.isprintable()):
            wrong = f"says {violation.message!r}, which is not one line of text"
        elif violation.severity not in _SEVERITIES:
            wrong = f"has the severity {violation.severity!r}, which is not enforce or warn"
        else:
            continue
        raise order.trial.breach(_PLACED, f"{violation!r} {wrong}.")


def _facts(violation: Violation) -> tuple[str, str, str, str]:
    """All but the line, which serialising may change."""
    return violation.xpath, violation.code, violation.message, violation.severity


def _listed(things: Iterable[object]) -> str:
    return ", ".join(map(repr, things)) or "nothing"
