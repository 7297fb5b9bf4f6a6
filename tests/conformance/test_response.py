"""How an answer stands on the wire: http-intermediary.md F18, H14-H16, H19, H20, H22."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from ordertape.errors import InDoubtError
from ordertape.model import Body, Headers, Request, Response
from raw_http import Reply, Serve, Served, Stub

DATE = (b"Date", b"Mon, 01 Jan 2024 00:00:00 GMT")
ASK = b"%b /a HTTP/1.%b\r\nHost: gateway:99\r\n\r\n"


def answering(response: Callable[[], Response]) -> Stub:
    return Stub(respond=lambda _: response())


async def stream(*pieces: bytes, error: Exception | None = None) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece
    if error is not None:
        raise error


async def asked(
    serve: Serve, response: Callable[[], Response], *, method: bytes = b"GET", minor: bytes = b"1"
) -> tuple[Reply, Served]:
    served = await serve(answering(response))
    client = await served.connect()
    await client.send(ASK % (method, minor))
    reply = await client.reply(head_only=method == b"HEAD")
    if reply.get("Connection") == b"close":
        assert await client.rest() == b""
    else:  # framing is right only if the next answer is read right
        await client.send(ASK % (method, minor))
        assert (await client.reply(head_only=method == b"HEAD")).line == reply.line
    return reply, served


async def test_h4_h6_h14_the_fields_are_the_services_own_and_nothing_is_invented(
    serve: Serve,
) -> None:
    pairs = (
        (b"server", b"them"),
        DATE,
        (b"Set-Cookie", b"a=1"),
        (b"SET-COOKIE", b"b=2"),
        (b"X-Empty", b""),
        (b"Latin", b"caf\xe9 \xff"),
        (b"Content-Length", b"002"),
        (b"ETag", b'"x"'),
    )
    reply, served = await asked(serve, lambda: Response(200, b"OK", Headers(pairs), Body(b"ab")))
    assert (reply.line, reply.headers, reply.body) == (b"HTTP/1.1 200 OK", pairs, b"ab")
    assert served.stub.delivered == [True, True]


async def test_h14_date_is_added_where_it_is_absent(serve: Serve) -> None:
    reply, _ = await asked(serve, lambda: Response(200, b"OK"))
    (length, date) = reply.headers
    assert length == (b"Content-Length", b"0")
    assert date[0] == b"Date"
    assert parsedate_to_datetime(date[1].decode()).tzinfo is not None


@pytest.mark.parametrize(
    ("status", "reason"), [(299, b"Odd"), (499, b"caf\xe9"), (999, b""), (200, b""), (418, b"a  b")]
)
async def test_h19_status_and_reason_are_unchanged(
    serve: Serve, status: int, reason: bytes
) -> None:
    reply, _ = await asked(serve, lambda: Response(status, reason, Headers((DATE,))))
    assert reply.line == b"HTTP/1.1 %d %b" % (status, reason)


async def test_h1_h2_h20_hop_by_hop_fields_of_the_service_stay_behind(serve: Serve) -> None:
    pairs = (
        (b"Connection", b"close, X-Hop"),
        (b"X-Hop", b"1"),
        (b"Keep-Alive", b"timeout=5"),
        (b"Transfer-Encoding", b"chunked"),
        (b"Trailer", b"X"),
        (b"Upgrade", b"h2"),
        (b"Proxy-Authenticate", b"Basic"),
        (b"WWW-Authenticate", b"Basic"),
        DATE,
    )
    reply, _ = await asked(serve, lambda: Response(200, b"OK", Headers(pairs), Body(b"ab")))
    assert reply.headers == (
        (b"WWW-Authenticate", b"Basic"),
        DATE,
        (b"Content-Length", b"2"),
    )


LENGTH = (b"Content-Length", b"5")
CHUNKED = (b"Transfer-Encoding", b"chunked")
CLOSE = (b"Connection", b"close")


@pytest.mark.parametrize(
    ("what", "method", "minor", "response", "headers", "body"),
    [
        ("held", "GET", "1", lambda: Response(200, b"", H(), Body(b"hello")), (LENGTH,), b"hello"),
        (
            "held, length wrong",
            "GET",
            "1",
            lambda: Response(200, b"", H((b"content-length", b"9")), Body(b"hello")),
            (LENGTH,),
            b"hello",
        ),
        (
            "stream with its length",
            "GET",
            "1",
            lambda: Response(200, b"", H(LENGTH), Body(b"he", stream(b"l", b"", b"lo"))),
            (LENGTH,),
            b"hello",
        ),
        (
            "stream without",
            "GET",
            "1",
            lambda: Response(200, b"", H(), Body(b"he", stream(b"l", b"", b"lo"))),
            (CHUNKED,),
            b"hello",
        ),
        (
            "empty stream",
            "GET",
            "1",
            lambda: Response(200, b"", H(), Body(b"", stream())),
            (CHUNKED,),
            b"",
        ),
        (
            "stream to 1.0",
            "GET",
            "0",
            lambda: Response(200, b"", H(), Body(b"he", stream(b"llo"))),
            (CLOSE,),
            b"hello",
        ),
        ("H15 HEAD", "HEAD", "1", lambda: Response(200, b"", H(LENGTH)), (LENGTH,), b""),
        ("H15 HEAD without length", "HEAD", "1", lambda: Response(200, b"", H()), (), b""),
        (
            "H15 HEAD, own answer",
            "HEAD",
            "1",
            lambda: Response(404, b"", H(), Body(b"hello")),
            (LENGTH,),
            b"",
        ),
        ("H15 304", "GET", "1", lambda: Response(304, b"", H(LENGTH)), (LENGTH,), b""),
        ("H15 304 without length", "GET", "1", lambda: Response(304, b"", H()), (), b""),
        ("H16 204", "GET", "1", lambda: Response(204, b"", H(LENGTH)), (), b""),
        ("H16 204 with body", "GET", "1", lambda: Response(204, b"", H(), Body(b"x")), (), b""),
        ("H16 205", "GET", "1", lambda: Response(205, b"", H()), ((b"Content-Length", b"0"),), b""),
    ],
    ids=lambda value: value if isinstance(value, str) and len(value) > 4 else "",
)
async def test_how_a_body_is_framed(  # noqa: PLR0917 - a row of the table
    serve: Serve,
    what: str,
    method: str,
    minor: str,
    response: Callable[[], Response],
    headers: tuple[tuple[bytes, bytes], ...],
    body: bytes,
) -> None:
    reply, served = await asked(serve, response, method=method.encode(), minor=minor.encode())
    framing = tuple(pair for pair in reply.headers if pair != DATE)
    if minor == "0":
        framing = tuple(pair for pair in framing if pair != (b"Connection", b"keep-alive"))
    assert (framing, reply.body) == (headers, body), what
    assert set(served.stub.delivered) == {True}


def H(*pairs: tuple[bytes, bytes]) -> Headers:  # noqa: N802 - short in the table above
    return Headers((*pairs, DATE))


async def test_a_body_of_unknown_length_ends_a_kept_alive_http_10_connection(serve: Serve) -> None:
    served = await serve(answering(lambda: Response(200, b"", H(), Body(b"he", stream(b"llo")))))
    reply, rest = await served.ask(b"GET / HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
    assert (reply.get("Connection"), reply.body, rest) == (b"close", b"hello", b"")


@pytest.mark.parametrize(
    "response",
    [
        pytest.param(
            lambda: Response(200, b"", H(), Body(b"he", stream(error=InDoubtError("gone")))),
            id="chunked, broken off",
        ),
        pytest.param(
            lambda: Response(200, b"", H(LENGTH), Body(b"he", stream(error=InDoubtError("gone")))),
            id="length, broken off",
        ),
        pytest.param(
            lambda: Response(200, b"", H(LENGTH), Body(b"he", stream(b"l"))), id="too short"
        ),
        pytest.param(
            lambda: Response(200, b"", H(LENGTH), Body(b"he", stream(b"llo!"))), id="too long"
        ),
        pytest.param(
            lambda: Response(200, b"", H(), Body(b"he", stream(error=KeyError("bug")))), id="a bug"
        ),
        pytest.param(lambda: Response(200, b"", H((b"X", b"a\r\nY: b"))), id="a split head"),
    ],
)
@pytest.mark.parametrize("minor", [b"0", b"1"])
async def test_f18_a_broken_answer_resets_the_connection(
    serve: Serve, response: Callable[[], Response], minor: bytes
) -> None:
    """Never a clean end: neither a last chunk, nor a FIN where the close ends the body."""
    served = await serve(answering(response))
    client = await served.connect()
    await client.send(ASK % (b"GET", minor))
    with pytest.raises(ConnectionResetError):
        await client.rest()
    assert served.stub.delivered == [False]


async def test_a_stream_is_closed_when_the_client_leaves(serve: Serve) -> None:
    closed = asyncio.Event()

    async def endless() -> AsyncGenerator[bytes, None]:
        try:
            for _ in range(4096):
                yield b"x" * 65536
        finally:
            closed.set()

    served = await serve(answering(lambda: Response(200, b"", H(), Body(b"", endless()))))
    client = await served.connect()
    await client.send(ASK % (b"GET", b"1"))
    await client.reader.readuntil(b"\r\n\r\n")
    client.reset()
    async with asyncio.timeout(5):
        await closed.wait()
        await served.stub.told.wait()
    assert served.stub.delivered == [False]


async def test_a_stream_ends_properly_when_the_client_left_before_it_began(serve: Serve) -> None:
    ended: list[str] = []

    async def piece() -> AsyncGenerator[bytes, None]:
        try:
            yield b"x"
            ended.append("whole")
        except GeneratorExit:
            ended.append("broken off")
            raise

    served = await serve(answering(lambda: Response(200, b"", H(), Body(b"", piece()))))
    served.stub.go.clear()
    client = await served.connect()
    await client.send(ASK % (b"GET", b"1"))
    await served.stub.arrived.wait()
    client.reset()
    await asyncio.sleep(0)
    await served.listener.stop(0)
    served.stub.go.set()
    async with asyncio.timeout(5):
        await served.stub.told.wait()
    assert (ended, served.stub.delivered) == (["broken off"], [False])


@pytest.mark.parametrize(("method", "status"), [(b"HEAD", 200), (b"GET", 304), (b"GET", 204)])
async def test_a_stream_behind_an_answer_without_body_is_run_to_its_end(
    serve: Serve, method: bytes, status: int
) -> None:
    ended: list[str] = []

    async def nothing() -> AsyncGenerator[bytes, None]:
        for piece in ():
            yield piece
        ended.append("whole")

    served = await serve(answering(lambda: Response(status, b"", H(), Body(b"", nothing()))))
    client = await served.connect()
    await client.send(ASK % (method, b"1"))
    await client.reply(head_only=True)
    assert (ended, served.stub.delivered) == (["whole"], [True])


async def test_a_client_that_takes_nothing_is_reset(serve: Serve) -> None:
    async def endless() -> AsyncGenerator[bytes, None]:
        for _ in range(4096):
            yield b"x" * 65536

    served = await serve(
        answering(lambda: Response(200, b"", H(), Body(b"", endless()))), write_timeout=0.1
    )
    client = await served.connect()
    client.reader._transport.pause_reading()  # noqa: SLF001 - there is no public way to stall
    await client.send(ASK % (b"GET", b"1"))
    async with asyncio.timeout(5):
        await served.stub.told.wait()
    assert served.stub.delivered == [False]


UPSTREAM = "https://api.example/v1"


def created(location: bytes) -> Callable[[Request], Response]:
    return lambda _: Response(
        201, b"Created", Headers(((b"LOCATION", location), DATE)), upstream=UPSTREAM
    )


@pytest.mark.parametrize(
    ("settings", "sent", "got"),
    [
        ({}, b"https://api.example/v1/orders/5", b"http://gateway:99/orders/5"),
        ({}, b"https://elsewhere/v1/orders/5", b"https://elsewhere/v1/orders/5"),
        ({}, b"/v1/orders/5", b"/orders/5"),
        (
            {"public_url": "https://public"},
            b"https://api.example/v1/orders/5",
            b"https://public/orders/5",
        ),
        (
            {"rewrite_location": False},
            b"https://api.example/v1/orders/5",
            b"https://api.example/v1/orders/5",
        ),
    ],
)
async def test_h22_location_points_at_the_gateway(
    serve: Serve, settings: dict[str, Any], sent: bytes, got: bytes
) -> None:
    served = await serve(Stub(respond=created(sent)), **settings)
    client = await served.connect()
    await client.send(ASK % (b"POST", b"1"))
    assert (await client.reply()).headers[0] == (b"LOCATION", got)


async def test_h22_without_host_the_local_address_is_the_gateways(serve: Serve) -> None:
    served = await serve(Stub(respond=created(b"https://api.example/v1/a")))
    reply, _ = await served.ask(b"GET / HTTP/1.0\r\n\r\n")
    assert reply.get("Location") == b"http://127.0.0.1:%d/a" % served.listener.port
