"""Rules with their configuration: fields checked against their types, wrong names told."""

from __future__ import annotations

import dataclasses
import difflib
import json
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

from pydantic import TypeAdapter, ValidationError

from ordertape.errors import ConfigurationError, Problem
from ordertape.rule.applying import RuleSet
from ordertape.rule.finding import RESERVED, discover
from ordertape.rule.protocol import SEVERITIES, Configured, Registered

Fields: TypeAlias = Mapping[str, object]


def build_rules(
    config: Mapping[str, Fields],
    account_overrides: Mapping[str, Mapping[str, Fields]],
    registered: Mapping[str, Registered] | None = None,
) -> RuleSet:
    """All registered rules as configured, in order of name.

    `config` has the fields of rules by rule name, and `severity`; `account_overrides` the same by
    account, over it. Errors: ConfigurationError for every wrong key, with the nearest right one,
    and every wrong value; StartUpError as `discover`.
    """
    rules = discover() if registered is None else registered
    problems: list[Problem] = []
    common = _configured(rules, config, "rules", problems)
    accounts = {}
    for account, overrides in account_overrides.items():
        merged = {
            **config,
            **{name: {**config.get(name, {}), **overrides[name]} for name in overrides},
        }
        # What is wrong for everyone has been told once.
        known = {problem.key.removeprefix("rules.") for problem in problems}
        own: list[Problem] = []
        place = f"accounts.{account}.rules"
        accounts[account] = _configured(rules, merged, place, own)
        problems += [
            problem for problem in own if problem.key.removeprefix(f"{place}.") not in known
        ]
    if problems:
        raise ConfigurationError(tuple(problems))
    return RuleSet(common, accounts)


def field_names(rule: type[Any]) -> tuple[str, ...]:
    """The fields that a rule's configuration may set."""
    return tuple(field.name for field in dataclasses.fields(rule) if field.init)


def _configured(
    rules: Mapping[str, Registered],
    config: Mapping[str, Fields],
    place: str,
    problems: list[Problem],
) -> tuple[Configured, ...]:
    problems += [
        Problem(
            f"{place}.{name}",
            f"There is no rule {name} ([{place}.{name}]); {_nearest(name, rules)}",
        )
        for name in config
        if name not in rules
    ]
    built = (
        _build(rules[name], config.get(name, {}), f"{place}.{name}", problems)
        for name in sorted(rules)
    )
    return tuple(configured for configured in built if configured is not None)


def _build(
    registered: Registered, config: Fields, place: str, problems: list[Problem]
) -> Configured | None:
    """The rule with these fields; None after noting what is wrong with them."""
    fields = dict(config)
    severity = fields.pop(RESERVED, "enforce")
    wrong = list(_wrong_fields(registered, fields, place))
    if severity not in SEVERITIES:
        sentence = f"{place}.{RESERVED} is {severity!r}; it is one of enforce, warn and off."
        wrong.append(Problem(f"{place}.{RESERVED}", sentence))
    if wrong:
        problems += wrong
        return None
    types = typing.get_type_hints(registered.rule)
    checked = {name: _adapted(types[name], value) for name, value in fields.items()}
    try:
        rule = registered.rule(**checked)
    except (TypeError, ValueError) as error:
        sentence = f"The rule {registered.name} ([{place}]) refuses: {error}"
        problems.append(Problem(place, sentence))
        return None
    return Configured(registered, rule, typing.cast("Any", severity))


def _wrong_fields(registered: Registered, fields: Fields, place: str) -> Iterator[Problem]:
    names = field_names(registered.rule)
    types = typing.get_type_hints(registered.rule)
    for name, value in fields.items():
        key = f"{place}.{name}"
        if name not in names:
            nearest = _nearest(name, (*names, RESERVED))
            yield Problem(key, f"The rule {registered.name} has no field {name} ({key}); {nearest}")
            continue
        try:
            _adapted(types[name], value)
        except ValidationError as error:
            found = " or ".join(dict.fromkeys(problem["msg"] for problem in error.errors()))
            yield Problem(key, f"{key} is {value!r}: {found}; correct it.")


def _adapted(wanted: Any, value: object) -> object:  # noqa: ANN401 - a type form
    """The value as the field's type has it, by JSON's rules: a list is a tuple, "1" no number."""
    return TypeAdapter[Any](wanted).validate_json(json.dumps(value, default=str), strict=True)


def _nearest(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(names))}."
