"""A set of rules applied to an order."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from ordertape.errors import RefusedError, RuleFailedError, ViolatedError
from ordertape.model import Edit, Violation
from ordertape.order import XML_BLANKS, Format, Order, nearest
from ordertape.rule.protocol import Configured, Normalizes

_SEVERITIES = ("enforce", "warn")
"""What a violation's can be."""

_CODE = re.compile("[0-9]+")
_ADDRESS = re.compile(r" at 0x[0-9a-f]+")

_NOBODYS: tuple[frozenset[int], tuple[()]] = (frozenset(), ())

MOST_VIOLATIONS = 1000
"""How many violations of one order are told; of more, their number is told last."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules made of an order. It is refused if any violation's severity is `enforce`.

    `raised` are those of the violations that rules raised while they normalised.
    """

    edits: tuple[Edit, ...]
    violations: tuple[Violation, ...]
    raised: tuple[Violation, ...] = ()


@dataclass(frozen=True, slots=True)
class _Step:
    """One thing that a rule does, and what makes a violation that it finds its own."""

    configured: Configured
    name: str
    call: Callable[[Order], Iterable[Violation] | None]
    own: Callable[[Violation], Violation]


@dataclass(frozen=True, slots=True)
class _Steps:
    """What a set's rules do, in the order of their names.

    Most orders concern few rules, and are as most formats say. So `always` has the places in
    `validate` of the steps that every order takes, and `fields` by an element's name those of the
    steps that orders with that element take, and those that are taken if its value does not match.
    """

    normalize: tuple[_Step, ...]
    validate: tuple[_Step, ...]
    always: frozenset[int]
    fields: Mapping[str, tuple[frozenset[int], tuple[tuple[Callable[[str], object], int], ...]]]

    def validating(self, order: Order) -> list[_Step]:
        """The steps that this order takes once it is normalised."""
        taken = set(self.always)
        for name, element in order.every():
            concerned, formats = self.fields.get(name, _NOBODYS)
            if concerned:
                taken |= concerned
            for matches, place in formats:
                if not matches((element.text or "").strip(XML_BLANKS)):
                    taken.add(place)
        return [self.validate[place] for place in sorted(taken)]


@dataclass(frozen=True)
class RuleSet:
    """Every rule in force: by default, and for the accounts that have their own."""

    rules: tuple[Configured, ...]
    accounts: Mapping[str, tuple[Configured, ...]] = dataclasses.field(default_factory=dict)
    version: str = dataclasses.field(init=False)
    """Twelve hexadecimal digits over names, packages, severities and fields of all of them."""
    _steps: Mapping[str | None, _Steps] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        steps: dict[str | None, _Steps] = {None: _steps(self.rules)}
        steps.update({account: _steps(rules) for account, rules in self.accounts.items()})
        object.__setattr__(self, "_steps", steps)
        object.__setattr__(self, "version", _version(self.rules, self.accounts))

    def of(self, account: str | None) -> tuple[Configured, ...]:
        """The rules for this account."""
        return self.rules if account is None else self.accounts.get(account, self.rules)

    def apply(self, order: Order, account: str | None) -> Verdict:
        """Normalise with every rule, then validate with every rule.

        Violations come in document order. Errors: RuleFailedError when a rule fails.
        """
        steps = self._steps_of(account)
        raised: list[Violation] = []
        for step in steps.normalize:
            raised += _taken(step, order)
        violations = told(raised + _validated(steps, order), order)
        return Verdict(order.edits, violations, tuple(raised))

    def validate(self, order: Order, account: str | None) -> tuple[Violation, ...]:
        """What `apply` finds in an order that may not be changed. Errors: as `apply`."""
        return told(_validated(self._steps_of(account), order), order)

    def _steps_of(self, account: str | None) -> _Steps:
        return self._steps.get(account) or self._steps[None]


def _validated(steps: _Steps, order: Order) -> list[Violation]:
    edited = order.edited
    found: list[Violation] = []
    for step in steps.validating(order):
        found += _taken(step, order)
        if order.edited != edited:
            raise _failed(step.configured, "it changes the order while it validates")
    return found


def _taken(step: _Step, order: Order) -> list[Violation]:
    """What this step finds. A RefusedError that it raises is a violation too, or several.

    Errors: RuleFailedError for anything else that it raises, or finds.
    """
    order.rule = step.name
    try:
        try:
            return list(map(step.own, step.call(order) or ()))
        except ViolatedError as error:
            return list(map(step.own, error.violations))
        except RefusedError as error:
            return [step.own(order.violation(order.root, error.code, str(error)))]
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # a stranger's code may raise anything, SystemExit too
        raise _failed(step.configured, type(error).__name__) from error


def _steps(rules: Iterable[Configured]) -> _Steps:
    normalize: list[_Step] = []
    validate: list[_Step] = []
    always: set[int] = set()
    concerned: dict[str, set[int]] = {}
    formats: dict[str, list[tuple[Callable[[str], object], int]]] = {}
    for configured in rules:
        if configured.severity == "off":
            continue
        rule: Any = configured.rule
        step = partial(_Step, configured, configured.name, own=partial(_own, configured))
        if hasattr(rule, "normalize"):
            normalize.append(step(call=partial(_normalized, rule)))
        if hasattr(rule, "formats"):
            for name, wanted in rule.formats.items():
                matches = re.compile(wanted.pattern).fullmatch
                formats.setdefault(name, []).append((matches, len(validate)))
            validate.append(step(call=partial(_misshapen, rule.formats)))
        if hasattr(rule, "validate"):
            concerns = getattr(rule, "concerns", None)
            if concerns is None:
                always.add(len(validate))
            for name in concerns or ():
                concerned.setdefault(name, set()).add(len(validate))
            validate.append(step(call=rule.validate))
    return _Steps(
        tuple(normalize),
        tuple(validate),
        frozenset(always),
        {
            name: (frozenset(concerned.get(name, ())), tuple(formats.get(name, ())))
            for name in {*concerned, *formats}
        },
    )


def _normalized(rule: Normalizes, order: Order) -> None:
    rule.normalize(order)


def _misshapen(formats: Mapping[str, Format], order: Order) -> Iterable[Violation]:
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


def told(found: Sequence[Violation], order: Order) -> tuple[Violation, ...]:
    """The violations in document order, and if there are very many the first of them."""
    if len(found) <= 1:
        return tuple(found)
    positions = order.positions()
    end = len(positions)
    ordered = sorted(found, key=lambda one: positions.get(nearest(one.xpath, positions), end))
    first, left = ordered[:MOST_VIOLATIONS], ordered[MOST_VIOLATIONS:]
    if left:
        # An order that is refused for one of these only must still be refused.
        last = next((violation for violation in left if violation.severity == "enforce"), left[0])
        message = f"There are {len(left)} violations more; correct these first."
        first.append(dataclasses.replace(last, message=message))
    return tuple(first)


def _version(rules: tuple[Configured, ...], accounts: Mapping[str, tuple[Configured, ...]]) -> str:
    described = {"": rules, **accounts}
    facts = {account: [_facts(rule) for rule in known] for account, known in described.items()}
    text = json.dumps(facts, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _facts(configured: Configured) -> list[object]:
    registered = configured.registered
    fields = {
        field.name: getattr(configured.rule, field.name)
        for field in dataclasses.fields(configured.rule)  # type: ignore[arg-type]
        if field.init
    }
    return [
        registered.name,
        registered.package,
        registered.package_version,
        configured.severity,
        fields,
    ]


def _plain(value: object) -> object:
    """What JSON has no form for; a set has no order of its own, nor an object an address."""
    if isinstance(value, set | frozenset):
        return sorted(map(_plain, value), key=str)
    return _ADDRESS.sub("", repr(value))
