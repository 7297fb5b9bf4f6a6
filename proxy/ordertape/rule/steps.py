"""What rules do to an order, step by step, and which of the steps an order need not take."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Collection, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from operator import call
from typing import Any

from ordertape.errors import RefusedError, RuleFailedError, ViolatedError
from ordertape.model import Violation
from ordertape.order import Addition, Formats, Order
from ordertape.order.names import VALUES
from ordertape.rule.protocol import Configured, Normalizes

_SEVERITIES = ("enforce", "warn")
"""What a violation's can be."""

_CODE = re.compile("[0-9]+")
_NOBODY: frozenset[int] = frozenset()
_NOTHING: Mapping[int, Sequence[Addition]] = {}

_MOST_PLANS = 256
"""How many structures of orders are remembered; clients choose which."""

_Matches = Callable[[str], object]


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing that a rule does, and what makes a violation that it finds its own."""

    configured: Configured
    name: str
    call: Callable[[Order], Iterable[Violation] | None]
    own: Callable[[Violation], Violation]
    structural: bool = False

    def taken(self, order: Order) -> list[Violation]:
        """What this step finds. A RefusedError that it raises is a violation too, or several.

        Errors: RuleFailedError for anything else that it raises, or finds.
        """
        order.rule = self.name
        try:
            try:
                found = self.call(order)
                return list(map(self.own, found)) if found else []
            except ViolatedError as error:
                return list(map(self.own, error.violations))
            except RefusedError as error:
                return [self.own(order.violation(order.root, error.code, str(error)))]
        except KeyboardInterrupt:
            raise
        except BaseException as error:  # a stranger's code may raise anything, SystemExit too
            raise _failed(self.configured, type(error).__name__) from error


@dataclass(slots=True)
class _Plan:
    """How orders of one structure are validated.

    `names` are those that `Order.held` gives; `asked` are the places of the steps that they take.
    The others are of one length: which values have to match, what they have to match, and the
    places of the steps that are taken if they do not.
    """

    names: Sequence[str]
    asked: frozenset[int]
    tested: Sequence[int]
    matches: Sequence[_Matches]
    steps: Sequence[int]

    def missed(self, values: Sequence[str]) -> Collection[int]:
        """The places of the steps whose formats these values miss."""
        tested = [values[place] for place in self.tested]
        if all(map(call, self.matches, tested)):
            return ()
        trials = zip(self.matches, tested, self.steps, strict=True)
        return {step for matches, value, step in trials if not matches(value)}


@dataclass(frozen=True, slots=True)
class Steps:
    """What rules do, in the order of their names.

    Most orders concern few rules, and are as most formats say. So `always` has the places in
    `validating` of the steps that every order takes, `concerned` by an element's name those of the
    steps that orders with that element take, and `formats` what its value has to match and the step
    that is taken if it does not. `adds` and `plans` are what is remembered of structures: what
    structural normalising steps add, by structure and place, and how orders are validated.
    """

    normalizing: tuple[_Step, ...]
    validating: tuple[_Step, ...]
    always: frozenset[int]
    concerned: Mapping[str, frozenset[int]]
    formats: Mapping[str, Sequence[tuple[_Matches, int]]]
    adds: dict[Hashable, dict[int, Sequence[Addition]]] = dataclasses.field(default_factory=dict)
    plans: dict[Hashable, _Plan] = dataclasses.field(default_factory=dict)

    def normalize(self, order: Order) -> list[Violation]:
        """Take the normalising steps; what they find by raising it.

        Errors: RuleFailedError when a rule fails.
        """
        found: list[Violation] = []
        for place, step in enumerate(self.normalizing):
            structure = order.structure if step.structural else None
            known = None if structure is None else self.adds.get(structure, _NOTHING).get(place)
            if known is not None:
                if known:
                    order.rule = step.name
                    order.repeat(known)
                continue
            edited = order.edited
            said = step.taken(order)
            found += said
            if structure is not None and not said:
                made = order.additions(edited)
                if made is not None:
                    if structure not in self.adds:
                        _remember(self.adds, structure, {})
                    self.adds[structure][place] = made
        return found

    def validate(self, order: Order) -> list[Violation]:
        """Take the validating steps that this order takes; what they find.

        Errors: RuleFailedError when a rule fails, or changes the order.
        """
        structure = order.structure
        names, values = order.held()
        plan = None if structure is None else self.plans.get(structure)
        if plan is None or plan.names != names:  # a rule may have asked for them amid its edits
            plan = self._plan(order, names)
            if structure is not None:
                _remember(self.plans, structure, plan)
        missed = plan.missed(values)
        found: list[Violation] = []
        if not missed and not plan.asked:
            return found
        silent = set()
        edited = order.edited
        for place in sorted(plan.asked.union(missed)):
            step = self.validating[place]
            said = step.taken(order)
            if order.edited != edited:
                raise _failed(step.configured, "it changes the order while it validates")
            found += said
            if step.structural and not said:
                silent.add(place)
        if silent:
            plan.asked -= silent
        return found

    def _plan(self, order: Order, names: Sequence[str]) -> _Plan:
        asked = self.always.union(*(self.concerned.get(name, _NOBODY) for name, _ in order.every()))
        tests = [
            (at, matches, place)
            for at, name in enumerate(names)
            for matches, place in self.formats.get(name, ())
        ]
        tested, matches, steps = zip(*tests, strict=True) if tests else ((), (), ())
        return _Plan(names, asked, tested, matches, steps)


def _remember(memory: dict[Any, Any], key: object, value: object) -> None:
    if len(memory) >= _MOST_PLANS:
        memory.clear()
    memory[key] = value


def steps_of(rules: Iterable[Configured]) -> Steps:
    """The steps of these rules, without those that are off."""
    normalizing: list[_Step] = []
    validating: list[_Step] = []
    always: set[int] = set()
    concerned: dict[str, set[int]] = {}
    formats: dict[str, list[tuple[_Matches, int]]] = {}
    for configured in rules:
        if configured.severity == "off":
            continue
        rule: Any = configured.rule
        step = partial(_Step, configured, configured.name, own=partial(_own, configured))
        structural = getattr(rule, "structural", False)
        if hasattr(rule, "normalize"):
            normalizing.append(step(call=partial(_normalized, rule), structural=structural))
        if hasattr(rule, "formats"):
            for name, wanted in rule.formats.items():
                if name in VALUES:
                    patterns = wanted if isinstance(wanted, tuple) else (wanted,)
                    formats.setdefault(name, []).extend(
                        (re.compile(one.pattern).fullmatch, len(validating)) for one in patterns
                    )
                else:
                    concerned.setdefault(name, set()).add(len(validating))
            validating.append(step(call=partial(_misshapen, rule.formats)))
        if hasattr(rule, "validate"):
            concerns = getattr(rule, "concerns", None)
            if concerns is None:
                always.add(len(validating))
            for name in concerns or ():
                concerned.setdefault(name, set()).add(len(validating))
            validating.append(step(call=rule.validate, structural=structural))
    return Steps(
        tuple(normalizing),
        tuple(validating),
        frozenset(always),
        {name: frozenset(places) for name, places in concerned.items()},
        formats,
    )


def _normalized(rule: Normalizes, order: Order) -> None:
    rule.normalize(order)


def _misshapen(formats: Formats, order: Order) -> Iterable[Violation]:
    return order.misshapen(formats)


def _own(configured: Configured, violation: Violation) -> Violation:
    """The violation under the rule's own name; a rule may warn of its own accord.

    Errors: TypeError for what cannot be answered: it must not pass for a warning.
    """
    texts = (violation.xpath, violation.message)
    if (
        violation.severity not in _SEVERITIES
        or not _CODE.fullmatch(violation.code)
        or not all(isinstance(text, str) for text in texts)
    ):
        raise TypeError(f"{violation!r} is no violation")
    severity = "warn" if configured.severity == "warn" else violation.severity
    return dataclasses.replace(violation, rule=configured.name, severity=severity)


def _failed(configured: Configured, problem: str) -> RuleFailedError:
    return RuleFailedError(
        f"The rule {configured.name} failed on this order ({problem}), so it was not sent; "
        f"report it to whoever maintains {configured.registered.package}."
    )
