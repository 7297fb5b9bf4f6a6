"""A request as it is matched, and the digests by which ones that are like it are found."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from lxml import etree

from ordertape import canonical
from ordertape.canonical import Content, Json
from ordertape.matching import LeftOut, Matching
from ordertape.model import Headers
from ordertape.order import XML_BLANKS, Order

__all__ = ["Features", "Seen", "features"]

_MOST = 24
"""Leaves of one request that are looked for. Of more, those with the smallest digests: so requests
that share many leaves share many of those."""

_WORD = 1 << 64


@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it is matched: normalised, with a constant in every redacted place."""

    method: str
    target: str
    headers: Headers
    body: bytes
    order: Order | None

    @property
    def path(self) -> str:
        """The target before its first question mark."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target after its first question mark."""
        return self.target.partition("?")[2]

    @property
    def authorized(self) -> bool:
        """Whether credentials came with it."""
        return self.headers.get(b"authorization") is not None

    def key(self, matching: Matching) -> str:
        """Its match key with these options."""
        return canonical.match_key(
            self.method,
            self.target,
            self.body,
            self.headers.get(b"content-type"),
            self.authorized,
            self.order,
            matching=matching,
            headers=self.headers,
        )

    def content(self) -> Content:
        """What its body is compared as."""
        return canonical.content(self.body, self.headers.get(b"content-type"), self.order)


@dataclass(frozen=True, slots=True)
class Features:
    """Numbers of 64 bits, signed. They hold for one process: strings are hashed anew in each.

    Two requests that differ in at most one leaf have one of `near` in common; any that have a leaf
    in common, one of `leaves`. All are of one method and path.
    """

    scope: int
    near: tuple[int, ...]
    leaves: tuple[int, ...]


def features(seen: Seen, matching: Matching) -> Features:
    """What a request is found by when there is no recording of it."""
    scope = hash((seen.method, seen.path))
    found = sorted(hash((scope, *leaf)) for leaf in _leaves(seen, matching))
    whole = sum(found) % _WORD
    near = {whole, *((whole - leaf) % _WORD for leaf in found)} if len(found) <= _MOST else {whole}
    return Features(
        scope, tuple(hash((scope, digest)) for digest in near), tuple(dict.fromkeys(found[:_MOST]))
    )


def _leaves(seen: Seen, matching: Matching) -> Iterator[tuple[str, str]]:
    """Every place that may differ by itself, and what is there; credentials are no such place."""
    for pair in matching.of_query(seen.query):
        yield "?", pair
    for line in canonical.matched_lines(seen.headers, matching):
        yield "header", line.decode("latin-1")
    content = seen.content()
    if isinstance(content.value, etree._Element):  # noqa: SLF001 - lxml has no other name for it
        left_out = matching.left_out(content.value)
        if content.value not in left_out.elements:
            yield from _of_element(content.value, f"/{content.value.tag!s}", left_out)
    elif isinstance(content.value, bytes):
        yield "body", content.value.decode("latin-1")
    else:
        yield from _of_json(content.value, "$")


def _of_element(element: etree._Element, path: str, left_out: LeftOut) -> Iterator[tuple[str, str]]:
    for name, value in left_out.of(element):
        yield f"{path}/@{name}", value
    bare = True
    for child in element.iterchildren(etree.Element):
        bare = False
        if child not in left_out.elements:
            yield from _of_element(child, f"{path}/{child.tag!s}", left_out)
    text = left_out.text(element).strip(XML_BLANKS)
    if bare or text:
        yield path, text


def _of_json(value: Json, path: str) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from _of_json(member, f"{path}.{name}")
    elif isinstance(value, list):
        for member in value:
            yield from _of_json(member, f"{path}[]")
    else:
        yield path, canonical.written_json(value)
