"""The match key: what a request is recognised by when its recording is looked for.

Equal keys mean: the same request to anyone who reads it, however it was written down. Every part
is hashed with its length before it, so that no two requests run together into one.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal, NamedTuple, TypeAlias

from lxml import etree

from ordertape.errors import RefusedError
from ordertape.matching import DEFAULT, LeftOut, Matching
from ordertape.model import Headers
from ordertape.order import XML_BLANKS, Order, media_type_ok, read_tree

KEY_VERSION = 2
"""Raised whenever keys come out differently: keys of other versions have to be made anew."""

_AUTHORIZED = "authorized"
_ANONYMOUS = "anonymous"

Json: TypeAlias = "dict[str, Json] | list[Json] | str | bool | None"
"""A JSON value whose numbers are text as they are written."""


class Content(NamedTuple):
    """What a body is read as, and what was read: a tree's root, a JSON value, or the bytes."""

    kind: Literal["order", "xml", "json", "bytes"]
    value: etree._Element | Json | bytes


def match_key(
    request_method: str,
    target_constant: str,
    body: bytes,
    content_type: bytes | None,
    authorized: bool,  # noqa: FBT001 - one of the six things that a key is made of
    order: Order | None,
    *,
    matching: Matching = DEFAULT,
    headers: Headers = Headers(),  # noqa: B008 - frozen
) -> str:
    """The key: its version, whether credentials came, and SHA-256 in hexadecimal digits.

    Hashed are method, path, query (pairs as they are, in any order) and the canonical body: of
    `order` if it was read, else of `body`; and of `headers` those that `matching` names, whose
    secrets are constants, as in `target_constant`. Behind the version stands the digest of options
    other than the default. Pure and total: a body that cannot be read safely counts as its bytes.
    """
    path, _, query = target_constant.partition("?")
    kind, canonical = _canonical(body, content_type, order, matching)
    head = [request_method, path, *matching.of_query(query), kind]
    digest = hashlib.sha256()
    for part in (
        *(text.encode("utf-8", "surrogateescape") for text in head),
        canonical,
        *matched_lines(headers, matching),
    ):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    who = _AUTHORIZED if authorized and matching.credentials else _ANONYMOUS
    return f"{beginning(matching)}{who}:{digest.hexdigest()}"


def beginning(matching: Matching = DEFAULT) -> str:
    """What every key begins with that is made now, with these options; a colon ends it."""
    digest = matching.digest
    return f"{KEY_VERSION}.{digest}:" if digest else f"{KEY_VERSION}:"


def is_current(key: str, matching: Matching = DEFAULT) -> bool:
    """Whether a stored key was made as keys are made now, with these options."""
    return key.startswith(beginning(matching))


def matched_by(key: str) -> tuple[str, ...]:
    """The keys of recordings that answer a request with this key, the best first.

    A recording without credentials answers requests with and without.
    """
    version, who, digest = _parts(key)
    if who == _AUTHORIZED:
        return key, f"{version}:{_ANONYMOUS}:{digest}"
    return (key,)


def matched_lines(headers: Headers, matching: Matching) -> list[bytes]:
    """Of the headers that count, names and values, one behind the other."""
    found: list[bytes] = []
    for name in matching.matched_headers:
        values = headers.get_all(name.encode())
        found += [name.encode(), b"%d" % len(values), *(value.strip() for value in values)]
    return found


def content(body: bytes, content_type: bytes | None, order: Order | None) -> Content:
    """What a body is compared as. One that cannot be read safely is compared byte by byte."""
    if order is not None:
        return Content("order", order.root)
    media_type = (content_type or b"").partition(b";")[0].strip().lower()
    try:
        if media_type == b"application/json" or media_type.endswith(b"+json"):
            return Content("json", _read_json(body))
        if body and media_type_ok(content_type, body):
            return Content("xml", read_tree(body, content_type))
    except (RefusedError, ValueError, RecursionError):
        pass  # its bytes are never wrong
    return Content("bytes", body)


def written(element: etree._Element, matching: Matching, left_out: LeftOut, *, order: bool) -> str:
    """The canonical form of an element of an order, or of other XML; equal where they are one."""
    if order and matching.element_order == "any":
        return _unordered(element, left_out)
    parts: list[str] = []
    _put_element(element, parts, left_out)
    return "".join(parts)


def written_json(value: Json) -> str:
    """The canonical form of a JSON value. Errors: RecursionError."""
    parts: list[str] = []
    _put_value(value, parts)
    return "".join(parts)


def said_json(value: Json) -> str:
    """A JSON value as it is told to people, near enough."""
    if isinstance(value, _Number):
        return value
    return json.dumps(value, ensure_ascii=False)


def _parts(key: str) -> tuple[str, str, str]:
    version, _, rest = key.partition(":")
    who, _, digest = rest.partition(":")
    return version, who, digest


def _canonical(
    body: bytes, content_type: bytes | None, order: Order | None, matching: Matching
) -> tuple[str, bytes]:
    """The kind of a body and its canonical bytes."""
    kind, value = content(body, content_type, order)
    try:
        if kind == "json":
            return kind, written_json(value).encode("utf-8", "surrogatepass")  # type: ignore[arg-type] # by its kind
        if isinstance(value, etree._Element):  # noqa: SLF001 - lxml has no other name for it
            left_out = matching.left_out(value)
            if value in left_out.elements:
                return "ignored", b""
            return kind, written(value, matching, left_out, order=kind == "order").encode()
    except RecursionError:
        pass
    return "bytes", body


def _unordered(element: etree._Element, left_out: LeftOut) -> str:
    """An element of an order: clients write siblings in any order, and mean the same.

    An order holds text in its leaves only: `read_order` sees to that.
    """
    parts: list[str] = []
    _put_opening(element, parts, left_out)
    gone = left_out.elements
    children = sorted(
        [
            _unordered(child, left_out)
            for child in element
            if isinstance(child.tag, str) and not (gone and child in gone)
        ]
    )
    if not children:
        _put_text(left_out.text(element), parts)
    return "".join((*parts, *children, ">"))


def _put_element(element: etree._Element, parts: list[str], left_out: LeftOut) -> None:
    """Elements with their namespaces, attributes in order of name, and text, each with its length.

    Left out: comments, instructions, prefixes, blanks around text and between elements.
    """
    _put_opening(element, parts, left_out)
    text = left_out.text(element)
    for child in element:
        if isinstance(child.tag, str) and child not in left_out.elements:
            if text:
                _put_text(text, parts)
            _put_element(child, parts, left_out)
            text = ""
        text += left_out.tail(child)
    if text:
        _put_text(text, parts)
    parts.append(">")


def _put_opening(element: etree._Element, parts: list[str], left_out: LeftOut) -> None:
    tag = str(element.tag)
    parts.append(f"<{len(tag)}:{tag}")
    if element.items():
        for name, value in left_out.of(element):
            parts += ("@", _sized(name), _sized(value))


def _put_text(text: str, parts: list[str]) -> None:
    value = text.strip(XML_BLANKS)
    if value:
        parts.append(f"T{len(value)}:{value}")


class _Number(str):
    """A JSON number as it is written: 1, 1.0 and 1e0 are told apart."""

    __slots__ = ()


def _read_json(body: bytes) -> Json:
    """Members in order of name, no insignificant white space.

    Errors: ValueError for what is no JSON, or says a name twice: readers differ on which counts.
    """
    value: Json = json.loads(
        body.decode(),
        object_pairs_hook=_members,
        parse_int=_Number,
        parse_float=_Number,
        parse_constant=_no_constant,
    )
    return value


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members = dict(pairs)
    if len(members) < len(pairs):
        raise ValueError("A name occurs twice.")
    return members


def _no_constant(name: str) -> object:
    raise ValueError(f"{name} is not JSON.")


def _put_value(value: object, parts: list[str]) -> None:
    if isinstance(value, dict):
        parts.append("{")
        for name in sorted(value):
            parts.append(_sized(name))
            _put_value(value[name], parts)
        parts.append("}")
    elif isinstance(value, list):
        parts.append("[")
        for member in value:
            _put_value(member, parts)
        parts.append("]")
    elif isinstance(value, _Number):
        parts += ("N", _sized(value))
    elif isinstance(value, str):
        parts += ("S", _sized(value))
    else:
        parts.append(json.dumps(value))  # true, false, null


def _sized(text: str) -> str:
    return f"{len(text)}:{text}"
