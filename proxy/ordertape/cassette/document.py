"""A cassette's text as plain values, within bounds, each table with the line it stands on.

Nothing is constructed but str, bytes, int, float, bool, None, lists and `Table`. What breaks a
bound or the syntax is one sentence with file and line.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NoReturn

from ordertape.cassette.interaction import CassetteError
from ordertape.cassette.values import TEXT_LIMIT, Table, WrongError
from ordertape.cassette.yaml_reading import read_yaml

__all__ = ["FILE_LIMIT", "Document", "read", "read_file"]

FILE_LIMIT = 256 * 1024 * 1024
"""Bytes of a file; about a hundred times as much as ten thousand orders need at 2 kB each."""

_ENTRIES = re.compile(r'"(?:interactions|http_interactions|entries)"\s*:\s*\[')
_BETWEEN = re.compile(r"[\s,]*")


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says; `json` is the text it was read from where that was JSON."""

    path: Path
    value: Any
    json: str | None = None

    def wrong(self, error: WrongError, entry: int | None = None) -> CassetteError:
        """The sentence with its place: the line that `error` names, else that of the entry."""
        line = error.line
        if line is None:
            line = 1 if self.json is None else _line_of_entry(self.json, entry)
        return CassetteError(f"{self.path}:{line}: {error}")


def read_file(path: Path) -> bytes:
    """The bytes of a cassette. Errors: CassetteError where it cannot be read or is too large."""
    try:
        with path.open("rb") as file:
            text = file.read(FILE_LIMIT + 1)
    except OSError as error:
        raise CassetteError(
            f"{path}: The cassette cannot be read ({error.strerror}); name a file that can."
        ) from error
    if len(text) > FILE_LIMIT:
        raise CassetteError(
            f"{path}:1: The file passes {FILE_LIMIT} bytes; record into several cassettes."
        )
    return text


def read(text: bytes, path: Path) -> Document:
    """YAML or JSON, by content: JSON begins with a brace or a bracket.

    Errors: CassetteError.
    """
    try:
        decoded = text.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = text.count(b"\n", 0, error.start) + 1
        raise CassetteError(
            f"{path}:{line}: The file is not UTF-8 text; it is damaged or no cassette."
        ) from error
    stripped = decoded.lstrip()
    if not stripped:
        raise CassetteError(f"{path}:1: The file is empty; delete it, or restore what it held.")
    if stripped[0] in "{[":
        return Document(path, _read_json(decoded, path), decoded)
    try:
        return Document(path, read_yaml(text))
    except WrongError as error:
        raise Document(path, None).wrong(error) from error


def _table(pairs: list[tuple[str, Any]]) -> Table:
    table = Table()
    for key, value in pairs:
        if key in table:
            raise WrongError(f"The key {key!r} occurs twice in one object; remove one.")
        if isinstance(value, str) and len(value) > TEXT_LIMIT:
            raise WrongError(f"A text passes {TEXT_LIMIT} characters; the cassette is not read.")
        table[key] = value
    return table


def _no_number(name: str) -> NoReturn:
    raise WrongError(f"{name} is not a JSON number; write null or a number.")


_DECODER = json.JSONDecoder(object_pairs_hook=_table, parse_constant=_no_number)


def _read_json(text: str, path: Path) -> Any:  # noqa: ANN401 - JSON
    try:
        return _DECODER.decode(text)
    except json.JSONDecodeError as error:
        raise CassetteError(
            f"{path}:{error.lineno}: The JSON is damaged or cut short ({error.msg}); restore it "
            "or record anew."
        ) from error
    except RecursionError as error:
        wrong = WrongError("The JSON is nested too deeply; it is no cassette.")
        raise Document(path, None, text).wrong(wrong) from error
    except ValueError as error:  # an integer of thousands of digits
        wrong = WrongError("A number has too many digits; it is no cassette.")
        raise Document(path, None, text).wrong(wrong) from error
    except WrongError as error:
        raise Document(path, None, text).wrong(error) from error


def _line_of_entry(text: str, entry: int | None) -> int:
    """The line on which this entry begins; None: the first that cannot be read."""
    found = _ENTRIES.search(text)
    offset = _BETWEEN.match(text, found.end() if found else text.index(text.lstrip()[0]) + 1)
    start = 0
    number = -1
    while offset is not None and offset.end() < len(text) and number != entry:
        start = offset.end()
        try:
            _, end = _DECODER.raw_decode(text, start)
        except (ValueError, WrongError, RecursionError):
            break
        number += 1
        offset = _BETWEEN.match(text, end)
    return text.count("\n", 0, start) + 1
