"""The scripted service itself: what it notes, and what each step does to a client."""

import asyncio
import http.client
import socket

import pytest

from ordertape.testing import (
    Close,
    Drip,
    Hang,
    HoldOn,
    Peer,
    ReadRequest,
    Reset,
    Respond,
    Scripted,
    Send,
    order_created,
    refused_port,
    reply,
    unaccepting,
    unauthorized,
)

GET = b"GET /a HTTP/1.1\r\nHost: h\r\n\r\n"


async def ask(service: Scripted, *requests: bytes) -> bytes:
    """Send these bytes on one connection, and read until it ends."""
    reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
    try:
        for request in requests:
            writer.write(request)
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        writer.close()


async def test_every_request_is_answered_and_its_raw_bytes_are_noted() -> None:
    sized = b"POST /b HTTP/1.1\r\nhost: h\r\ncontent-LENGTH: 3\r\n\r\nabc"
    chunked = b"POST /c HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\n0\r\n\r\n"
    async with Scripted([Respond(reply(200, b"ok"))]) as service:
        answers = await ask(service, GET, sized, chunked)
    assert answers == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok" * 3
    assert service.attempts == [GET, sized, chunked]
    assert (service.connections, service.closed) == (1, 1)


async def test_the_kth_connection_plays_the_kth_script_and_later_ones_the_last() -> None:
    scripts = [[Respond(b"one")], [Respond(b"two")]]
    async with Scripted(*scripts) as service:
        answers = [await ask(service, GET) for _ in range(3)]
    assert answers == [b"one", b"two", b"two"]


async def test_the_kth_request_plays_the_kth_script_whatever_connection_it_comes_on() -> None:
    scripts = [[Respond(b"1")], [Respond(b"2"), Close()], [Respond(b"3")]]
    async with Scripted(*scripts, per="request") as service:
        idle = await asyncio.open_connection("127.0.0.1", service.port)
        await service.wait_for_connections(1)
        answers = [await ask(service, GET, GET, GET), await ask(service, GET)]
        idle[1].close()
        await service.wait_for_closed(3)
    assert answers == [b"12", b"3"]


async def test_a_request_that_breaks_off_is_noted_as_far_as_it_came() -> None:
    async with Scripted([Respond(reply(200))]) as service:
        assert await ask(service, GET[:9]) == b""
        await service.wait_for_closed(1)
    assert service.attempts == [GET[:9]]


async def test_what_a_script_never_read_is_noted_when_the_connection_ends() -> None:
    async with Scripted([ReadRequest(), Hang()]) as service:
        assert await ask(service, GET, b"more") == b""
        await service.wait_for_closed(1)
    assert service.attempts == [GET, b"more"]


async def test_a_script_without_its_body_answers_after_the_head() -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: 100\r\n\r\n"
    async with Scripted([ReadRequest(body=False), Send(reply(413)), Close()]) as service:
        assert await ask(service, head) == reply(413)
    assert service.attempts == [head]


async def test_close_ends_the_connection_and_reset_breaks_it_off() -> None:
    async with Scripted([ReadRequest(), Close()], [ReadRequest(), Reset()]) as service:
        assert await ask(service, GET) == b""
        with pytest.raises(ConnectionResetError):
            await ask(service, GET)
    assert service.attempts == [GET, GET]


async def test_a_drip_comes_byte_by_byte() -> None:
    async with Scripted([Drip(b"slow", every=0.001), Close()]) as service:
        assert await ask(service) == b"slow"


async def test_a_step_that_holds_on_goes_on_when_it_is_told_to() -> None:
    async with Scripted([ReadRequest(), HoldOn(), Send(b"now"), Close()]) as service:
        answer = asyncio.create_task(ask(service, GET))
        await service.wait_for_attempts(1)
        assert not answer.done()
        service.proceed()
        assert await answer == b"now"


async def test_a_function_is_a_step_and_its_error_is_raised_at_the_exit() -> None:
    async def step(peer: Peer) -> None:
        raise ValueError((await peer.read_until(b" ")).decode())

    with pytest.raises(ValueError, match="GET "):
        async with Scripted([step]) as service:
            await ask(service, GET)


async def test_waiting_for_what_does_not_happen_ends_in_a_timeout() -> None:
    async with Scripted([Hang()]) as service:
        with pytest.raises(TimeoutError):
            await service.wait_for_attempts(1, within=0.01)


def test_a_script_without_steps_is_refused() -> None:
    with pytest.raises(ValueError, match="at least one step"):
        Scripted([])


def test_a_synchronous_test_runs_it_in_a_thread() -> None:
    with Scripted([Respond(order_created("a1"))]).in_thread() as service:
        client = http.client.HTTPConnection("127.0.0.1", service.port, timeout=10)
        client.request("POST", "/accounts/1/orders", b"<Order/>")
        response = client.getresponse()
        body = response.read()
        client.close()
        service.run(service.wait_for_closed(1))
    assert response.status == 201
    assert response.headers["Location"].endswith("/orders/a1")
    assert body.startswith(b"<?xml")
    assert body.endswith(b"RECEIVED</OrderStatus></OrderResponse>")
    assert service.attempts[0].endswith(b"\r\n\r\n<Order/>")


def test_an_error_that_keeps_it_from_listening_reaches_the_synchronous_test() -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as taken,
        pytest.raises(OSError, match="address already in use"),
        Scripted([Hang()], port=taken.getsockname()[1]).in_thread(),
    ):
        pass


def test_the_challenge_is_the_one_of_the_service() -> None:
    assert unauthorized() == (
        b"HTTP/1.1 401 Unauthorized\r\n"
        b'WWW-Authenticate: Basic realm="Bandwidth"\r\nContent-Length: 0\r\n\r\n'
    )


def test_a_refused_port_refuses_and_an_unaccepting_one_does_neither() -> None:
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", refused_port()), timeout=10)
    with unaccepting() as port, pytest.raises(TimeoutError):
        socket.create_connection(("127.0.0.1", port), timeout=0.1)
