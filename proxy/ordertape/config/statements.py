"""Lines of a TOML file: tomllib tells none, so that its statements are parsed one by one."""

from __future__ import annotations

import re
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["lines_of", "where_it_broke"]

_AT = re.compile(r" \(at (?:line (\d+), column \d+|end of document)\)$")


@dataclass(frozen=True, slots=True)
class _Statement:
    """A table's heading, a key with its value, or nothing but blanks and a comment."""

    first: int
    last: int
    heading: bool
    of_array: bool
    tree: Mapping[str, Any]


def lines_of(text: str) -> Mapping[str, int]:
    """The line where each dotted key is set, and that of each table's heading.

    The tables of an array are counted from 0, as in `quotas.0.name`.
    """
    found: dict[str, int] = {}
    count: Counter[str] = Counter()
    table = ""
    for statement in _statements(text):
        keys = list(_keys(statement.tree))
        if statement.heading:
            name = keys[-1]
            found.setdefault(name, statement.first)
            if statement.of_array:
                name = f"{name}.{count[name]}"
                count[keys[-1]] += 1
                found[name] = statement.first
            table = f"{name}."
        else:
            for key in keys:
                found.setdefault(table + key, statement.first)
    return found


def where_it_broke(text: str, error: tomllib.TOMLDecodeError) -> tuple[int, str]:
    """The line of a mistake, and tomllib's words for it; what is never closed begins there."""
    said = str(error)
    found = _AT.search(said)
    if found is None:
        return 1, said
    words = said[: found.start()]
    if found[1] is not None:
        return int(found[1]), words
    return max((statement.last for statement in _statements(text)), default=0) + 1, words


def _statements(text: str) -> Iterator[_Statement]:
    """The statements in order; none from the first on that is not one."""
    first, taken = 1, ""
    for number, line in enumerate(text.split("\n"), 1):
        taken += f"{line}\n"
        try:
            tree = tomllib.loads(taken)
        except tomllib.TOMLDecodeError:
            continue  # its end is further down
        said = taken.lstrip()
        yield _Statement(first, number, said.startswith("["), said.startswith("[["), tree)
        first, taken = number + 1, ""


def _keys(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every dotted key, a table's before those of what is in it."""
    for key, value in tree.items():
        yield f"{prefix}{key}"
        if isinstance(value, dict):
            yield from _keys(value, f"{prefix}{key}.")
