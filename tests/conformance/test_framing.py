"""What the listener refuses before anything is handed on: http-intermediary.md §2-§4."""

from dataclasses import dataclass

import pytest

from raw_http import Served

A = b"Host: a\r\n"


@dataclass(frozen=True)
class Row:
    """A row of the checklist: what is sent, the status it gets, and words in the answer."""

    row: str
    what: str
    sent: bytes
    status: int
    says: str = ""


def get(*fields: bytes, line: bytes = b"GET / HTTP/1.1") -> bytes:
    return b"\r\n".join((line, *fields, b"", b""))


def post(*fields: bytes, body: bytes = b"") -> bytes:
    return b"\r\n".join((b"POST /accounts/1/orders HTTP/1.1", b"Host: a", *fields, b"", body))


CHUNKED = b"Transfer-Encoding: chunked"
REFUSED = [
    Row("F1", "CL and TE", post(b"Content-Length: 3", CHUNKED, body=b"0\r\n\r\n"), 400),
    Row("F1", "TE and CL", post(CHUNKED, b"Content-Length: 3", body=b"0\r\n\r\n"), 400),
    Row("F2", "two equal CL", post(b"Content-Length: 2", b"Content-Length: 2", body=b"ab"), 400),
    Row("F2", "two CL", post(b"Content-Length: 2", b"Content-Length: 3", body=b"abc"), 400),
    Row("F2", "CL list", post(b"Content-Length: 2, 2", body=b"ab"), 400),
    Row("F2", "CL +2", post(b"Content-Length: +2", body=b"ab"), 400),
    Row("F2", "CL 0x2", post(b"Content-Length: 0x2", body=b"ab"), 400),
    Row("F2", "CL -1", post(b"Content-Length: -1", body=b"ab"), 400),
    Row("F2", "CL empty", post(b"Content-Length:", body=b"ab"), 400),
    Row("F3", "TE xchunked", post(b"Transfer-Encoding: xchunked", body=b"0\r\n\r\n"), 400),
    Row("F3", "TE chunked;q=1", post(b"Transfer-Encoding: chunked;q=1", body=b"0\r\n\r\n"), 400),
    Row("F3", "TE quoted", post(b'Transfer-Encoding: "chunked"', body=b"0\r\n\r\n"), 400),
    Row("F3", "TE twice in one", post(b"Transfer-Encoding: chunked, chunked"), 400),
    Row("F3", "TE twice", post(CHUNKED, b"Transfer-Encoding: identity", body=b"0\r\n\r\n"), 400),
    Row(
        "F4", "TE gzip, chunked", post(b"Transfer-Encoding: gzip, chunked", body=b"0\r\n\r\n"), 501
    ),
    Row("F4", "TE ,chunked", post(b"Transfer-Encoding: ,chunked", body=b"0\r\n\r\n"), 501),
    Row("F5", "TE in 1.0", get(CHUNKED, b"", b"0", line=b"POST / HTTP/1.0"), 400),
    Row("F6", "chunk size 0x2", post(CHUNKED, body=b"0x2\r\nab\r\n0\r\n\r\n"), 400),
    Row("F6", "chunk size '2 '", post(CHUNKED, body=b"2 \r\nab\r\n0\r\n\r\n"), 400),
    Row("F6", "chunk size LF", post(CHUNKED, body=b"2\nab\r\n0\r\n\r\n"), 400),
    Row("F6", "chunk size overflow", post(CHUNKED, body=b"f" * 17 + b"\r\nab\r\n0\r\n\r\n"), 400),
    Row("F6", "LF in ext", post(CHUNKED, body=b'2;a="\n"\r\nab\r\n0\r\n\r\n'), 400),
    Row("F6", "no CRLF after chunk", post(CHUNKED, body=b"2\r\nabc\r\n0\r\n\r\n"), 400),
    Row("F8", "CL in trailers", post(CHUNKED, body=b"0\r\nContent-Length: 5\r\n\r\n"), 400),
    Row("F9", "bare LF", b"GET / HTTP/1.1\nHost: a\n\n", 400),
    Row("F9", "bare CR", get(A[:-2], b"X: a\rb"), 400),
    Row("F9", "NUL", get(A[:-2], b"X: a\0b"), 400),
    Row("F9", "CTL", get(A[:-2], b"X: a\x01b"), 400),
    Row("F9", "obs-fold", get(A[:-2], b"X: a", b" b"), 400),
    Row("F9", "obs-fold first", get(b" X: a", A[:-2]), 400),
    Row("F9", "space before colon", get(A[:-2], b"X : a"), 400),
    Row("F9", "8-bit name", get(A[:-2], b"X\xe9: a"), 400),
    Row("F9", "empty name", get(A[:-2], b": a"), 400),
    Row("F9", "no colon", get(A[:-2], b"X"), 400),
    Row("F15", "HTTP/2.0", get(A[:-2], line=b"GET / HTTP/2.0"), 505),
    Row("F15", "HTTP/0.9", get(line=b"GET / HTTP/0.9"), 505),
    Row("F15", "HTTP/1.2", get(A[:-2], line=b"GET / HTTP/1.2"), 505),
    Row("F15", "h2 preface", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
    Row("F15", "no version", b"GET /\r\n\r\n", 505),
    Row("H5", "TE with underscore", post(b"Transfer_Encoding: chunked"), 400, "underscore"),
    Row("H5", "CL with underscore", post(b"Content_Length: 5"), 400, "underscore"),
    Row("H5", "XFF with underscore", post(b"X_Forwarded_For: ::1"), 400, "underscore"),
    Row("H7", "no Host", get(), 400, "Host is missing"),
    Row("H7", "two Host", get(A[:-2], b"host: b"), 400, "Host occurs twice"),
    Row("H7", "empty Host", get(b"Host:"), 400, "Host"),
    Row("H7", "Host a b", get(b"Host: a b"), 400, "Host"),
    Row("H7", "Host /@c", get(b"Host: a/@c"), 400, "Host"),
    Row("H7", "Host with port name", get(b"Host: a:http"), 400, "Host"),
    Row("H7", "bad Host in 1.0", get(b"Host: a@b", line=b"GET / HTTP/1.0"), 400, "Host"),
    Row("H8", "absolute with userinfo", get(A[:-2], line=b"GET http://u@h/ HTTP/1.1"), 400),
    Row("H8", "absolute ftp", get(A[:-2], line=b"GET ftp://h/ HTTP/1.1"), 400),
    Row("H8", "absolute empty", get(A[:-2], line=b"GET http:///p HTTP/1.1"), 400),
    Row("H12", "TRACE", get(A[:-2], line=b"TRACE / HTTP/1.1"), 405),
    Row("H12", "CONNECT", get(A[:-2], line=b"CONNECT a:443 HTTP/1.1"), 405),
    Row("H21", "two Content-Type", post(b"Content-Type: a/b", b"content-type: c/d"), 400, "twice"),
    Row("H21", "two User-Agent", post(b"User-Agent: a", b"User-Agent: b"), 400, "User-Agent"),
    Row("T2", "fragment", get(A[:-2], line=b"GET /a#b HTTP/1.1"), 400, "fragment"),
    Row("T2", "asterisk", get(A[:-2], line=b"GET * HTTP/1.1"), 400),
    Row("T2", "authority", get(A[:-2], line=b"GET a:443 HTTP/1.1"), 400),
    Row("T2", "raw 8-bit", get(A[:-2], line=b"GET /\xe9 HTTP/1.1"), 400),
    Row("T2", "bad IPv6 authority", get(A[:-2], line=b"GET http://[::1/ HTTP/1.1"), 400),
    Row("T2", "what yarl trips over", get(A[:-2], line=b"GET h://[[::1]!a@ HTTP/1.1"), 400),
    Row("T6", "lower-case method", get(A[:-2], line=b"get / HTTP/1.1"), 400),
    Row("T6", "unknown method", get(A[:-2], line=b"BREW / HTTP/1.1"), 400),
    Row("§5", "unknown Expect", post(b"Expect: tea", b"Content-Length: 0"), 417),
    Row("§9", "TLS on the plain port", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),
]


@pytest.mark.parametrize("row", REFUSED, ids=lambda row: f"{row.row}-{row.what}")
async def test_it_is_refused_recorded_and_the_connection_closed(served: Served, row: Row) -> None:
    reply, rest = await served.ask(row.sent)
    assert (reply.line, rest) == (b"HTTP/1.1 %d No" % row.status, b"")
    assert reply.get("Connection") == b"close"
    assert row.says.encode() in reply.body
    assert served.stub.handled == []
    assert [error.status for _, error in served.stub.refused] == [row.status]
    assert served.stub.delivered == [True]


async def test_a_refusal_is_recorded_with_the_method_and_target_that_could_be_read(
    served: Served,
) -> None:
    await served.ask(post(b"Content-Length: 2, 2"))
    await served.ask(post(CHUNKED, body=b"zz\r\n"))
    await served.ask(b"nonsense\r\n\r\n")
    known = [(request.method, request.target) for request, _ in served.stub.refused]
    assert known == [("POST", "/accounts/1/orders")] * 2 + [("", "")]


async def test_no_byte_of_a_malformed_request_is_echoed(served: Served) -> None:
    reply, _ = await served.ask(get(b"Host: a", b"Zqx: \x01Zqx", line=b"GET /Zqx HTTP/1.1"))
    assert b"Zqx" not in reply.body
    assert b"(Invalid header value char)" in reply.body


TAKEN = [
    Row("F2", "CL 00002", post(b"Content-Length: 00002", body=b"ab"), 200, "ab"),
    Row("F7", "chunk extensions", post(CHUNKED, body=b"2;a=b\r\nab\r\n0\r\n\r\n"), 200, "ab"),
    Row("F8", "other trailers", post(CHUNKED, body=b"2\r\nab\r\n0\r\nX-T: 1\r\n\r\n"), 200, "ab"),
    Row("F10", "body on GET", get(A[:-2], b"Content-Length: 2", b"", b"ab")[:-4], 200, "ab"),
    Row("F11", "POST without CL and TE", post(), 200, ""),
    Row("F14", "leading CRLF", b"\r\n" + get(A[:-2]), 200, ""),
    Row("H5", "underscore of its own", get(A[:-2], b"X_Foo: 1"), 200, ""),
    Row("H7", "Host with port", get(b"Host: a.example:8080"), 200, ""),
    Row("H7", "Host IPv6", get(b"Host: [::1]:8080"), 200, ""),
    Row("T5", "two spaces", get(A[:-2], line=b"GET  / HTTP/1.1"), 200, ""),
]


@pytest.mark.parametrize("row", TAKEN, ids=lambda row: f"{row.row}-{row.what}")
async def test_it_is_taken_and_the_connection_stays(served: Served, row: Row) -> None:
    client = await served.connect()
    for _ in range(2):
        await client.send(row.sent)
        reply = await client.reply()
        assert (reply.line, reply.get("Connection")) == (b"HTTP/1.1 200 OK", None)
    assert [request.body.held for request in served.stub.handled] == [row.says.encode()] * 2


async def test_h4_h6_header_pairs_reach_the_handler_exactly(served: Served) -> None:
    """Order, spelling, repeats, empty values, obs-text; hop-by-hop fields too, for the record."""
    pairs = (
        (b"Host", b"a"),
        (b"X-A", b"1"),
        (b"x-a", b"2"),
        (b"Cookie", b"a=b"),
        (b"Empty", b""),
        (b"Latin", b"caf\xe9 \xff"),
        (b"Connection", b"keep-alive, X-A"),
        (b"TE", b"trailers"),
    )
    await (await served.connect()).send(get(*(b"%b: %b" % pair for pair in pairs)))
    await served.stub.told.wait()
    assert [request.headers.pairs for request in served.stub.handled] == [pairs]


@pytest.mark.parametrize(
    "target",
    [
        "/a%2Fb//c/./d/../e+f?q=%2B+%20%zz&a=b;c",
        "//evil/a",
        "/%7E%e2?",
        "/?a?b",
        "/a\\b|c^d`e{f}",
    ],
)
async def test_t1_t3_the_target_reaches_the_handler_byte_for_byte(
    served: Served, target: str
) -> None:
    await served.ask(get(b"Host: a", b"Connection: close", line=f"GET {target} HTTP/1.1".encode()))
    assert [request.target for request in served.stub.handled] == [target]


@pytest.mark.parametrize(
    ("line", "target"),
    [
        (b"GET http://other:81/p?q HTTP/1.1", "/p?q"),
        (b"GET HTTPS://other:81 HTTP/1.1", "/"),
        (b"GET http://other:81?q HTTP/1.1", "/?q"),
        (b"OPTIONS http://other:81 HTTP/1.1", "*"),
    ],
)
async def test_h8_an_absolute_form_gives_its_authority_to_host(
    served: Served, line: bytes, target: str
) -> None:
    await served.ask(get(b"X: 1", b"HOST: x", b"Connection: close", line=line))
    (request,) = served.stub.handled
    assert request.target == target
    assert request.headers.pairs[:2] == ((b"X", b"1"), (b"HOST", b"other:81"))


async def test_h8_an_absolute_form_in_http_10_gets_a_host(served: Served) -> None:
    await served.ask(get(line=b"GET http://other/p HTTP/1.0"))
    assert [request.headers.get(b"host") for request in served.stub.handled] == [b"other"]


async def test_h12_max_forwards_is_counted_down_and_answered_at_zero(served: Served) -> None:
    client = await served.connect()
    for value in (b"3", b"0"):
        await client.send(get(b"Host: a", b"Max-Forwards: " + value, line=b"OPTIONS * HTTP/1.1"))
        reply = await client.reply()
    assert [request.headers.get(b"max-forwards") for request in served.stub.handled] == [b"2"]
    assert (reply.line, reply.body) == (b"HTTP/1.1 200 OK", b"")
    assert reply.get("Allow") == b"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"
    await client.send(get(b"Host: a", b"Max-Forwards: 0"))
    await client.reply()
    assert served.stub.handled[-1].headers.get(b"max-forwards") == b"0"


async def test_the_peer_is_the_clients_socket(served: Served) -> None:
    client = await served.connect()
    await client.send(get(b"Host: a"))
    await client.reply()
    host, port = client.writer.get_extra_info("sockname")
    assert [request.peer for request in served.stub.handled] == [f"{host}:{port}"]
