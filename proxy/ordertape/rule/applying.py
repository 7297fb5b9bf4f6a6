"""A set of rules applied to an order."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ordertape.model import Edit, Violation
from ordertape.order import Order, nearest
from ordertape.rule.protocol import Configured
from ordertape.rule.steps import Steps, steps_of

_ADDRESS = re.compile(r" at 0x[0-9a-f]+")

MOST_VIOLATIONS = 1000
"""How many violations of one order are told; of more, their number is told last."""


class Verdict(NamedTuple):
    """What the rules made of an order. It is refused if any violation's severity is `enforce`.

    `raised` are those of the violations that rules raised while they normalised.
    """

    edits: tuple[Edit, ...]
    violations: tuple[Violation, ...]
    raised: tuple[Violation, ...] = ()


@dataclass(frozen=True)
class RuleSet:
    """Every rule in force: by default, and for the accounts that have their own."""

    rules: tuple[Configured, ...]
    accounts: Mapping[str, tuple[Configured, ...]] = dataclasses.field(default_factory=dict)
    version: str = dataclasses.field(init=False)
    """Twelve hexadecimal digits over names, packages, severities and fields of all of them."""
    _steps: Mapping[str | None, Steps] = dataclasses.field(init=False, repr=False)

    def __post_init__(self) -> None:
        steps: dict[str | None, Steps] = {None: steps_of(self.rules)}
        steps.update({account: steps_of(rules) for account, rules in self.accounts.items()})
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
        raised = steps.normalize(order)
        violations = told(raised + steps.validate(order), order)
        return Verdict(order.edits, violations, tuple(raised))

    def validate(self, order: Order, account: str | None) -> tuple[Violation, ...]:
        """What `apply` finds in an order that may not be changed. Errors: as `apply`."""
        return told(self._steps_of(account).validate(order), order)

    def _steps_of(self, account: str | None) -> Steps:
        return self._steps.get(account) or self._steps[None]


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
