"""aiohttp's server protocol with what it lacks: clocks, half-closing clients, a lingering close.

A head, a stalled reader and an idle connection are all bounded in time; what the parser refuses
is queued like a request, so that it is answered in its turn. What a request means, and how an
answer is written, is `connection`'s.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, MutableSet
from contextlib import asynccontextmanager, suppress

from aiohttp import StreamReader, web
from aiohttp.http import HttpRequestParser
from aiohttp.http_exceptions import HttpProcessingError, LineTooLong
from aiohttp.streams import EMPTY_PAYLOAD
from aiohttp.web_protocol import RequestHandler, RequestPayloadError, _ErrInfo

from ordertape.errors import RefusedError, TargetTooLongError, TooSlowError
from ordertape.server.request import ended_early, headers_too_large, parser_refusal
from ordertape.server.response import FULL
from ordertape.server.settings import ListenerSettings

_READ_BUFFER = 64 << 10
_QUEUED = 1  # one request is parsed ahead: what follows garbage never costs an earlier one
_RESET = struct.pack("ii", 1, 0)


class Protocol(RequestHandler):
    """One client's socket, from its first byte to its last; aiohttp runs the loop over requests."""

    def __init__(
        self,
        server: web.Server,
        settings: ListenerSettings,
        registry: MutableSet[Protocol],
    ) -> None:
        loop = asyncio.get_running_loop()
        super().__init__(
            server,
            loop=loop,
            keepalive_timeout=settings.keepalive_timeout,
            access_log=None,  # type: ignore[arg-type] # documented by aiohttp as "no access log"
            lingering_time=0,
        )
        self._parser = HttpRequestParser(
            self,
            loop,
            _READ_BUFFER,
            max_line_size=settings.max_line_size,
            max_field_size=settings.max_field_size,
            max_headers=settings.max_headers,
            payload_exception=RequestPayloadError,
            auto_decompress=False,
            max_msg_queue_size=_QUEUED,
        )
        self._max_msg_queue_size = _QUEUED
        self._msg_queue_resume_size = 0
        self._settings = settings
        self._registry = registry
        self._peer = ""
        self._tls = False
        self._head = b""  # the beginning of a head that is not complete yet
        self._head_size = 0
        self._head_timer: asyncio.TimerHandle | None = None
        self._flush_timer: asyncio.TimerHandle | None = None
        self._streaming: asyncio.Timeout | None = None  # set to now when the client goes away
        self._incoming: StreamReader = EMPTY_PAYLOAD  # the body that the parser is in
        self._stated: int | None = None  # its Content-Length
        self._came_late = False  # the body in progress was not complete when its head was taken
        self._ended = False  # the client has ended its side
        self._last = False  # what is in progress is the last to be answered
        self._deaf = False  # whatever else comes is dropped
        self._gone: asyncio.Future[None] | None = None
        self._ends = 2  # the socket and the loop; `finished` is set when both are through
        self.finished = asyncio.Event()

    # The socket.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start the clock of the first head."""
        super().connection_made(transport)
        self._peer = printed(transport.get_extra_info("peername"))
        self._tls = transport.get_extra_info("sslcontext") is not None
        self._registry.add(self)
        if self._task_handler is not None:
            self._task_handler.add_done_callback(lambda _: self._end())
        if len(self._registry) > self._settings.max_connections and self.transport is not None:
            self.transport.write(FULL)
            self.force_close()
            return
        self._head_timer = self._loop.call_later(self._settings.header_timeout, self._head_late)

    def connection_lost(self, exc: BaseException | None) -> None:
        """Wake whoever waits for the client; an order in progress goes on."""
        self._stop_head_timer()
        self._client_gone()
        if self._streaming is not None:
            self._streaming.reschedule(self._loop.time())
        super().connection_lost(exc)
        if self._flush_timer is not None:
            self._flush_timer.cancel()
        self._end()

    @asynccontextmanager
    async def _while_client_stays(self) -> AsyncIterator[None]:
        """A body that the client is not there to read is waited for no longer.

        Errors: TimeoutError.
        """
        try:
            async with asyncio.timeout(None) as self._streaming:
                if self.transport is None:
                    self._streaming.reschedule(self._loop.time())
                yield
        finally:
            self._streaming = None

    def eof_received(self) -> bool:  # type: ignore[override] # aiohttp never keeps it open
        """Stay open for a client that half-closed its socket and waits for its answer.

        TLS has no half-close in asyncio: there the connection ends.
        """
        self._ended = True
        self._client_gone()
        if self._tls:
            return False
        if not self._incoming.is_eof():
            self._incoming.set_exception(ended_early(self._incoming, self._stated))
        if self._idle:
            return False
        self._loop.call_soon(self._close_if_idle)  # the loop may be on its way to wait for more
        return True

    def _close_if_idle(self) -> None:
        if self._idle:
            self.force_close()

    def data_received(self, data: bytes) -> None:
        """Parse on, and keep what is needed to answer a head that is refused or late."""
        if self._deaf:
            return
        waiting = self._idle
        if waiting and data:
            self._head_size += len(data)
            if len(self._head) <= self._settings.max_line_size:
                self._head += data
        queued = len(self._messages)
        try:
            super().data_received(data)
        except (ValueError, LookupError) as error:  # yarl reads a target, and trips over some
            self._queue(_ErrInfo(400, error, ""))
        if len(self._messages) > queued:
            self._parsed()
        elif waiting and data:
            self._head_incomplete()

    def _parse_on(self, content: StreamReader) -> None:
        """Have the parser go on to what is pipelined behind a body that is complete."""
        if not self._came_late or self._parser is None or self._deaf or self._messages:
            return
        if not content.is_eof():
            return
        self._parser.message_consumed()
        self.data_received(b"")

    def _parsed(self) -> None:
        """A head is complete, or the parser has given up."""
        self._stop_head_timer()
        message, payload = self._messages[-1]
        if not isinstance(message, _ErrInfo):
            self._incoming = payload
            stated = message.headers.get("Content-Length")
            self._stated = int(stated) if stated is not None else None
            self._head, self._head_size = b"", 0
            return
        self._deaf = True
        if not self._incoming.is_eof():  # it is the body in progress that is broken
            self._messages.pop()
            self._incoming.set_exception(self._refusal(message.exc))

    def _head_incomplete(self) -> None:
        if self._head_size > self._settings.max_head:
            self._refuse_head(headers_too_large())
        elif self._head_timer is None:
            self._head_timer = self._loop.call_later(self._settings.header_timeout, self._head_late)

    def _head_late(self) -> None:
        self._head_timer = None
        if not self._idle or self._deaf:
            return
        if self._head_size == 0:
            self.force_close()
            return
        limit = self._settings.header_timeout
        self._refuse_head(
            TooSlowError(f"The request's headers were not complete after {limit:g} s; send faster.")
        )

    def _refuse_head(self, error: RefusedError) -> None:
        self._queue(_ErrInfo(error.status, error, ""))
        self._parsed()

    def _queue(self, error: _ErrInfo) -> None:
        self._messages.append((error, EMPTY_PAYLOAD))
        if self._waiter is not None and not self._waiter.done():
            self._waiter.set_result(None)

    def _refusal(self, error: BaseException) -> RefusedError:
        if isinstance(error, RefusedError):
            return error
        message = error.message if isinstance(error, HttpProcessingError) else ""
        if isinstance(error, LineTooLong):
            if error.args[1] == self._settings.max_field_size:
                return headers_too_large()
            return TargetTooLongError("The request target passes the limit; send a shorter one.")
        if message.startswith("Too many headers"):
            return headers_too_large()
        return parser_refusal(message, self._head)

    def _stop_head_timer(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _process_keepalive(self) -> None:
        """Leave a connection on which a head is arriving to the head's own clock."""
        self._keepalive_handle = None
        if self._head_timer is None:
            super()._process_keepalive()

    @property
    def _over(self) -> bool:
        """What is being answered is the last that this connection can answer."""
        nothing_more = self._ended or self._deaf
        return self._last or (nothing_more and not self._messages)

    @property
    def _idle(self) -> bool:
        """Nothing is being answered and nothing waits to be."""
        return not self._messages and (self._waiter is not None or self._request_count == 0)

    async def _write(self, data: bytes) -> None:
        """Errors: ConnectionError when the client has gone, TimeoutError when it takes nothing."""
        transport = self.transport
        if transport is None or transport.is_closing():
            raise ConnectionResetError("The client has gone.")
        transport.write(data)
        if self._paused:
            async with asyncio.timeout(self._settings.write_timeout):
                await self._drain_helper()

    # How it ends.

    def finish(self) -> None:
        """Close after what is in progress has been answered; at once when nothing is."""
        self._last = True
        self._close_if_idle()
        self._client_gone()

    def force_close(self) -> None:
        """Close, giving the client a bounded time to take what is written."""
        self._bound_flush()
        super().force_close()

    def abort(self) -> None:
        """Reset the connection, so that no client takes a broken answer for a whole one."""
        transport = self.transport
        if transport is None:
            return
        sock: socket.socket | None = transport.get_extra_info("socket")
        if sock is not None and sock.fileno() >= 0:
            with suppress(OSError):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
        transport.abort()

    def _bound_flush(self) -> None:
        if self.transport is not None and self._flush_timer is None:
            abort = self.transport.abort
            self._flush_timer = self._loop.call_later(self._settings.write_timeout, abort)

    def _client_gone(self) -> None:
        if self._gone is not None and not self._gone.done():
            self._gone.set_result(None)

    def _end(self) -> None:
        self._ends -= 1
        if self._ends == 0:
            self._registry.discard(self)
            self.finished.set()

    async def _linger(self) -> None:
        """Let the client read its answer before what it still sends makes the kernel reset."""
        self._deaf = True
        transport = self.transport
        if transport is None or transport.is_closing() or self._ended or self._gone is not None:
            return
        self._gone = self._loop.create_future()
        self._reading_paused = self._buffer_paused = False
        self._resume_transport_reading()
        if transport.can_write_eof():
            transport.write_eof()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.lingering_timeout):
                await self._gone


def printed(address: object) -> str:
    """A socket's address as HOST:PORT; "" for one that has none."""
    if not isinstance(address, tuple):
        return ""
    host, port = address[:2]
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
