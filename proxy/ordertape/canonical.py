"""The match key: what a request is recognised by when its recording is looked for.

Equal keys mean: the same request to anyone who reads it, however it was written down. Every part
is hashed with its length before it, so that no two requests run together into one.
"""

from __future__ import annotations

import hashlib
import json

from lxml import etree

from ordertape.errors import RefusedError
from ordertape.order import XML_BLANKS, Order, media_type_ok, read_tree

KEY_VERSION = 2
"""Raised whenever keys come out differently: keys of other versions have to be made anew."""

_AUTHORIZED = f"{KEY_VERSION}:authorized:"
_ANONYMOUS = f"{KEY_VERSION}:anonymous:"


def match_key(
    request_method: str,
    target_constant: str,
    body: bytes,
    content_type: bytes | None,
    authorized: bool,  # noqa: FBT001 - one of the six things that a key is made of
    order: Order | None,
) -> str:
    """The key: its version, whether credentials came, and SHA-256 in hexadecimal digits.

    Hashed are method, path, query (pairs as they are, in any order) and the canonical body: of
    `order` if it was read, else of `body`. `target_constant` has a constant in every redacted
    place. Pure and total: a body that cannot be read safely counts as its bytes.
    """
    path, _, query = target_constant.partition("?")
    if order is None:
        kind, canonical = _canonical(body, content_type)
    else:
        kind, canonical = "order", _unordered(order.root).encode()
    head = [request_method, path, *sorted(query.split("&")), kind]
    digest = hashlib.sha256()
    for part in (*(text.encode("utf-8", "surrogateescape") for text in head), canonical):
        digest.update(b"%d:" % len(part))
        digest.update(part)
    return (_AUTHORIZED if authorized else _ANONYMOUS) + digest.hexdigest()


def is_current(key: str) -> bool:
    """Whether a stored key was made as keys are made now."""
    return key.startswith((_AUTHORIZED, _ANONYMOUS))


def matched_by(key: str) -> tuple[str, ...]:
    """The keys of recordings that answer a request with this key, the best first.

    A recording without credentials answers requests with and without.
    """
    if key.startswith(_AUTHORIZED):
        return key, _ANONYMOUS + key.removeprefix(_AUTHORIZED)
    return (key,)


def _canonical(body: bytes, content_type: bytes | None) -> tuple[str, bytes]:
    """The kind of a body and its canonical bytes."""
    media_type = (content_type or b"").partition(b";")[0].strip().lower()
    try:
        if media_type == b"application/json" or media_type.endswith(b"+json"):
            return "json", _json(body)
        if body and media_type_ok(content_type, body):
            return "xml", _xml(read_tree(body, content_type))
    except (RefusedError, ValueError, RecursionError):
        pass  # it is compared byte by byte then, which is never wrong
    return "bytes", body


def _xml(root: etree._Element) -> bytes:
    """Elements with their namespaces, attributes in order of name, and text, each with its length.

    Left out: comments, instructions, prefixes, blanks around text and between elements.
    """
    parts: list[str] = []
    _put_element(root, parts)
    return "".join(parts).encode()


def _unordered(element: etree._Element) -> str:
    """An element of an order: clients write siblings in any order, and mean the same.

    An order holds text in its leaves only: `read_order` sees to that.
    """
    parts: list[str] = []
    _put_opening(element, parts)
    children = sorted(_unordered(child) for child in element if isinstance(child.tag, str))
    if not children:
        _put_text(element.text or "", parts)
    return "".join((*parts, *children, ">"))


def _put_element(element: etree._Element, parts: list[str]) -> None:
    _put_opening(element, parts)
    text = element.text or ""
    for child in element:
        if isinstance(child.tag, str):
            if text:
                _put_text(text, parts)
            _put_element(child, parts)
            text = ""
        text += child.tail or ""
    if text:
        _put_text(text, parts)
    parts.append(">")


def _put_opening(element: etree._Element, parts: list[str]) -> None:
    tag = str(element.tag)
    parts.append(f"<{len(tag)}:{tag}")
    for name, value in sorted(element.items()):
        parts += ("@", _sized(str(name)), _sized(str(value)))


def _put_text(text: str, parts: list[str]) -> None:
    value = text.strip(XML_BLANKS)
    if value:
        parts.append(f"T{len(value)}:{value}")


class _Number(str):
    """A JSON number as it is written: 1, 1.0 and 1e0 are told apart."""

    __slots__ = ()


def _json(body: bytes) -> bytes:
    """Members in order of name, no insignificant white space.

    Errors: ValueError for what is no JSON, or says a name twice: readers differ on which counts.
    """
    value = json.loads(
        body.decode(),
        object_pairs_hook=_members,
        parse_int=_Number,
        parse_float=_Number,
        parse_constant=_no_constant,
    )
    parts: list[str] = []
    _put_value(value, parts)
    return "".join(parts).encode("utf-8", "surrogatepass")


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
