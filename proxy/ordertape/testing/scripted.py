r"""A service that does what a script says, over real TCP: for tests of clients and gateways.

    async with Scripted([Respond(order_created("a1"))]) as service:
        ...                                     # point a client at service.url
        assert service.attempts == [b"POST /accounts/1/orders HTTP/1.1\r\n..."]

A script is a list of steps. A step is one of the frozen dataclasses below, or any
`async def step(peer: Peer)`. When a script is at its end it begins anew, until the connection is
closed by either side; so `[Respond(...)]` answers every request of a connection.

From a synchronous test, against a gateway in another process: `with Scripted(...).in_thread()`.
"""

from __future__ import annotations

import asyncio
import re
import select
import socket
import ssl
import struct
import threading
from collections.abc import Awaitable, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from http import HTTPStatus
from types import TracebackType
from typing import Any, Literal, Self

__all__ = [
    "Close",
    "Drip",
    "Hang",
    "HoldOn",
    "Peer",
    "ReadRequest",
    "Reset",
    "Respond",
    "Scripted",
    "Send",
    "Step",
    "order_created",
    "refused_port",
    "reply",
    "unaccepting",
    "unauthorized",
]

_WITHIN = 10.0
"""Seconds that a test waits for what it is sure of, before it fails."""

_FILLERS = 4
"""Connections that fill a queue which has room for one, whatever the kernel rounds that up to."""


class Peer:
    """One connection, as a step sees it. `writer` is there for steps of one's own."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, service: Scripted
    ) -> None:
        self._reader = reader
        self._ahead = bytearray()
        self.writer = writer
        self.service = service

    async def fill(self) -> None:
        """Wait for more bytes. Errors: EOFError where the peer has closed, ConnectionError."""
        data = await self._reader.read(1 << 16)
        if not data:
            raise EOFError
        self._ahead += data

    async def wait(self) -> bool:
        """Wait until there is a byte to read; False where the peer has closed instead."""
        with suppress(EOFError):
            if not self._ahead:
                await self.fill()
        return bool(self._ahead)

    async def read(self, count: int) -> bytes:
        """Read so many bytes."""
        while len(self._ahead) < count:
            await self.fill()
        return self.unread(count)

    async def read_until(self, mark: bytes) -> bytes:
        """Read up to this mark and with it."""
        while (end := self._ahead.find(mark)) < 0:
            await self.fill()
        return self.unread(end + len(mark))

    def unread(self, count: int | None = None) -> bytes:
        """Take bytes that have come already; all of them without a count."""
        data = bytes(self._ahead[:count])
        del self._ahead[:count]
        return data


Step = Callable[[Peer], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """Read one request, its body by Content-Length or chunks, and note its bytes as an attempt.

    One that breaks off is noted as far as it came. `body=False` reads no further than the head.
    """

    body: bool = True

    async def __call__(self, peer: Peer) -> None:
        """Read it."""
        taken = bytearray()
        try:
            await self._read(peer, taken)
        except BaseException:  # noted, and raised again: also when the context exits
            taken += peer.unread()
            raise
        finally:
            if taken:
                peer.service.note_attempt(bytes(taken))

    async def _read(self, peer: Peer, taken: bytearray) -> None:
        taken += await peer.read_until(b"\r\n\r\n")
        sized = re.search(rb"\r\ncontent-length:[ \t]*(\d+)", taken, re.IGNORECASE)
        chunked = re.search(rb"\r\ntransfer-encoding:[ \t]*chunked", taken, re.IGNORECASE)
        if sized and self.body:
            taken += await peer.read(int(sized[1]))
        elif chunked and self.body:
            size = -1
            while size:
                line = await peer.read_until(b"\r\n")
                taken += line
                size = int(line.split(b";")[0], 16)
                taken += await peer.read(size + 2)


@dataclass(frozen=True, slots=True)
class Send:
    """Send these bytes, `times` times over."""

    data: bytes
    times: int = 1

    async def __call__(self, peer: Peer) -> None:
        """Send them."""
        for _ in range(self.times):
            peer.writer.write(self.data)
            await peer.writer.drain()


@dataclass(frozen=True, slots=True)
class Respond:
    """Read one request, then send these bytes."""

    data: bytes

    async def __call__(self, peer: Peer) -> None:
        """Read, then send."""
        await ReadRequest()(peer)
        await Send(self.data)(peer)


@dataclass(frozen=True, slots=True)
class Drip:
    """Send these bytes one at a time, `every` so many seconds."""

    data: bytes
    every: float

    async def __call__(self, peer: Peer) -> None:
        """Send them."""
        for byte in self.data:
            await Send(bytes([byte]))(peer)
            await asyncio.sleep(self.every)


@dataclass(frozen=True, slots=True)
class Close:
    """Close the connection in good order."""

    async def __call__(self, peer: Peer) -> None:
        """Close it."""
        peer.writer.close()


@dataclass(frozen=True, slots=True)
class Reset:
    """Break the connection off with a TCP reset."""

    async def __call__(self, peer: Peer) -> None:
        """Break it off."""
        linger = struct.pack("ii", 1, 0)
        peer.writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
        peer.writer.transport.abort()


@dataclass(frozen=True, slots=True)
class Hang:
    """Send nothing until the context exits or the peer hangs up."""

    async def __call__(self, peer: Peer) -> None:
        """Wait."""
        while True:
            await peer.fill()


@dataclass(frozen=True, slots=True)
class HoldOn:
    """Wait until the test calls `Scripted.proceed`; each call lets one waiting step go on."""

    async def __call__(self, peer: Peer) -> None:
        """Wait."""
        await peer.service.permits.acquire()


class Scripted:
    """A TCP server on a free port of 127.0.0.1 that plays scripts and notes what it is sent.

    The k-th connection plays the k-th script, later ones the last script; with `per="request"`
    it is the k-th request that does, whatever connection it comes on. `tls` makes it speak TLS.

    `attempts` are the raw bytes of each request: those that a step has read, and what lay unread
    when the connection ended. `connections` and `closed` count connections that were taken and
    that have ended. `port` 0 is any free one.
    """

    def __init__(
        self,
        *scripts: Sequence[Step],
        per: Literal["connection", "request"] = "connection",
        tls: ssl.SSLContext | None = None,
        port: int = 0,
    ) -> None:
        if not scripts or not all(scripts):
            raise ValueError("A script needs at least one step; give one list of steps or more.")
        self._scripts = scripts
        self._per = per
        self._tls = tls
        self._requests = 0
        self._failures: list[BaseException] = []
        self.attempts: list[bytes] = []
        self.connections = 0
        self.closed = 0
        self.port = port

    @property
    def url(self) -> str:
        """Its base URL."""
        return f"{'http' if self._tls is None else 'https'}://127.0.0.1:{self.port}"

    def note_attempt(self, data: bytes) -> None:
        """Add to `attempts`; for steps of one's own that read requests."""
        self.attempts.append(data)
        self._changed.set()

    def proceed(self) -> None:
        """Let one `HoldOn` go on; from any thread."""
        self._loop.call_soon_threadsafe(self.permits.release)

    async def wait_for_attempts(self, count: int, within: float = _WITHIN) -> None:
        """Return once `count` requests have been read. Errors: TimeoutError."""
        await self._wait(lambda: len(self.attempts) >= count, within)

    async def wait_for_connections(self, count: int, within: float = _WITHIN) -> None:
        """Return once `count` connections have been taken. Errors: TimeoutError."""
        await self._wait(lambda: self.connections >= count, within)

    async def wait_for_closed(self, count: int, within: float = _WITHIN) -> None:
        """Return once `count` connections have ended. Errors: TimeoutError."""
        await self._wait(lambda: self.closed >= count, within)

    def run(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Wait, from a synchronous test, for one of the coroutines above.

        `service.run(service.wait_for_attempts(1))`, inside `in_thread`.
        """
        asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()

    @contextmanager
    def in_thread(self) -> Iterator[Self]:
        """Serve from a thread with an event loop of its own, for synchronous tests."""
        ready = threading.Event()

        async def serve() -> None:
            async with self:
                self._stop = asyncio.Event()
                ready.set()
                await self._stop.wait()

        failures: list[BaseException] = []

        def run() -> None:
            try:
                asyncio.run(serve())
            except BaseException as error:  # noqa: BLE001 - raised again where the test sees it
                failures.append(error)
            finally:
                ready.set()

        thread = threading.Thread(target=run, name="scripted-service")
        thread.start()
        ready.wait()
        try:
            if not failures:
                yield self
        finally:
            if not failures:
                self._loop.call_soon_threadsafe(self._stop.set)
            thread.join()
        if failures:
            raise failures[0]

    async def __aenter__(self) -> Self:
        """Listen."""
        self._loop = asyncio.get_running_loop()
        self._changed = asyncio.Event()
        self.permits = asyncio.Semaphore(0)
        self._playing: set[asyncio.Task[None]] = set()
        self._server = await asyncio.start_server(
            self._play, "127.0.0.1", self.port, ssl=self._tls, limit=1 << 20
        )
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Break off what is still being played and stop listening.

        Errors: the first one of a step that was not a broken connection.
        """
        self._server.close()
        playing = list(self._playing)
        for task in playing:
            task.cancel()
        await asyncio.gather(*playing, return_exceptions=True)
        await self._server.wait_closed()
        if self._failures and error is None:
            raise self._failures[0]

    async def _wait(self, holds: Callable[[], bool], within: float) -> None:
        async with asyncio.timeout(within):
            while not holds():
                self._changed.clear()
                await self._changed.wait()

    async def _play(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._playing.add(task)
            task.add_done_callback(self._playing.discard)
        number = self.connections
        self.connections += 1
        self._changed.set()
        peer = Peer(reader, writer, self)
        try:
            while not writer.is_closing():
                await self._play_once(peer, number)
        except (EOFError, ConnectionError, ssl.SSLError, asyncio.CancelledError):
            pass  # the peer has gone, or the context exits: there is nobody left to play to
        except Exception as error:  # noqa: BLE001 - a step's own error is raised at the exit
            self._failures.append(error)
        finally:
            if unread := peer.unread():
                self.note_attempt(unread)
            writer.close()
            writer.transport.abort()
            self.closed += 1
            self._changed.set()

    async def _play_once(self, peer: Peer, number: int) -> None:
        if self._per == "request":
            if not await peer.wait():
                raise EOFError
            number = self._requests
            self._requests += 1
        for step in self._scripts[min(number, len(self._scripts) - 1)]:
            await step(peer)
            if peer.writer.is_closing():
                return


def reply(status: int, body: bytes = b"", *headers: tuple[bytes, bytes]) -> bytes:
    """Return a whole response with these headers and a Content-Length."""
    lines = [
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}".encode(),
        *(b"%b: %b" % pair for pair in headers),
        b"Content-Length: %d" % len(body),
    ]
    return b"\r\n".join((*lines, b"", body))


def order_created(order_id: str, account: str = "9900000") -> bytes:
    """Return the 201 that the service gives to an order for one number by area code."""
    body = (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        "<OrderResponse><Order>"
        f"<id>{order_id}</id><Name>Area Code Order</Name>"
        "<OrderCreateDate>2014-07-11T17:13:57.788Z</OrderCreateDate>"
        "<BackOrderRequested>false</BackOrderRequested>"
        "<AreaCodeSearchAndOrderType><AreaCode>919</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType>"
        "<PartialAllowed>true</PartialAllowed><SiteId>743</SiteId>"
        "</Order><OrderStatus>RECEIVED</OrderStatus></OrderResponse>"
    )
    location = f"https://service.example/api/accounts/{account}/orders/{order_id}"
    return reply(
        201,
        body.encode(),
        (b"Content-Type", b"application/xml; charset=utf-8"),
        (b"Location", location.encode()),
    )


def unauthorized() -> bytes:
    """Return the 401 with the challenge that the service gives to a request without credentials."""
    return reply(401, b"", (b"WWW-Authenticate", b'Basic realm="Bandwidth"'))


def refused_port() -> int:
    """Return a port of 127.0.0.1 that refuses connections: nobody listens there."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@contextmanager
def unaccepting() -> Iterator[int]:
    """A port of 127.0.0.1 where a connection is neither taken nor refused: its queue is full."""
    with ExitStack() as held:
        listener = held.enter_context(socket.socket())
        listener.bind(("127.0.0.1", 0))
        listener.listen(0)
        port = int(listener.getsockname()[1])
        for _ in range(_FILLERS):
            filler = held.enter_context(socket.socket())
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
            select.select([], [filler], [], 0.1)
        yield port
