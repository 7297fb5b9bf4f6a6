"""Raw sockets against a real listener: bytes in, bytes out, and a handler that notes everything."""

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field, replace

from ordertape.errors import RefusedError
from ordertape.model import Body, Headers, Kind, Request, Response
from ordertape.route import classify
from ordertape.server import Listener

PATIENCE = 10.0


def ok(request: Request) -> Response:
    """What the stub answers unless told otherwise."""
    return Response(200, b"OK", Headers(((b"X-Method", request.method.encode()),)), Body(b"fine"))


@dataclass(frozen=True)
class StubAnswer:
    """What the listener is given back."""

    response: Response
    delivered: Callable[[bool], None]


@dataclass
class Stub:
    """A handler: reads the whole body, notes the request, answers with `respond`."""

    respond: Callable[[Request], Response] = ok
    handled: list[Request] = field(default_factory=list)
    refused: list[tuple[Request, RefusedError]] = field(default_factory=list)
    delivered: list[bool] = field(default_factory=list)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when a request was handed on, its body perhaps still coming."""
    told: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when `delivered` was called."""
    go: asyncio.Event = field(default_factory=asyncio.Event)
    """Clear it before, and answers wait for it."""

    def __post_init__(self) -> None:
        self.go.set()

    def route(self, method: str, target: str) -> Kind:
        return classify(method, target).kind

    async def handle(self, request: Request) -> StubAnswer:
        self.begun.set()
        pieces = [request.body.held]
        if request.body.rest is not None:
            try:
                async for piece in request.body.rest:
                    pieces.append(piece)  # noqa: PERF401 - what had come is kept when it breaks off
            except RefusedError as error:
                self.refused.append((request, error))
                return self._answer(Response(502, b"Bad Gateway"))
        self.handled.append(replace(request, body=Body(b"".join(pieces))))
        self.arrived.set()
        await self.go.wait()
        return self._answer(self.respond(request))

    async def refuse(self, request: Request, error: RefusedError) -> StubAnswer:
        self.refused.append((request, error))
        headers = Headers(((b"Content-Type", b"text/plain"),))
        return self._answer(Response(error.status, b"No", headers, Body(str(error).encode())))

    def _answer(self, response: Response) -> StubAnswer:
        return StubAnswer(response, self._note)

    def _note(self, delivered: bool) -> None:  # noqa: FBT001 - the shape of Answer.delivered
        self.delivered.append(delivered)
        self.told.set()


@dataclass(frozen=True)
class Reply:
    """One response, exactly as it stood on the wire."""

    line: bytes
    headers: tuple[tuple[bytes, bytes], ...]
    body: bytes

    @property
    def status(self) -> int:
        return int(self.line.split(b" ")[1])

    def get(self, name: str) -> bytes | None:
        return Headers(self.headers).get(name.encode())


@dataclass
class Client:
    """One connection to the listener."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    async def reply(self, *, head_only: bool = False) -> Reply:
        """Read one response, framed as its head says. Errors: IncompleteReadError."""
        async with asyncio.timeout(PATIENCE):
            head = await self.reader.readuntil(b"\r\n\r\n")
            line, *fields = head[:-4].split(b"\r\n")
            pairs = tuple(
                (name, value.strip()) for name, _, value in (f.partition(b":") for f in fields)
            )
            headers = Headers(pairs)
            if head_only or line.split(b" ")[1] in {b"100", b"204", b"304"}:
                body = b""
            elif headers.get(b"transfer-encoding") == b"chunked":
                body = await self._chunks()
            elif (length := headers.get(b"content-length")) is not None:
                body = await self.reader.readexactly(int(length))
            else:
                body = await self.reader.read()
            return Reply(line, pairs, body)

    async def _chunks(self) -> bytes:
        pieces = []
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            pieces.append(await self.reader.readexactly(size))
            await self.reader.readexactly(2)
        await self.reader.readexactly(2)
        return b"".join(pieces)

    async def rest(self) -> bytes:
        """Everything until the listener ends the connection."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read()

    def half_close(self) -> None:
        self.writer.write_eof()

    def reset(self) -> None:
        """Go away without a word: RST."""
        sock: socket.socket = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.writer.transport.abort()

    async def close(self) -> None:
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            """A reset connection is closed as well."""


@dataclass
class Served:
    """A listener, the stub behind it, and its clients."""

    listener: Listener
    stub: Stub
    clients: list[Client] = field(default_factory=list)

    async def connect(self) -> Client:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.listener.port)
        client = Client(reader, writer)
        self.clients.append(client)
        return client

    async def ask(self, data: bytes) -> tuple[Reply, bytes]:
        """Send `data` on a new connection: the first response, and what follows until the end."""
        client = await self.connect()
        await client.send(data)
        reply = await client.reply()
        return reply, await client.rest()


Serve = Callable[..., Awaitable[Served]]
"""The fixture that starts listeners."""
