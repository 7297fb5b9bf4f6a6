"""The live service: a pool of connections that sends each request at most once.

A request goes out on one connection and is never repeated: not on a connection that turns out
dead, not for methods that could bear it. What that costs in failures is bought back by care in
reuse: a pooled connection was in use a moment ago and shows neither an EOF nor data.
"""

from __future__ import annotations

import asyncio
import re
import socket
import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from ordertape.errors import ConnectTimeoutError, NotSentError, OverloadedError, StartUpError
from ordertape.model import Origin, Request, Response
from ordertape.upstream.head import request_head
from ordertape.upstream.http1 import Connection, Limits

__all__ = ["Live", "LiveSettings", "tls_context"]

_PORTS = {"http": 80, "https": 443}
_VISIBLE = re.compile(r"[!-~]+")
_GOODBYE = 1.0
"""Seconds that a TLS peer has to answer a closing connection."""


@dataclass(frozen=True, slots=True)
class LiveSettings:
    """How the service is talked to. Times in seconds, sizes in bytes.

    `connect_timeout` covers name look-up, TCP and TLS together, and bounds the wait for a free
    connection; `read_timeout` lies between two bytes of the answer, or while the upstream takes
    no more of the request. `idle` is the age at which a pooled connection is not used again.
    `host` says whose Host is sent: the upstream's, or the request's own. `via` is the pseudonym
    of the Via line, None for no such line.
    """

    connect_timeout: float = 5.0
    read_timeout: float = 60.0
    idle: float = 2.0
    pool_size: int = 100
    max_head: int = 64 * 1024
    max_headers: int = 256
    host: Literal["upstream", "preserve"] = "upstream"
    via: str | None = None
    ssl: ssl.SSLContext | None = None
    server_hostname: str | None = None


_DEFAULTS = LiveSettings()


def tls_context(
    ca_file: Path | None = None, cert_file: Path | None = None, key_file: Path | None = None
) -> ssl.SSLContext:
    """A context that verifies the upstream, by `ca_file` in place of the system's authorities.

    `cert_file` and `key_file` (PEM; the key may lie in the certificate's file) are what the
    gateway shows of itself. Errors: StartUpError, naming the file that cannot be used.
    """
    context = ssl.create_default_context()
    if ca_file is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        try:
            context.load_verify_locations(ca_file)
        except OSError as error:
            raise StartUpError(
                f"The CA file {ca_file} cannot be used ({_reason(error)}); "
                "name a readable file of PEM certificates."
            ) from error
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if key_file is not None and cert_file is None:
        raise StartUpError(f"The key {key_file} has no certificate; name its file as well.")
    if cert_file is not None:
        try:
            context.load_cert_chain(cert_file, key_file, password=_no_passphrase)
        except (OSError, ValueError) as error:
            files = cert_file if key_file is None else f"{cert_file} with the key {key_file}"
            raise StartUpError(
                f"The client certificate {files} cannot be used ({_reason(error)}); "
                "name readable PEM files that belong together, the key without a passphrase."
            ) from error
    return context


def _no_passphrase() -> str:
    # Without this OpenSSL would ask on the terminal, and the gateway would wait for ever.
    raise ValueError("the key has a passphrase")


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return str(error)


@dataclass(frozen=True, slots=True)
class _Base:
    """A base URL, taken apart. `authority` is what Host says; `prefix` has no slash at its end."""

    secure: bool
    host: str
    port: int
    authority: str
    prefix: str

    @property
    def url(self) -> str:
        """The URL again, without what says nothing."""
        return f"{'https' if self.secure else 'http'}://{self.authority}{self.prefix}"


def _base(url: str) -> _Base:
    def wrong(what: str) -> StartUpError:
        return StartUpError(
            f"The upstream URL {what}; write it as https://host[:port][/path-prefix]."
        )

    if not _VISIBLE.fullmatch(url):
        raise wrong("is empty or holds a character that is not visible ASCII")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # what the look-up does, and would fail at later
    except ValueError as error:
        raise wrong(f"cannot be read ({error})") from error
    if parts.scheme not in _PORTS:
        raise wrong("is neither http nor https")
    if "@" in parts.netloc:
        raise wrong("holds credentials, which belong to each request")
    if "?" in url or "#" in url:
        raise wrong("holds a query or a fragment")
    if not host or port == 0:
        raise wrong("names no host, or no port that one can connect to")
    default = _PORTS[parts.scheme]
    shown = f"[{host}]" if ":" in host else host
    return _Base(
        secure=parts.scheme == "https",
        host=host,
        port=port or default,
        authority=shown if port in {None, default} else f"{shown}:{port}",
        prefix=parts.path.rstrip("/"),
    )


class Live:
    """Sends requests to one service over pooled connections; each at most once.

    Errors: StartUpError for a base URL that cannot be one.
    """

    def __init__(
        self, url: str, *, settings: LiveSettings = _DEFAULTS, origin: Origin = Origin.LIVE
    ) -> None:
        self._base = _base(url)
        self.url = self._base.url
        self.origin = origin
        self._settings = settings
        self._authority = self._base.authority.encode()
        self._via = None if settings.via is None else settings.via.encode()
        self._tls = (settings.ssl or tls_context()) if self._base.secure else None
        self._limits = Limits(settings.read_timeout, settings.max_head, settings.max_headers)
        self._slots = asyncio.Semaphore(settings.pool_size)
        self._connections: set[Connection] = set()
        self._idle: dict[Connection, None] = {}
        self._sweeper: asyncio.TimerHandle | None = None
        self._closed = False

    def __repr__(self) -> str:
        busy = len(self._connections) - len(self._idle)
        return f"<Live {self.url}: {busy} connections in use, {len(self._idle)} idle>"

    async def send(self, request: Request) -> Response:
        """Send the request once; see `Upstream.send`."""
        try:
            head = request_head(
                request,
                target=self._target(request.target),
                authority=self._authority if self._settings.host == "upstream" else None,
                fallback=self._authority,
                via=self._via,
            )
            connection = await self._acquire()
        except BaseException:
            if request.body.rest is not None:
                await request.body.rest.aclose()
            raise
        return await connection.exchange(head, request.body, bodiless=request.method == "HEAD")

    async def close(self) -> None:
        """Close every connection; an exchange in progress ends in InDoubtError."""
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        connections = list(self._connections)
        for connection in connections:
            connection.close()
        if not connections:
            return
        _, open_still = await asyncio.wait(
            [connection.closed for connection in connections], timeout=_GOODBYE
        )
        for connection in connections:
            if connection.closed in open_still:
                connection.abort("The gateway closed the connection.")
        if open_still:
            await asyncio.wait(open_still, timeout=_GOODBYE)

    def _target(self, target: str) -> str:
        if target.startswith("/"):
            return self._base.prefix + target
        if target == "*":
            return target
        raise NotSentError(
            "The request's target is not a path; nothing was sent. Send it in origin form."
        )

    # The pool.

    async def _acquire(self) -> Connection:
        if self._closed:
            raise NotSentError("The gateway is closing down; nothing was sent.")
        if self._slots.locked():
            await self._wait_for_slot()
        else:
            await self._slots.acquire()
        try:
            return self._reused() or await self._connected()
        except BaseException:
            self._slots.release()
            raise

    async def _wait_for_slot(self) -> None:
        try:
            async with asyncio.timeout(self._settings.connect_timeout):
                await self._slots.acquire()
        except TimeoutError:
            raise OverloadedError(
                f"All {self._settings.pool_size} connections to the upstream are in use; "
                "nothing was sent. Try again later."
            ) from None

    def _reused(self) -> Connection | None:
        oldest = asyncio.get_running_loop().time() - self._settings.idle
        while self._idle:
            connection, _ = self._idle.popitem()
            if connection.idle_since > oldest and connection.quiet():
                return connection
            connection.close()
        return None

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        timeout = self._settings.connect_timeout
        try:
            async with asyncio.timeout(timeout):
                if self._tls is None:
                    _, connection = await loop.create_connection(
                        self._connection, self._base.host, self._base.port
                    )
                else:
                    _, connection = await loop.create_connection(
                        self._connection,
                        self._base.host,
                        self._base.port,
                        ssl=self._tls,
                        server_hostname=self._settings.server_hostname or self._base.host,
                        ssl_handshake_timeout=timeout + _GOODBYE,
                        ssl_shutdown_timeout=_GOODBYE,
                    )
        except OSError as error:
            raise self._unreachable(error) from error
        self._connections.add(connection)
        return connection

    def _connection(self) -> Connection:
        return Connection(self._limits, self.url, ended=self._ended, lost=self._lost)

    def _unreachable(self, error: OSError) -> NotSentError:
        where = self._base.authority
        match error:
            case TimeoutError():
                return ConnectTimeoutError(
                    f"The upstream {where} did not take the connection within "
                    f"{self._settings.connect_timeout:g} s; nothing was sent."
                )
            case socket.gaierror():
                what = f"The name of the upstream {where} cannot be resolved"
            case ssl.SSLCertVerificationError():
                why = error.verify_message
                what = f"The certificate of the upstream {where} is not trusted ({why})"
            case ssl.SSLError():
                what = f"TLS with the upstream {where} failed ({error.reason or 'broken off'})"
            case ConnectionRefusedError():
                what = f"The upstream {where} refuses connections"
            case _:
                what = f"The upstream {where} cannot be reached ({error.strerror or 'broken off'})"
        return NotSentError(f"{what}; nothing was sent.")

    def _ended(self, connection: Connection) -> None:
        self._slots.release()
        if not connection.reusable or self._closed or not self._settings.idle:
            connection.close()
            return
        loop = asyncio.get_running_loop()
        connection.idle_since = loop.time()
        self._idle[connection] = None
        if self._sweeper is None:
            self._sweeper = loop.call_later(self._settings.idle, self._sweep)

    def _lost(self, connection: Connection) -> None:
        self._connections.discard(connection)
        self._idle.pop(connection, None)

    def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        self._sweeper = None
        oldest = loop.time() - self._settings.idle
        for connection in list(self._idle):
            if connection.idle_since > oldest:
                self._sweeper = loop.call_at(
                    connection.idle_since + self._settings.idle, self._sweep
                )
                return
            del self._idle[connection]
            connection.close()
