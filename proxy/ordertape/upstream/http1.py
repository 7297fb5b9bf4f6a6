"""One HTTP/1.1 connection to the upstream, and the one exchange that it may be in the middle of.

Bytes of the request go out at most once, and it is known whether the kernel took any: that alone
decides between "not sent" and "in doubt".
"""

from __future__ import annotations

import asyncio
import os
import select
import ssl
import weakref
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing
from dataclasses import dataclass
from typing import cast

from ordertape.errors import AnswerTimeoutError, GatewayError, InDoubtError, NotSentError
from ordertape.model import Body, Headers, Response
from ordertape.upstream.head import RequestHead
from ordertape.upstream.response import ResponseReader
from ordertape.upstream.stream import AnswerStream

__all__ = ["Connection", "Limits"]

_BUFFER = 256 * 1024
"""Bytes of an answer that may lie here unread before the upstream is made to wait."""

_FIRST_ERROR = 400


@dataclass(frozen=True, slots=True)
class Limits:
    """What an answer may be: seconds between two of its bytes, bytes and lines of its head."""

    read_timeout: float
    max_head: int
    max_headers: int


class Connection(asyncio.Protocol):
    """A connection as the pool and the event loop see it.

    `ended` is called once for each exchange, however it ended; `reusable` is set by then. `lost`
    is called once, when the connection is gone; `closed` is done then.
    """

    def __init__(
        self,
        limits: Limits,
        upstream: str,
        *,
        ended: Callable[[Connection], None],
        lost: Callable[[Connection], None],
    ) -> None:
        self._limits = limits
        self._upstream = upstream
        self._ended = ended
        self._lost = lost
        self._loop = asyncio.get_running_loop()
        self._reader = ResponseReader(limits.max_head, limits.max_headers)
        self._busy = False
        self._answered: asyncio.Future[Response] | None = None
        self._answer: weakref.ref[AnswerStream] | None = None
        self._upload: asyncio.Task[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._drained: asyncio.Future[None] | None = None
        self._writing_paused = False
        self._reading_paused = False
        self._seen = 0.0
        self._unsent = 0
        self.closed: asyncio.Future[None] = self._loop.create_future()
        self.idle_since = 0.0
        self.reusable = False

    def __repr__(self) -> str:
        return f"<Connection to {self._upstream}: {'busy' if self._busy else 'idle'}>"

    def quiet(self) -> bool:
        """Whether it is open, free, and nothing came since its last answer.

        The socket is asked too: an EOF that the loop has not delivered yet counts.
        """
        return not self._busy and not self._transport.is_closing() and not self._poll.poll(0)

    def close(self) -> None:
        """Close in good order; an exchange in progress is broken off."""
        if self._busy or self._backlog():
            self.abort("The gateway closed the connection.")
        elif not self._transport.is_closing():
            self._transport.close()

    def abort(self, why: str) -> None:
        """Drop the connection at once, and with it the exchange, which ends in InDoubtError."""
        self._fail(InDoubtError(why))
        self._transport.abort()

    async def exchange(self, head: RequestHead, body: Body, *, bodiless: bool) -> Response:
        """Send one request and return the response as soon as its head is there.

        `bodiless`: the answer ends with its head (HEAD). A body that came whole with the head is
        held, any other streams. Errors: NotSentError when the kernel took no byte; InDoubtError
        and AnswerTimeoutError after that, also from the stream.
        """
        self._busy = True
        self._answer = self._upload = None
        self._reader.begin(bodiless=bodiless)
        answered: asyncio.Future[Response] = self._loop.create_future()
        self._answered = answered
        try:
            self._hand_over(_first(head, body))
        except OSError as error:
            self._end(reusable=False)
            if body.rest is not None:
                await body.rest.aclose()
            raise NotSentError(
                "The connection broke before the upstream took a byte; nothing was sent."
            ) from error
        if body.rest is not None:
            self._upload = self._loop.create_task(
                self._send_rest(body.rest, head.length, len(body.held))
            )
            self._upload.add_done_callback(self._rest_sent)
        self._watch()
        try:
            return await answered
        except asyncio.CancelledError:
            if answered is self._answered:
                self.abort("The request was given up.")
            elif not answered.cancelled() and answered.exception() is None:
                rest = answered.result().body.rest  # the answer came in the same moment
                if rest is not None:
                    await rest.aclose()
            raise

    def _hand_over(self, data: bytes) -> None:
        # Nothing is queued yet, so the socket can be written to past the transport: that tells
        # whether the kernel took anything. Behind TLS it cannot be known, and counts as taken.
        if self._transport.is_closing():
            raise ConnectionResetError
        if self._tls is not None:
            self._transport.write(data)
            return
        try:
            taken = os.write(self._fileno, data)
        except BlockingIOError:
            taken = 0
        if taken < len(data):
            self._transport.write(memoryview(data)[taken:])

    async def _send_rest(
        self, rest: AsyncGenerator[bytes, None], length: int | None, sent: int
    ) -> None:
        async with aclosing(rest):
            async for piece in rest:
                sent += len(piece)
                if length is not None and sent > length:
                    break
                if piece:
                    self._transport.write(_chunk(piece) if length is None else piece)
                    self._seen = self._loop.time()
                if self._writing_paused:
                    self._drained = self._loop.create_future()
                    await self._drained
        if length is None:
            self._transport.write(b"0\r\n\r\n")
        elif sent != length:
            raise ValueError(f"The body is not the {length} bytes that its head says.")

    def _rest_sent(self, task: asyncio.Task[None]) -> None:
        self._seen = self._loop.time()
        cause = None if task.cancelled() else task.exception()
        if cause is not None and task is self._upload:
            error = InDoubtError(
                "The request's body broke off after a part of it was sent; "
                "the upstream may have acted on it."
            )
            error.__cause__ = cause
            self._fail(error)

    def _deliver(self) -> None:
        reader, answered, answer = self._reader, self._answered, self._stream()
        whole = reader.whole
        data = reader.take()
        body = Body(data)
        if answer is not None:
            answer.feed(data)
        elif not whole:
            answer = AnswerStream(self, data)
            self._answer = weakref.ref(answer)  # a reader that forgets it lets the connection go
            body = Body(rest=answer)
            if self._upload is not None and reader.status >= _FIRST_ERROR:
                self._upload.cancel()  # the request is refused: its rest is not wanted
        if answered is not None and not answered.done():
            headers = Headers(tuple(reader.pairs))
            answered.set_result(
                Response(reader.status, reader.reason, headers, body, self._upstream)
            )
            self._answered = None
        if whole:
            self._end(reusable=reader.keep_alive)
            if answer is not None:
                answer.finish()
        elif answer is not None and answer.size > _BUFFER and not self._reading_paused:
            self._reading_paused = True
            self._transport.pause_reading()

    def _stream(self) -> AnswerStream | None:
        return None if self._answer is None else self._answer()

    def _backlog(self) -> int:
        # asyncio's TLS transport cannot be asked any more once it is closed.
        return 0 if self._transport.is_closing() else self._transport.get_write_buffer_size()

    def _end(self, *, reusable: bool) -> None:
        self._busy = False
        upload = self._upload
        sent = upload is None or (upload.done() and not upload.cancelled())
        if upload is not None:
            upload.cancel()
        self.resume_reading()
        self.reusable = (
            reusable and sent and not self._transport.is_closing() and not self._backlog()
        )
        self._ended(self)

    def _fail(self, error: GatewayError) -> None:
        if not self._busy:
            return
        answered, answer = self._answered, self._stream()
        self._transport.abort()
        self._end(reusable=False)
        if answered is not None and not answered.done():
            answered.set_exception(error)
            self._answered = None
        elif answer is not None:
            answer.finish(error)

    # Time. One timer, set again when it fires: most exchanges are over long before.

    def _watch(self) -> None:
        self._seen = self._loop.time()
        self._unsent = self._backlog()
        if self._timer is None:
            self._timer = self._loop.call_at(self._seen + self._limits.read_timeout, self._check)

    def _check(self) -> None:
        self._timer = None
        if not self._busy:
            return
        now = self._loop.time()
        unsent = self._backlog()
        waits_for_client = self._reading_paused or (
            self._upload is not None and not self._upload.done() and not self._writing_paused
        )
        if waits_for_client or unsent != self._unsent:
            self._seen = now
        self._unsent = unsent
        due = self._seen + self._limits.read_timeout
        if now < due:
            self._timer = self._loop.call_at(due, self._check)
            return
        self._fail(
            AnswerTimeoutError(
                f"The upstream was silent for {self._limits.read_timeout:g} s; "
                "it may have acted on the request."
            )
        )

    def resume_reading(self) -> None:
        """Take in more of the answer; what had come is read."""
        if self._reading_paused:
            self._reading_paused = False
            self._seen = self._loop.time()
            if not self._transport.is_closing():
                self._transport.resume_reading()

    # What the event loop calls.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep what the exchanges need of the transport."""
        self._transport = cast("asyncio.Transport", transport)
        self._tls: ssl.SSLObject | None = transport.get_extra_info("ssl_object")
        self._fileno: int = transport.get_extra_info("socket").fileno()
        self._poll = select.poll()
        self._poll.register(self._fileno, select.POLLIN)

    def data_received(self, data: bytes) -> None:
        """Read on; bytes that nobody asked for end the connection."""
        if not self._busy:
            self._transport.abort()
            return
        self._seen = self._loop.time()
        try:
            self._reader.feed(data)
        except InDoubtError as error:
            self._fail(error)
            return
        if self._reader.headed:
            self._deliver()

    def eof_received(self) -> None:
        """End a body that lasts until here; anywhere else the exchange has failed."""
        if not self._busy:
            return
        try:
            self._reader.feed_eof(cut=self._tls is not None and not _said_farewell(self._tls))
        except InDoubtError as error:
            self._fail(error)
            return
        self._deliver()

    def connection_lost(self, exc: Exception | None) -> None:
        """Whatever was in progress is over."""
        error = InDoubtError(
            "The connection to the upstream broke before its answer was whole; "
            "it may have acted on the request."
        )
        error.__cause__ = exc
        self._fail(error)
        if self._timer is not None:
            self._timer.cancel()
        self._lost(self)
        self.closed.set_result(None)

    def pause_writing(self) -> None:
        """Make the rest of the request wait: the kernel takes no more for now."""
        self._writing_paused = True

    def resume_writing(self) -> None:
        """Let it go on."""
        self._writing_paused = False
        self._seen = self._loop.time()
        if self._drained is not None and not self._drained.done():
            self._drained.set_result(None)


def _said_farewell(tls: ssl.SSLObject) -> bool:
    # After a close_notify there is nothing to read; without one, TLS still waits for a record.
    try:
        return tls.read(1) == b""
    except ssl.SSLError:
        return False


def _first(head: RequestHead, body: Body) -> bytes:
    if head.length is None and body.held:
        return head.data + _chunk(body.held)
    return head.data + body.held


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece)
