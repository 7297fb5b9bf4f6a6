"""Parts of an interaction from plain values, whichever format they stand in.

What could not have been sent or answered is refused here: it would be served to a client later.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote, urlsplit

from ordertape.cassette.values import Plain, Table, WrongError
from ordertape.model import Headers

__all__ = [
    "encoded",
    "field",
    "headers",
    "line_of",
    "method",
    "microseconds",
    "reason",
    "status",
    "table",
    "text",
    "url",
]

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_BREAKS = re.compile(rb"[\r\n\0]")
_URL = re.compile(r"[\x21-\x7e]+")
_UNQUOTED = "".join(map(chr, range(0x21, 0x7F)))
_PAIR = 2
_YEAR_10000 = 253_402_300_800_000_000


def line_of(value: object) -> int | None:
    """Where a table begins; None where that is not known."""
    return value.line if isinstance(value, Table) else None


def table(value: object, what: str, line: int | None) -> Table:
    """The value, which must be a mapping. Errors: WrongError."""
    if isinstance(value, Table):
        return value
    raise WrongError(f"The {what} is missing or no mapping; the file is damaged.", line)


def text(value: object, what: str, line: int | None) -> str:
    """A scalar as text; None is empty. Errors: WrongError."""
    match value:
        case None:
            return ""
        case str():
            return str(value)
        case bool():
            return str(value).lower()
        case int() | float():
            return str(value)
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError as error:
                raise WrongError(f"The {what} is no UTF-8 text; record anew.", line) from error
    raise WrongError(f"The {what} is no text; the file is damaged.", line)


def encoded(value: str, what: str, line: int | None, charset: str = "utf-8") -> bytes:
    """Text as the bytes it stood for, by a charset that is known and holds it, else UTF-8.

    Errors: WrongError for half a surrogate pair, which JSON can hold and no charset can.
    """
    try:
        return value.encode(codecs.lookup(charset).name)
    except (LookupError, ValueError):
        pass
    try:
        return value.encode()
    except UnicodeEncodeError as error:
        raise WrongError(f"The {what} holds half a surrogate pair; record anew.", line) from error


def method(value: object, line: int | None) -> str:
    """A request method. Errors: WrongError."""
    name = text(value, "method", line)
    if not _TOKEN.fullmatch(name):
        raise WrongError("The request's method is missing or none; the file is damaged.", line)
    return name


def url(value: object, line: int | None) -> str:
    """An absolute http or https URL; what cannot stand in a request line is percent-encoded.

    Errors: WrongError.
    """
    whole = text(value, "URL", line).partition("#")[0]
    encoded(whole, "URL", line)
    quoted = whole if _URL.fullmatch(whole) else quote(whole, safe=_UNQUOTED)
    try:
        parts = urlsplit(quoted)
        absolute = parts.scheme.lower() in {"http", "https"} and bool(parts.hostname)
        _ = parts.port
    except ValueError:
        absolute = False
    if not absolute:
        raise WrongError(
            "The request's URL is missing or not absolute http; name host and path.", line
        )
    return quoted


def status(value: object, line: int | None) -> int:
    """A final status code, 200 to 999. Errors: WrongError."""
    digits = text(value, "status", line)
    if not re.fullmatch(r"[2-9][0-9]{2}", digits):
        raise WrongError(
            "The answer's status is missing or no final one (200 to 999); the file is damaged.",
            line,
        )
    return int(digits)


def reason(value: object, line: int | None) -> bytes:
    """The reason phrase; empty where there is none. Errors: WrongError."""
    phrase = encoded(text(value, "reason", line), "reason", line).strip()
    if _BREAKS.search(phrase):
        raise WrongError("The answer's reason holds a line break; record anew.", line)
    return phrase


def microseconds(moment: datetime) -> int | None:
    """Since 1970 UTC, which a moment without a zone is in; None outside of the years to 9999."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    since = round(aware.timestamp() * 1_000_000)
    return since if 0 < since < _YEAR_10000 else None


def field(name: str, value: object, line: int | None) -> tuple[bytes, bytes]:
    """One header line; a folded value is unfolded (RFC 9112 section 5.2). Errors: WrongError."""
    if not _TOKEN.fullmatch(name):
        raise WrongError(f"{ascii(name)[:80]} is no header name; the file is damaged.", line)
    raw = value if isinstance(value, bytes) else encoded(text(value, "header", line), name, line)
    unfolded = _FOLD.sub(b" ", raw.strip(b" \t\r\n"))
    if _BREAKS.search(unfolded):
        raise WrongError(f"The header {name} holds a line break; record it as two lines.", line)
    return name.encode(), unfolded


def headers(value: object, line: int | None) -> Headers:
    """Header lines from any shape that recorders wrote.

    A mapping of name to value or values; a list of pairs, of raw lines, or of one such list.
    Errors: WrongError.
    """
    return Headers.of(_fields(value, line_of(value) or line))


def _fields(value: object, line: int | None) -> Iterator[tuple[bytes, bytes]]:
    match value:
        case None:
            return
        case Table():
            for name, held in value.items():
                for one in held if isinstance(held, list) else [held]:
                    yield field(name, one, line)
        case [[[*_], *_] as inner]:
            yield from _fields(inner, line)
        case list():
            for entry in value:
                yield _field_of(entry, line)
        case _:
            raise WrongError("The headers are no mapping; the file is damaged.", line)


def _field_of(entry: Any, line: int | None) -> tuple[bytes, bytes]:  # noqa: ANN401 - plain values
    if isinstance(entry, list) and len(entry) == _PAIR and isinstance(entry[0], str):
        held = entry[1]
        return field(entry[0], held[0] if isinstance(held, list) and len(held) == 1 else held, line)
    if isinstance(entry, str) and ":" in entry and not isinstance(entry, Plain):
        name, _, held = entry.partition(":")
        return field(name.strip(), held, line)
    raise WrongError("A header is neither a pair nor a line; the file is damaged.", line)
