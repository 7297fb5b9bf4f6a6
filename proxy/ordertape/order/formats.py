"""What values look like."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeAlias


@dataclass(frozen=True, slots=True)
class Format:
    """What an element's value looks like, without the blanks around it.

    `pattern` is a regular expression for the whole of it, `code` the service's for one that is
    otherwise, `allowed` says in words what to send: "three digits".
    """

    pattern: str
    code: str
    allowed: str


Formats: TypeAlias = Mapping[str, Format | tuple[Format, ...]]
"""What values look like, by their elements' specified names; of several, the first that a value is
not like is what it is told."""


def missed(wanted: Format | tuple[Format, ...], value: str) -> Format | None:
    """The first of these formats that the value is not like."""
    several = wanted if isinstance(wanted, tuple) else (wanted,)
    return next((one for one in several if re.fullmatch(one.pattern, value) is None), None)
