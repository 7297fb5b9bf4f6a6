"""What leaves for the service, byte for byte, and what comes back of its answers."""

import asyncio

import aiohttp
import pytest

from lives import OK, asked, live, pieces, read
from ordertape.errors import NotSentError, StartUpError
from ordertape.model import Body, Headers, Origin, Request, Response
from ordertape.testing import (
    Close,
    HoldOn,
    ReadRequest,
    Respond,
    Scripted,
    Send,
    order_created,
    reply,
)
from ordertape.upstream.live import Live


async def what_left(request: Request, prefix: str = "", **settings: object) -> bytes:
    """The one attempt that the service saw, its own authority replaced by `upstream`."""
    async with Scripted([Respond(OK)]) as service, live(service, prefix, **settings) as client:
        assert (await client.send(request)).status == 200
        assert service.connections == 1
        (attempt,) = service.attempts
        return attempt.replace(f"127.0.0.1:{service.port}".encode(), b"upstream")


# What leaves.


async def test_header_lines_leave_in_their_order_spelling_repeats_and_bytes() -> None:
    lines = (
        (b"X-A", b"1"),
        (b"x-a", b"2"),
        (b"hOST", b"gateway.example"),
        (b"X_B", b""),
        (b"X-Latin", b"caf\xe9 \x80\xff"),
        (b"Cookie", b"a=b; c=d"),
        (b"X-A", b"3,  4"),
    )
    assert await what_left(asked(headers=lines)) == (
        b"GET /a HTTP/1.1\r\nX-A: 1\r\nx-a: 2\r\nhOST: upstream\r\nX_B: \r\n"
        b"X-Latin: caf\xe9 \x80\xff\r\nCookie: a=b; c=d\r\nX-A: 3,  4\r\n\r\n"
    )


async def test_nothing_is_invented_but_a_host_where_there_was_none() -> None:
    assert await what_left(asked()) == b"GET /a HTTP/1.1\r\nHost: upstream\r\n\r\n"


async def test_host_is_kept_when_it_is_to_be_preserved() -> None:
    kept = await what_left(asked(headers=((b"Host", b"Own:1"),)), host="preserve")
    none = await what_left(asked(), host="preserve")
    assert kept == b"GET /a HTTP/1.1\r\nHost: Own:1\r\n\r\n"
    assert none == b"GET /a HTTP/1.1\r\nHost: upstream\r\n\r\n"


async def test_a_via_line_comes_after_those_that_are_there() -> None:
    lines = ((b"Via", b"1.0 first"), (b"X", b"y"))
    assert await what_left(asked(headers=lines), via="tape") == (
        b"GET /a HTTP/1.1\r\nHost: upstream\r\nVia: 1.0 first\r\nX: y\r\nVia: 1.1 tape\r\n\r\n"
    )


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb//c/./d/../e+f?q=%2B+%20%zz&a=b;c",
        "//evil.example/a",
        "/?",
        "/a?b?c",
        "/%e2%7E~[]'\"|",
    ],
)
async def test_the_target_leaves_as_it_came(target: str) -> None:
    sent = await what_left(asked(target=target))
    prefixed = await what_left(asked(target=target), prefix="/api/v1/")
    assert sent == f"GET {target} HTTP/1.1\r\nHost: upstream\r\n\r\n".encode()
    assert prefixed == f"GET /api/v1{target} HTTP/1.1\r\nHost: upstream\r\n\r\n".encode()


async def test_options_may_ask_about_the_server_itself() -> None:
    sent = await what_left(asked("OPTIONS", "*"), prefix="/api")
    assert sent == b"OPTIONS * HTTP/1.1\r\nHost: upstream\r\n\r\n"


LENGTH_3 = (b"Content-length", b"0003")
CHUNKED = (b"Transfer-Encoding", b"chunked")


@pytest.mark.parametrize(
    ("request_", "framing_and_body"),
    [
        (asked("POST", headers=(LENGTH_3,), body=b"abc"), b"Content-length: 3\r\n\r\nabc"),
        (asked("POST", headers=(CHUNKED,), body=b"abc"), b"Content-Length: 3\r\n\r\nabc"),
        (asked("POST", headers=(CHUNKED, LENGTH_3), body=b"abc"), b"Content-length: 3\r\n\r\nabc"),
        (asked("POST"), b"Content-Length: 0\r\n\r\n"),
        (asked("PUT"), b"Content-Length: 0\r\n\r\n"),
        (asked("PATCH"), b"Content-Length: 0\r\n\r\n"),
        (asked("DELETE"), b"\r\n"),
        (asked("DELETE", headers=((b"Content-Length", b"0"),)), b"Content-Length: 0\r\n\r\n"),
        (asked("GET", body=b"abc"), b"Content-Length: 3\r\n\r\nabc"),
    ],
)
async def test_a_held_body_leaves_with_its_length(
    request_: Request, framing_and_body: bytes
) -> None:
    start = f"{request_.method} /a HTTP/1.1\r\nHost: upstream\r\n".encode()
    assert await what_left(request_) == start + framing_and_body


async def test_a_streamed_body_of_known_length_keeps_it() -> None:
    body = Body(b"ab", pieces(b"cd", b"", b"e"))
    sent = await what_left(asked("POST", headers=((b"Content-Length", b"5"),), body=body))
    assert sent == b"POST /a HTTP/1.1\r\nHost: upstream\r\nContent-Length: 5\r\n\r\nabcde"


@pytest.mark.parametrize("length", [(), (b"x",), (b"",), (b"5", b"5")])
async def test_a_streamed_body_of_unknown_length_is_chunked(length: tuple[bytes, ...]) -> None:
    lines = tuple((b"Content-Length", value) for value in length)
    body = Body(b"a" * 17, pieces(b"cd", b"", b"e"))
    assert await what_left(asked("POST", headers=lines, body=body)) == (
        b"POST /a HTTP/1.1\r\nHost: upstream\r\nTransfer-Encoding: chunked\r\n\r\n"
        b"11\r\naaaaaaaaaaaaaaaaa\r\n2\r\ncd\r\n1\r\ne\r\n0\r\n\r\n"
    )


async def test_lines_of_one_connection_do_not_leave() -> None:
    names = "connection keep-alive proxy-connection te trailer upgrade expect transfer-encoding"
    lines = tuple((name.title().encode(), b"x") for name in names.split())
    sent = await what_left(asked(headers=(*lines, (b"HTTP2-Settings", b"x"))))
    assert sent == b"GET /a HTTP/1.1\r\nHost: upstream\r\n\r\n"


@pytest.mark.parametrize(
    "request_",
    [
        asked(headers=((b"X", b"a\r\nY: b"),)),
        asked(headers=((b"X", b"a\nb"),)),
        asked(headers=((b"X\r", b"a"),)),
        asked(headers=((b"X", b"a\0b"),)),
        asked(target="/a HTTP/1.1\r\nX: y"),
        asked(target="http://other.example/a"),
        asked(target="other.example:443"),
    ],
)
async def test_a_head_that_would_not_be_one_is_not_sent(request_: Request) -> None:
    async with Scripted([Respond(OK)]) as service, live(service) as client:
        with pytest.raises(NotSentError):
            await client.send(request_)
        assert service.connections == 0


# What comes back.


async def test_the_answer_comes_back_exactly_and_says_where_it_is_from() -> None:
    answer = (
        b"HTTP/1.1 299 Caf\xe9  \tso\r\nSet-Cookie: a\r\nset-cookie:b \t\r\nX-Latin: \xff\r\n"
        b"X-Empty:\r\nConnection: keep-alive, X-Hop\r\nContent-Length: 3\r\n\r\n\0\xffz"
    )
    async with Scripted([Respond(answer)]) as service, live(service) as client:
        response = await client.send(asked())
        assert response == Response(
            299,
            b"Caf\xe9  \tso",
            Headers(
                (
                    (b"Set-Cookie", b"a"),
                    (b"set-cookie", b"b"),
                    (b"X-Latin", b"\xff"),
                    (b"X-Empty", b""),
                    (b"Connection", b"keep-alive, X-Hop"),
                    (b"Content-Length", b"3"),
                )
            ),
            Body(b"\0\xffz"),
            service.url,
        )
        assert (client.url, client.origin) == (service.url, Origin.LIVE)


async def test_coded_bodies_and_redirects_and_cookies_are_only_carried() -> None:
    gzip = b"\x1f\x8bnot really gzip"
    answers = [
        reply(200, gzip, (b"Content-Encoding", b"gzip")),
        reply(302, b"", (b"Location", b"/b"), (b"Set-Cookie", b"sid=1")),
        OK,
    ]
    async with (
        Scripted(*([Respond(answer)] for answer in answers), per="request") as service,
        live(service) as client,
    ):
        responses = [await client.send(asked()) for _ in answers]
        assert [response.status for response in responses] == [200, 302, 200]
        assert responses[0].body == Body(gzip)
        assert b"Cookie" not in service.attempts[2]
        assert len(service.attempts) == 3


@pytest.mark.parametrize(
    ("method", "head"),
    [
        ("HEAD", b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        ("HEAD", b"HTTP/1.1 200 OK\r\n\r\n"),
        ("GET", b"HTTP/1.1 204 No Content\r\n\r\n"),
        ("GET", b"HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n"),
        ("GET", b"HTTP/1.1 201 \r\nContent-Length: 0\r\n\r\n"),
        ("GET", b"HTTP/1.1 201\r\nContent-Length: 0\r\n\r\n"),
    ],
)
async def test_an_answer_without_a_body_ends_with_its_head(method: str, head: bytes) -> None:
    async with Scripted([Respond(head)]) as service, live(service) as client:
        for _ in range(2):
            response = await client.send(asked(method))
            assert response.body == Body()


async def test_interim_answers_are_skipped() -> None:
    interim = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    script = [ReadRequest(), Send(interim), HoldOn(), Send(interim + OK)]
    async with Scripted(script) as service, live(service) as client:
        answer = asyncio.create_task(client.send(asked()))
        await service.wait_for_attempts(1)
        service.proceed()
        response = await answer
    assert response.status == 200
    assert response.headers == Headers(((b"Content-Length", b"2"),))
    assert response.body == Body(b"ok")


async def test_the_head_is_returned_before_the_body_is_there() -> None:
    script = [ReadRequest(), Send(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nab")]
    async with Scripted([*script, HoldOn(), Send(b"cd")]) as service, live(service) as client:
        response = await client.send(asked())
        assert response.body.rest is not None
        assert await anext(response.body.rest) == b"ab"
        service.proceed()
        assert await read(response) == b"cd"
        with pytest.raises(StopAsyncIteration):
            await anext(response.body.rest)
        assert (await client.send(asked())).status == 200
        assert service.connections == 1


@pytest.mark.parametrize(
    "head", [b"HTTP/1.0 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"]
)
async def test_a_body_of_no_stated_length_lasts_until_the_connection_ends(head: bytes) -> None:
    script = [ReadRequest(), Send(head + b"ab"), HoldOn(), Send(b"cd"), Close()]
    async with Scripted(script) as service, live(service) as client:
        response = await client.send(asked())
        service.proceed()
        assert await read(response) == b"abcd"


ANSWERS = [
    b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX: a, b\r\nX: c\r\n\r\nok",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2;x=y\r\nok\r\n0\r\nT: 1\r\n\r\n",
    b"HTTP/1.1 404 \r\nContent-Length: 0\r\n\r\n",
    b'HTTP/1.1 204 No Content\r\nETag: "x"\r\n\r\n',
    b"HTTP/1.1 999 Odd\r\nContent-Length: 1\r\nEmpty:\r\n\r\nx",
    b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 1\r\n\r\nx",
    b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\nuntil the end",
    b"HTTP/1.0 200 OK\r\nServer: old\r\n\r\nuntil the end",
    b"HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + b"x" * 300_000,
    order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc"),
]


@pytest.mark.parametrize("answer", ANSWERS, ids=range(len(ANSWERS)))
async def test_aiohttp_reads_the_same_of_a_well_formed_answer(answer: bytes) -> None:
    async with (
        Scripted([Respond(answer), Close()]) as service,
        live(service) as client,
        aiohttp.ClientSession(auto_decompress=False) as session,
    ):
        ours = await client.send(asked())
        body = await read(ours)
        async with session.get(service.url + "/a") as theirs:
            assert (ours.status, ours.headers.pairs, body) == (
                theirs.status,
                theirs.raw_headers,
                await theirs.read(),
            )


# The base URL.


@pytest.mark.parametrize(
    ("url", "complaint"),
    [
        ("", "visible ASCII"),
        ("ftp://h", "neither http nor https"),
        ("h:80/api", "neither http nor https"),
        ("http://", "names no host"),
        ("http:///a", "names no host"),
        ("http://h:0", "names no host, or no port"),
        ("http://h:99999", "cannot be read"),
        ("http://[::1", "cannot be read"),
        (f"http://{'x' * 64}.example", "cannot be read"),
        ("http://h..example", "cannot be read"),
        ("http://me:secret@h", "credentials"),
        ("http://h/a?b", "query or a fragment"),
        ("http://h/a?", "query or a fragment"),
        ("http://h/#a", "query or a fragment"),
        ("http://h/a b", "visible ASCII"),
        ("http://h\n/", "visible ASCII"),
        ("http://hé/", "visible ASCII"),
    ],
)
def test_a_url_that_is_no_base_is_refused_in_one_sentence(url: str, complaint: str) -> None:
    with pytest.raises(StartUpError, match=complaint) as refusal:
        Live(url)
    assert "secret" not in str(refusal.value)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://h", "http://h"),
        ("HTTPS://H.example:443/", "https://h.example"),
        ("http://[::1]:8080/api/", "http://[::1]:8080/api"),
        ("http://h:80/a//", "http://h/a"),
    ],
)
def test_a_base_url_is_shown_without_what_says_nothing(url: str, shown: str) -> None:
    assert Live(url).url == shown


async def test_an_ipv6_literal_is_connected_to() -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        seen.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(OK)
        await writer.drain()
        writer.close()

    seen: list[bytes] = []
    server = await asyncio.start_server(answer, "::1", 0)
    port = server.sockets[0].getsockname()[1]
    client = Live(f"http://[::1]:{port}")
    assert (await client.send(asked())).status == 200
    await client.close()
    server.close()
    await server.wait_closed()
    assert seen == [f"GET /a HTTP/1.1\r\nHost: [::1]:{port}\r\n\r\n".encode()]
