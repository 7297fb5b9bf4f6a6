"""Content codings and digests of an order's body (http-intermediary.md C1-C4)."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
import zlib

from ordertape.errors import MalformedError, TooLargeError, UnsupportedTypeError
from ordertape.model import Headers

_GZIP = 16 + zlib.MAX_WBITS
_CODINGS = {b"gzip": _GZIP, b"x-gzip": _GZIP, b"deflate": zlib.MAX_WBITS}
_ALGORITHMS = {b"sha-256": "sha256", b"sha-512": "sha512", b"md5": "md5"}
_DIGEST_MEMBER = re.compile(rb"\s*([a-z0-9-]+)\s*=\s*:?([A-Za-z0-9+/=]+):?\s*", re.IGNORECASE)

STALE_AFTER_EDIT = (
    b"content-encoding",
    b"content-md5",
    b"digest",
    b"content-digest",
    b"repr-digest",
)
"""Fields that speak of the bytes as received and are dropped when other bytes are sent."""


def decoded(body: bytes, headers: Headers, limit: int) -> bytes:
    """The body without its content coding, at most `limit` bytes.

    Errors: UnsupportedTypeError for a coding other than gzip, x-gzip, deflate or identity, or
    several; TooLargeError past the limit; MalformedError for a damaged or truncated stream.
    """
    codings = [coding for coding in headers.tokens(b"content-encoding") if coding != b"identity"]
    if not codings:
        return body
    if len(codings) > 1 or codings[0] not in _CODINGS:
        raise UnsupportedTypeError(
            "The Content-Encoding of an order may be gzip, deflate or identity, once; "
            "send the body in one of them."
        )
    inflater = zlib.decompressobj(_CODINGS[codings[0]])
    try:
        plain = inflater.decompress(body, limit + 1)
    except zlib.error as error:
        raise MalformedError(
            "The body is not what its Content-Encoding says; send it compressed rightly or plain."
        ) from error
    if len(plain) > limit:
        raise TooLargeError(f"The decompressed body passes {limit} bytes; send a smaller order.")
    if not inflater.eof or inflater.unused_data:
        raise MalformedError(
            "The compressed body is truncated or has bytes after its end; send it whole."
        )
    return plain


def check_digests(body: bytes, headers: Headers) -> None:
    """Compare Content-MD5 and Content-Digest (RFC 9530) with the body as received.

    Errors: MalformedError on a mismatch. Unknown algorithms are left to the service.
    """
    stated = [(b"md5", value) for value in headers.get_all(b"content-md5")]
    for line in headers.get_all(b"content-digest"):
        stated += [
            (match[1].lower(), match[2])
            for member in line.split(b",")
            if (match := _DIGEST_MEMBER.fullmatch(member))
        ]
    for algorithm, value in stated:
        name = _ALGORITHMS.get(algorithm)
        if name is None:
            continue
        try:
            expected = base64.b64decode(value, validate=True)
        except binascii.Error:
            expected = b""
        if hashlib.new(name, body, usedforsecurity=False).digest() != expected:
            raise MalformedError(
                f"The body does not match its {algorithm.decode()} digest; send both anew."
            )


def forbids_changes(headers: Headers) -> bool:
    """Whether the client forbids, or a signature rules out, that other bytes are sent."""
    return (
        b"no-transform" in headers.tokens(b"cache-control")
        or headers.get(b"signature-input") is not None
    )


_CHARSET = re.compile(rb"(;\s*charset\s*=\s*)(\"[^\"]*\"|[^;\s]*)", re.IGNORECASE)


def as_utf8(content_type: bytes) -> bytes:
    """The media type with its charset, where it names one, set to what is sent after an edit."""
    return _CHARSET.sub(rb"\g<1>utf-8", content_type)
