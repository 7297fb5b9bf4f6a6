"""How an answer that comes now differs from the one that was recorded, place by place.

Pure: `verifying` sends the requests. What is expected to differ each time is told apart from drift
by literal tables: those of `varying`, and `VARYING_HEADERS`.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import TypeAlias

from lxml import etree

from ordertape import admission, canonical, coding, hops
from ordertape.canonical import Content
from ordertape.cassette.ordinals import ORDINAL
from ordertape.cassette.taking_out import VOLATILE
from ordertape.drift.varying import recognised
from ordertape.errors import RefusedError
from ordertape.explaining import difference, unlike
from ordertape.explaining.trees import Place, XmlBodies, in_json, xpath
from ordertape.matching import Matching
from ordertape.model import Headers, Response
from ordertape.redaction import DIGEST, SECRET_NAME, Redaction

__all__ = [
    "REDACTED",
    "STATUS",
    "VARYING_HEADERS",
    "Change",
    "Terms",
    "compare",
    "is_redacted",
    "without_digests",
]

REDACTED = "redacted"
STATUS = "status"
"""The place that a status is told at; it comes first."""

_Bases: TypeAlias = tuple[str, str]
"""The address of the service that was recorded, and of the one that is asked now."""

VARYING_HEADERS = frozenset(
    {
        *(b"content-digest", b"content-md5", b"digest", b"etag", b"expires", b"last-modified"),
        *(b"ratelimit", b"repr-digest", b"retry-after", b"x-ratelimit-remaining"),
        b"x-ratelimit-reset",
    }
)
"""Header fields whose values may be any other. So may those of `cassette.taking_out.VOLATILE`,
which may be missing as well: a cassette is exported without."""

_FRAMING = frozenset({b"content-encoding", b"content-length"})
"""Not compared: bodies are, unpacked."""

_LARGEST = 16 << 20  # bytes of a body that is unpacked
_NUMBERS = re.compile(r"\[\d+\]")
_SUCCESS = 2  # class of a status


@dataclass(frozen=True, slots=True)
class Change:
    """A place in which the answers differ: `status`, a header's name, an XPath, a JSONPath, `body`.

    `recorded` and `now` are what stands there, None where nothing does. `varies` is what the values
    are recognised as that are expected to differ; None: this is drift.
    """

    place: str
    recorded: str | None
    now: str | None
    varies: str | None = None


@dataclass(frozen=True, slots=True)
class Terms:
    """What of two answers is not compared (`matching.ignore`), and what is never told of them.

    `credentials` are those that went out with the request: an answer may repeat them.
    """

    matching: Matching
    redaction: Redaction
    credentials: tuple[str, ...] = ()


def compare(recorded: Response, now: Response, terms: Terms) -> Iterator[Change]:
    """Every place in which two whole answers differ; nothing that is told of them is secret.

    What either says of its own service's address (`Response.upstream`) is no drift.
    """
    if recorded.status != now.status:
        yield Change(STATUS, str(recorded.status), str(now.status))
    yield from _headers(recorded, now, terms)
    bodies = _Body.of(recorded), _Body.of(now)
    yield from _bodies(*bodies, (recorded.upstream, now.upstream), terms)


def is_redacted(text: str) -> bool:
    """Whether a secret was taken out of this text."""
    return bool(ORDINAL.search(text) or DIGEST.search(text))


def without_digests(text: str) -> str:
    """The text as it may be told: a digest says nothing to anyone without its key."""
    return DIGEST.sub(REDACTED, text)


# Headers.


def _headers(recorded: Response, now: Response, terms: Terms) -> Iterator[Change]:
    before, after = _fields(recorded.headers, terms), _fields(now.headers, terms)
    ignored = {entry.lower().encode() for entry in terms.matching.ignore}
    bases = recorded.upstream, now.upstream
    for name in dict.fromkeys([*before, *after]):
        one, other = before.get(name, []), after.get(name, [])
        if name in ignored or (name in VOLATILE and not (one and other)):
            continue
        secret = any(map(is_redacted, one))
        for left, right in unlike(one, other):
            place = Place(_spelled(name, recorded, now), left, right)
            change = _change(place, bases, terms, secret=secret)
            if change.varies is None and left is not None and right is not None:
                change = replace(change, varies=_of_header(name, now, left, right, bases))
            yield change


def _of_header(name: bytes, now: Response, one: str, other: str, bases: _Bases) -> str | None:
    """What two values of a header vary as, beside what any value may."""
    if name in VOLATILE or name in VARYING_HEADERS:
        return "header"
    if name == b"location" and now.status // 100 == _SUCCESS:  # of what the request has made
        one, other = _without(bases, one, other)
        return "id" if one.rpartition("/")[0] == other.rpartition("/")[0] else None
    return None


def _fields(headers: Headers, terms: Terms) -> Mapping[bytes, list[str]]:
    """The values that count by lower-case name; a secret one is a constant."""
    kept = hops.end_to_end_response(headers).without(_FRAMING)
    found: dict[bytes, list[str]] = {}
    for (name, value), (_, constant) in zip(
        kept, admission.constant_headers(kept, terms.redaction), strict=True
    ):
        told = _cookie(value) if name.lower() == b"set-cookie" else constant
        found.setdefault(name.lower(), []).append(told.decode("latin-1").strip())
    return found


def _cookie(value: bytes) -> bytes:
    """A cookie's name and attributes."""
    pair, semicolon, attributes = value.partition(b";")
    name, equals, _ = pair.partition(b"=")
    return (name + equals if equals else b"") + REDACTED.encode() + semicolon + attributes


def _spelled(name: bytes, *answers: Response) -> str:
    written = (key for answer in answers for key, _ in answer.headers if key.lower() == name)
    return next(written, name).decode("latin-1")


# Bodies.


@dataclass(frozen=True, slots=True)
class _Body:
    """A body without its coding: what it is read as, and its bytes."""

    content: Content
    plain: bytes

    @classmethod
    def of(cls, response: Response) -> _Body:
        headers = response.headers
        held = response.body.held
        plain = held
        with suppress(RefusedError):  # damaged, or in another coding: its bytes are never wrong
            plain = coding.decoded(held, headers, _LARGEST)
        return cls(canonical.content(plain, headers.get(b"content-type"), None), plain)

    def __str__(self) -> str:
        form = {"xml": " of XML", "json": " of JSON"}.get(self.content.kind, "")
        digest = hashlib.sha256(self.plain).hexdigest()[:16]
        return f"{len(self.plain)} bytes{form}, SHA-256 {digest}"


def _bodies(recorded: _Body, now: _Body, bases: _Bases, terms: Terms) -> Iterator[Change]:
    secret = _redacted_places(recorded.content.value)
    try:
        places = _places(recorded.content, now.content, terms.matching)
    except RecursionError:
        places = None
    for place in places or ():
        yield _change(place, bases, terms, secret=_NUMBERS.sub("", place.path) in secret)
    if places is None and recorded.plain != now.plain:
        texts = _text(recorded.plain), _text(now.plain)
        varies = None if None in texts else _recognised("", str(texts[0]), str(texts[1]), bases)
        one, other = (str(body) if body.plain else None for body in (recorded, now))
        yield Change("body", one, other, varies)


def _places(recorded: Content, now: Content, matching: Matching) -> list[Place] | None:
    """Where two bodies differ; None where these cannot be compared but as a whole.

    Errors: RecursionError.
    """
    one, other = recorded.value, now.value
    if isinstance(one, etree._Element) and isinstance(other, etree._Element):  # noqa: SLF001
        return list(XmlBodies(one, other, matching, order=False).places())
    if recorded.kind == now.kind == "json":
        return list(in_json(one, other))  # type: ignore[arg-type] # by their kind
    return None


def _redacted_places(value: object) -> frozenset[str]:
    """The XPaths, without numbers, of everything that a secret was taken out of."""
    found: set[str] = set()
    if isinstance(value, etree._Element):  # noqa: SLF001
        for element in value.iter(etree.Element):
            path = xpath(element, numbered=False)
            if is_redacted(element.text or ""):
                found.add(path)
            found |= {f"{path}/@{name}" for name, text in element.items() if is_redacted(str(text))}
    return frozenset(found)


def _text(plain: bytes) -> str | None:
    try:
        return plain.decode()
    except UnicodeDecodeError:
        return None


# Values.


def _change(place: Place, bases: _Bases, terms: Terms, *, secret: bool) -> Change:
    """A place as it is told: redacted, recognised, and not too long."""
    one, other = _plain(place.recorded, terms), _plain(place.asked, terms)
    varies = None
    if secret or is_redacted(place.recorded or "") or _is_secret(place):
        one, other = (None if value is None else REDACTED for value in (one, other))
    if one is not None and other is not None and not place.order:
        varies = REDACTED if one == other else _recognised(place.path, one, other, bases)
    told = difference(replace(place, recorded=one, asked=other))
    return Change(told.place, told.recorded, told.asked, varies)


def _is_secret(place: Place) -> bool:
    """Whether its name says so, or a name in the JSON that stands there."""
    said = (value for value in (place.recorded, place.asked) if value and value[0] in "{[")
    return any(map(SECRET_NAME.search, (place.path, *said)))


def _plain(value: str | None, terms: Terms) -> str | None:
    if value is None:
        return None
    for credentials in terms.credentials:
        value = value.replace(credentials, REDACTED)
    return without_digests(terms.redaction.constant_target(value))


def _recognised(path: str, recorded: str, now: str, bases: _Bases) -> str | None:
    one, other = _without(bases, recorded, now)
    return "address" if one == other else recognised(path, one, other)


def _without(bases: _Bases, recorded: str, now: str) -> tuple[str, str]:
    """Two values, each without the address of its own service."""
    one, other = bases
    return (
        recorded.replace(one, "") if one else recorded,
        now.replace(other, "") if other else now,
    )
