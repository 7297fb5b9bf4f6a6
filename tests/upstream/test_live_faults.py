"""What a failing service comes to: which error, and never more than one attempt."""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from ordertape.errors import (
    AnswerTimeoutError,
    ConnectTimeoutError,
    GatewayError,
    InDoubtError,
    NotSentError,
    OverloadedError,
)
from ordertape.model import Body, Headers, Request
from ordertape.testing import (
    Close,
    Drip,
    Hang,
    Peer,
    ReadRequest,
    Reset,
    Respond,
    Scripted,
    Send,
    Step,
    refused_port,
    reply,
    unaccepting,
)
from ordertape.upstream.live import Live, LiveSettings

OK = reply(200, b"ok")
CL_10 = b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
ORDER = Request("POST", "/accounts/1/orders", Headers(), Body(b"<Order/>"))


@asynccontextmanager
async def live(url: str, **settings: object) -> AsyncIterator[Live]:
    client = Live(url, settings=LiveSettings(**{"idle": 60.0, **settings}))
    try:
        yield client
    finally:
        await client.close()


async def outcome(client: Live, request: Request = ORDER) -> tuple[type[GatewayError], str]:
    """The error that sending and reading comes to."""

    async def read() -> list[bytes]:
        rest = (await client.send(request)).body.rest
        assert rest is not None
        return [piece async for piece in rest]

    with pytest.raises(GatewayError) as failure:
        await read()
    return failure.type, str(failure.value)


# Provably not sent.


async def test_a_refused_connection_is_not_sent() -> None:
    async with live(f"http://127.0.0.1:{refused_port()}") as client:
        kind, sentence = await outcome(client)
    assert kind is NotSentError
    assert re.fullmatch(
        r"The upstream 127\.0\.0\.1:\d+ refuses connections; nothing was sent\.", sentence
    )


async def test_a_name_that_does_not_resolve_is_not_sent() -> None:
    async with live("http://no-such-host.invalid") as client:
        assert await outcome(client) == (
            NotSentError,
            "The name of the upstream no-such-host.invalid cannot be resolved; nothing was sent.",
        )


async def test_a_connection_that_is_not_taken_in_time_is_not_sent() -> None:
    with unaccepting() as port:
        async with live(f"http://127.0.0.1:{port}", connect_timeout=0.05) as client:
            kind, sentence = await outcome(client)
    assert kind is ConnectTimeoutError
    assert sentence.endswith("did not take the connection within 0.05 s; nothing was sent.")


async def test_all_connections_in_use_is_not_sent() -> None:
    async with (
        Scripted([ReadRequest(), Hang()]) as service,
        live(service.url, connect_timeout=0.05, pool_size=2) as client,
    ):
        busy = [asyncio.create_task(client.send(ORDER)) for _ in range(2)]
        await service.wait_for_attempts(2)
        assert await outcome(client) == (
            OverloadedError,
            "All 2 connections to the upstream are in use; nothing was sent. Try again later.",
        )
        for task in busy:
            task.cancel()
        await asyncio.wait(busy)
        assert len(service.attempts) == 2


# In doubt.

FAULTS: dict[str, tuple[list[Step], str]] = {
    "closed before the answer": ([ReadRequest(), Close()], "closed the connection"),
    "reset after the request": ([ReadRequest(), Reset()], "broke before its answer was whole"),
    "closed within the head": ([ReadRequest(), Send(CL_10[:20]), Close()], "closed the connection"),
    "too few bytes": ([ReadRequest(), Send(CL_10 + b"x"), Close()], "closed the connection"),
    "closed within a chunk": ([ReadRequest(), Send(CHUNKED + b"5\r\nab"), Close()], "closed the"),
    "closed before the last chunk": (
        [ReadRequest(), Send(CHUNKED + b"2\r\nab\r\n"), Close()],
        "closed the connection",
    ),
    "garbage status line": ([Respond(b"hello\r\n\r\n")], "cannot be used"),
    "another protocol": ([Respond(b"HTTP/2.0 200 OK\r\n\r\n")], "says HTTP/2.0 200"),
    "a version of old": ([Respond(b"HTTP/0.9 200 OK\r\n\r\n")], "says HTTP/0.9 200"),
    "no status": ([Respond(b"HTTP/1.1 099 OK\r\n\r\n")], "says HTTP/1.1 99"),
    "status of four digits": ([Respond(b"HTTP/1.1 2000 OK\r\n\r\n")], "cannot be used"),
    "protocol switched": ([Respond(b"HTTP/1.1 101 X\r\nUpgrade: x\r\n\r\n")], "switches protocols"),
    "two lengths": ([Respond(CL_10[:-2] + b"Content-Length: 2\r\n\r\nok")], "cannot be used"),
    "the same length twice": ([Respond(OK.replace(b"\r\n\r\n", OK[15:37]))], "cannot be used"),
    "a list of lengths": ([Respond(OK.replace(b"2\r", b"2, 2\r"))], "cannot be used"),
    "a signed length": ([Respond(OK.replace(b": 2\r", b": +2\r"))], "cannot be used"),
    "length and chunks": ([Respond(CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n")], "cannot be used"),
    "chunks and length": ([Respond(CL_10[:-2] + CHUNKED[17:])], "cannot be used"),
    "bad chunk size": ([Respond(CHUNKED + b"0x2\r\nab\r\n0\r\n\r\n")], "cannot be used"),
    "gzip and chunked": (
        [Respond(CHUNKED.replace(b"chunked", b"gzip, chunked"))],
        "transfer coding",
    ),
    "gzip alone": ([Respond(CHUNKED.replace(b"chunked", b"gzip"))], "transfer coding"),
    "chunked twice": ([Respond(CHUNKED[:-2] + CHUNKED[17:])], "transfer coding"),
    "chunked in 1.0": ([Respond(CHUNKED.replace(b"/1.1", b"/1.0"))], "transfer coding"),
    "NUL in a header": ([Respond(b"HTTP/1.1 200 OK\r\nX: a\0b\r\n\r\n")], "cannot be used"),
    "blank before a colon": ([Respond(b"HTTP/1.1 200 OK\r\nX : a\r\n\r\n")], "cannot be used"),
    "folded header": ([Respond(b"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n")], "cannot be used"),
    "more than it said": ([Respond(OK + b"!")], "bytes follow its end"),
    "a second answer": ([Respond(OK + OK)], "bytes follow its end"),
    "204 with a body": ([Respond(b"HTTP/1.1 204 No\r\nContent-Length: 2\r\n\r\nok")], "follow"),
    "closing and more": (
        [Respond(OK.replace(b"\r\n", b"\r\nConnection: close\r\n", 1) + b"!")],
        "",
    ),
    "head without end": (
        [ReadRequest(), Send(b"HTTP/1.1 200 OK\r\nX: "), Send(b"x" * 2000)],
        "long",
    ),
    "long head at once": ([Respond(OK.replace(b"OK", b"OK\r\nX: " + b"x" * 1001))], "too long"),
    "many headers": ([Respond(OK.replace(b"OK", b"OK" + b"\r\nX: x" * 32))], "too long"),
    "endless interim answers": ([Respond(b"HTTP/1.1 103 X\r\n\r\n" * 80)], "too long"),
    "endless trailers": (
        [ReadRequest(), Send(CHUNKED), Send(b"0\r\nX: "), Send(b"x" * 2000)],
        "too long",
    ),
    "endless chunk extension": (
        [ReadRequest(), Send(CHUNKED), Send(b"1;"), Send(b"x" * 2000)],
        "too long",
    ),
}


@pytest.mark.parametrize(("script", "complaint"), FAULTS.values(), ids=FAULTS)
async def test_whatever_fails_after_the_request_is_in_doubt_after_one_attempt(
    script: list[Step], complaint: str
) -> None:
    async with (
        Scripted(script) as service,
        live(service.url, max_head=1000, max_headers=32) as client,
    ):
        kind, sentence = await outcome(client)
        await service.wait_for_closed(1)
        assert kind is InDoubtError
        assert complaint in sentence
        assert sentence.endswith("it may have acted on the request.")
        assert len(service.attempts) == service.connections == 1


async def test_a_body_for_head_is_in_doubt() -> None:
    async with Scripted([Respond(OK)]) as service, live(service.url) as client:
        kind, sentence = await outcome(client, Request("HEAD", "/a"))
        assert (kind, len(service.attempts)) == (InDoubtError, 1)
        assert "bytes follow its end" in sentence


async def test_a_reset_within_the_answer_is_in_doubt() -> None:
    script = [ReadRequest(), Send(CL_10 + b"x"), _until_read, Reset()]
    async with Scripted(script) as service, live(service.url) as client:
        response = await client.send(ORDER)
        assert response.body.rest is not None
        assert await anext(response.body.rest) == b"x"
        service.proceed()
        with pytest.raises(InDoubtError, match="broke before its answer was whole"):
            await anext(response.body.rest)
        with pytest.raises(StopAsyncIteration):
            await anext(response.body.rest)
        assert len(service.attempts) == 1


async def _until_read(peer: Peer) -> None:
    await peer.service.permits.acquire()


async def test_what_came_before_the_fault_is_read_before_the_error() -> None:
    script = [ReadRequest(), Send(CL_10), _until_read, Send(b"abc"), Close()]
    async with Scripted(script) as service, live(service.url) as client:
        response = await client.send(ORDER)
        assert response.body.rest is not None
        service.proceed()
        await service.wait_for_closed(1)
        taken = []
        with pytest.raises(InDoubtError):
            taken.extend([piece async for piece in _noted(response.body.rest, taken)])
        assert taken == [b"abc"]


async def _noted(pieces: AsyncIterator[bytes], taken: list[bytes]) -> AsyncIterator[bytes]:
    async for piece in pieces:
        taken.append(piece)
        yield piece


async def test_more_bytes_at_the_end_of_a_stream_are_in_doubt() -> None:
    script = [ReadRequest(), Send(CL_10), _until_read, Send(b"0123456789!")]
    async with Scripted(script) as service, live(service.url) as client:
        response = await client.send(ORDER)
        assert response.body.rest is not None
        service.proceed()
        with pytest.raises(InDoubtError, match="bytes follow its end"):
            async for _ in response.body.rest:
                pass


# Time.

HANGS: dict[str, list[Step]] = {
    "before the answer": [ReadRequest(), Hang()],
    "within the head": [ReadRequest(), Send(CL_10[:9]), Hang()],
    "within the body": [ReadRequest(), Send(CL_10 + b"x"), Hang()],
    "before the end of the connection": [ReadRequest(), Send(b"HTTP/1.0 200 OK\r\n\r\nx"), Hang()],
}


@pytest.mark.parametrize("script", HANGS.values(), ids=HANGS)
async def test_a_silent_upstream_is_given_up(script: list[Step]) -> None:
    async with Scripted(script) as service, live(service.url, read_timeout=0.05) as client:
        assert await outcome(client) == (
            AnswerTimeoutError,
            "The upstream was silent for 0.05 s; it may have acted on the request.",
        )
        await service.wait_for_closed(1)
        assert len(service.attempts) == 1


async def test_the_time_runs_anew_with_every_byte() -> None:
    script = [ReadRequest(), Drip(reply(200, b"0123456789"), every=0.01)]
    async with Scripted(script) as service, live(service.url, read_timeout=0.25) as client:
        response = await client.send(ORDER)
        assert response.body.rest is not None
        assert b"".join([piece async for piece in response.body.rest]) == b"0123456789"


async def test_the_time_runs_on_a_connection_that_is_used_again() -> None:
    scripts = [[Respond(OK)], [ReadRequest(), Hang()]]
    async with (
        Scripted(*scripts, per="request") as service,
        live(service.url, read_timeout=0.05) as client,
    ):
        assert (await client.send(ORDER)).body == Body(b"ok")
        assert (await outcome(client))[0] is AnswerTimeoutError
        assert service.connections == 1


async def test_an_upstream_that_takes_no_more_of_the_request_is_given_up() -> None:
    async def stall(_peer: Peer) -> None:
        await asyncio.Event().wait()

    async def endless() -> AsyncIterator[bytes]:
        while True:
            yield b"x" * (1 << 20)

    uploads = [Body(b"x" * (32 << 20)), Body(b"", endless())]
    for body in uploads:
        async with Scripted([stall]) as service, live(service.url, read_timeout=0.1) as client:
            assert (await outcome(client, Request("PUT", "/a", Headers(), body)))[
                0
            ] is AnswerTimeoutError


async def test_a_client_that_is_slow_to_send_is_not_the_upstreams_fault() -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"ab"
        await asyncio.sleep(0.3)
        yield b"cd"

    body = Body(b"", slow())
    async with Scripted([Respond(OK)]) as service, live(service.url, read_timeout=0.1) as client:
        response = await client.send(Request("PUT", "/a", Headers(), body))
        assert response.body == Body(b"ok")


# Given up by the caller.


async def test_cancelling_closes_the_connection() -> None:
    async with Scripted([ReadRequest(), Hang()]) as service, live(service.url) as client:
        task = asyncio.create_task(client.send(ORDER))
        await service.wait_for_attempts(1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await service.wait_for_closed(1)
        assert len(service.attempts) == 1


@pytest.mark.parametrize("started", [True, False])
async def test_closing_the_stream_early_closes_the_connection(started: bool) -> None:  # noqa: FBT001
    script = [ReadRequest(), Send(CL_10 + b"x"), Hang()]
    async with Scripted(script) as service, live(service.url) as client:
        rest = (await client.send(ORDER)).body.rest
        assert rest is not None
        if started:
            assert await anext(rest) == b"x"
        await rest.aclose()
        await service.wait_for_closed(1)
        with pytest.raises(StopAsyncIteration):
            await anext(rest)


async def test_a_stream_that_is_forgotten_closes_the_connection() -> None:
    script = [ReadRequest(), Send(CL_10 + b"x"), Hang()]
    async with Scripted(script) as service, live(service.url) as client:
        await client.send(ORDER)
        await service.wait_for_closed(1)


async def test_cancelling_the_reader_closes_the_connection() -> None:
    script = [ReadRequest(), Send(CL_10), Hang()]
    async with Scripted(script) as service, live(service.url) as client:
        rest = (await client.send(ORDER)).body.rest
        assert rest is not None
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.01):
                await anext(rest)
        await service.wait_for_closed(1)


async def test_throwing_into_the_stream_closes_the_connection() -> None:
    script = [ReadRequest(), Send(CL_10), Hang()]
    async with Scripted(script) as service, live(service.url) as client:
        rest = (await client.send(ORDER)).body.rest
        assert rest is not None
        with pytest.raises(ValueError, match="thrown"):
            await rest.athrow(ValueError("thrown"))
        await service.wait_for_closed(1)


async def test_closing_the_client_ends_what_is_in_flight_in_doubt() -> None:
    async with Scripted([ReadRequest(), Hang()]) as service, live(service.url) as client:
        task = asyncio.create_task(client.send(ORDER))
        await service.wait_for_attempts(1)
        await client.close()
        with pytest.raises(InDoubtError):
            await task
        with pytest.raises(NotSentError):
            await client.send(ORDER)
        assert len(service.attempts) == 1
