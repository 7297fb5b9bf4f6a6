"""Reading the configuration: layer over layer, and everything that is wrong with it at once."""

from __future__ import annotations

import copy
import difflib
import json
import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic_settings import BaseSettings, EnvSettingsSource, SettingsConfigDict, SettingsError

from ordertape.config.model import Settings
from ordertape.config.policies import quota_problems
from ordertape.config.sources import Place, Sources
from ordertape.config.statements import where_it_broke
from ordertape.config.wording import problems_of
from ordertape.errors import ConfigurationError, Problem
from ordertape.redaction import SECRET_NAME

__all__ = ["DEFAULT_FILE", "Loaded", "examine", "load", "rows", "without_secrets"]

DEFAULT_FILE = Path("ordertape.toml")
"""Read where it exists in the working directory and no other file is named."""

_PREFIX = "ORDERTAPE_"
_NESTED = "__"
# What Kubernetes tells every container of a service called "ordertape"; it means nothing here.
_SERVICE_LINK = re.compile(r"(SERVICE|PORT)(_|$)")

_NO_SETTINGS = frozenset({"ORDERTAPE_UPSTREAM_AUTHORIZATION"})
"""What commands read from the environment by themselves: secrets, which no setting may hold."""

_USERINFO = re.compile(r"(?<=://)[^/?#]*@")
_OF_A_RULE = re.compile(r"(accounts\.[^.]+\.)?rules\.")
_HIDDEN = "***"


class _Variables(Settings, BaseSettings):
    """How the environment names settings; only read by pydantic-settings, never built."""

    model_config = SettingsConfigDict(
        env_prefix=_PREFIX, env_nested_delimiter=_NESTED, extra="forbid", frozen=True
    )


@dataclass(frozen=True, slots=True)
class Loaded:
    """The settings in force, as far as they are right, and everything that is not."""

    settings: Settings
    problems: tuple[Problem, ...] = ()

    def rows(self) -> Iterator[tuple[str, object, str]]:
        """(dotted key, value, layer) of every setting, defaults included, and no secret."""
        for key, value in rows(self.settings):
            yield key, without_secrets(key, value), self.settings.sources.layer(key)


def rows(settings: Settings) -> Iterator[tuple[str, object]]:
    """(dotted key, value) of every setting."""
    for key, value in _leaves(settings.model_dump(mode="json")):
        yield from _in_full(key, value)


def load(file: Path | None, flags: Mapping[str, Any]) -> Loaded:
    """Read the configuration; `flags` holds what the command line said, None where nothing.

    Errors: ConfigurationError with every problem, each with its place, its key, what is wrong with
    it, and the nearest right name of a key that does not exist.
    """
    loaded = examine(file, flags)
    if loaded.problems:
        raise ConfigurationError(loaded.problems)
    return loaded


def examine(file: Path | None, flags: Mapping[str, Any]) -> Loaded:
    """As `load`, but what is wrong is left out of the settings, and told beside them."""
    problems: list[Problem] = []
    path = file if file is not None else DEFAULT_FILE if DEFAULT_FILE.exists() else None
    text, from_file = ("", {}) if path is None else _read(path, problems)
    layers = [
        (Place(str(path), str(path)), from_file),
        *_environment(problems),
        *(
            (Place("command line", f"--{key.replace('_', '-')}"), {key: value})
            for key, value in flags.items()
            if value is not None
        ),
    ]
    merged: dict[str, Any] = {}
    for _, tree in layers:
        merged = _merge(merged, tree)
    places: dict[str, Place] = {}
    for place, tree in reversed(layers):
        for key, value in _leaves(tree):
            if key not in places:
                places |= dict.fromkeys((key, *dict(_in_full(key, value))), place)
    sources = Sources(path, text, places)
    settings = _validated(merged, sources, problems)
    problems += quota_problems(settings, _names(merged.get("quotas")))
    return Loaded(settings, sources.located(problems))


def _validated(tree: dict[str, Any], sources: Sources, problems: list[Problem]) -> Settings:
    """The settings, without what is wrong: that is told once, and left out."""
    told = False
    while True:
        try:
            return Settings.model_validate(tree, context=sources)
        except ValidationError as error:
            if not told:  # what is left may not fit together, but nobody wrote that
                problems += problems_of(error, sources.places)
                told = True
            wrong = [_written(tree, found["loc"]) for found in error.errors()]
            tree = copy.deepcopy(tree)
            for where in wrong:
                _leave_out(tree, where)


def _written(tree: Mapping[str, Any], where: tuple[int | str, ...]) -> tuple[str, ...]:
    """The key, or the innermost one around it that stands in a table."""
    parts = [str(part) for part in where if part != "[key]"]
    found: list[str] = []
    for part in parts:
        if not isinstance(tree, dict) or part not in tree:
            break
        found.append(part)
        tree = tree[part]
    return tuple(found)


def _leave_out(tree: dict[str, Any], where: tuple[str, ...]) -> None:
    """Take a key out of its table, if one around it has not been taken out before."""
    *around, name = where
    for part in around:
        tree = tree.get(part, {})
    tree.pop(name, None)


def _read(path: Path, problems: list[Problem]) -> tuple[str, dict[str, Any]]:
    """The file's text and what it sets; paths of rule files are relative to its directory."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        words = f"The configuration {path} cannot be read ({error.strerror})"
        problems.append(Problem("", f"{words}; name another with --config."))
        return "", {}
    try:
        text = raw.decode()
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        problems.append(Problem("", "This is not UTF-8; save the file as that.", str(path), line))
        return "", {}
    try:
        tree = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        line, words = where_it_broke(text, error)
        problems.append(Problem("", f"This is not TOML: {words}; mend it.", str(path), line))
        return "", {}
    return text, _with_rule_files(tree, path.parent)


def _with_rule_files(tree: dict[str, Any], folder: Path) -> dict[str, Any]:
    """The layer with `rules = [...]` written in full, and its paths relative to `folder`."""
    rules = tree.get("rules")
    if isinstance(rules, list):
        rules = {"files": rules}
    if not isinstance(rules, dict) or not isinstance(rules.get("files"), list):
        return tree
    files = [str(folder / file) if isinstance(file, str) else file for file in rules["files"]]
    return {**tree, "rules": {**rules, "files": files}}


def _environment(problems: list[Problem]) -> Iterator[tuple[Place, dict[str, Any]]]:
    """What each variable sets; a misspelt one would be left out without a word."""
    source = EnvSettingsSource(_Variables)
    for name in sorted(os.environ):
        told = name.upper()
        if not told.startswith(_PREFIX) or _SERVICE_LINK.match(told, len(_PREFIX)):
            continue
        if told in _NO_SETTINGS:
            continue
        path = told.removeprefix(_PREFIX).lower().split(_NESTED)
        wrong = _wrong_name(path)
        if wrong is not None:
            problems.append(Problem(".".join(path), wrong, name))
            continue
        source.env_vars = {name.lower(): os.environ[name]}
        try:
            tree = source()
        except SettingsError:
            words = (
                "This is not the JSON that lists and tables are written in; correct it: "
                "ORDERTAPE_REDACT__HEADERS='[\"X-Secret\"]' is an example."
            )
            problems.append(Problem(".".join(path), words, name))
            continue
        if path[0] in {"rules", "accounts"}:
            _read_field(tree, path, os.environ[name])
        yield Place("environment", name), _with_rule_files(tree, Path())


def _wrong_name(path: list[str]) -> str | None:
    field = Settings.model_fields.get(path[0])
    if field is None:
        near = difflib.get_close_matches(path[0], Settings.model_fields, n=1)
        hint = f"did you mean {_PREFIX}{near[0].upper()}?" if near else "unset it."
        return f"This variable sets nothing that exists; {hint}"
    if len(path) > 1 and isinstance(field.default, str | int | Path | None):
        return f"This variable goes too deep: {path[0]} is one value; correct it."
    return None


def _read_field(tree: dict[str, Any], path: list[str], text: str) -> None:
    """Let a variable be a number or a list where a rule's field is: JSON if it is JSON."""
    for part in path[:-1]:
        tree = tree.get(part, {})
    if tree.get(path[-1]) == text:
        with suppress(ValueError):  # it is text
            tree[path[-1]] = json.loads(text)


def _merge(below: dict[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(below)
    for key, value in above.items():
        standing = merged.get(key)
        both = isinstance(standing, dict) and isinstance(value, dict)
        merged[key] = _merge(standing, value) if both else value  # type: ignore[arg-type]
    return merged


def _leaves(tree: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in tree.items():
        if isinstance(value, dict) and value:
            yield from _leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def _in_full(key: str, value: object) -> Iterator[tuple[str, object]]:
    """An array of tables as the settings in those, counted from 0; anything else as it is."""
    if isinstance(value, list) and value and all(isinstance(one, dict) for one in value):
        for number, one in enumerate(value):
            yield from _leaves(one, f"{key}.{number}.")
    else:
        yield key, value


def _names(quotas: object) -> list[str]:
    """Of the quotas as they were written, right or wrong."""
    written = quotas if isinstance(quotas, list) else []
    return [str(one.get("name")) if isinstance(one, dict) else "" for one in written]


def without_secrets(key: str, value: object) -> object:
    """The value as it may be shown.

    Rules may be a stranger's, and have fields that are nobody else's business.
    """
    if _OF_A_RULE.match(key) and SECRET_NAME.search(key):
        return _HIDDEN
    return _USERINFO.sub(f"{_HIDDEN}@", value) if isinstance(value, str) else value
