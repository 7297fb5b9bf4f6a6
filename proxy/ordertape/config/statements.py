"""Lines of a TOML file: tomllib tells none, so that its statements are parsed one by one."""

from __future__ import annotations

import re
import tomllib
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
    tree: Mapping[str, Any]


def lines_of(text: str) -> Mapping[str, int]:
    """The line where each dotted key is set, and that of each table's heading."""
    found: dict[str, int] = {}
    table = ""
    for statement in _statements(text):
        keys = list(_keys(statement.tree))
        if statement.heading:
            table = f"{keys[-1]}."
            found.setdefault(keys[-1], statement.first)
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
        yield _Statement(first, number, taken.lstrip().startswith("["), tree)
        first, taken = number + 1, ""


def _keys(tree: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    """Every dotted key, a table's before those of what is in it."""
    for key, value in tree.items():
        yield f"{prefix}{key}"
        inner = value[-1] if isinstance(value, list) and value else value
        if isinstance(inner, dict):
            yield from _keys(inner, f"{prefix}{key}.")
