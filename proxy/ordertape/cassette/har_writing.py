"""Interactions as an HTTP Archive 1.2 that a browser's network panel opens."""

from __future__ import annotations

import base64
import codecs
import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from importlib.metadata import version
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from ordertape.cassette.coded import Inflating, coding_of
from ordertape.cassette.interaction import CassetteError, Interaction
from ordertape.cassette.values import WrongError
from ordertape.model import Headers

__all__ = [
    "BASE64",
    "CREATOR",
    "DEFAULT_HTTP",
    "ENCODED",
    "FORM",
    "charset",
    "dump",
    "oldest_first",
    "timings",
]

CREATOR = "ordertape"
"""Only in archives by this name are the fields `ENCODED` and `BASE64` ours."""
ENCODED, BASE64 = "_encodedBase64", "_base64"
DEFAULT_HTTP = "HTTP/1.1"
FORM = "application/x-www-form-urlencoded"
_UNKNOWN_TYPE = "application/octet-stream"
_CHARSET = re.compile(r";\s*charset\s*=\s*\"?([^\s;\"]+)", re.IGNORECASE)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_UTF8 = frozenset({"utf-8", "ascii"})


def dump(interactions: Iterable[Interaction]) -> bytes:
    """The archive, oldest first where every time is known.

    An unknown time is written as 1970, an unknown duration as 0.
    Errors: CassetteError for a damaged compressed body.
    """
    inflating = Inflating()
    entries = []
    for number, interaction in enumerate(oldest_first(list(interactions)), 1):
        try:
            entries.append(_entry(interaction, inflating))
        except WrongError as error:
            raise CassetteError(
                f"Interaction {number} ({interaction.method} {interaction.url}): {error}"
            ) from error
    creator = {"name": CREATOR, "version": version("ordertape")}
    log = {"version": "1.2", "creator": creator, "pages": [], "entries": entries}
    return (json.dumps({"log": log}, indent=2, ensure_ascii=False) + "\n").encode()


def oldest_first(interactions: list[Interaction]) -> list[Interaction]:
    """By time where every one is known, else in the order given."""
    times = [interaction.started_at for interaction in interactions]
    if None in times:
        return interactions
    return sorted(interactions, key=lambda interaction: interaction.started_at or 0)


def timings(duration: int | None) -> dict[str, int | float]:
    """What is told of an exchange of which only the whole duration (microseconds) is known."""
    wait = _milliseconds(duration)
    return {
        "blocked": -1,
        "dns": -1,
        "connect": -1,
        "send": 0,
        "wait": wait,
        "receive": 0,
        "ssl": -1,
    }


def charset(media: str) -> str:
    """The charset of a media type, UTF-8 where it names none that is known."""
    found = _CHARSET.search(media)
    try:
        return codecs.lookup(found[1]).name if found else "utf-8"
    except (LookupError, ValueError):
        return "utf-8"


def _milliseconds(microseconds: int | None) -> int | float:
    whole, part = divmod(microseconds or 0, 1000)
    return (microseconds or 0) / 1000 if part else whole


def _entry(interaction: Interaction, inflating: Inflating) -> dict[str, Any]:
    extra: Mapping[str, Any] = interaction.extra
    started = _EPOCH + timedelta(microseconds=interaction.started_at or 0)
    return {
        "startedDateTime": started.isoformat(timespec="microseconds").replace("+00:00", "Z"),
        "time": _milliseconds(interaction.duration),
        "request": _request(interaction, extra),
        "response": _response(interaction, inflating, extra),
        "cache": extra.get("cache", {}),
        "timings": extra.get("timings", timings(interaction.duration)),
        **extra.get("entry", {}),
    }


def _request(interaction: Interaction, extra: Mapping[str, Any]) -> dict[str, Any]:
    headers, body = interaction.request_headers, interaction.request_body
    parts = urlsplit(interaction.url)
    line = f"{interaction.method} {parts.path}?{parts.query} {DEFAULT_HTTP}\r\n"
    told: dict[str, Any] = {
        "method": interaction.method,
        "url": interaction.url,
        "httpVersion": DEFAULT_HTTP,
        "cookies": sent_cookies(headers),
        "headers": _lines(headers),
        "queryString": [
            {"name": name, "value": value}
            for name, value in parse_qsl(parts.query, keep_blank_values=True)
        ],
    }
    if body:
        media = _media(headers)
        text = _as_text(body, media)
        held = {"text": ""} if text is None else {"text": text}
        if text is None:
            held[BASE64] = base64.b64encode(body).decode()
        told["postData"] = {"mimeType": media, **held, **extra.get("postData", {})}
    return {
        **told,
        "headersSize": len(line) - (not parts.query) + _size(headers),
        "bodySize": len(body),
        **extra.get("request", {}),
    }


def _response(
    interaction: Interaction, inflating: Inflating, extra: Mapping[str, Any]
) -> dict[str, Any]:
    headers = inflating.honest(
        interaction.method, interaction.status, interaction.headers, interaction.body
    )
    line = len(b"HTTP/1.1 200 \r\n") + len(interaction.reason)
    return {
        "status": interaction.status,
        "statusText": interaction.reason.decode("utf-8", "replace"),
        "httpVersion": DEFAULT_HTTP,
        "cookies": [received_cookie(line) for line in map(_shown, headers.get_all(b"set-cookie"))],
        "headers": _lines(headers),
        "content": {**_content(headers, interaction.body, inflating), **extra.get("content", {})},
        "redirectURL": _shown(headers.get(b"location") or b""),
        "headersSize": line + _size(headers),
        "bodySize": len(interaction.body),
        **extra.get("response", {}),
    }


def _content(headers: Headers, body: bytes, inflating: Inflating) -> dict[str, Any]:
    media = _media(headers)
    coding = coding_of(headers)
    if not body or not headers.tokens(b"content-encoding"):
        return {"size": len(body), "mimeType": media, **_held(body, media)}
    plain = None if coding is None else inflating.decoded(body, coding)
    kept = {ENCODED: base64.b64encode(body).decode()}
    if plain is None:
        return {"size": len(body), "mimeType": media, **kept}
    saved = {"compression": len(plain) - len(body)}
    return {"size": len(plain), **saved, "mimeType": media, **_held(plain, media), **kept}


def _held(body: bytes, media: str) -> dict[str, str]:
    text = _as_text(body, media)
    if text is not None:
        return {"text": text}
    return {"text": base64.b64encode(body).decode(), "encoding": "base64"}


def _as_text(body: bytes, media: str) -> str | None:
    """The text, None where a reader would not get these bytes back from it."""
    if charset(media) not in _UTF8 and not body.isascii():
        return None
    try:
        return body.decode()
    except UnicodeDecodeError:
        return None


def _media(headers: Headers) -> str:
    return _shown(headers.get(b"content-type") or _UNKNOWN_TYPE.encode())


def _lines(headers: Headers) -> list[dict[str, str]]:
    return [{"name": _shown(name), "value": _shown(value)} for name, value in headers]


def _size(headers: Headers) -> int:
    return sum(len(name) + len(value) + len(b": \r\n") for name, value in headers) + len(b"\r\n")


def _shown(raw: bytes) -> str:
    """Header bytes as text. Errors: WrongError for what no text can stand for."""
    try:
        return raw.decode()
    except UnicodeDecodeError as error:
        raise WrongError("A header is no UTF-8, which HAR cannot hold; export as vcr.") from error


def sent_cookies(headers: Headers) -> list[dict[str, str]]:
    """What the Cookie lines say (RFC 6265 section 4.2)."""
    pairs = [
        part.strip().partition("=")
        for line in headers.get_all(b"cookie")
        for part in _shown(line).split(";")
        if part.strip()
    ]
    return [{"name": name.strip(), "value": value.strip()} for name, _, value in pairs]


def received_cookie(line: str) -> dict[str, Any]:
    """What a Set-Cookie line says (RFC 6265 section 5.2), its time as ISO 8601."""
    first, *attributes = line.split(";")
    name, _, value = first.partition("=")
    cookie: dict[str, Any] = {"name": name.strip(), "value": value.strip()}
    pairs = [part.strip().partition("=") for part in attributes]
    given = {attribute.strip().lower(): stated.strip() for attribute, _, stated in pairs}
    cookie |= {key: given[key] for key in ("path", "domain") if given.get(key)}
    expires = _expiry(given.get("expires", ""))
    if expires is not None:
        cookie["expires"] = expires
    return cookie | {"httpOnly": "httponly" in given, "secure": "secure" in given}


def _expiry(stated: str) -> str | None:
    try:
        return parsedate_to_datetime(stated).isoformat()
    except (ValueError, OverflowError):
        return None
