"""When a connection is used again, and when it is not."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest

from ordertape.errors import InDoubtError
from ordertape.model import Body, Headers, Request
from ordertape.testing import (
    Close,
    Hang,
    HoldOn,
    Peer,
    ReadRequest,
    Reset,
    Respond,
    Scripted,
    Send,
    reply,
)
from ordertape.upstream.live import Live, LiveSettings

OK = reply(200, b"ok")
ORDER = Request("POST", "/accounts/1/orders", Headers(), Body(b"<Order/>"))


@asynccontextmanager
async def live(service: Scripted, **settings: object) -> AsyncIterator[Live]:
    client = Live(service.url, settings=LiveSettings(**{"idle": 60.0, **settings}))
    try:
        yield client
    finally:
        await client.close()


async def test_a_connection_that_was_just_in_use_is_used_again() -> None:
    async with Scripted([Respond(OK)]) as service, live(service) as client:
        for _ in range(3):
            assert (await client.send(ORDER)).body == Body(b"ok")
        assert (service.connections, len(service.attempts)) == (1, 3)
        assert repr(client) == f"<Live {service.url}: 0 connections in use, 1 idle>"


@pytest.mark.parametrize(
    "answer",
    [
        OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1),
        OK.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
async def test_a_connection_that_the_answer_ends_is_not(answer: bytes) -> None:
    async with Scripted([Respond(answer)]) as service, live(service) as client:
        for closed in (1, 2):
            assert (await client.send(ORDER)).body == Body(b"ok")
            await service.wait_for_closed(closed)
        assert service.connections == 2


async def test_an_old_idle_connection_is_closed_without_being_asked_for() -> None:
    async with Scripted([Respond(OK)]) as service, live(service, idle=0.02) as client:
        await client.send(ORDER)
        await service.wait_for_closed(1)
        await client.send(ORDER)
        assert service.connections == 2


async def test_with_no_idle_time_every_request_has_a_connection_of_its_own() -> None:
    async with Scripted([Respond(OK)]) as service, live(service, idle=0) as client:
        await client.send(ORDER)
        await client.send(ORDER)
        await service.wait_for_closed(2)


async def test_an_old_idle_connection_is_not_used_even_before_the_loop_could_close_it() -> None:
    async with Scripted([Respond(OK)]) as service, live(service, idle=0.05) as client:
        await client.send(ORDER)
        loop = asyncio.get_running_loop()
        due = loop.time() + 0.05
        while loop.time() < due:  # the loop is held up, so that its timers are late
            pass
        await client.send(ORDER)
        assert service.connections == 2


@pytest.mark.parametrize("ending", [Close(), Reset(), Send(b"HTTP/1.1 408 Bye\r\n\r\n")])
async def test_a_connection_that_showed_an_end_or_bytes_since_is_not_used(ending: object) -> None:
    scripts = [[Respond(OK), HoldOn(), ending, Hang()], [Respond(OK)]]
    async with Scripted(*scripts) as service, live(service) as client:
        await client.send(ORDER)
        service.proceed()
        await service.wait_for_closed(1)
        assert (await client.send(ORDER)).body == Body(b"ok")
        assert (service.connections, len(service.attempts)) == (2, 2)


@pytest.mark.parametrize("data", [b"", b"!"])
async def test_an_end_or_bytes_that_the_loop_has_not_delivered_yet_count_as_well(
    data: bytes,
) -> None:
    # A listener without a loop: what it does between two steps of the client is not delivered yet.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        client = Live(f"http://127.0.0.1:{listener.getsockname()[1]}")
        loop = asyncio.get_running_loop()
        first = asyncio.create_task(client.send(ORDER))
        server, _ = await loop.run_in_executor(None, listener.accept)
        server.sendall(OK)
        await first
        if data:
            server.sendall(data)
        else:
            server.shutdown(socket.SHUT_WR)
        second = asyncio.create_task(client.send(ORDER))
        other, _ = await loop.run_in_executor(None, listener.accept)
        other.sendall(OK)
        assert (await second).body == Body(b"ok")
        server.settimeout(10)
        asked = server.recv(1 << 16)
        assert asked.count(b"POST") == 1
        with suppress(ConnectionResetError):
            assert server.recv(1) == b""
        server.close()
        other.close()
        await client.close()


async def test_a_connection_closed_as_the_request_arrives_is_in_doubt_and_not_tried_again() -> None:
    scripts = [[Respond(OK), ReadRequest(), Close()], [Respond(OK)]]
    async with Scripted(*scripts) as service, live(service) as client:
        await client.send(ORDER)
        with pytest.raises(InDoubtError):
            await client.send(ORDER)
        assert (service.connections, len(service.attempts)) == (1, 2)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
async def test_not_even_a_harmless_method_is_tried_again(method: str) -> None:
    async with Scripted([ReadRequest(), Close()]) as service, live(service) as client:
        with pytest.raises(InDoubtError):
            await client.send(Request(method, "/a"))
        assert (service.connections, len(service.attempts)) == (1, 1)


async def test_an_answer_to_head_with_a_length_ends_its_connection() -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"
    async with Scripted([Respond(head)]) as service, live(service) as client:
        await client.send(Request("HEAD", "/a"))
        await service.wait_for_closed(1)


async def test_requests_beyond_the_pools_size_wait_for_their_turn() -> None:
    answer = [ReadRequest(), HoldOn(), Send(OK)]
    async with Scripted(answer) as service, live(service, pool_size=2) as client:
        tasks = [asyncio.create_task(client.send(ORDER)) for _ in range(6)]
        for read in (2, 3, 4, 5, 6):
            await service.wait_for_attempts(read)
            service.proceed()
        service.proceed()
        assert [(await task).body for task in tasks] == [Body(b"ok")] * 6
        assert service.connections == 2


@pytest.mark.parametrize("ending", [Close(), Reset()])
async def test_a_failed_exchange_gives_its_place_back(ending: object) -> None:
    script = [ReadRequest(), ending]
    async with Scripted(script) as service, live(service, pool_size=1) as client:
        for _ in range(3):
            with pytest.raises(InDoubtError):
                await client.send(ORDER)
        assert len(service.attempts) == 3


async def test_a_failed_connection_gives_its_place_back() -> None:
    async with Scripted([Respond(OK)]) as service:
        port = service.port
    client = Live(f"http://127.0.0.1:{port}", settings=LiveSettings(pool_size=1, connect_timeout=5))
    for _ in range(2):
        with pytest.raises(Exception, match="refuses connections"):
            await client.send(ORDER)
    async with Scripted([Respond(OK)], port=port):
        assert (await client.send(ORDER)).body == Body(b"ok")
        await client.close()


async def test_a_slow_reader_does_not_keep_a_connection_whose_answer_is_whole() -> None:
    script = [ReadRequest(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"), _send_ok]
    async with Scripted(script) as service, live(service, pool_size=1) as client:
        rests = [(await client.send(ORDER)).body.rest for _ in range(3)]
        assert [[piece async for piece in rest] for rest in rests if rest] == [[b"ok"]] * 3
        assert service.connections == 1


async def _send_ok(peer: Peer) -> None:
    # Only once the head has been read on its own can the body not come with it.
    await asyncio.sleep(0.02)
    await Send(b"ok")(peer)
