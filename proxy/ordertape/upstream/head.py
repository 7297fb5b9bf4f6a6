"""A request's head as the bytes that leave: what came, but for the lines that are ours.

Header lines keep their order, spelling and repeats. Ours are Host, the framing (RFC 9112 section
6) and one Via line; no other line is invented.
"""

from __future__ import annotations

from dataclasses import dataclass

from ordertape import hops
from ordertape.errors import NotSentError
from ordertape.model import Request

__all__ = ["RequestHead", "request_head"]

_CONTENT_LENGTH = b"content-length"
_HOST = b"host"

_OURS = hops.REQUEST_HOPS | {_CONTENT_LENGTH, _HOST}
"""Lines that speak of one connection only (RFC 9110 section 7.6.1), and Host."""

_HOLDS_A_BODY = frozenset({"POST", "PUT", "PATCH"})
"""Methods that say `Content-Length: 0` when their body is empty (RFC 9110 section 8.6)."""


@dataclass(frozen=True, slots=True)
class RequestHead:
    """The head, up to and with its empty line; `length` of the body, None where it is chunked."""

    data: bytes
    length: int | None


def request_head(
    request: Request, *, target: str, authority: bytes | None, fallback: bytes, via: bytes | None
) -> RequestHead:
    """Write the head of this request for `target`.

    `authority` goes into Host, None keeps the request's own; `fallback` stands in where it has
    none. `via` is the pseudonym of the one Via line that is added at the end (RFC 9110 7.6.3).
    Errors: NotSentError where a line would hold a line break or NUL.
    """
    length = _length(request)
    lines = [f"{request.method} {target} HTTP/1.1".encode("utf-8", "surrogateescape")]
    hosted = framed = False
    for name, value in request.headers.pairs:
        key = name.lower()
        if key not in _OURS:
            lines.append(b"%b: %b" % (name, value))
        elif key == _HOST and not hosted:
            hosted = True
            lines.append(b"%b: %b" % (name, value if authority is None else authority))
        elif key == _CONTENT_LENGTH and length is not None and not framed:
            framed = True
            lines.append(b"%b: %d" % (name, length))
    if not hosted:
        lines.insert(1, b"Host: " + (fallback if authority is None else authority))
    if via is not None:
        lines.append(b"Via: %b %b" % (request.version.encode(), via))
    if length is None:
        lines.append(b"Transfer-Encoding: chunked")
    elif not framed and (length or request.method in _HOLDS_A_BODY):
        lines.append(b"Content-Length: %d" % length)
    data = b"\r\n".join((*lines, b"", b""))
    breaks = len(lines) + 1
    if data.count(b"\n") != breaks or data.count(b"\r") != breaks or b"\0" in data:
        raise NotSentError(
            "A line of the request's head holds a line break or NUL; nothing was sent."
        )
    return RequestHead(data, length)


def _length(request: Request) -> int | None:
    if request.body.rest is None:
        return len(request.body.held)
    return request.headers.content_length()
