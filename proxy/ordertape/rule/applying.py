"""A set of rules applied to an order."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TypeAlias

from ordertape.errors import RefusedError, RuleFailedError
from ordertape.model import Edit, Violation
from ordertape.order import Order
from ordertape.rule.protocol import Configured

_Validation: TypeAlias = tuple[
    str,
    Configured,
    Callable[[Order], Iterable[Violation]],
    Collection[str] | None,
    Callable[[Violation], Violation],
]
"""A rule's name, the rule, its method, what it concerns, and what makes a violation its own."""

MOST_VIOLATIONS = 1000
"""How many violations of one order are told; of more, their number is told last."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules made of an order. It is refused if any violation's severity is `enforce`."""

    edits: tuple[Edit, ...]
    violations: tuple[Violation, ...]


@dataclass(frozen=True, slots=True)
class _Steps:
    """What of a set's rules is called, with the rules whose methods these are."""

    normalize: tuple[tuple[str, Configured, Callable[[Order], None]], ...]
    validate: tuple[_Validation, ...]


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

        Violations come in document order. Errors: RuleFailedError when a rule raises, or changes
        the order while it validates; a RefusedError that it raises itself passes, for that is a
        refusal too.
        """
        steps = self._steps.get(account) or self._steps[None]
        for name, configured, normalize in steps.normalize:
            order.rule = name
            try:
                normalize(order)
            except RefusedError:
                raise
            except Exception as error:  # a stranger's code may raise anything
                raise _failed(configured, type(error).__name__) from error
        edited = order.edited
        found: list[Violation] = []
        present = order.present
        for name, configured, validate, concerns, under in steps.validate:
            if concerns is not None and present.isdisjoint(concerns):
                continue
            order.rule = name
            try:
                found += map(under, validate(order))
            except RefusedError:
                raise
            except Exception as error:  # a stranger's code may raise anything
                raise _failed(configured, type(error).__name__) from error
            if order.edited != edited:
                raise _failed(configured, "it changes the order while it validates")
        return Verdict(order.edits, _told(found, order))


def _steps(rules: Iterable[Configured]) -> _Steps:
    active = [configured for configured in rules if configured.severity != "off"]
    return _Steps(
        tuple((c.name, c, c.rule.normalize) for c in active if hasattr(c.rule, "normalize")),
        tuple(
            (c.name, c, c.rule.validate, getattr(c.rule, "concerns", None), partial(_under, c))
            for c in active
            if hasattr(c.rule, "validate")
        ),
    )


def _under(configured: Configured, violation: Violation) -> Violation:
    """The violation under the rule's own name; a rule may warn of its own accord."""
    own = dataclasses.replace(violation, rule=configured.name)
    return dataclasses.replace(own, severity="warn") if configured.severity == "warn" else own


def _failed(configured: Configured, problem: str) -> RuleFailedError:
    return RuleFailedError(
        f"The rule {configured.name} failed on this order ({problem}), so it was not sent; "
        f"report it to whoever maintains {configured.registered.package}."
    )


def _told(found: list[Violation], order: Order) -> tuple[Violation, ...]:
    """The violations in document order, and if there are very many the first of them."""
    if len(found) <= 1:
        return tuple(found)
    positions = order.positions()
    found.sort(key=lambda violation: _position(violation.xpath, positions))
    told, left = found[:MOST_VIOLATIONS], found[MOST_VIOLATIONS:]
    if left:
        # An order that is refused for one of these only must still be refused.
        last = next((violation for violation in left if violation.severity == "enforce"), left[0])
        message = f"There are {len(left)} violations more; correct these first."
        told.append(dataclasses.replace(last, message=message))
    return tuple(told)


def _position(xpath: str, positions: Mapping[str, int]) -> int:
    """Where an element is, or, if it is absent, where its nearest ancestor is."""
    while xpath and xpath not in positions:
        xpath = xpath.rpartition("/")[0]
    return positions.get(xpath, len(positions))


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
    """What JSON has no form for; a set has no order of its own."""
    return sorted(map(repr, value)) if isinstance(value, set | frozenset) else repr(value)
