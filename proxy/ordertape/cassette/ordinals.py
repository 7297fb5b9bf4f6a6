"""Secrets as ordinals (`redacted-1`), so that a cassette can be published.

Equal secrets become equal ordinals, counted in the order in which they come; neither a secret nor
a key's digest of one is left. An ordinal that is there already stays what it is.
"""

from __future__ import annotations

import gzip
import re
import secrets
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from lxml import etree

from ordertape import coding
from ordertape.cassette.interaction import CassetteError, Interaction
from ordertape.errors import RefusedError
from ordertape.model import Headers
from ordertape.order import media_type_ok, read_tree
from ordertape.redaction import DIGEST, Redaction

__all__ = ["ORDINAL", "Secrets", "numbered"]

ORDINAL = re.compile(r"redacted-[1-9][0-9]{0,8}(?![0-9])")
"""What stands for a secret in a cassette."""

_DECLARATION = re.compile(rb"(?:\xef\xbb\xbf)?(?:<\?xml\s[^>]*\?>\s*)?")
_CHARSET = re.compile(rb"(?:charset|encoding)\s*=\s*[\"']?([A-Za-z0-9._-]+)", re.IGNORECASE)
_HOLDS_A_URL = frozenset({b"location", b"content-location"})
_LARGEST = 64 << 20
"""Bytes of an unpacked body that are looked through."""


@dataclass(frozen=True, slots=True)
class Secrets:
    """What is secret beside credentials and cookies; names and keys in any letter case.

    `xpaths` name elements, attributes or text in XML bodies. Errors: CassetteError for one that
    is no XPath.
    """

    headers: tuple[str, ...] = ()
    query_keys: tuple[str, ...] = ()
    xpaths: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for xpath in self.xpaths:
            try:
                etree.XPath(xpath)
            except etree.XPathError as error:
                raise CassetteError(f"{xpath!r} is no XPath ({error}); correct it.") from error


def numbered(
    interactions: Iterable[Interaction],
    secret: Secrets,
    key: tuple[bytes, str] | None = None,
) -> list[Interaction]:
    """The interactions with an ordinal in every secret place, and where a digest stands.

    `key` is that of the store that they were in, with its id: without it a secret and its digest
    are not known to be one. Errors: CassetteError for XML that cannot be searched for an XPath: it
    may hold a secret.
    """
    found = list(interactions)
    ordinals = _Ordinals(found, secret, key or (secrets.token_bytes(32), "0" * 8))
    return [ordinals.applied(number, one) for number, one in enumerate(found, 1)]


class _Ordinals:
    """The ordinals of one cassette. Secrets are told apart by their digests."""

    def __init__(
        self, interactions: Sequence[Interaction], secret: Secrets, key: tuple[bytes, str]
    ) -> None:
        self._redaction = Redaction(
            headers=secret.headers,
            query_keys=secret.query_keys,
            key=key[0],
            key_id=key[1],
        )
        self._xpaths = [etree.XPath(xpath) for xpath in secret.xpaths]
        self._taken = {found for one in interactions for found in _ordinals_in(one)}
        self._of: dict[str, str] = {
            self._redaction.fingerprint(taken.encode()): taken for taken in self._taken
        }
        self._last = 0

    def applied(self, number: int, one: Interaction) -> Interaction:
        """The interaction, the `number`-th of its file, without secrets."""
        request_headers = self._headers(one.request_headers)
        headers = self._headers(one.headers)
        url = self._target(one.url)
        where = f"request of interaction {number} ({one.method} {url})"
        request_headers, request_body = self._body(request_headers, one.request_body, where)
        headers, body = self._body(headers, one.body, where.replace("request", "answer", 1))
        return replace(
            one,
            url=url,
            request_headers=request_headers,
            request_body=request_body,
            headers=headers,
            body=body,
        )

    def _ordinal(self, digest: str) -> str:
        ordinal = self._of.get(digest)
        while ordinal is None:
            self._last += 1
            if f"redacted-{self._last}" not in self._taken:
                ordinal = f"redacted-{self._last}"
                self._of[digest] = ordinal
                # It may be redacted once more: a place can be secret for two reasons.
                self._of[self._redaction.fingerprint(ordinal.encode())] = ordinal
        return ordinal

    def _plain(self, text: str) -> str:
        return DIGEST.sub(lambda digest: self._ordinal(digest[0]), text)

    def _target(self, target: str) -> str:
        return self._plain(self._redaction.target(self._plain(target)))

    def _headers(self, headers: Headers) -> Headers:
        stored = Headers.of(
            (name, self._plain(value.decode("latin-1")).encode("latin-1"))
            for name, value in headers
        )
        return Headers.of(
            (name, self._value(name, value)) for name, value in self._redaction.headers(stored)
        )

    def _value(self, name: bytes, value: bytes) -> bytes:
        text = value.decode("latin-1")
        whole = self._target(text) if name.lower() in _HOLDS_A_URL else self._plain(text)
        return whole.encode("latin-1")

    def _body(self, headers: Headers, body: bytes, where: str) -> tuple[Headers, bytes]:
        media_type = headers.get(b"content-type")
        if not (self._xpaths and body and _claims_xml(media_type, body, headers)):
            return headers, body
        try:
            plain = coding.decoded(body, headers, _LARGEST)
            tree = read_tree(plain, media_type).getroottree()
        except RefusedError as error:
            raise CassetteError(
                f"The {where} says that it is XML, and cannot be searched for secrets ({error}) "
                "Leave it out, or name no XPath."
            ) from error
        changed = [self._replaced(place) for place in self._places(tree)]
        if not any(changed):
            return headers, body
        packed = plain is not body and plain != body
        new = _packed(_written(tree, plain, media_type), headers) if packed else None
        new = _written(tree, plain, media_type) if new is None else new
        stale = [name for name in coding.STALE_AFTER_EDIT if name != b"content-encoding"]
        return Headers.of(
            (name, b"%d" % len(new) if name.lower() == b"content-length" else value)
            for name, value in headers.without(stale)
        ), new

    def _places(self, tree: etree._ElementTree) -> Iterator[Any]:
        for xpath in self._xpaths:
            places = xpath(tree)
            if not isinstance(places, list):
                raise CassetteError(
                    f"{xpath.path!r} names no place of a body but a value; name elements, "
                    "attributes or text()."
                )
            yield from places

    def _replaced(self, place: Any) -> bool:  # noqa: ANN401 - what lxml's XPath finds
        """Put an ordinal there; whether anything has changed by that."""
        is_element = isinstance(place, etree._Element)  # noqa: SLF001 - lxml's name for it
        value = "".join(map(str, place.itertext())) if is_element else str(place)
        ordinal = self._of_value(value)
        if ordinal == value:
            return False
        parent = None if is_element else place.getparent()
        if parent is None:
            if isinstance(place.tag, str):  # neither a comment nor an instruction
                place[:] = []
            place.text = ordinal
        elif place.is_attribute:
            parent.set(place.attrname, ordinal)
        elif place.is_tail:
            parent.tail = ordinal
        else:
            parent.text = ordinal
        return True

    def _of_value(self, value: str) -> str:
        secret = value.strip()
        if not secret or ORDINAL.fullmatch(secret):
            return value
        digest = self._redaction.fingerprint(secret.encode("utf-8", "surrogatepass"))
        return self._ordinal(digest)


def _ordinals_in(one: Interaction) -> Iterator[str]:
    yield from ORDINAL.findall(one.url)
    for headers, body in ((one.request_headers, one.request_body), (one.headers, one.body)):
        for _, value in headers:
            yield from ORDINAL.findall(value.decode("latin-1"))
        try:
            body = coding.decoded(body, headers, _LARGEST)  # noqa: PLW2901 - as anyone reads it
        except RefusedError:
            continue
        if b"redacted-" in body:
            yield from ORDINAL.findall(body.decode("latin-1"))


def _claims_xml(media_type: bytes | None, body: bytes, headers: Headers) -> bool:
    """Whether a reader would take it for XML; of what is packed only the header tells."""
    if headers.tokens(b"content-encoding") and media_type is not None:
        return b"xml" in media_type.lower()
    return media_type_ok(media_type, body) and body.lstrip().startswith((b"<", b"\xef\xbb\xbf"))


def _written(tree: etree._ElementTree, plain: bytes, media_type: bytes | None) -> bytes:
    """The tree in its own charset, behind the declaration that it came with."""
    declaration = _DECLARATION.match(plain)
    head = declaration[0] if declaration else b""
    named = _CHARSET.search(head) or _CHARSET.search(media_type or b"")
    charset = named[1].decode() if named else "utf-8"
    text = etree.tostring(tree, encoding="unicode")
    tail = plain[len(plain.rstrip(b" \t\r\n")) :]
    return head + text.encode(charset, "xmlcharrefreplace") + tail


def _packed(plain: bytes, headers: Headers) -> bytes:
    """As Content-Encoding has it, the same bytes each time."""
    if headers.tokens(b"content-encoding") == [b"deflate"]:
        return zlib.compress(plain)
    return gzip.compress(plain, mtime=0)
