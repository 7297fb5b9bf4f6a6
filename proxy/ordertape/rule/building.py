"""Rules with their configuration: fields checked against their types, wrong names told."""

from __future__ import annotations

import dataclasses
import difflib
import functools
import json
import typing
from collections.abc import Collection, Iterator, Mapping
from typing import Any, TypeAlias

from pydantic import TypeAdapter

from ordertape.errors import ConfigurationError, Problem, StartUpError
from ordertape.rule.applying import RuleSet
from ordertape.rule.finding import discover
from ordertape.rule.protocol import SEVERITIES, Configured, Registered
from ordertape.rule.shape import RESERVED, check_abilities, is_required, said

Fields: TypeAlias = Mapping[str, object]

_SHORTEST_SECRET = 4  # characters


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
    try:
        return _made(registered, fields, severity)
    except StartUpError as error:
        sentence = str(error)
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a stranger's class may raise anything
        sentence = _refusal(registered, place, error, fields)
    problems.append(Problem(place, sentence))
    return None


def _made(registered: Registered, fields: Fields, severity: Any) -> Configured:  # noqa: ANN401 - checked already
    """The rule, fit to be applied. Errors: StartUpError, and whatever its class raises."""
    types = typing.get_type_hints(registered.rule)
    checked = {name: _adapted(types[name], value) for name, value in fields.items()}
    rule = registered.rule(**checked)
    check_abilities(rule, f"The rule {registered.name} of {registered.package}")
    configured = Configured(registered, rule, severity)
    RuleSet((configured,))  # what it trips over must not stop the rules that are right
    return configured


def _refusal(registered: Registered, place: str, error: BaseException, fields: Fields) -> str:
    # Its own words, for its operator; any other error is for its author.
    if type(error) is ValueError:
        words = _without_values(" ".join(str(error).split()), fields)
        return f"The rule {registered.name} ([{place}]) refuses: {words}"
    words = _without_values(said(error), fields)
    return (
        f"The rule {registered.name} of {registered.package} cannot be made ({words}); correct "
        f"[{place}], or have the rule mended."
    )


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
        except Exception as error:  # noqa: BLE001 - a type may bring checks of its own
            words = _without_values(said(error), value)
            yield Problem(key, f"{key} is wrong: {words}; correct it.")
    for field in dataclasses.fields(registered.rule):  # type: ignore[arg-type]
        if field.name not in fields and is_required(field):
            key = f"{place}.{field.name}"
            yield Problem(place, f"The rule {registered.name} needs {field.name}; set {key}.")


def _without_values(words: str, value: object) -> str:
    """The words of a rule without what its fields were set to: that may be a secret."""
    if isinstance(value, Mapping):
        value = list(value.values())
    if isinstance(value, list | tuple):
        return functools.reduce(_without_values, value, words)
    text = " ".join(str(value).split())
    # What is shorter is no secret, but part of many words.
    return words.replace(text, "…") if len(text) >= _SHORTEST_SECRET else words


def _adapted(wanted: Any, value: object) -> object:  # noqa: ANN401 - a type form
    """The value as the field's type has it, by JSON's rules: a list is a tuple, "1" no number."""
    return TypeAdapter[Any](wanted).validate_json(json.dumps(value, default=str), strict=True)


def _nearest(name: str, names: Collection[str]) -> str:
    near = difflib.get_close_matches(name, names, n=1)
    return f"did you mean {near[0]}?" if near else f"there are {', '.join(sorted(names))}."
