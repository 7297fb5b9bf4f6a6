"""vcrpy's cassettes, YAML and JSON: version 1, what came before it, and Betamax and Ruby VCR.

Sources: vcrpy 9.4.2, `serialize.py`, `migration.py` and `stubs/`; peers.md section 2a. A YAML file
that is cut at the end of a line is still YAML, so `version: 1` (of Ruby VCR: `recorded_with`) must
come after the interactions; of a bare list, as vcrpy wrote before 1.0, nothing can show its end.
"""

from __future__ import annotations

import json as jsons
from collections.abc import Mapping
from datetime import datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

from ordertape.cassette import document, fields
from ordertape.cassette.coded import Inflating
from ordertape.cassette.document import Document
from ordertape.cassette.interaction import Interaction
from ordertape.cassette.values import Plain, Table, WrongError, from_base64
from ordertape.cassette.vcr_writing import dump
from ordertape.model import Headers

__all__ = ["dump", "interactions", "load"]

_FORM = b"application/x-www-form-urlencoded"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_DEFAULT_PORTS = {"http": "80", "https": "443"}
_PAIR = 2


def load(text: bytes, path: Path) -> list[Interaction]:
    """The interactions of a cassette's text; `path` is for errors. Errors: CassetteError."""
    return interactions(document.read(text, path))


def interactions(read: Document) -> list[Interaction]:
    """The interactions of what was read. Errors: CassetteError."""
    try:
        entries = _entries(read.value)
    except WrongError as error:
        raise read.wrong(error) from error
    inflating = Inflating()
    loaded: list[Interaction] = []
    for number, entry in enumerate(entries):
        try:
            loaded.append(_interaction(entry, inflating))
        except WrongError as error:
            line = error.line or fields.line_of(entry)
            raise read.wrong(WrongError(str(error), line), number) from error
    return loaded


def _entries(value: Any) -> list[Any]:  # noqa: ANN401 - plain values
    if isinstance(value, list):
        return value
    if not isinstance(value, Table):
        raise WrongError("The file is no cassette: neither interactions nor a HAR log is in it.", 1)
    keys = list(value)
    kind = "http_interactions" if "http_interactions" in value else "interactions"
    end = "recorded_with" if kind == "http_interactions" else "version"
    if kind not in value:
        raise WrongError("The file is no cassette: neither interactions nor a HAR log is in it.", 1)
    in_yaml = value.line is not None
    if end not in value or (in_yaml and keys.index(end) < keys.index(kind)):
        raise WrongError(
            f"The cassette does not end with `{end}`, so it may be cut short; restore it, or put "
            f"`{end}` last if it is whole.",
            value.line,
        )
    if end == "version" and str(value[end]) != "1":
        raise WrongError(
            "The cassette's version is not 1; record it anew, or write `version: 1` last.",
            value.line,
        )
    listed = [] if value[kind] is None and not in_yaml else value[kind]
    if not isinstance(listed, list):
        raise WrongError(f"`{kind}` is no list; the cassette is damaged.", value.line)
    return listed


def _interaction(entry: object, inflating: Inflating) -> Interaction:
    line = fields.line_of(entry)
    whole = fields.table(entry, "interaction", line)
    request = fields.table(whole.get("request"), "request", line)
    response = fields.table(whole.get("response"), "response", line)
    method = _method(request)
    sent, sent_headers = _request_body(
        request.get("body"), fields.headers(request.get("headers"), request.line), request.line
    )
    status, reason = _status(response)
    body = _response_body(response)
    headers = fields.headers(response.get("headers"), response.line)
    return Interaction(
        method=method,
        url=_url(request),
        request_headers=sent_headers,
        request_body=sent,
        status=status,
        reason=reason,
        headers=inflating.honest(method, status, headers, body),
        body=body,
        started_at=_recorded_at(whole.get("recorded_at")),
    )


def _method(request: Table) -> str:
    """As it was sent: Ruby VCR writes symbols, and aiohttp's caller may write `get`."""
    name = fields.method(request.get("method"), request.line)
    return name.upper() if name.upper() in _METHODS else name


def _url(request: Table) -> str:
    if "uri" in request or "host" not in request:
        return fields.url(request.get("uri"), request.line)
    scheme, host, port, path = (
        fields.text(request.get(part), part, request.line)
        for part in ("protocol", "host", "port", "path")
    )
    authority = host if port in {"", _DEFAULT_PORTS.get(scheme)} else f"{host}:{port}"
    return fields.url(f"{scheme}://{authority}{path}", request.line)


def _status(response: Table) -> tuple[int, bytes]:
    if "status_code" in response:
        return fields.status(response["status_code"], response.line), b""
    told = fields.table(response.get("status"), "status", response.line)
    return fields.status(told.get("code"), told.line), fields.reason(told.get("message"), told.line)


def _response_body(response: Table) -> bytes:
    held = response.get("content") if "status_code" in response else response.get("body")
    if isinstance(held, Table):
        return _betamax(held, held.line or response.line)
    return _bytes(held, response.line)


def _betamax(held: Table, line: int | None) -> bytes:
    """`{string}`, of Betamax and Ruby VCR `{encoding, string}` or `{encoding, base64_string}`."""
    if "base64_string" in held:
        return from_base64(fields.text(held["base64_string"], "body", line), line)
    charset = fields.text(held.get("encoding"), "encoding", line) or "utf-8"
    return _bytes(held.get("string"), line, charset)


def _bytes(held: object, line: int | None, charset: str = "utf-8") -> bytes:
    if isinstance(held, list):
        return b"".join(_chunk(chunk, line) for chunk in held)
    return _chunk(held, line, charset)


def _chunk(held: object, line: int | None, charset: str = "utf-8") -> bytes:
    if isinstance(held, bytes):
        return held
    return fields.encoded(fields.text(held, "body", line), "body", line, charset)


def _request_body(held: Any, headers: Headers, line: int | None) -> tuple[bytes, Headers]:  # noqa: ANN401
    """The bytes that were sent, and the Content-Type that the client added for them.

    aiohttp's `json=` and `data=` are recorded as they were handed over, before the client wrote
    them out: what says nothing else is taken for JSON, as most of it is.
    """
    structured = isinstance(held, Table) and not {"string", "base64_string"} & set(held)
    pairs = isinstance(held, list) and bool(held) and all(map(_is_pair, held))
    if isinstance(held, Table) and not structured:
        return _betamax(held, held.line or line), headers
    if not structured and not pairs and not _holds_values(held):
        return _bytes(held, line), headers
    media = headers.get(b"content-type") or (_FORM if pairs else b"application/json")
    told = headers
    if headers.get(b"content-type") is None:
        told = headers.with_added(b"Content-Type", media)
    if not media.startswith(_FORM):
        return _as_json(held, line), told
    listed = held.items() if isinstance(held, Table) else held
    return urlencode(
        [(_form(key, line), _form(value, line)) for key, value in listed]
    ).encode(), told


def _is_pair(value: object) -> bool:
    return isinstance(value, list) and len(value) == _PAIR and isinstance(value[0], str)


def _holds_values(held: object) -> bool:
    """Whether this is a JSON array: no list of chunks, whose members are all text or bytes."""
    return isinstance(held, list) and not all(
        isinstance(member, str | bytes) and not isinstance(member, Plain) for member in held
    )


def _form(value: object, line: int | None) -> bytes:
    if isinstance(value, bytes):
        return value
    return fields.encoded(fields.text(value, "form", line), "form", line)


def _as_json(held: object, line: int | None) -> bytes:
    try:
        return jsons.dumps(_typed(held), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        raise WrongError(
            "The request's body cannot be written as JSON; record anew.", line
        ) from error


def _typed(value: object) -> object:
    match value:
        case Plain():
            return value.typed()
        case Mapping():
            return {key: _typed(member) for key, member in value.items()}
        case list():
            return [_typed(member) for member in value]
        case _:
            return value


def _recorded_at(value: object) -> int | None:
    """Betamax writes ISO 8601, Ruby VCR an HTTP date; microseconds since 1970, None for neither."""
    if not isinstance(value, str):
        return None
    for parse in (datetime.fromisoformat, parsedate_to_datetime):
        try:
            return fields.microseconds(parse(value))
        except (ValueError, OverflowError):
            continue
    return None
