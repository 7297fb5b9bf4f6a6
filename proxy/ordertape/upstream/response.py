"""Response bytes in, a head and pieces of a body out; no sockets (RFC 9112).

llhttp judges the syntax. What it leaves open is decided here and always strictly, for a response
that two parsers may read differently must never reach a client.
"""

from __future__ import annotations

import enum

import httptools

from ordertape.errors import InDoubtError

__all__ = ["ResponseReader"]

_FIRST_STATUS = 100
_SWITCHING_PROTOCOLS = 101
_FIRST_FINAL = 200


class _Phase(enum.Enum):
    """Which part of the response comes next."""

    HEAD = enum.auto()
    BODY = enum.auto()
    WHOLE = enum.auto()


class _UnusableError(Exception):
    """Raised inside llhttp's callbacks, where it ends the parsing: the answer cannot be used."""


class ResponseReader:
    """Reads the responses of one connection, one after the other.

    `status`, `reason` and `pairs` hold once `headed` is true. `max_head` (bytes) and
    `max_headers` (lines) bound a head, and all else that is not body.
    """

    def __init__(self, max_head: int, max_headers: int) -> None:
        self._max_head = max_head
        self._max_headers = max_headers
        self._parser = httptools.HttpResponseParser(self)
        self.begin(bodiless=False)

    def begin(self, *, bodiless: bool) -> None:
        """Expect a response; `bodiless` where it ends with its head whatever that says (HEAD)."""
        self._bodiless = bodiless
        self._phase = _Phase.HEAD
        self._until_eof = self._interim = False
        self._overhead = 0
        self._pieces: list[bytes] = []
        self.status = 0
        self.reason = b""
        self.pairs: list[tuple[bytes, bytes]] = []
        self.keep_alive = False
        """Whether the connection may carry another exchange, once this response is whole."""

    @property
    def headed(self) -> bool:
        """Whether the head is there."""
        return self._phase is not _Phase.HEAD

    @property
    def whole(self) -> bool:
        """Whether the response has ended."""
        return self._phase is _Phase.WHOLE

    def take(self) -> bytes:
        """Return what came of the body since this was last called."""
        data = b"".join(self._pieces)
        self._pieces.clear()
        return data

    def feed(self, data: bytes) -> None:
        """Read on. Errors: InDoubtError where this is no response, or more than one."""
        try:
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade) as error:
            cause = error.__context__ if isinstance(error.__context__, _UnusableError) else error
            raise _unusable(str(cause)) from error
        self._overhead = 0 if self._pieces else self._overhead + len(data)
        if self._overhead > self._max_head and not self.whole:
            raise _unusable("its head is too long")

    def feed_eof(self, *, cut: bool) -> None:
        """End a body that lasts until here. Errors: InDoubtError anywhere else.

        `cut`: the end may be a stranger's doing, for TLS was not closed (RFC 9112 section 9.8).
        """
        if self._phase is not _Phase.BODY or not self._until_eof or cut:
            raise InDoubtError(
                "The upstream closed the connection before its answer was whole; "
                "it may have acted on the request."
            )
        self._phase = _Phase.WHOLE

    # What llhttp calls.

    def on_message_begin(self) -> None:
        """Begin a response; a second one was not asked for."""
        if self._phase is not _Phase.HEAD:
            raise _UnusableError("bytes follow its end")

    def on_status(self, reason: bytes) -> None:
        """Take a piece of the reason phrase."""
        self.reason += reason

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header line, the blanks around its value left out; trailers are discarded."""
        if self._phase is _Phase.HEAD:
            self.pairs.append((name, value.rstrip(b" \t")))

    def on_headers_complete(self) -> None:
        """Judge the head; an interim one (1xx) is forgotten (RFC 9110 section 15.2)."""
        status = self._parser.get_status_code()
        version = self._parser.get_http_version()
        if version not in {"1.1", "1.0"} or status < _FIRST_STATUS:
            raise _UnusableError(f"its first line says HTTP/{version} {status}")
        if status == _SWITCHING_PROTOCOLS:
            raise _UnusableError("it switches protocols, which nobody asked for")
        self._interim = status < _FIRST_FINAL
        if self._interim:
            self.reason = b""
            self.pairs.clear()
            return
        self.status = status
        codings = []
        sized = False
        size = 0
        for name, value in self.pairs:
            size += len(name) + len(value)
            key = name.lower()
            if key == b"transfer-encoding":
                codings.append(value.lower())
            elif key == b"content-length":
                sized = True
        if size > self._max_head or len(self.pairs) > self._max_headers:
            raise _UnusableError("its head is too long")
        if codings and (codings != [b"chunked"] or version == "1.0"):
            raise _UnusableError("it has a transfer coding that is not chunked alone")
        self._until_eof = not codings and not sized
        self._phase = _Phase.WHOLE if self._bodiless else _Phase.BODY

    def on_body(self, piece: bytes) -> None:
        """Take a piece of the body."""
        if self._phase is not _Phase.BODY:
            raise _UnusableError("bytes follow its end")
        self._pieces.append(piece)

    def on_message_complete(self) -> None:
        """Note the end of the response, as its own framing has it."""
        if not self._interim:
            self._phase = _Phase.WHOLE
            self.keep_alive = self._parser.should_keep_alive()


def _unusable(why: str) -> InDoubtError:
    return InDoubtError(
        f"The upstream's answer cannot be used ({why}); it may have acted on the request."
    )
