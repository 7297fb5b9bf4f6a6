"""A response's head as finished bytes, and how its body is framed.

Status, reason, and the fields' order, spelling and bytes are the response's own. Added are only
what frames the message on this connection, and Date where it is absent (RFC 9110 section 6.6.1).
Source: http-intermediary.md H14-H16, H19, H20.
"""

from __future__ import annotations

from dataclasses import dataclass
from email.utils import formatdate
from http import HTTPStatus

from ordertape import hops
from ordertape.model import Headers, Response

CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
FULL = (
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nOrdertape-State: refused\r\n"
    b"Connection: close\r\nContent-Length: 0\r\n\r\n"
)
"""Where more connections are open than allowed: said before a request could be read."""

_NEVER_A_BODY = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED})
_NEVER_A_LENGTH = frozenset({HTTPStatus.NO_CONTENT})
_FORBIDDEN = (b"\r", b"\n", b"\0")


@dataclass(frozen=True, slots=True)
class Framed:
    """A finished head and the framing that it promises.

    `bodiless`: nothing follows. `chunked`: the body is sent in chunks. `length`: how many bytes
    follow, exactly; None with neither of the two: the close of the connection ends the body.
    """

    head: bytes
    bodiless: bool
    chunked: bool
    length: int | None
    keep_alive: bool


def frame(response: Response, *, method: str, http10: bool, keep_alive: bool) -> Framed:
    """Frame `response` as the answer to `method`.

    Errors: ValueError when a field or the reason would break the head apart.
    """
    headers = hops.end_to_end_response(response.headers)
    stated = headers.content_length()
    held, rest = response.body.held, response.body.rest
    bodiless = method == "HEAD" or response.status in _NEVER_A_BODY
    chunked = False
    length: int | None = 0
    if response.status in _NEVER_A_LENGTH:
        headers = headers.without([b"content-length"])
    elif bodiless:
        if held and rest is None:
            headers = _with_length(headers, stated, len(held))
    elif rest is None:
        length = len(held)
        headers = _with_length(headers, stated, length)
    elif stated is not None:
        length = stated
    else:
        length = None
        chunked = not http10
        keep_alive = keep_alive and chunked
        headers = headers.without([b"content-length"])
    if headers.get(b"date") is None:
        headers = headers.with_added(b"Date", formatdate(usegmt=True).encode())
    if chunked:
        headers = headers.with_added(b"Transfer-Encoding", b"chunked")
    if not keep_alive:
        headers = headers.with_added(b"Connection", b"close")
    elif http10:
        headers = headers.with_added(b"Connection", b"keep-alive")
    return Framed(_head(response, headers), bodiless, chunked, length, keep_alive)


def _with_length(headers: Headers, stated: int | None, length: int) -> Headers:
    if stated == length:
        return headers
    return headers.without([b"content-length"]).with_added(b"Content-Length", b"%d" % length)


def _head(response: Response, headers: Headers) -> bytes:
    lines = [b"HTTP/1.1 %d %b" % (response.status, response.reason)]
    lines += [b"%b: %b" % pair for pair in headers]
    if any(octet in line for line in lines for octet in _FORBIDDEN):
        raise ValueError("The response's head holds a line break or NUL inside a field.")
    return b"\r\n".join(lines) + b"\r\n\r\n"
