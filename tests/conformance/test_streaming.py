"""Large bodies pass in both directions without being gathered."""

import asyncio
import hashlib
from collections.abc import AsyncGenerator

from ordertape.model import Body, Headers, Request, Response
from raw_http import Serve, Served, Stub, StubAnswer

PIECE = bytes(range(256)) * 256
PIECES = 1024
TOTAL = PIECES * len(PIECE)
UNDERWAY = 24 << 20
"""More than both sockets' kernel buffers ever hold; a third of what passes."""


async def test_a_download_is_produced_no_faster_than_it_is_taken(serve: Serve) -> None:
    produced = 0
    most = 0
    taken = 0

    async def pieces() -> AsyncGenerator[bytes, None]:
        nonlocal produced, most
        for _ in range(PIECES):
            produced += len(PIECE)
            most = max(most, produced - taken)
            yield PIECE

    body = Headers(((b"Content-Length", b"%d" % TOTAL),))
    served: Served = await serve(
        Stub(respond=lambda _: Response(200, b"OK", body, Body(b"", pieces())))
    )
    client = await served.connect()
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    await client.reader.readuntil(b"\r\n\r\n")
    digest = hashlib.sha256()
    async with asyncio.timeout(60):
        while taken < TOTAL:
            piece = await client.reader.read(1 << 20)
            taken += len(piece)
            digest.update(piece)
    assert digest.digest() == hashlib.sha256(PIECE * PIECES).digest()
    assert most < UNDERWAY
    await served.stub.told.wait()
    assert served.stub.delivered == [True]


class Sink(Stub):
    """Takes a body piece by piece and keeps nothing but its hash."""

    sent = 0
    taken = 0
    most = 0

    async def handle(self, request: Request) -> StubAnswer:
        digest = hashlib.sha256(request.body.held)
        self.taken += len(request.body.held)
        assert request.body.rest is not None
        async for piece in request.body.rest:
            self.taken += len(piece)
            self.most = max(self.most, self.sent - self.taken)
            digest.update(piece)
            await asyncio.sleep(0)
        return self._answer(Response(200, b"OK", Headers(), Body(digest.digest())))


async def test_an_upload_is_read_no_faster_than_it_is_taken(serve: Serve) -> None:
    sink = Sink()
    served: Served = await serve(sink)
    client = await served.connect()
    await client.send(b"PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n")
    async with asyncio.timeout(60):
        for _ in range(PIECES):
            await client.send(b"%x\r\n%b\r\n" % (len(PIECE), PIECE))
            sink.sent += len(PIECE)
        await client.send(b"0\r\n\r\n")
        reply = await client.reply()
    assert reply.body == hashlib.sha256(PIECE * PIECES).digest()
    assert (sink.taken, sink.most < UNDERWAY) == (TOTAL, True)
    assert reply.get("Connection") is None
