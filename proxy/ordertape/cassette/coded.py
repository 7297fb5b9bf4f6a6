"""Content-Encoding told honestly: a recorded body is what its header says, or the header goes.

Recorders that decompress first leave a plain body beside `Content-Encoding: gzip`; a client that
believed the header could not read it. What is compressed stays as it was recorded.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass

from ordertape.cassette.values import WrongError
from ordertape.model import Headers

__all__ = ["Inflating", "coding_of", "without_coding"]

_BUDGET = 256 * 1024 * 1024
_PIECE = 1024 * 1024
_GZIP = b"\x1f\x8b"
_GZIPPED = frozenset({b"gzip", b"x-gzip"})
_BODILESS = frozenset({204, 304})
_DEFLATED = 8


@dataclass(slots=True)
class Inflating:
    """Inflates the bodies of one file, all of them together into at most `left` bytes."""

    left: int = _BUDGET

    def inflate(self, body: bytes, wbits: int, *, keep: bool) -> bytes | None:
        """The whole of it (b"" unless `keep`), None for a damaged or truncated stream.

        Errors: WrongError past the budget.
        """
        pieces: list[bytes] = []
        while body:
            inflater = zlib.decompressobj(wbits)
            rest = body
            while not inflater.eof:
                try:
                    piece = inflater.decompress(rest, _PIECE)
                except zlib.error:
                    return None
                rest = inflater.unconsumed_tail
                if not piece and not rest and not inflater.eof:
                    return None
                self.left -= len(piece)
                if self.left < 0:
                    raise WrongError(
                        f"The compressed bodies hold more than {_BUDGET} bytes; it is not read."
                    )
                if keep:
                    pieces.append(piece)
            body = inflater.unused_data
        return b"".join(pieces)

    def decoded(self, body: bytes, coding: bytes, *, keep: bool = True) -> bytes | None:
        """The body without this coding; None where it is not so coded, or the coding unknown."""
        if coding in _GZIPPED:
            return self.inflate(body, 16 + zlib.MAX_WBITS, keep=keep)
        if coding == b"deflate":
            plain = self.inflate(body, zlib.MAX_WBITS, keep=keep)
            return self.inflate(body, -zlib.MAX_WBITS, keep=keep) if plain is None else plain
        return None

    def honest(self, method: str, status: int, headers: Headers, body: bytes) -> Headers:
        """The headers, without a Content-Encoding that the body lacks; its length then told anew.

        Errors: WrongError for a compressed body that is damaged or cut short.
        """
        coding = coding_of(headers)
        if coding is None or method == "HEAD" or status in _BODILESS:
            return headers
        if body and self.decoded(body, coding, keep=False) is not None:
            return headers
        if body and not _is_plain(body, coding):
            if coding in _GZIPPED or coding == b"deflate":
                raise WrongError(
                    f"The body is damaged or truncated {coding.decode()}; record it anew."
                )
            return headers
        return without_coding(headers, len(body))


def coding_of(headers: Headers) -> bytes | None:
    """The one content coding, lower case; None for none, or for several, which are believed."""
    codings = [coding for coding in headers.tokens(b"content-encoding") if coding != b"identity"]
    return codings[0] if len(codings) == 1 else None


def without_coding(headers: Headers, length: int) -> Headers:
    """The headers of a plain body of this length; Content-Length stays where it stood."""
    return Headers.of(
        (name, b"%d" % length if name.lower() == b"content-length" else value)
        for name, value in headers.without((b"content-encoding",))
    )


def _is_plain(body: bytes, coding: bytes) -> bool:
    """Whether a body that does not inflate was never compressed, rather than damaged since."""
    if coding in _GZIPPED:
        return not body.startswith(_GZIP)
    try:
        body.decode()
    except UnicodeDecodeError:
        return coding == b"deflate" and not _begins_as_zlib(body)
    return True


def _begins_as_zlib(body: bytes) -> bool:
    return body[0] & 0x0F == _DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
