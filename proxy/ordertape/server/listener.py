"""Where clients connect: the port, its TLS, and how it stops."""

from __future__ import annotations

import asyncio
import ssl
from contextlib import suppress
from typing import cast

from aiohttp import http_parser, web
from aiohttp.web_request import BaseRequest

from ordertape.errors import StartUpError
from ordertape.server.address import Address, cannot_listen, parse_address
from ordertape.server.connection import Connection
from ordertape.server.handler import Handler
from ordertape.server.protocol import Protocol
from ordertape.server.settings import ListenerSettings

_OPTION = "--listen"
_BACKLOG = 512
_CLOSING = 0.2  # seconds in which sockets that were aborted go


def check_parser() -> None:
    """Refuse aiohttp's pure-Python parser, which takes what this gateway's limits rest on refusing.

    Errors: StartUpError. Source: http-intermediary.md section 9.
    """
    compiled = getattr(http_parser, "HttpRequestParserC", None)
    if compiled is None or http_parser.HttpRequestParser is not compiled:
        raise StartUpError(
            "aiohttp runs on its pure-Python parser, which is not strict enough; "
            "unset AIOHTTP_NO_EXTENSIONS and install aiohttp from a wheel."
        )


class _Server(web.Server):
    """aiohttp's factory, making connections of our kind."""

    def __init__(self, handler: Handler, settings: ListenerSettings) -> None:
        super().__init__(_serve)
        self._answering = handler
        self._settings = settings
        self.open: set[Protocol] = set()

    def __call__(self) -> Connection:
        return Connection(self, self._answering, self._settings, self.open)


async def _serve(request: BaseRequest) -> web.StreamResponse:
    return await cast("Connection", request.protocol).serve(request)


class Listener:
    """Listens for clients and hands what they ask to `handler`."""

    def __init__(self, handler: Handler, *, settings: ListenerSettings) -> None:
        self._handler = handler
        self._settings = settings
        self._address = Address("", 0)
        self._port = 0
        self._server: _Server | None = None
        self._sockets: asyncio.Server | None = None

    def __repr__(self) -> str:
        count = len(self._server.open) if self._server is not None else 0
        state = "listening" if self._sockets is not None else "closed"
        return f"<Listener {self.url} {state}, {count} connections>"

    @property
    def port(self) -> int:
        """The port that was opened; 0 before `start`."""
        return self._port

    @property
    def url(self) -> str:
        """The URL of the open port, with the host as it was configured."""
        scheme = "https" if self._settings.certificate is not None else "http"
        return f"{scheme}://{Address(self._address.host or 'localhost', self.port)}"

    async def start(self) -> None:
        """Open the port. Errors: StartUpError."""
        settings = self._settings
        self._address = parse_address(settings.listen, _OPTION)
        context = _tls(settings)
        loop = asyncio.get_running_loop()
        self._server = _Server(self._handler, settings)
        try:
            self._sockets = await loop.create_server(
                self._server,
                self._address.host or None,
                self._address.port,
                ssl=context,
                backlog=_BACKLOG,
                ssl_handshake_timeout=settings.header_timeout if context else None,
            )
        except OSError as error:
            raise cannot_listen(self._address, _OPTION, error) from error
        self._port = int(self._sockets.sockets[0].getsockname()[1])

    async def stop(self, grace: float) -> None:
        """Stop listening, let what is in progress end within `grace` seconds, and return.

        Idle connections are closed at once. What is not over by then loses its client; the
        handler itself is not cancelled.
        """
        if self._sockets is None or self._server is None:
            return
        self._sockets.close()
        connections = list(self._server.open)
        for connection in connections:
            connection.finish()
        await _finished(connections, grace)
        for connection in self._server.open:
            connection.abort()
        await _finished(list(self._server.open), _CLOSING)
        with suppress(TimeoutError):
            async with asyncio.timeout(_CLOSING):
                await self._sockets.wait_closed()
        self._sockets = None


async def _finished(connections: list[Protocol], patience: float) -> None:
    ends = [asyncio.ensure_future(connection.finished.wait()) for connection in connections]
    if not ends:
        return
    _, unfinished = await asyncio.wait(ends, timeout=patience)
    for end in unfinished:
        end.cancel()
    await asyncio.gather(*unfinished, return_exceptions=True)


def _tls(settings: ListenerSettings) -> ssl.SSLContext | None:
    if settings.certificate is None:
        if settings.key is not None:
            raise StartUpError("A TLS key is set without a certificate; set tls.certificate too.")
        return None
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.set_alpn_protocols(["http/1.1"])
    try:
        context.load_cert_chain(settings.certificate, settings.key)
    except (OSError, ssl.SSLError) as error:
        key = settings.key or settings.certificate
        raise StartUpError(
            f"The certificate {settings.certificate} with the key {key} cannot be used "
            f"({error.strerror or error}); name PEM files of one pair that can be read."
        ) from error
    return context
