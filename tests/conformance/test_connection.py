"""The life of a connection: order, half-closing, leaving, staying, stopping."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from ordertape.errors import MalformedError
from ordertape.model import Body, Headers, Request, Response
from raw_http import Client, Serve, Served, Stub

ORDER = b"POST /accounts/1/orders HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n<Ord>"
GET = b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n"


def named(request: Request) -> Response:
    return Response(200, b"OK", Headers(), Body(request.target.encode() + request.body.held))


async def test_f13_pipelined_requests_are_answered_in_order(serve: Serve) -> None:
    served = await serve(Stub(respond=named))
    client = await served.connect()
    await client.send(b"".join(GET % b"%d" % number for number in range(100)) + ORDER + GET % b"z")
    bodies = [(await client.reply()).body for _ in range(102)]
    assert bodies == [
        *(b"/%d" % number for number in range(100)),
        b"/accounts/1/orders<Ord>",
        b"/z",
    ]


async def test_f13_requests_pipelined_behind_a_streamed_body_are_answered(serve: Serve) -> None:
    served = await serve(Stub(respond=named), record_limit=4)
    client = await served.connect()
    upload = b"PUT /u HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n123456789"
    await client.send(upload + GET % b"a" + upload + GET % b"b")
    assert [(await client.reply()).body for _ in range(4)] == [b"/u1234", b"/a", b"/u1234", b"/b"]
    assert [request.body.held for request in served.stub.handled][::2] == [b"123456789"] * 2


async def test_f13_a_request_behind_the_last_chunk_is_answered(serve: Serve) -> None:
    """Its bytes wait inside the parser, and nothing else comes to push them out."""
    served = await serve(Stub(respond=named), record_limit=2)
    client = await served.connect()
    head = b"PUT /u HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
    await client.send(head + b"3\r\nabc\r\n")
    await served.stub.begun.wait()
    await client.send(b"0\r\n\r\n" + GET % b"a" + GET % b"b")
    client.half_close()
    bodies = [(await client.reply()).body for _ in range(3)]
    assert (bodies, await client.rest()) == ([b"/uab", b"/a", b"/b"], b"")


@pytest.mark.parametrize("at_once", [True, False])
async def test_garbage_behind_a_good_request_costs_it_nothing(
    served: Served, *, at_once: bool
) -> None:
    client = await served.connect()
    if at_once:
        await client.send(GET % b"a" + GET % b"b" + b"garbage\r\n\r\n")
    else:
        await client.send(GET % b"a")
        await client.send(GET % b"b" + b"garb")
        await client.send(b"age\r\n\r\n")
    replies = [await client.reply() for _ in range(3)]
    assert [reply.status for reply in replies] == [200, 200, 400]
    assert await client.rest() == b""


async def test_a_bad_chunk_after_a_good_one_refuses_the_order(served: Served) -> None:
    client = await served.connect()
    await client.send(
        b"POST /accounts/1/orders HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n"
        b"Expect: 100-continue\r\n\r\n"
    )
    assert (await client.reply()).line == b"HTTP/1.1 100 Continue"
    await client.send(b"2\r\nab\r\n")
    await client.send(b"zz\r\n")
    reply = await client.reply()
    assert (reply.status, reply.get("Connection")) == (400, b"close")
    assert await client.rest() == b""
    assert served.stub.handled == []
    ((request, error),) = served.stub.refused
    assert (request.target, type(error)) == ("/accounts/1/orders", MalformedError)


async def test_f12_a_body_that_ends_early_is_answered_and_not_handed_on(served: Served) -> None:
    client = await served.connect()
    await client.send(ORDER[:-2])
    client.half_close()
    reply = await client.reply()
    assert (reply.status, await client.rest()) == (400, b"")
    assert b"3 of 5 bytes" in reply.body
    assert served.stub.handled == []
    assert [type(error) for _, error in served.stub.refused] == [MalformedError]


async def test_f12_a_reset_in_the_middle_of_a_body_is_recorded(served: Served) -> None:
    client = await served.connect()
    await client.send(ORDER.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n")[:-5])
    await client.reply()
    await client.send(b"<Or")
    client.reset()
    async with asyncio.timeout(5):
        await served.stub.told.wait()
    assert served.stub.handled == []
    assert [type(error) for _, error in served.stub.refused] == [MalformedError]
    assert served.stub.delivered == [False]


async def test_a_half_closing_client_gets_its_answer(served: Served) -> None:
    client = await served.connect()
    served.stub.go.clear()
    await client.send(ORDER)
    client.half_close()
    await served.stub.arrived.wait()
    served.stub.go.set()
    reply = await client.reply()
    assert (reply.status, reply.body, reply.get("Connection")) == (200, b"fine", b"close")
    assert await client.rest() == b""
    assert served.stub.delivered == [True]


async def test_a_half_closing_client_gets_the_answers_to_all_it_pipelined(served: Served) -> None:
    client = await served.connect()
    await client.send(GET % b"a" + ORDER + GET % b"b")
    client.half_close()
    assert [(await client.reply()).status for _ in range(3)] == [200] * 3
    assert await client.rest() == b""
    assert served.stub.delivered == [True] * 3


async def test_a_client_that_ends_between_requests_is_let_go(served: Served) -> None:
    client = await served.connect()
    await client.send(GET % b"a")
    await client.reply()
    client.half_close()
    assert await client.rest() == b""


async def leave_by_reset(client: Client) -> None:
    client.reset()


async def leave_by_close(client: Client) -> None:
    await client.close()


@pytest.mark.parametrize("leave", [leave_by_reset, leave_by_close])
async def test_an_order_completes_undelivered_when_its_client_leaves(
    served: Served, leave: Callable[[Client], Awaitable[None]]
) -> None:
    client = await served.connect()
    served.stub.go.clear()
    await client.send(ORDER)
    await served.stub.arrived.wait()
    await leave(client)
    served.stub.go.set()
    async with asyncio.timeout(5):
        await served.stub.told.wait()
    assert [request.body.held for request in served.stub.handled] == [b"<Ord>"]
    assert served.stub.delivered == [False]


@pytest.mark.parametrize(
    ("head", "stays"),
    [
        (b"GET / HTTP/1.1\r\nHost: a\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n", False),
        (b"GET / HTTP/1.0\r\n", False),
        (b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n", True),
        (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n", False),
        (b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n", False),
        (b"POST / HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\nContent-Length: 0\r\n", False),
    ],
)
async def test_f16_h20_whether_the_connection_stays(
    served: Served, head: bytes, *, stays: bool
) -> None:
    client = await served.connect()
    await client.send(head + b"\r\n")
    reply = await client.reply()
    assert (reply.line, reply.body) == (b"HTTP/1.1 200 OK", b"fine")
    said = {True: b"keep-alive" if b"/1.0" in head else None, False: b"close"}[stays]
    assert reply.get("Connection") == said
    if stays:
        await client.send(head + b"\r\n")
        assert (await client.reply()).status == 200
    else:
        assert await client.rest() == b""


async def test_f16_a_body_beside_upgrade_is_read(served: Served) -> None:
    reply, rest = await served.ask(
        b"POST / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
        b"HTTP2-Settings: x\r\nContent-Length: 3\r\n\r\nabc"
    )
    assert (reply.status, rest) == (200, b"")
    assert [request.body.held for request in served.stub.handled] == [b"abc"]


async def test_an_idle_connection_is_closed_silently(serve: Serve) -> None:
    served = await serve(keepalive_timeout=0.1)
    client = await served.connect()
    await client.send(GET % b"a")
    await client.reply()
    assert await client.rest() == b""


async def test_one_connection_too_many_is_told_so(serve: Serve) -> None:
    served = await serve(max_connections=1)
    first = await served.connect()
    await first.send(GET % b"a")
    await first.reply()
    reply, rest = await served.ask(b"")
    assert (reply.line, rest) == (b"HTTP/1.1 503 Service Unavailable", b"")
    assert reply.get("Retry-After") == b"5"
    await first.send(GET % b"b")
    assert (await first.reply()).status == 200


async def test_stopping_lets_what_is_in_flight_end_and_closes_the_idle_at_once(
    served: Served,
) -> None:
    idle, busy = await served.connect(), await served.connect()
    await idle.send(GET % b"a")
    await idle.reply()
    served.stub.arrived.clear()
    served.stub.go.clear()
    await busy.send(ORDER + GET % b"never")
    await served.stub.arrived.wait()
    stopping = asyncio.create_task(served.listener.stop(10))
    assert await idle.rest() == b""
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", served.listener.port)
    assert not stopping.done()
    served.stub.go.set()
    reply = await busy.reply()
    assert (reply.status, reply.get("Connection")) == (200, b"close")
    assert await busy.rest() == b""
    await stopping
    assert [request.target for request in served.stub.handled] == ["/a", "/accounts/1/orders"]


async def test_stopping_waits_for_an_order_whose_client_has_gone(served: Served) -> None:
    client = await served.connect()
    served.stub.go.clear()
    await client.send(ORDER)
    await served.stub.arrived.wait()
    client.reset()
    stopping = asyncio.create_task(served.listener.stop(10))
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(asyncio.shield(stopping), 0.1)
    served.stub.go.set()
    await stopping
    assert served.stub.delivered == [False]


async def test_stopping_takes_no_longer_than_its_grace(served: Served) -> None:
    client = await served.connect()
    served.stub.go.clear()
    await client.send(ORDER)
    await served.stub.arrived.wait()
    async with asyncio.timeout(5):
        await served.listener.stop(0.05)
    with pytest.raises(ConnectionResetError):
        await client.rest()
    served.stub.go.set()
    async with asyncio.timeout(5):
        await served.stub.told.wait()
    assert served.stub.delivered == [False]
