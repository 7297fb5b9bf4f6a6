"""The plain values that a cassette is read into, and what is said when it cannot be."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import yaml

__all__ = ["TEXT_LIMIT", "Plain", "Table", "WrongError", "from_base64"]

TEXT_LIMIT = 64 * 1024 * 1024
"""Characters of one scalar, and of everything that aliases repeat."""


class WrongError(Exception):
    """What is wrong, as a sentence; `line` counts from 1, None where it is not known."""

    def __init__(self, sentence: str, line: int | None = None) -> None:
        super().__init__(sentence)
        self.line = line


class Table(dict[str, Any]):
    """A mapping of a cassette; `line` is where it begins, None in JSON."""

    line: int | None = None


class Plain(str):
    """An unquoted scalar that YAML reads as a number, a truth value or a date; here its text."""

    __slots__ = ()

    def typed(self) -> bool | int | float | str:
        """The truth value or number that YAML reads it as; dates and the like stay text."""
        try:
            value = yaml.safe_load(self)
        except (yaml.YAMLError, ValueError):
            value = None
        return value if isinstance(value, bool | int | float) else str(self)


def from_base64(digits: str, line: int | None = None) -> bytes:
    """The bytes, white space between digits ignored and nothing else. Errors: WrongError."""
    try:
        return base64.b64decode("".join(digits.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise WrongError(f"The base64 is damaged ({error}); record it anew.", line) from error
