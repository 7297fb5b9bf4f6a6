"""Bodies that do not fit into memory, or are still coming: both ways, and at the same time."""

import asyncio
import resource
from collections.abc import AsyncGenerator

import pytest

from lives import OK, asked, live, pieces, read
from ordertape.errors import InDoubtError
from ordertape.model import Body
from ordertape.testing import Hang, HoldOn, Peer, ReadRequest, Respond, Scripted, Send, reply


async def test_a_large_answer_passes_with_flat_memory() -> None:
    size = 64 << 20
    flood = [
        ReadRequest(),
        Send(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size),
        Send(b"x" * (1 << 20), times=64),
    ]
    async with Scripted(flood) as service, live(service) as client:
        response = await client.send(asked())
        assert response.body.rest is not None
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        taken = largest = 0
        async for piece in response.body.rest:
            taken += len(piece)
            largest = max(largest, len(piece))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert taken == size
    assert largest < 1 << 20
    assert grown < 16 * 1024  # KiB


async def test_a_reader_who_stops_makes_the_upstream_wait() -> None:
    sent = 0

    async def flood(peer: Peer) -> None:
        nonlocal sent
        await ReadRequest()(peer)
        await Send(b"HTTP/1.1 200 OK\r\nContent-Length: 67108864\r\n\r\n")(peer)
        for _ in range(64):
            await Send(b"x" * (1 << 20))(peer)
            sent += 1
            peer.service.note_attempt(b"")

    async with Scripted([flood]) as service, live(service, read_timeout=0.2) as client:
        response = await client.send(asked())
        with pytest.raises(TimeoutError):
            await service.wait_for_attempts(60, within=0.6)
        assert sent < 32  # what the kernel's buffers hold
        assert len(await read(response)) == 64 << 20  # it was not the upstream that was slow


async def test_a_large_upload_passes_with_flat_memory() -> None:
    async def flood() -> AsyncGenerator[bytes, None]:
        for _ in range(64):
            yield b"x" * (1 << 20)

    async def count(peer: Peer) -> None:
        await peer.read_until(b"\r\n\r\n")
        for _ in range(64):
            await peer.read(1 << 20)
        await Send(OK)(peer)

    lines = ((b"Content-Length", b"%d" % (64 << 20)),)
    async with Scripted([count]) as service, live(service) as client:
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        response = await client.send(asked("PUT", headers=lines, body=Body(b"", flood())))
        grown = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before
    assert response.body == Body(b"ok")
    assert grown < 16 * 1024  # KiB


async def test_an_upstream_that_refuses_early_is_heard_and_sent_no_more() -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            stopped.set()

    script = [ReadRequest(body=False), Send(reply(413, b"no")), ReadRequest()]
    async with Scripted(script) as service, live(service) as client:
        response = await client.send(asked("POST", body=Body(b"", endless())))
        assert (response.status, response.body) == (413, Body(b"no"))
        await asyncio.wait_for(stopped.wait(), 10)
        await service.wait_for_closed(1)


async def test_a_large_held_body_is_dropped_too_when_the_upstream_refuses_early() -> None:
    async def refuse(peer: Peer) -> None:
        await peer.read_until(b"\r\n\r\n")
        await Send(reply(413, b"no"))(peer)
        await asyncio.Event().wait()

    async with Scripted([refuse]) as service, live(service) as client:
        response = await client.send(asked("POST", body=b"x" * (16 << 20)))
        assert (response.status, response.body) == (413, Body(b"no"))
        assert repr(client).endswith("0 idle>")


async def test_an_upload_goes_on_while_a_welcome_answer_streams() -> None:
    async def echo(peer: Peer) -> None:
        await peer.read_until(b"\r\n\r\n")
        await Send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n")(peer)
        for _ in range(4):
            await Send(await peer.read(1))(peer)

    gate = asyncio.Event()

    async def slow() -> AsyncGenerator[bytes, None]:
        yield b"ab"
        await gate.wait()
        yield b"cd"

    lines = ((b"Content-Length", b"4"),)
    async with Scripted([echo]) as service, live(service) as client:
        response = await client.send(asked("POST", headers=lines, body=Body(b"", slow())))
        gate.set()
        assert await read(response) == b"abcd"


@pytest.mark.parametrize("parts", [(b"abc",), (b"abc", b"def")])
async def test_a_stream_that_is_not_as_long_as_it_said_is_in_doubt(
    parts: tuple[bytes, ...],
) -> None:
    lines = ((b"Content-Length", b"5"),)
    async with Scripted([Respond(OK)]) as service, live(service) as client:
        with pytest.raises(InDoubtError, match="broke off"):
            await client.send(asked("POST", headers=lines, body=Body(b"", pieces(*parts))))
        await service.wait_for_closed(1)
        assert len(service.attempts) == 1
        assert not service.attempts[0].endswith(b"def")


async def test_a_stream_that_raises_is_in_doubt_and_never_ended_cleanly() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"abc"
        raise ConnectionResetError("the client has gone")

    async with Scripted([Respond(OK)]) as service, live(service) as client:
        with pytest.raises(InDoubtError, match="broke off") as failure:
            await client.send(asked("POST", body=Body(b"", broken())))
        assert str(failure.value.__cause__) == "the client has gone"
        await service.wait_for_closed(1)
        assert service.attempts[0].endswith(b"\r\n\r\n3\r\nabc\r\n")


async def test_the_rest_of_a_refused_request_is_not_sent_while_the_answer_streams() -> None:
    stopped = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            while True:
                yield b"x" * 65536
        finally:
            stopped.set()

    script = [ReadRequest(body=False), Send(reply(413, b"no")[:-2]), HoldOn(), Send(b"no"), Hang()]
    async with Scripted(script) as service, live(service) as client:
        response = await client.send(asked("POST", body=Body(b"", endless())))
        await asyncio.wait_for(stopped.wait(), 10)
        service.proceed()
        assert (response.status, await read(response)) == (413, b"no")
        await service.wait_for_closed(1)


async def test_a_connection_whose_request_was_not_sent_to_its_end_is_not_used_again() -> None:
    async def waiting() -> AsyncGenerator[bytes, None]:
        yield b"ab"
        await asyncio.Event().wait()

    lines = ((b"Content-Length", b"4"),)
    scripts = [[ReadRequest(body=False), Send(OK), Hang()], [Respond(OK)]]
    async with Scripted(*scripts) as service, live(service) as client:
        early = await client.send(asked("POST", headers=lines, body=Body(b"", waiting())))
        assert early.body == Body(b"ok")
        await service.wait_for_closed(1)
        assert (await client.send(asked())).body == Body(b"ok")
        assert service.connections == 2
