"""Where in a file something stands, and how that is shown: the line, and a caret under the place.

Lines end with LF, as the reader of orders counts them; columns are characters, from 1.
"""

from __future__ import annotations

import codecs
import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import NamedTuple
from xml.parsers import expat

from lxml import etree
from rich.cells import cell_len

from ordertape.cli.terminal import printable

__all__ = ["NOWHERE", "Place", "Places", "text_of", "visible"]

_LATIN_1 = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']iso-8859-1[\"']", re.IGNORECASE)
_WIDTH, _BEFORE = 72, 24
"""Columns of a terminal that a line may take, and how many of them before the caret."""

_TAB = " " * 4


class Place(NamedTuple):
    """A line and a column of a file, each None where it is not known."""

    line: int | None
    column: int | None


NOWHERE = Place(None, None)


class Places:
    """The places of an order's elements in the text that it was read from.

    Elements are known by `locate`, which must come before any rule changes the tree.
    """

    def __init__(self, text: str) -> None:
        self.text = text
        self._lines = [0, *(found.end() for found in re.finditer("\n", text))]
        self._offsets: dict[etree._Element, int] = {}

    def locate(self, root: etree._Element) -> None:
        """Find every element of a tree that was read from the text, and has no DTD therefore."""
        self._offsets = dict(zip(root.iter(etree.Element), _starts(self.text), strict=False))

    def of(self, node: etree._Element) -> Place:
        """Where a node begins; of one that was not located at most the line is known."""
        offset = self._offsets.get(node)
        return Place(node.sourceline, None) if offset is None else self.at(offset)

    def at(self, offset: int) -> Place:
        """The place of a character of the text."""
        line = bisect_right(self._lines, offset)
        return Place(line, offset - self._lines[line - 1] + 1)

    def shown(self, place: Place) -> Iterator[str]:
        """The line of a place as it may be printed, and one with a caret if the column is known.

        Of a long line it is a window around the place; of a place that does not exist, nothing.
        """
        if place.line is None or not 0 < place.line <= len(self._lines):
            return
        begin = self._lines[place.line - 1]
        end = self.text.find("\n", begin)
        line = self.text[begin : len(self.text) if end < 0 else end].removesuffix("\r")
        index = min((place.column or 1) - 1, len(line))
        before, after = line[:index], line[index:]
        if len(line) > _WIDTH or cell_len(visible(line)) > _WIDTH:
            before, after = _window(before, after)
        lead = "…" if len(before) < index else ""
        more = "…" if index + len(after) < len(line) else ""
        before = lead + visible(before)
        yield before + visible(after) + more
        if place.column is not None:
            yield " " * cell_len(before) + "^"


def text_of(body: bytes, fallback: str | None) -> str:
    """The characters of an order's body, for showing them: never fails, and keeps every line.

    `fallback` is `read_order`'s. Bytes that are of no charset are written out.
    """
    plain = body.removeprefix(codecs.BOM_UTF8)
    charsets = ["iso-8859-1"] if _LATIN_1.match(plain) else ["utf-8"]
    if fallback is not None:
        charsets.append(fallback)
    for charset in charsets:
        try:
            return plain.decode(charset)
        except UnicodeDecodeError:
            continue
    return plain.decode("utf-8", "backslashreplace")


def _starts(text: str) -> list[int]:
    """Where each element of a well-formed document without a DTD starts, in document order."""
    raw = text.encode()
    found: list[int] = []
    parser = expat.ParserCreate("utf-8")
    parser.StartElementHandler = lambda *_: found.append(parser.CurrentByteIndex)
    try:
        parser.Parse(raw, True)
    except expat.ExpatError:
        return []  # nothing is pointed at rather than the wrong place
    if len(raw) == len(text):
        return found
    starts, characters, previous = [], 0, 0
    for offset in found:
        characters += len(raw[previous:offset].decode())
        starts.append(characters)
        previous = offset
    return starts


def _window(before: str, after: str) -> tuple[str, str]:
    """As much of what is on either side of a caret as a terminal has room for."""
    before = before[-_BEFORE:]
    while cell_len(visible(before)) > _BEFORE:
        before = before[1:]
    room = _WIDTH - cell_len(visible(before))
    after = after[:room]
    while cell_len(visible(after)) > room:
        after = after[:-1]
    return before, after


def visible(text: str) -> str:
    """A line as it may be printed, its tabs as blanks."""
    return printable(text.replace("\t", _TAB))
