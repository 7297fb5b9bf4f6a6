"""`ordertape rules`: the rules in force, and everything that is to be known of one of them."""

from __future__ import annotations

import ast
import dataclasses
import difflib
import inspect
import itertools
import json
import textwrap
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from ordertape.admission import Policy
from ordertape.build import admission_policy
from ordertape.cli.findings import Examined, as_json, examined, finding_lines
from ordertape.cli.options import AccountId
from ordertape.cli.places import visible
from ordertape.cli.terminal import columns, printable
from ordertape.config import load, without_secrets
from ordertape.errors import StartUpError
from ordertape.rule import Configured, RuleSet, field_names

_NONE = dataclasses.MISSING


@click.command("rules")
@click.argument("name", required=False)
@click.option("--account", type=AccountId(), help="Whose rules; those of every account without it.")
@click.option("--config", "config", type=click.Path(path_type=Path), help="[ordertape.toml]")
@click.option("--json", "as_lines", is_flag=True, help="JSON Lines, one object a rule.")
def command(name: str | None, account: str | None, config: Path | None, *, as_lines: bool) -> None:
    """List the rules in force; with a NAME, print that one's documentation and configuration.

    Its example order is judged as it is printed, by this rule alone as it is configured. Values
    of fields whose name looks like a secret's are shown as ***.
    """
    policy = admission_policy(load(config, {}).settings)
    rules = {rule.name: rule for rule in policy.rules.of(account)}
    if name is not None and name not in rules:
        near = difflib.get_close_matches(name, rules, n=1)
        hint = f"did you mean {near[0]}?" if near else "`ordertape rules` lists them all."
        raise StartUpError(f"There is no rule {name}; {hint}")
    chosen = list(rules.values()) if name is None else [rules[name]]
    if as_lines:
        for rule in chosen:
            click.echo(json.dumps(_as_json(rule, policy)))
    elif name is None:
        headings = ("rule", "severity", "package", "what it does")
        rows = [(rule.name, rule.severity, _package(rule), _summary(rule)) for rule in chosen]
        for line in columns(headings, rows):
            click.echo(line)
    else:
        for line in _page(rules[name], policy):
            click.echo(line)


@dataclass(frozen=True, slots=True)
class _Field:
    """A field of a rule as it is configured; `default` is MISSING where it has to be set."""

    name: str
    type: str
    default: object
    value: object
    documentation: str


def _as_json(rule: Configured, policy: Policy) -> dict[str, Any]:
    """A rule's documented fields; names never change their meaning."""
    example = _example(rule)
    return {
        "name": rule.name,
        "severity": rule.severity,
        "package": rule.registered.package,
        "version": rule.registered.package_version,
        "summary": _summary(rule),
        "documentation": _documentation(rule),
        "fields": [
            {
                "name": field.name,
                "type": field.type,
                "required": field.default is _NONE,
                "default": None if field.default is _NONE else field.default,
                "value": field.value,
                "documentation": field.documentation,
            }
            for field in _fields(rule)
        ],
        "example": None
        if example is None
        else {"order": example, **as_json(_judged(example, rule, policy))},
    }


def _page(rule: Configured, policy: Policy) -> Iterator[str]:
    """What is printed of one rule; parts that it lacks are left out."""
    yield click.style(printable(rule.name), bold=True)
    yield printable(f"severity {rule.severity}, from {_package(rule)}")
    if documentation := _documentation(rule):
        yield ""
        yield from map(printable, documentation.split("\n"))
    if fields := _fields(rule):
        yield from ("", click.style(f"Fields, set in [rules.{printable(rule.name)}]", bold=True))
        for field in fields:
            yield printable(f"  {field.name}: {field.type}{_set(field)}")
            if field.documentation:
                yield from _indented(field.documentation)
    example = _example(rule)
    if example is not None:
        yield from ("", click.style("Example", bold=True))
        yield from (f"  {visible(line)}" for line in example.strip("\n").split("\n"))
        yield ""
        if rule.severity == "off":
            yield "  The rule is off; this is what it says when it is enforced."
        yield from (f"  {line}" for line in _verdict(_judged(example, rule, policy)))


def _indented(text: str) -> Iterator[str]:
    return (f"      {printable(line)}".rstrip() for line in text.split("\n"))


def _set(field: _Field) -> str:
    value = f" = {_shown(field.value)}"
    if field.default is _NONE:
        return f"{value} (it has no default)"
    return value if field.value == field.default else f"{value} (default {_shown(field.default)})"


def _verdict(found: Examined) -> Iterator[str]:
    if found.refusal is not None:
        yield f"It is refused with {printable(', '.join(found.codes))}:"
    elif found.findings:
        yield "It is admitted:"
    else:
        yield "It is admitted as it is."
    for finding in found.findings:
        yield from finding_lines("example", finding, found.places)


def _package(rule: Configured) -> str:
    return f"{rule.registered.package} {rule.registered.package_version}".rstrip()


def _documentation(rule: Configured) -> str:
    """The class's docstring; what `dataclass` writes where there is none documents nothing."""
    found = inspect.getdoc(rule.registered.rule) or ""
    return "" if found.startswith(f"{rule.registered.rule.__name__}(") else found


def _summary(rule: Configured) -> str:
    return _documentation(rule).partition("\n")[0]


def _example(rule: Configured) -> str | None:
    """An order that the rule refuses or changes, if its class has one."""
    found = getattr(rule.registered.rule, "example", None)
    return found if isinstance(found, str) else None


def _judged(example: str, rule: Configured, policy: Policy) -> Examined:
    """The verdict of this rule alone; one that is off is tried as if it were enforced."""
    severity = "enforce" if rule.severity == "off" else rule.severity
    alone = RuleSet((dataclasses.replace(rule, severity=severity),))
    body = example.encode("utf-8", "replace")
    return examined(body, dataclasses.replace(policy, rules=alone), None)


def _fields(rule: Configured) -> list[_Field]:
    kind = rule.registered.rule
    hints, documented = typing.get_type_hints(kind), _documented(kind)
    return [
        _Field(
            field.name,
            _type(hints[field.name]),
            _default(field, rule.name),
            _plain(f"rules.{rule.name}.{field.name}", getattr(rule.rule, field.name)),
            documented.get(field.name, ""),
        )
        for field in dataclasses.fields(kind)  # type: ignore[arg-type]
        if field.name in field_names(kind)
    ]


def _default(field: dataclasses.Field[Any], rule: str) -> object:
    try:
        made = field.default if field.default_factory is _NONE else field.default_factory()
    except Exception as error:  # noqa: BLE001 - a stranger's default may raise anything
        return f"(it raises {type(error).__name__})"
    return made if made is _NONE else _plain(f"rules.{rule}.{field.name}", made)


def _documented(kind: type[Any]) -> Mapping[str, str]:
    """The string under each field in the source of the class and its bases, where there is one."""
    found: dict[str, str] = {}
    for owner in reversed(kind.__mro__):
        if not dataclasses.is_dataclass(owner):
            continue
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(owner)))
        except (OSError, TypeError, SyntaxError):
            continue
        for definition in tree.body:
            if isinstance(definition, ast.ClassDef):
                found.update(_strings(definition))
    return found


def _strings(definition: ast.ClassDef) -> Iterator[tuple[str, str]]:
    for field, below in itertools.pairwise(definition.body):
        match field, below:
            case (
                ast.AnnAssign(target=ast.Name(id=name)),
                ast.Expr(value=ast.Constant(value=str(text))),
            ):
                yield name, inspect.cleandoc(text)


def _type(hint: Any) -> str:  # noqa: ANN401 - a type form
    """A type as an operator reads it: `bool | "leave"`, `tuple[str, ...]`."""
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if hint is types.NoneType or hint is ...:
        return "None" if hint is types.NoneType else "..."
    if origin in {typing.Union, types.UnionType}:
        return " | ".join(map(_type, arguments))
    if origin is typing.Literal:
        return " | ".join(_shown(argument) for argument in arguments)
    if origin is not None and hasattr(origin, "__name__"):
        return f"{origin.__name__}[{', '.join(map(_type, arguments))}]"
    return hint.__name__ if isinstance(hint, type) else str(hint).removeprefix("typing.")


def _plain(key: str, value: object) -> object:
    """A field's value as JSON has it, secrets hidden; what JSON has no form for as a string."""
    if isinstance(value, Mapping):
        return {str(name): _plain(f"{key}.{name}", inner) for name, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(key, inner) for inner in value]
    if isinstance(value, set | frozenset):
        return [_plain(key, inner) for inner in sorted(value, key=repr)]
    plain = value if isinstance(value, str | int | float | None) else str(value)
    return without_secrets(key, plain)


def _shown(value: object) -> str:
    return json.dumps(value, ensure_ascii=False)
