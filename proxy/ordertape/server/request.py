"""A request's head and body, from what aiohttp's parser lets through to what is taken in.

The parser refuses most of what is malformed; the checks here are those that it lacks. Sources:
RFC 9112 sections 3 and 6, RFC 9110 sections 7.6 and 10.1; http-intermediary.md F4, F5, F15, H5,
H7, H8, H12, T2.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncGenerator
from dataclasses import replace

from aiohttp import StreamReader
from aiohttp.http import HttpVersion, HttpVersion10, HttpVersion11

from ordertape import hops
from ordertape.errors import (
    ExpectationFailedError,
    HeadersTooLargeError,
    MalformedError,
    MethodNotAllowedError,
    RefusedError,
    TooLargeError,
    TooSlowError,
    UnknownTransferCodingError,
    VersionNotSupportedError,
)
from ordertape.model import Body, Headers, Request

_AUTHORITY = re.compile(
    rb"(?:\[[0-9A-Fa-f:.]+\]|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})+)(?::[0-9]{0,5})?"
)
_ABSOLUTE = re.compile(r"https?://(?P<authority>[^/?#]*)(?P<rest>.*)", re.IGNORECASE)
_LOOKALIKES = hops.REQUEST_HOPS | {
    b"authorization",
    b"content-encoding",
    b"content-length",
    b"content-type",
    b"cookie",
    b"forwarded",
    b"host",
}
_REQUEST_LINE = re.compile(rb"(?:\r\n)*([A-Z-]+) +([!-~]+) +HTTP/([0-9]\.[0-9])\r\n")
_LINE_BREAK = ":\n\n"  # stands in the parser's messages between its reason and the client's bytes


def check_head(received: Request, version: HttpVersion, max_head: int) -> Request:
    """The request as it is handed on: its target in origin-form, its Host the one that counts.

    Everything else is as received. Errors: RefusedError.
    """
    if version not in {HttpVersion10, HttpVersion11}:
        raise _version_refused()
    if received.method in {"CONNECT", "TRACE"}:
        raise MethodNotAllowedError(
            f"{received.method} is never forwarded; send the request itself."
        )
    headers = received.headers
    if sum(len(name) + len(value) + 4 for name, value in headers) > max_head:
        raise headers_too_large()
    _check_framing(headers, version)
    target, authority = _origin_form(received.method, received.target)
    if authority is not None:
        host = authority.encode("ascii")
        headers = Headers.of(
            (name, host if name.lower() == b"host" else value) for name, value in headers
        )
        if headers.get(b"host") is None:
            headers = headers.with_added(b"Host", host)
    host_line = headers.get(b"host")
    if host_line is not None and not _AUTHORITY.fullmatch(host_line):
        raise MalformedError("Host is not a host name with an optional port; correct it.")
    return replace(received, target=target, headers=headers)


def _check_framing(headers: Headers, version: HttpVersion) -> None:
    codings = headers.get_all(b"transfer-encoding")
    if codings and version == HttpVersion10:
        raise MalformedError(
            "HTTP/1.0 has no Transfer-Encoding; send Content-Length, or speak HTTP/1.1."
        )
    if any(coding.lower() != b"chunked" for coding in codings):
        raise UnknownTransferCodingError(
            "The only transfer coding taken is chunked; send the body with that or Content-Length."
        )
    for name, _ in headers:
        if b"_" in name:
            dashed = name.lower().replace(b"_", b"-")
            if dashed in _LOOKALIKES or dashed.startswith(b"x-forwarded-"):
                raise MalformedError(
                    "A header name has an underscore where a field of HTTP has a dash, "
                    "and some servers read the two as one; send it with a dash."
                )


def _origin_form(method: str, target: str) -> tuple[str, str | None]:
    """(origin-form or `*`, authority of an absolute-form or None). Errors: MalformedError."""
    if "#" in target:
        raise MalformedError("The request target holds a fragment; leave out # and what follows.")
    if target.startswith("/") or (target == "*" and method == "OPTIONS"):
        return target, None
    absolute = _ABSOLUTE.fullmatch(target)
    if absolute is None or not _AUTHORITY.fullmatch(absolute["authority"].encode()):
        raise MalformedError("The request target is neither a path nor an http or https URL.")
    rest = absolute["rest"]
    if rest == "" and method == "OPTIONS":
        return "*", absolute["authority"]
    return rest if rest.startswith("/") else "/" + rest, absolute["authority"]


def expects_continue(headers: Headers, version: HttpVersion) -> bool:
    """Whether the client waits for 100 Continue. Errors: ExpectationFailedError."""
    expected = headers.tokens(b"expect")
    if not expected or version == HttpVersion10:
        return False
    if expected != [b"100-continue"]:
        raise ExpectationFailedError("The only expectation met is 100-continue; leave out Expect.")
    return True


def one_forward_fewer(request: Request) -> Request | None:
    """An OPTIONS request with its Max-Forwards decremented; None where it was 0.

    Other methods' Max-Forwards, and one that is no number, mean nothing (RFC 9110 section 7.6.2).
    """
    value = request.headers.get(b"max-forwards")
    if request.method != "OPTIONS" or value is None or not value.isdigit():
        return request
    if int(value) == 0:
        return None
    fewer = b"%d" % (int(value) - 1)
    headers = Headers.of(
        (name, fewer if name.lower() == b"max-forwards" else old) for name, old in request.headers
    )
    return replace(request, headers=headers)


async def read_body(
    content: StreamReader, stated: int | None, *, limit: int, patience: float, whole: bool
) -> Body:
    """The body: buffered up to `limit`, and past it refused if `whole`, else streamed.

    `stated` is Content-Length. Errors: TooLargeError, TooSlowError, MalformedError; from the
    stream the last two.
    """
    held = bytearray()
    try:
        if content.is_eof():
            held += content.read_nowait()
            if len(held) <= limit:
                return Body(bytes(held))
        async with asyncio.timeout(patience):
            while len(held) <= limit:
                piece = await content.readany()
                if not piece:
                    return Body(bytes(held))
                held += piece
    except TimeoutError as late:
        raise TooSlowError(
            f"The body was not whole after {patience:g} s ({_count(len(held), stated)} had come); "
            "send it faster."
        ) from late
    except OSError as gone:
        raise _client_left(len(held), stated) from gone
    if whole:
        raise too_large(limit)
    return Body(bytes(held[:limit]), _rest(bytes(held[limit:]), content, stated, patience))


async def _rest(
    first: bytes, content: StreamReader, stated: int | None, patience: float
) -> AsyncGenerator[bytes, None]:
    piece = first
    while piece:
        yield piece
        try:
            async with asyncio.timeout(patience):
                piece = await content.readany()
        except TimeoutError as late:
            raise TooSlowError(
                f"Nothing of the body came for {patience:g} s; send it faster."
            ) from late
        except OSError as gone:
            raise _client_left(content.total_bytes, stated) from gone


def too_large(limit: int) -> TooLargeError:
    """The body passes `limit` bytes."""
    return TooLargeError(f"The body passes {limit} bytes; split the order.")


def headers_too_large() -> HeadersTooLargeError:
    """A line of the head, or the whole of it, passes its limit."""
    return HeadersTooLargeError(
        "A header line, their number, or all of them together pass the limit; send fewer."
    )


def ended_early(content: StreamReader, stated: int | None) -> MalformedError:
    """The client ended its side before its body was whole."""
    return MalformedError(
        f"The body ended early ({_count(content.total_bytes, stated)} had come); send it whole."
    )


def _client_left(came: int, stated: int | None) -> MalformedError:
    return MalformedError(
        f"The client went away before its body was whole ({_count(came, stated)} had come)."
    )


def _count(came: int, stated: int | None) -> str:
    return f"{came} bytes" if stated is None else f"{came} of {stated} bytes"


def request_line(head: bytes) -> tuple[str, str]:
    """(method, target) of a head that was refused; both "" where they cannot be told."""
    line = _REQUEST_LINE.match(head)
    return (line[1].decode(), line[2].decode()) if line else ("", "")


def parser_refusal(message: str, head: bytes) -> RefusedError:
    """What aiohttp's parser objected to, in words of our own: no byte of the client's is echoed."""
    line = _REQUEST_LINE.match(head)
    if line is not None and line[3] not in {b"1.0", b"1.1"}:
        return _version_refused()
    reason = ""
    if _LINE_BREAK in message:
        reason = message.partition(_LINE_BREAK)[0].rpartition("\n")[2].strip()
    elif (repeat := re.fullmatch(r"Duplicate '([A-Za-z-]+)' header found\.", message)) is not None:
        reason = f"{repeat[1]} occurs twice"
    elif message.startswith("Missing 'Host'"):
        reason = "Host is missing"
    detail = f" ({reason})" if reason else ""
    return MalformedError(
        f"The request is not HTTP/1.1 as RFC 9112 has it{detail}; nothing was forwarded."
    )


def _version_refused() -> VersionNotSupportedError:
    return VersionNotSupportedError("The gateway speaks HTTP/1.1 and HTTP/1.0; use one of them.")
