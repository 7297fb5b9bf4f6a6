"""One client's requests: each taken in, handed on, and its answer written as exact bytes.

aiohttp's own writer and its own error answers are never reached.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Awaitable, Callable, MutableSet
from contextlib import suppress
from dataclasses import replace
from typing import NoReturn

import structlog
from aiohttp import web
from aiohttp.http import HttpVersion10
from aiohttp.web_protocol import _ErrInfo
from aiohttp.web_request import BaseRequest

from ordertape.errors import GatewayError, RefusedError
from ordertape.model import Answer, Body, Headers, Kind, Request, Response
from ordertape.server import session
from ordertape.server.delivery import acknowledged
from ordertape.server.handler import Handler
from ordertape.server.location import rewrite_headers
from ordertape.server.protocol import Protocol, printed
from ordertape.server.request import (
    check_head,
    expects_continue,
    one_forward_fewer,
    read_body,
    request_line,
    too_large,
)
from ordertape.server.response import CONTINUE, Framed, frame
from ordertape.server.settings import ListenerSettings

_PIECE = 64 << 10
_OPTIONS_HERE = Response(
    200, b"OK", Headers(((b"Allow", b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"),))
)
"""The gateway's own answer to an OPTIONS that may travel no further (RFC 9110 section 7.6.2)."""

_log = structlog.get_logger("ordertape.server")


class _Written(web.StreamResponse):
    """What aiohttp's loop is handed once the answer is on the wire: only whether to go on."""

    def __init__(self, *, keep_alive: bool) -> None:
        super().__init__()
        self._keep_alive = keep_alive
        self._eof_sent = True


class Connection(Protocol):
    """aiohttp's loop calls `serve` for each request, one after the other."""

    def __init__(
        self,
        server: web.Server,
        handler: Handler,
        settings: ListenerSettings,
        registry: MutableSet[Protocol],
    ) -> None:
        super().__init__(server, settings, registry)
        self._handler = handler
        self._below = ""  # what stands before the paths of the session that is being answered

    # One request.

    async def serve(self, request: BaseRequest) -> web.StreamResponse:
        """Take in a request, have it answered, and write the answer."""
        received = Request(
            request.method,
            request.raw_path,
            Headers(request.raw_headers),
            peer=self._peer,
            version=f"{request.version.major}.{request.version.minor}",
        )
        self._came_late = not request.content.is_eof()
        closing = not request.keep_alive or received.headers.get(b"upgrade") is not None
        taken = received
        self._below = ""
        try:
            taken = check_head(received, request.version, self._settings.max_head)
            if self._settings.sessions:
                taken, self._below = session.taken(taken)
            onward = one_forward_fewer(taken)
            kind = self._handler.route(taken.method, taken.target)
            body = await self._body(request, kind)
        except RefusedError as error:
            answer = await self._handler.refuse(taken, error)
            return await self._give(request, taken, answer, closing=True)
        try:
            if onward is None:
                return await self._give(request, taken, None, closing=closing)
            answer = await self._handler.handle(replace(onward, body=body))
            return await self._give(request, taken, answer, closing=closing)
        finally:
            if body.rest is not None:
                with suppress(RuntimeError):  # whoever was sending it may still be at it
                    await body.rest.aclose()

    async def _body(self, request: BaseRequest, kind: Kind) -> Body:
        """Errors: RefusedError."""
        settings, content = self._settings, request.content
        whole = kind is Kind.ORDER
        limit = settings.order_limit if whole else settings.record_limit
        stated = request.content_length
        waits = expects_continue(Headers(request.raw_headers), request.version)
        if whole and stated is not None and stated > limit:
            raise too_large(limit)
        if waits and not content.is_eof() and content.total_bytes == 0:
            with suppress(ConnectionError):
                await self._write(CONTINUE)
        return await read_body(
            content, stated, limit=limit, patience=settings.body_timeout, whole=whole
        )

    def _make_error_handler(
        self, err_info: _ErrInfo
    ) -> Callable[[BaseRequest], Awaitable[web.StreamResponse]]:
        """The answer to what the parser refused, or to a head that was late or too large."""
        method, target = request_line(self._head)
        received = Request(method, target, peer=self._peer)
        error = self._refusal(err_info.exc)

        async def refuse(request: BaseRequest) -> web.StreamResponse:
            answer = await self._handler.refuse(received, error)
            return await self._give(request, received, answer, closing=True)

        return refuse

    def handle_error(
        self,
        request: BaseRequest,  # noqa: ARG002 - the base class's signature
        status: int = 500,  # noqa: ARG002
        exc: BaseException | None = None,
        message: str | None = None,  # noqa: ARG002
    ) -> NoReturn:
        """Where answering has failed, a reset says so; aiohttp would write a page of its own."""
        _log.error("request-failed", peer=self._peer, exc_info=exc)
        self.abort()
        raise ConnectionAbortedError("The request could not be answered.")

    # One answer.

    async def _give(
        self, request: BaseRequest, taken: Request, answer: Answer | None, *, closing: bool
    ) -> web.StreamResponse:
        """Write the answer (None: the gateway's own to OPTIONS) and note whether it was taken."""
        response = _OPTIONS_HERE if answer is None else answer.response
        if self._settings.rewrite_location and response.upstream:
            own = self._settings.public_url or self._own_url(taken)
            headers = rewrite_headers(response.headers, response.upstream, own, self._below)
            response = replace(response, headers=headers)
        self._parse_on(request.content)
        whole = request.content.is_eof()
        delivered = False
        try:
            framed = frame(
                response,
                method=taken.method,
                http10=request.version == HttpVersion10,
                keep_alive=whole and not closing and not self._over,
            )
            delivered = await self._write_response(framed, response.body)
        finally:
            if answer is not None:
                answer.delivered(delivered)
            if response.body.rest is not None:
                await response.body.rest.aclose()
        if not delivered:
            self.abort()
        self._parse_on(request.content)
        going_on = delivered and framed.keep_alive and not self._over
        if not whole or (self._deaf and not going_on):
            await self._linger()
        if not going_on:
            self._bound_flush()
        return _Written(keep_alive=going_on)

    async def _write_response(self, framed: Framed, body: Body) -> bool:
        """Write head and body; whether the client was given all of it."""
        try:
            if body.rest is None:
                await self._write_pieces(framed.head, b"" if framed.bodiless else body.held)
            elif framed.bodiless:
                async for _ in body.rest:
                    """The outcome is recorded when the stream ends, so before the answer."""
                await self._write(framed.head)
            else:
                await self._stream(framed, body.held, body.rest)
        except (OSError, GatewayError) as error:  # TimeoutError is an OSError
            _log.info("answer-broken-off", peer=self._peer, reason=str(error))
            return False
        transport = self.transport
        if transport is None or transport.is_closing():
            return False
        return not self._ended or self._tls or await acknowledged(transport)

    async def _write_pieces(self, head: bytes, held: bytes) -> None:
        await self._write(head + held[:_PIECE])
        for start in range(_PIECE, len(held), _PIECE):
            await self._write(held[start : start + _PIECE])

    async def _stream(self, framed: Framed, held: bytes, rest: AsyncGenerator[bytes, None]) -> None:
        """Errors: OSError, and whatever the stream raises."""
        sent = len(held)
        try:
            await self._write(framed.head + (_chunk(held) if framed.chunked else held))
        except OSError:
            await anext(rest, None)  # a generator that was never begun does not run its finally
            raise
        async with self._while_client_stays():
            async for piece in rest:
                sent += len(piece)
                if framed.length is not None and sent > framed.length:
                    break
                await self._write(_chunk(piece) if framed.chunked else piece)
        if framed.length is not None and sent != framed.length:
            raise ConnectionAbortedError(
                f"The answer has {sent} bytes where its head promised {framed.length}."
            )
        if framed.chunked:
            await self._write(b"0\r\n\r\n")

    def _own_url(self, taken: Request) -> str:
        host = taken.headers.get(b"host")
        at = host.decode("ascii") if host is not None else printed(self.sockname)
        return f"{'https' if self._tls else 'http'}://{at}"


def _chunk(piece: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(piece), piece) if piece else b""
