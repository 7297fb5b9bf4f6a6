"""Sizes and times: http-intermediary.md §5, with the limits set low."""

import asyncio

import pytest

from ordertape.errors import (
    HeadersTooLargeError,
    MalformedError,
    TargetTooLongError,
    TooLargeError,
    TooSlowError,
)
from ordertape.model import Request
from raw_http import Serve, Served, Stub, StubAnswer

ORDER = b"POST /accounts/1/orders HTTP/1.1\r\nHost: a\r\n"
OTHER = b"PUT /other HTTP/1.1\r\nHost: a\r\n"
CONTINUE = b"HTTP/1.1 100 Continue"
LINE = 8190


def refusals(served: Served) -> list[type[Exception]]:
    return [type(error) for _, error in served.stub.refused]


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * (LINE - 1)), 200),
        (b"GET /%b HTTP/1.1\r\nHost: a\r\n\r\n" % (b"a" * LINE), 414),
        (b"GET /" + b"a" * 1_000_000, 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"a" * 8000), 200),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: %b\r\n\r\n" % (b"a" * 8193), 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n%b: x\r\n\r\n" % (b"a" * 8193), 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"a" * 1_000_000, 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 99 + b"\r\n", 200),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + b"X: y\r\n" * 100 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"X: %b\r\n" % (b"a" * 8000)) * 9 + b"\r\n", 431),
        (b"GET / HTTP/1.1\r\nHost: a\r\n" + (b"X: %b\r\n" % (b"a" * 8000)) * 9, 431),
    ],
    ids=lambda value: f"{value[:5]!r}…{len(value)}" if isinstance(value, bytes) else None,
)
async def test_heads_within_and_past_their_limits(served: Served, sent: bytes, status: int) -> None:
    client = await served.connect()
    await client.send(sent)
    reply = await client.reply()
    assert reply.line.startswith(b"HTTP/1.1 %d" % status)
    if status != 200:
        assert await client.rest() == b""
        expected = {414: TargetTooLongError, 431: HeadersTooLargeError}[status]
        assert refusals(served) == [expected]
        assert b"aaaa" not in reply.body


async def test_a_length_over_the_limit_is_refused_before_the_body_is_asked_for(
    serve: Serve,
) -> None:
    served = await serve(order_limit=10)
    client = await served.connect()
    await client.send(ORDER + b"Content-Length: 11\r\nExpect: 100-continue\r\n\r\n")
    reply = await client.reply()
    assert (reply.status, reply.get("Connection")) == (413, b"close")
    assert await client.rest() == b""
    assert refusals(served) == [TooLargeError]


async def test_a_client_that_sends_on_can_read_its_413(serve: Serve) -> None:
    served = await serve(order_limit=10)
    client = await served.connect()
    await client.send(ORDER + b"Content-Length: 32000000\r\n\r\n" + b"x" * 32_000_000)
    reply = await client.reply()
    assert (reply.status, await client.rest()) == (413, b"")


@pytest.mark.parametrize(("size", "status"), [(10, 200), (11, 413)])
async def test_a_chunked_order_is_counted(serve: Serve, size: int, status: int) -> None:
    served = await serve(order_limit=10)
    client = await served.connect()
    await client.send(ORDER + b"Transfer-Encoding: chunked\r\n\r\n" + b"1\r\nx\r\n" * size)
    if status == 200:
        await client.send(b"0\r\n\r\n")
    assert (await client.reply()).status == status
    assert [len(request.body.held) for request in served.stub.handled] == [10] * (status == 200)


@pytest.mark.parametrize("size", [9, 10, 11, 1000])
async def test_other_bodies_pass_whatever_their_size(serve: Serve, size: int) -> None:
    served = await serve(record_limit=10)
    body = bytes(range(256)) * 4
    reply, _ = await served.ask(
        OTHER + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % size + body[:size]
    )
    assert reply.status == 200
    assert [request.body.held for request in served.stub.handled] == [body[:size]]


async def test_expect_100_continue_is_answered_when_the_body_is_wanted(served: Served) -> None:
    client = await served.connect()
    await client.send(ORDER + b"Content-Length: 2\r\nExpect: 100-Continue\r\n\r\n")
    assert (await client.reply()).line == CONTINUE
    await client.send(b"ab")
    assert (await client.reply()).status == 200
    assert [request.body.held for request in served.stub.handled] == [b"ab"]


@pytest.mark.parametrize(
    "sent",
    [
        ORDER + b"Content-Length: 2\r\nExpect: 100-continue\r\n\r\nab",
        ORDER + b"Content-Length: 0\r\nExpect: 100-continue\r\n\r\n",
        b"POST / HTTP/1.0\r\nConnection: keep-alive\r\nExpect: tea\r\nContent-Length: 1\r\n\r\na",
    ],
)
async def test_no_100_is_sent_where_none_is_waited_for(served: Served, sent: bytes) -> None:
    client = await served.connect()
    await client.send(sent)
    assert (await client.reply()).status == 200


async def test_a_slow_head_gets_408(serve: Serve) -> None:
    served = await serve(header_timeout=0.15)
    client = await served.connect()
    await client.send(b"POST /accounts/1/orders HTTP/1.1\r\nHost: a\r\n")
    reply = await client.reply()
    assert (reply.status, await client.rest()) == (408, b"")
    ((request, error),) = served.stub.refused
    assert (request.method, request.target) == ("POST", "/accounts/1/orders")
    assert isinstance(error, TooSlowError)


async def test_a_dripped_head_gets_408_too(serve: Serve) -> None:
    served = await serve(header_timeout=0.15, keepalive_timeout=0.05)
    client = await served.connect()

    async def drip() -> None:
        for octet in b"GET / HTTP/1.1\r\nX: " + b"a" * 1000:
            await client.send(bytes([octet]))
            await asyncio.sleep(0.01)

    dripping = asyncio.create_task(drip())
    assert (await client.reply()).status == 408
    dripping.cancel()
    await asyncio.gather(dripping, return_exceptions=True)


async def test_a_second_head_has_its_own_clock(serve: Serve) -> None:
    served = await serve(header_timeout=0.15)
    client = await served.connect()
    await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await client.reply()).status == 200
    await client.send(b"GET / HT")
    assert (await client.reply()).status == 408


async def test_a_connection_that_says_nothing_is_closed_silently(serve: Serve) -> None:
    served = await serve(header_timeout=0.1)
    client = await served.connect()
    assert await client.rest() == b""
    assert served.stub.refused == []


@pytest.mark.parametrize("head", [ORDER, OTHER])
async def test_a_slow_body_gets_408(serve: Serve, head: bytes) -> None:
    served = await serve(body_timeout=0.15)
    reply, rest = await served.ask(head + b"Content-Length: 5\r\n\r\nabc")
    assert (reply.status, reply.get("Connection"), rest) == (408, b"close", b"")
    assert b"3 of 5 bytes" in reply.body
    assert refusals(served) == [TooSlowError]
    assert served.stub.handled == []


async def test_a_streamed_body_that_stalls_breaks_the_stream(serve: Serve) -> None:
    served = await serve(body_timeout=0.15, record_limit=2)
    reply, _ = await served.ask(OTHER + b"Content-Length: 5\r\n\r\nabc")
    assert (reply.status, reply.get("Connection")) == (502, b"close")
    assert refusals(served) == [TooSlowError]


async def test_a_streamed_body_that_ends_early_breaks_the_stream(serve: Serve) -> None:
    served = await serve(record_limit=2)
    client = await served.connect()
    await client.send(OTHER + b"Content-Length: 5\r\n\r\nabc")
    await served.stub.begun.wait()
    client.half_close()
    assert (await client.reply()).status == 502
    assert refusals(served) == [MalformedError]


async def test_lingering_is_bounded(serve: Serve) -> None:
    served = await serve(order_limit=1, lingering_timeout=0.1)
    client = await served.connect()
    await client.send(ORDER + b"Content-Length: 9\r\n\r\n")
    assert (await client.reply()).status == 413
    async with asyncio.timeout(5):
        try:
            while True:
                await client.send(b"x")
                await asyncio.sleep(0.01)
        except OSError:
            """The listener has closed for good."""


async def test_an_early_answer_to_an_upload_closes_the_connection(serve: Serve) -> None:
    served = await serve(Early(), record_limit=2)
    reply, rest = await served.ask(OTHER + b"Content-Length: 5000\r\n\r\nabc")
    assert (reply.status, reply.get("Connection"), rest) == (200, b"close", b"")


class Early(Stub):
    """Answers without having read the streamed body."""

    async def handle(self, request: Request) -> StubAnswer:
        return self._answer(self.respond(request))
