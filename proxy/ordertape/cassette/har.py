"""HTTP Archive 1.2, as browsers and proxies export it.

Source: the HAR 1.2 specification; peers.md section 2b. `content.text` is the body without its
content coding. Beside it, in fields of our own (which the specification lets every tool add and
tells every other to ignore), stand the bytes that HAR has no place for: `_encodedBase64` of a
compressed answer, `_base64` of a request that is no text.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

from ordertape.cassette import document, fields
from ordertape.cassette.coded import Inflating, coding_of
from ordertape.cassette.document import Document
from ordertape.cassette.har_writing import (
    BASE64,
    CREATOR,
    DEFAULT_HTTP,
    ENCODED,
    FORM,
    charset,
    dump,
    oldest_first,
    timings,
)
from ordertape.cassette.interaction import Interaction
from ordertape.cassette.values import Table, WrongError, from_base64
from ordertape.model import Headers

__all__ = ["dump", "interactions", "is_har", "load"]

_BODILESS = frozenset({204, 304})
_FIRST_FINAL = 200
_LAST_STATUS = 999
_PHASES = frozenset(timings(None))
_SURROGATE = re.compile("[\ud800-\udfff]")
_KEPT = frozenset({"comment", "connection", "serverIPAddress"})


def is_har(read: Document) -> bool:
    """Whether the top level is HAR's."""
    return read.json is not None and isinstance(read.value, Table) and "log" in read.value


def load(text: bytes, path: Path) -> list[Interaction]:
    """The interactions of an archive, oldest first; `path` is for errors. Errors: CassetteError."""
    return interactions(document.read(text, path))


def interactions(read: Document) -> list[Interaction]:
    """The interactions of what was read, oldest first where every time is known.

    What is no whole HTTP exchange is left out: entries of status 0 or 1xx, and of other schemes.
    Errors: CassetteError.
    """
    try:
        log = _log(read.value)
    except WrongError as error:
        raise read.wrong(error) from error
    creator = log.get("creator")
    ours = isinstance(creator, Table) and creator.get("name") == CREATOR
    loading = _Loading(ours=ours)
    found: list[Interaction] = []
    for number, entry in enumerate(log["entries"]):
        try:
            interaction = loading.interaction(entry)
        except WrongError as error:
            raise read.wrong(error, number) from error
        if interaction is not None:
            found.append(interaction)
    return oldest_first(found)


def _log(value: object) -> Table:
    log = fields.table(fields.table(value, "archive", 1).get("log"), "log", 1)
    if not isinstance(log.get("entries"), list):
        raise WrongError("The log has no entries; the archive is damaged.", 1)
    stated = fields.text(log.get("version"), "version", 1) or "1.1"
    major, _, minor = stated.partition(".")
    if major != "1" or not minor[:9].isdecimal() or int(minor[:9]) < 1:
        raise WrongError(
            f"The archive's version {ascii(stated)[:20]} is not 1.1 or later; export it anew.", 1
        )
    return log


@dataclass(slots=True)
class _Loading:
    """One archive being read; `ours` means that its fields `_...` are those described above."""

    ours: bool
    inflating: Inflating = field(default_factory=Inflating)

    def interaction(self, entry: object) -> Interaction | None:
        """The entry, None for what is no whole HTTP exchange. Errors: WrongError."""
        whole = fields.table(entry, "entry", None)
        request = fields.table(whole.get("request"), "request", None)
        response = fields.table(whole.get("response"), "response", None)
        content = response.get("content") or Table()
        if not _is_exchange(request, response):
            return None
        method = fields.method(request.get("method"), None)
        status = fields.status(response.get("status"), None)
        sent = _headers(request.get("headers"))
        headers, body = self._answer(
            method,
            status,
            _headers(response.get("headers")),
            fields.table(content, "content", None),
        )
        duration = _duration(whole.get("time"))
        return Interaction(
            method=method,
            url=fields.url(request.get("url"), None),
            request_headers=sent,
            request_body=self._sent(request),
            status=status,
            reason=fields.reason(response.get("statusText"), None),
            headers=headers,
            body=body,
            started_at=_moment(whole.get("startedDateTime")),
            duration=duration,
            extra=_extra(whole, duration),
        )

    def _sent(self, request: Table) -> bytes:
        posted = request.get("postData")
        if posted is None:
            size = request.get("bodySize")
            if isinstance(size, int) and size > 0:
                raise WrongError("The request's body is missing; export the archive with content.")
            return b""
        held = fields.table(posted, "postData", None)
        if self.ours and BASE64 in held:
            return _decoded(held[BASE64])
        media = fields.text(held.get("mimeType"), "media type", None)
        if held.get("text") is not None:
            return fields.encoded(
                fields.text(held["text"], "body", None), "body", None, charset(media)
            )
        parameters = held.get("params") or []
        if not media.lower().startswith(FORM) and parameters:
            raise WrongError("The request's body is there in parts only; export it as text.")
        return urlencode([_parameter(one) for one in parameters]).encode()

    def _answer(
        self, method: str, status: int, headers: Headers, content: Table
    ) -> tuple[Headers, bytes]:
        plain = self._content(content)
        if self.ours and ENCODED in content:
            encoded = _decoded(content[ENCODED])
            coding = coding_of(headers)
            inflated = None if coding is None else self.inflating.decoded(encoded, coding)
            if plain is None or inflated == plain:
                return self.inflating.honest(method, status, headers, encoded), encoded
        size = content.get("size")
        bodiless = method == "HEAD" or status in _BODILESS
        if plain is None and isinstance(size, int) and size > 0 and not bodiless:
            raise WrongError("The answer's body is missing; export the archive with content.")
        body = plain or b""
        return self.inflating.honest(method, status, headers, body), body

    def _content(self, content: Table) -> bytes | None:
        held = content.get("text")
        if held is None:
            return None
        match content.get("encoding"):
            case "base64":
                return _decoded(held)
            case None | "":
                media = fields.text(content.get("mimeType"), "media type", None)
                text = fields.text(held, "body", None)
                return fields.encoded(text, "body", None, charset(media))
            case _:
                raise WrongError("The body's encoding is not base64; export the archive anew.")


def _is_exchange(request: Table, response: Table) -> bool:
    scheme = urlsplit(fields.text(request.get("url"), "URL", None).split("?")[0][:99]).scheme
    status = response.get("status")
    early = isinstance(status, int) and not _FIRST_FINAL <= status <= _LAST_STATUS
    return not early and scheme.lower() in {"http", "https", ""}


def _decoded(held: object) -> bytes:
    return from_base64(fields.text(held, "body", None))


def _headers(held: object) -> Headers:
    """Header lines of objects or pairs, without HTTP/2's own; Chrome joins repeats by newlines."""
    pairs: list[tuple[bytes, bytes]] = []
    for entry in held if isinstance(held, list) else []:
        match entry:
            case Table():
                name, value = entry.get("name"), entry.get("value")
            case [name, value]:
                pass
            case _:
                raise WrongError("A header is neither an object nor a pair; the file is damaged.")
        called = fields.text(name, "header", None)
        if not called.startswith(":"):
            lines = fields.text(value, "header", None).split("\n")
            pairs.extend(fields.field(called, line, None) for line in lines)
    return Headers.of(pairs)


def _parameter(held: object) -> tuple[str, str]:
    one = fields.table(held, "parameter", None)
    return fields.text(one.get("name"), "name", None), fields.text(one.get("value"), "value", None)


def _moment(stated: object) -> int | None:
    """ISO 8601 as microseconds since 1970 UTC; None for what cannot be read, and for 0."""
    try:
        return fields.microseconds(datetime.fromisoformat(str(stated)))
    except (ValueError, OverflowError):
        return None


def _duration(stated: object) -> int | None:
    """Milliseconds as microseconds; None for what cannot be read, and for none at all."""
    if not isinstance(stated, int | float) or not 0 < stated < 10**12:
        return None
    return round(stated * 1000) or None


def _extra(whole: Table, duration: int | None) -> dict[str, Any]:
    """What an archive says beside the exchange: fields of other tools, timings, cache."""
    request, response = whole["request"], whole["response"]
    halves = {
        "entry": whole,
        "request": request,
        "response": response,
        "content": response.get("content") or {},
        "postData": request.get("postData") or {},
    }
    extra: dict[str, Any] = {name: _foreign(half) for name, half in halves.items()}
    for name, half in (("request", request), ("response", response)):
        spoken = half.get("httpVersion")
        if isinstance(spoken, str) and spoken != DEFAULT_HTTP and _is_writable(spoken):
            extra[name]["httpVersion"] = spoken
    if isinstance(whole.get("cache"), Table) and _is_writable(whole["cache"]):
        extra["cache"] = dict(whole["cache"])
    phases = whole.get("timings")
    if isinstance(phases, Table) and phases != timings(duration) and _are_timings(phases):
        extra["timings"] = dict(phases)
    return {name: kept for name, kept in extra.items() if kept}


def _foreign(half: Table) -> dict[str, Any]:
    return {
        name: value
        for name, value in half.items()
        if _is_writable([name, value])
        and (
            (name.startswith("_") and name not in {BASE64, ENCODED})
            or (name in _KEPT and isinstance(value, str))
        )
    }


def _is_writable(value: object, levels: int = 20) -> bool:
    """Whether JSON can hold it again: nested no deeper, no half surrogate pair, no infinity."""
    match value:
        case Table():
            members: Iterable[object] = (part for pair in value.items() for part in pair)
        case list():
            members = value
        case str():
            return not _SURROGATE.search(value)
        case float():
            return math.isfinite(value)
        case _:
            return True
    return levels > 0 and all(_is_writable(member, levels - 1) for member in members)


def _are_timings(phases: Table) -> bool:
    return all(
        isinstance(phases.get(name), int | float) and phases[name] >= 0
        for name in ("send", "wait", "receive")
    ) and all(
        name in _PHASES
        and isinstance(phase, int | float)
        and (phase == -1 or 0 <= phase < math.inf)
        for name, phase in phases.items()
    )
