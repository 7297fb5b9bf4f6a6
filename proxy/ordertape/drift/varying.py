"""Values that are expected to differ from one answer to the next, by literal tables."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

__all__ = ["VARYING", "VARYING_NAMES", "Varying", "recognised"]


@dataclass(frozen=True, slots=True)
class Varying:
    """Part of a value that is expected to differ, wherever it stands: what it is, and its form."""

    kind: str
    what: str
    form: re.Pattern[str]


VARYING: Sequence[Varying] = (
    Varying(
        "id",
        "a UUID",
        re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(?!\w)"),
    ),
    Varying(
        "time",
        "a date of ISO 8601, with or without a time",
        re.compile(
            r"(?<!\d)\d{4}-\d\d-\d\d"
            r"(?:[T ]\d\d:\d\d(?::\d\d(?:[.,]\d+)?)?(?:Z|[+-]\d\d(?::?\d\d)?)?)?(?![\w-])"
        ),
    ),
    Varying(
        "time",
        "a date of HTTP",
        re.compile(r"[A-Z][a-z]{2}, \d\d[ -][A-Z][a-z]{2}[ -]\d{4} \d\d:\d\d:\d\d GMT"),
    ),
    Varying("time", "a time of day", re.compile(r"(?<![\d:])\d\d:\d\d:\d\d(?:\.\d+)?(?![\d:])")),
    Varying(
        "time",
        "seconds since 1970, with or without a fraction, of the years 2001 to 2033",
        re.compile(r"(?<![\w.+-])1\d{9}(?:\.\d{1,9})?(?![\w.])"),
    ),
    Varying(
        "time",
        "milliseconds since 1970, of those years",
        re.compile(r"(?<![\w.+-])1\d{12}(?![\w.])"),
    ),
    Varying(
        "time",
        "microseconds since 1970, of those years",
        re.compile(r"(?<![\w.+-])1\d{15}(?![\w.])"),
    ),
    Varying(
        "id", "16 or more hexadecimal digits", re.compile(r"(?<![0-9A-Za-z])[0-9a-fA-F]{16,}(?!\w)")
    ),
)
"""Two values that differ in nothing else vary, and have not drifted.

A telephone number of ten digits never begins with 1, and so is no number of seconds.
"""

VARYING_NAMES = frozenset({"correlationid", "id", "orderid", "requestid", "traceid"})
"""Elements, attributes and members, in any letter case, whose value may be any other single word:
the service's own ids have no form that is promised."""

_LAST_STEP = re.compile(
    r"(?:local-name\(\)='(?P<local>[^']*)' and namespace-uri\(\)='[^']*'\]"
    r"|(?P<plain>[^/.@\[\]']+))(?:\[\d+\])?$"
)
_WORD = re.compile(r"(\"?)[A-Za-z0-9_.:~+/=-]{1,128}\1")
_NO_WORDS = frozenset({"true", "false", "null"})


def recognised(path: str, recorded: str, now: str) -> str | None:
    """What two unlike values at this path vary as; None where they have drifted apart."""
    one, other = _masked(recorded), _masked(now)
    if one == other:
        kinds = {varying.kind for varying in VARYING if f"\0{varying.what}" in one}
        return ", ".join(sorted(kinds))
    name = _name(path).lower().replace("_", "").replace("-", "")
    return "id" if name in VARYING_NAMES and _words(recorded, now) else None


def _name(path: str) -> str:
    """The name at a path's end, without its namespace."""
    last = _LAST_STEP.search(path)
    return "" if last is None else last["local"] or last["plain"]


def _masked(text: str) -> str:
    for varying in VARYING:
        text = varying.form.sub(f"\0{varying.what}", text)
    return text


def _words(one: str, other: str) -> bool:
    """Whether both are single words of the same type."""
    found = _WORD.fullmatch(one), _WORD.fullmatch(other)
    if found[0] is None or found[1] is None or {one, other} & _NO_WORDS:
        return False
    return found[0].groups() == found[1].groups()
