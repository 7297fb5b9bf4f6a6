"""Rules: what they are, where they are found, how they are configured, how they are applied.

A rule is a frozen dataclass. Its fields are its configuration, with defaults and types; its
docstring is its documentation; it has `normalize`, `validate` or both. Built-in rules come through
the same door as anyone's: the entry-point group "ordertape.rules".
"""

from __future__ import annotations

import dataclasses
import difflib
import hashlib
import json
import typing
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint, entry_points
from typing import Any, Literal, Protocol, TypeAlias

from pydantic import TypeAdapter, ValidationError

from ordertape.errors import RefusedError, RuleFailedError, StartUpError
from ordertape.model import Edit, Violation
from ordertape.order import Order

GROUP = "ordertape.rules"
"""The entry-point group. The entry point's name is the rule's name."""

Severity = Literal["enforce", "warn", "off"]
"""enforce: violations refuse the order. warn: they are recorded; the rule normalises all the same.
off: the rule neither normalises nor validates."""

_SEVERITIES: tuple[Severity, ...] = typing.get_args(Severity)
_SEVERITY = "severity"

Fields: TypeAlias = Mapping[str, object]


class Normalizes(Protocol):
    """A rule that changes orders."""

    def normalize(self, order: Order) -> None:
        """Edit the order through its own methods; what needs nothing is left alone.

        Doing it twice must be the same as doing it once.
        """


class Validates(Protocol):
    """A rule that finds fault with orders, after every rule has normalised."""

    def validate(self, order: Order) -> Iterable[Violation]:
        """Every violation, best made with `order.violation`; the order is not changed."""


Rule: TypeAlias = Normalizes | Validates


@dataclass(frozen=True, slots=True)
class Registered:
    """A rule as it was found: its class, and the package and version that brought it."""

    name: str
    rule: type[Rule]
    package: str
    package_version: str


@dataclass(frozen=True, slots=True)
class Configured:
    """A rule with its configuration, ready to be applied."""

    registered: Registered
    rule: Rule
    severity: Severity

    @property
    def name(self) -> str:
        """The entry point's name."""
        return self.registered.name


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the rules made of an order. It is refused if any violation's severity is `enforce`."""

    edits: tuple[Edit, ...]
    violations: tuple[Violation, ...]


@dataclass(frozen=True)
class RuleSet:
    """Every rule in force: by default, and for the accounts that have their own."""

    rules: tuple[Configured, ...]
    accounts: Mapping[str, tuple[Configured, ...]] = dataclasses.field(default_factory=dict)
    version: str = dataclasses.field(init=False)
    """Twelve hexadecimal digits over names, packages, severities and fields of all of them."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "version", _version(self.rules, self.accounts))

    def apply(self, order: Order, account: str | None) -> Verdict:
        """Normalise with every rule, then validate with every rule.

        Violations come in document order. Errors: RuleFailedError when a rule raises; a
        RefusedError that it raises itself passes, for that is a refusal too.
        """
        rules = self.rules if account is None else self.accounts.get(account, self.rules)
        active = [configured for configured in rules if configured.severity != "off"]
        for configured in active:
            _run(configured, order, _normalize)
        found = [
            violation for configured in active for violation in _run(configured, order, _validate)
        ]
        return Verdict(order.edits, _in_document_order(found, order))


def discover(found: Iterable[EntryPoint] | None = None) -> Mapping[str, Registered]:
    """Every installed rule, by name; `found` None stands for the group's entry points.

    Errors: StartUpError for two rules of one name, a rule that cannot be imported, or a class that
    is no rule.
    """
    rules: dict[str, Registered] = {}
    for entry_point in entry_points(group=GROUP) if found is None else found:
        rule = _registered(entry_point)
        if rule.name in rules:
            raise StartUpError(
                f"Two packages bring a rule named {rule.name}: {rules[rule.name].package} and "
                f"{rule.package}; uninstall one."
            )
        rules[rule.name] = rule
    return rules


def build_rules(
    config: Mapping[str, Fields],
    account_overrides: Mapping[str, Mapping[str, Fields]],
    registered: Mapping[str, Registered] | None = None,
) -> RuleSet:
    """All registered rules as configured, in order of name.

    `config` has the fields of rules by rule name, and `severity`; `account_overrides` the same by
    account, over it. Errors: StartUpError names the key and the nearest right one.
    """
    rules = discover() if registered is None else registered
    common = _configured(rules, config, "rules")
    accounts = {}
    for account, overrides in account_overrides.items():
        merged = {
            **config,
            **{name: {**config.get(name, {}), **overrides[name]} for name in overrides},
        }
        accounts[account] = _configured(rules, merged, f"accounts.{account}.rules")
    return RuleSet(common, accounts)


# Finding and building.


def _registered(entry_point: EntryPoint) -> Registered:
    package = entry_point.dist.name if entry_point.dist else entry_point.value
    version = entry_point.dist.version if entry_point.dist else ""
    where = f"The rule {entry_point.name} of {package}"
    try:
        rule = entry_point.load()
    except Exception as error:  # a stranger's module may raise anything on import
        raise StartUpError(
            f"{where} cannot be imported ({type(error).__name__}: {error}); mend or uninstall it."
        ) from error
    parameters = getattr(rule, "__dataclass_params__", None)
    if not isinstance(rule, type) or parameters is None or not parameters.frozen:
        raise StartUpError(f"{where} is not a frozen dataclass; make it one.")
    if not (hasattr(rule, "normalize") or hasattr(rule, "validate")):
        raise StartUpError(f"{where} has neither normalize nor validate; give it one.")
    if _SEVERITY in _names(rule):
        raise StartUpError(
            f"{where} has a field named {_SEVERITY}, which every rule has; rename it."
        )
    return Registered(entry_point.name, rule, package, version)


def _configured(
    rules: Mapping[str, Registered], config: Mapping[str, Fields], place: str
) -> tuple[Configured, ...]:
    for name in config:
        if name not in rules:
            raise StartUpError(
                f"There is no rule {name} ([{place}.{name}]); {_nearest(name, rules)}"
            )
    return tuple(
        _build(rules[name], config.get(name, {}), f"{place}.{name}") for name in sorted(rules)
    )


def _build(registered: Registered, config: Fields, place: str) -> Configured:
    fields = dict(config)
    severity = fields.pop(_SEVERITY, "enforce")
    if severity not in _SEVERITIES:
        raise StartUpError(
            f"{place}.{_SEVERITY} is {severity!r}; it is one of enforce, warn and off."
        )
    types = typing.get_type_hints(registered.rule)
    names = _names(registered.rule)
    for name in fields:
        if name not in names:
            raise StartUpError(
                f"The rule {registered.name} has no field {name} ({place}.{name}); "
                f"{_nearest(name, (*names, _SEVERITY))}"
            )
    checked = {name: _checked(types[name], fields[name], f"{place}.{name}") for name in fields}
    try:
        rule = registered.rule(**checked)
    except (TypeError, ValueError) as error:
        raise StartUpError(f"The rule {registered.name} ([{place}]) refuses: {error}") from error
    return Configured(registered, rule, severity)


def _checked(wanted: Any, value: object, place: str) -> object:  # noqa: ANN401 - a type form
    """The value as the field's type has it, by JSON's rules: a list is a tuple, "1" no number."""
    try:
        return TypeAdapter[Any](wanted).validate_json(json.dumps(value, default=str), strict=True)
    except ValidationError as error:
        problems = " or ".join(dict.fromkeys(problem["msg"] for problem in error.errors()))
        raise StartUpError(f"{place} is {value!r}: {problems}; correct it.") from error


def _names(rule: type[Any]) -> list[str]:
    return [field.name for field in dataclasses.fields(rule) if field.init]


def _nearest(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(names))}."


def _version(rules: tuple[Configured, ...], accounts: Mapping[str, tuple[Configured, ...]]) -> str:
    described = {"": rules, **accounts}
    facts = {account: [_facts(rule) for rule in known] for account, known in described.items()}
    text = json.dumps(facts, sort_keys=True, default=_plain)
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def _facts(configured: Configured) -> list[object]:
    registered = configured.registered
    fields = {name: getattr(configured.rule, name) for name in _names(registered.rule)}
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


# Applying.


def _run(
    configured: Configured, order: Order, step: Callable[[Configured, Order], list[Violation]]
) -> list[Violation]:
    """One step of one rule. Errors: as `RuleSet.apply`."""
    order.rule = configured.name
    try:
        return step(configured, order)
    except RefusedError:
        raise
    except Exception as error:  # a stranger's code may raise anything: the order is then refused
        raise RuleFailedError(
            f"The rule {configured.name} failed on this order ({type(error).__name__}), so it was "
            f"not sent; report it to whoever maintains {configured.registered.package}."
        ) from error


def _normalize(configured: Configured, order: Order) -> list[Violation]:
    normalize = getattr(configured.rule, "normalize", None)
    if normalize is not None:
        normalize(order)
    return []


def _validate(configured: Configured, order: Order) -> list[Violation]:
    """The violations under the rule's own name; a rule may warn of its own accord."""
    validate = getattr(configured.rule, "validate", None)
    if validate is None:
        return []
    found: list[Violation] = [
        dataclasses.replace(violation, rule=configured.name) for violation in validate(order)
    ]
    if configured.severity == "warn":
        return [dataclasses.replace(violation, severity="warn") for violation in found]
    return found


def _in_document_order(found: list[Violation], order: Order) -> tuple[Violation, ...]:
    if len(found) <= 1:
        return tuple(found)
    positions = order.positions()
    return tuple(sorted(found, key=lambda violation: _position(violation.xpath, positions)))


def _position(xpath: str, positions: Mapping[str, int]) -> int:
    """Where an element is, or, if it is absent, where its nearest ancestor is."""
    while xpath and xpath not in positions:
        xpath = xpath.rpartition("/")[0]
    return positions.get(xpath, len(positions))
