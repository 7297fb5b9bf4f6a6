"""Which requests are one: the options of matching, and what they leave out of a request."""

from __future__ import annotations

import functools
import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import unquote_plus

from lxml import etree

from ordertape.errors import StartUpError

__all__ = ["DEFAULT", "LeftOut", "Matching", "mistake_in_header", "mistake_in_ignored"]

_TOKEN = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")  # RFC 9110 section 5.6.2
_AUTHORIZATION = "authorization"


@dataclass(frozen=True, slots=True)
class Matching:
    """What makes two requests one, beside what the match key always disregards.

    In `ignore`, what begins with `/` is an XPath of places in XML bodies, what begins with `?` the
    key of a query, and anything else the name of a header; what is there, and whether anything is,
    makes no difference then. With Authorization among them credentials make none. `headers` are
    names whose values must be equal too. `element_order`: whether siblings in an order may stand
    in `any` order, or their order is `significant`, as it is in all other XML.
    Errors: StartUpError.
    """

    ignore: tuple[str, ...] = ()
    headers: tuple[str, ...] = ()
    element_order: Literal["any", "significant"] = "any"

    def __post_init__(self) -> None:
        wrong = [
            *(mistake for entry in self.ignore if (mistake := mistake_in_ignored(entry))),
            *(mistake for name in self.headers if (mistake := mistake_in_header(name))),
        ]
        if wrong:
            raise StartUpError(f"In the options of matching, {wrong[0]}.")

    @property
    def xpaths(self) -> tuple[str, ...]:
        """The XPaths of what is left out of XML bodies."""
        return tuple(sorted({entry for entry in self.ignore if entry.startswith("/")}))

    @property
    def query_keys(self) -> frozenset[str]:
        """The query keys, decoded, that are left out."""
        return frozenset(unquote_plus(key[1:]) for key in self.ignore if key.startswith("?"))

    @property
    def credentials(self) -> bool:
        """Whether it makes a difference if credentials came."""
        return not self.ignore or _AUTHORIZATION not in {entry.lower() for entry in self.ignore}

    @property
    def matched_headers(self) -> tuple[str, ...]:
        """The names, in lower case, of the headers whose values count."""
        if not self.headers:
            return ()
        ignored = {entry.lower() for entry in self.ignore}
        return tuple(sorted({name.lower() for name in self.headers} - ignored))

    @property
    def digest(self) -> str:
        """16 hexadecimal digits that tell these options from others; "" for the default."""
        return "" if self is DEFAULT else _digest(self)

    def of_query(self, query: str) -> list[str]:
        """The pairs of a raw query that count, as they are, sorted."""
        pairs = query.split("&")
        if self.ignore and (ignored := self.query_keys):
            pairs = [pair for pair in pairs if unquote_plus(pair.partition("=")[0]) not in ignored]
        return sorted(pairs or [""])

    def left_out(self, root: etree._Element) -> LeftOut:
        """What the XPaths select in this tree."""
        found = LeftOut()
        for path in self.xpaths if self.ignore else ():
            for node in _selected(path, root):
                found.add(node)
        return found


class LeftOut:
    """Places of one tree that do not count: whole elements, attributes, and pieces of text."""

    __slots__ = ("attributes", "elements", "tails", "texts")

    def __init__(self) -> None:
        self.elements: set[etree._Element] = set()
        self.attributes: set[tuple[etree._Element, str]] = set()
        self.texts: set[etree._Element] = set()
        self.tails: set[etree._Element] = set()

    def __bool__(self) -> bool:
        return bool(self.elements or self.attributes or self.texts or self.tails)

    def add(self, node: object) -> None:
        """Leave out what an XPath has selected."""
        if isinstance(node, etree._Element):  # noqa: SLF001 - lxml has no other name for it
            self.elements.add(node)
            return
        parent = getattr(node, "getparent", lambda: None)()
        if parent is None:
            return
        if getattr(node, "is_attribute", False):
            self.attributes.add((parent, str(getattr(node, "attrname", ""))))
        elif getattr(node, "is_tail", False):
            self.tails.add(parent)
        else:
            self.texts.add(parent)

    def of(self, element: etree._Element) -> Sequence[tuple[str, str]]:
        """The attributes of this element that count, in order of name."""
        found = [(str(name), str(value)) for name, value in sorted(element.items())]
        if not self.attributes:
            return found
        return [one for one in found if (element, one[0]) not in self.attributes]

    def text(self, element: etree._Element) -> str:
        """The text at the beginning of this element, as far as it counts."""
        return "" if element in self.texts else element.text or ""

    def tail(self, element: etree._Element) -> str:
        """The text behind this element, as far as it counts."""
        return "" if element in self.tails else element.tail or ""


DEFAULT = Matching()
"""What recorded keys are made with."""


def mistake_in_ignored(entry: str) -> str | None:
    """What is wrong with something that is to be ignored, as the end of a sentence, if anything."""
    if entry.startswith("/"):
        return _mistake_in_xpath(entry)
    if entry.startswith("?"):
        return None if len(entry) > 1 else "'?' names no query key; write it behind the ?"
    if _TOKEN.fullmatch(entry):
        return None
    return f"{entry!r} is neither an XPath (/Order/Name), a query key (?page) nor a header's name"


def mistake_in_header(name: str) -> str | None:
    """What is wrong with the name of a header, as the end of a sentence, if anything."""
    return None if _TOKEN.fullmatch(name) else f"{name!r} is no header's name"


def _mistake_in_xpath(path: str) -> str | None:
    try:
        selected = _compiled(path)(etree.Element("Order"))
    except etree.XPathError as error:
        return f"{path!r} is no XPath ({str(error).rstrip('.').lower()})"
    if not isinstance(selected, list):
        return f"the XPath {path!r} selects no place: its value is {selected!r}"
    return None


def _selected(path: str, root: etree._Element) -> list[object]:
    try:
        found = _compiled(path)(root)
    except etree.XPathError:  # what its functions cannot be asked of this tree selects nothing
        return []
    return found if isinstance(found, list) else []


@functools.lru_cache(maxsize=256)
def _compiled(path: str) -> etree.XPath:
    return etree.XPath(path)


@functools.lru_cache(maxsize=256)
def _digest(matching: Matching) -> str:
    parts = (
        *matching.xpaths,
        *(f"?{key}" for key in sorted(matching.query_keys)),
        *([] if matching.credentials else [_AUTHORIZATION]),
        "",
        *matching.matched_headers,
        "",
        matching.element_order,
    )
    if parts == ("", "", "any"):
        return ""
    written = "".join(f"{len(part)}:{part}" for part in parts)
    return hashlib.sha256(written.encode("utf-8", "surrogateescape")).hexdigest()[:16]
