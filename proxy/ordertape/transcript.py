"""What is kept of an exchange: its messages without secrets, its name and moment."""

from __future__ import annotations

import hashlib
import os
import time
from uuid import UUID

from ordertape.model import Message, Request, Response, Tally
from ordertape.redaction import Redaction


def request_message(request: Request, target: str, keep: Redaction) -> Message:
    """A request as it is stored, its body as far as it is held; `target` without secrets."""
    headers, body = request.headers, request.body.held
    line = f"{request.method} {target} HTTP/{request.version}".encode("utf-8", "surrogateescape")
    return Message(line, keep.headers(headers), body, len(body), hashlib.sha256(body).digest())


def response_message(response: Response, seen: Tally, keep: Redaction) -> Message:
    """A response as far as its body has been seen."""
    line = b"HTTP/1.1 %d %b" % (response.status, response.reason)
    return Message(line, keep.headers(response.headers), *seen.result())


def order_id(response: Response) -> str | None:
    """What follows the last slash of Location, as every client reads it."""
    location = response.headers.get(b"location")
    if location is None or response.status // 100 != 2:  # noqa: PLR2004 - the class of a status
        return None
    return location.rpartition(b"/")[2].decode("latin-1") or None


def moment() -> int:
    """Now, in microseconds since 1970 UTC, by the wall clock."""
    return time.time_ns() // 1000


def exchange_id() -> str:
    """A time-ordered UUID (RFC 9562 section 5.7), so that ids sort as the exchanges came."""
    milliseconds = time.time_ns() // 1_000_000
    value = (milliseconds << 80) | int.from_bytes(os.urandom(10), "big")
    value = value & ~(0xF << 76) | (7 << 76)
    return str(UUID(int=value & ~(0x3 << 62) | (2 << 62)))
