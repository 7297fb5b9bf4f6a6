"""What replay answers, what it never answers, and what it leaves alone."""

import gzip
import re
from pathlib import Path
from typing import Any

import pytest

from gateways import ask, gateway, order_request
from ordertape.testing import ReadRequest, Respond, Scripted, reply
from replayed import FIRST, SECOND, body_of, get, order, raw, record, replaying_on_a_port

PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 9


@pytest.mark.parametrize(
    ("request_", "answer"),
    [
        pytest.param(
            order_request(order()),
            b"HTTP/1.1 201 Made To Order\r\nX-Trace: caf\xe9\r\nContent-Type: application/xml\r\n"
            b"x-trace: two\r\nX-Empty: \r\nContent-Length: 16\r\n\r\n<OrderResponse/>",
            id="an order",
        ),
        pytest.param(
            order_request(order()), reply(400, b"<E/>", (b"X-A", b"1")), id="a refused order"
        ),
        pytest.param(order_request(order()), reply(500, b"oops"), id="a failing service"),
        pytest.param(
            get(),
            reply(200, gzip.compress(b"<a/>", mtime=0), (b"Content-Encoding", b"gzip")),
            id="gzip",
        ),
        pytest.param(get(), reply(200, PNG, (b"Content-Type", b"image/png")), id="binary"),
        pytest.param(
            get(method="HEAD"), b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n", id="HEAD"
        ),
        pytest.param(get(method="DELETE"), b"HTTP/1.1 204 No Content\r\nX-A: 1\r\n\r\n", id="204"),
        pytest.param(
            get("/numbers", 'If-None-Match: "v1"'),
            b'HTTP/1.1 304 Not Modified\r\nETag: "v1"\r\nContent-Length: 77\r\n\r\n',
            id="304",
        ),
        pytest.param(
            get(),
            b"HTTP/1.1 200\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
            id="chunked, no reason",
        ),
    ],
)
async def test_the_answer_is_the_recorded_one_byte_for_byte(
    tmp_path: Path, request_: bytes, answer: bytes
) -> None:
    """What a client is given by replay is what it was given by the recording gateway."""
    async with (
        Scripted([Respond(answer)]) as service,
        gateway(tmp_path, upstream=service.url) as recording,
    ):
        live = await raw(recording.port, request_)
    async with replaying_on_a_port(tmp_path / "ordertape.db") as offline:
        replayed = await raw(offline.port, request_)
    if b"chunked" in live:  # how a body is framed is each connection's own
        assert live.replace(b"Transfer-Encoding: chunked\r\n", b"").startswith(
            replayed.partition(b"Content-Length")[0]
        )
        assert body_of(replayed) == b"abc"
        return
    assert live == replayed
    assert live.startswith(answer.partition(b"\r\n")[0])


async def test_date_is_todays_and_cookies_keep_their_names(tmp_path: Path) -> None:
    then = b"Tue, 15 Nov 1994 08:12:31 GMT"
    answer = reply(200, b"a", (b"Date", then), (b"Set-Cookie", b"session=canary; Path=/; Secure"))
    db = await record(tmp_path, (get(), answer))
    async with replaying_on_a_port(db) as offline:
        found = await ask(offline.port, get())
    assert found.status == 200
    assert re.fullmatch(r"\w{3}, \d\d \w{3} 20\d\d \d\d:\d\d:\d\d GMT", found.headers["date"])
    assert re.fullmatch(
        r"session=ordertape:[0-9a-f]{8}:[0-9a-f]{16}; Path=/; Secure", found.headers["set-cookie"]
    )


async def test_location_points_at_the_replay_itself(tmp_path: Path) -> None:
    async def created(peer: Any) -> None:
        await ReadRequest()(peer)
        location = f"{peer.service.url}/accounts/9900012/orders/o-1".encode()
        await peer.writer.drain()
        peer.writer.write(reply(201, b"<a/>", (b"Location", location)))

    db = await record(tmp_path, (order_request(order()), [created]))
    async with replaying_on_a_port(db) as offline:
        found = await ask(offline.port, order_request(order()))
    assert found.headers["location"] == "http://gateway.example/accounts/9900012/orders/o-1"


SPELT_OUT = "<Quantity>2</Quantity><EnableLCA>true</EnableLCA>"
EXTRA = '<Extra a="1" b="2"/>'


@pytest.mark.parametrize(
    ("recorded", "asked"),
    [
        (order(), order()),
        (order(), order().replace(b"><", b">\r\n\t <")),
        (order(), order("<Quantity>\n 2 </Quantity>").replace(b">743<", b"> 743\t<")),
        (order(), order(SPELT_OUT, "<PartialAllowed>true</PartialAllowed>")),
        (order(SPELT_OUT, "<PartialAllowed> true </PartialAllowed>"), order()),
        (order(), b'<?xml version="1.0" encoding="UTF-8"?>\n<!-- mine -->' + order()),
        (order(after=EXTRA), order(after="<Extra  b='2'\n a='1' ></Extra>")),
        (order(after="<Name>caf\u00e9</Name>"), order(after="<Name>caf&#xE9;</Name>")),
    ],
    ids=[
        "same",
        "indented",
        "blanks",
        "spelt out",
        "left out",
        "prolog",
        "attributes",
        "reference",
    ],
)
async def test_an_order_that_means_the_same_hits_the_same_recording(
    tmp_path: Path, recorded: bytes, asked: bytes
) -> None:
    db = await record(tmp_path, (order_request(recorded), FIRST))
    async with replaying_on_a_port(db) as offline:
        found = await ask(offline.port, order_request(asked))
    assert (found.status, found.body) == (201, body_of(FIRST))


async def test_neither_the_media_type_nor_the_coding_of_an_order_matters(tmp_path: Path) -> None:
    plain = order_request(order())
    db = await record(tmp_path, (plain, FIRST), (plain, FIRST), (plain, FIRST))
    packed = order_request(gzip.compress(order()), b"Content-Encoding: gzip")
    async with replaying_on_a_port(db) as offline:
        for request in (
            plain.replace(b"application/xml", b"text/xml; charset=UTF-8"),
            plain.replace(b"application/xml", b"application/x-www-form-urlencoded"),
            packed,
        ):
            assert await offline.status(request) == 201


@pytest.mark.parametrize(
    "other",
    [
        order_request(order("<Quantity>3</Quantity>")),
        order_request(order(after="<PartialAllowed>false</PartialAllowed>")),
        order_request(order(), path=b"/accounts/9900012/orders?a=1"),
        get("/accounts/9900012/orders"),
    ],
    ids=["quantity", "default", "query", "method"],
)
async def test_a_request_that_means_something_else_is_a_miss(tmp_path: Path, other: bytes) -> None:
    db = await record(tmp_path, (order_request(order()), FIRST))
    async with replaying_on_a_port(db) as offline:
        missed = await ask(offline.port, other)
    assert (missed.status, missed.code) == (409, "94090")
    assert missed.headers["ordertape-state"] == "failed"
    assert b"There is no recording of" in missed.body
    assert offline.replay.misses.total() == 1


async def test_a_query_matches_in_any_order(tmp_path: Path) -> None:
    db = await record(tmp_path, (get("/numbers?a=1&b=2&b=1"), reply(200, b"found")))
    async with replaying_on_a_port(db) as offline:
        assert await offline.status(get("/numbers?b=1&a=1&b=2")) == 200
        assert await offline.status(get("/numbers?b=1&a=2&b=2")) == 409


async def test_an_order_that_was_sent_twice_is_answered_twice_and_then_no_more(
    tmp_path: Path,
) -> None:
    request = order_request(order())
    db = await record(tmp_path, (request, FIRST), (request, SECOND))
    async with replaying_on_a_port(db) as offline:
        answers = [await ask(offline.port, request) for _ in range(4)]
    assert [answer.body for answer in answers[:2]] == [body_of(FIRST), body_of(SECOND)]
    assert [answer.status for answer in answers[2:]] == [409, 409]
    assert answers[2].code == "94090"
    used = "Every recording of this POST /accounts/9900012/orders has been used (2 of 2)"
    assert used in answers[2].body.decode()
    [(miss, times)] = offline.replay.misses.items()
    assert (miss.startswith(used), times) == (True, 2)


async def test_a_get_repeats_its_last_recording_for_ever(tmp_path: Path) -> None:
    answers = [reply(200, body) for body in (b"RECEIVED", b"COMPLETE")]
    db = await record(tmp_path, *((get("/accounts/1/orders/a"), answer) for answer in answers))
    async with replaying_on_a_port(db) as offline:
        found = [(await ask(offline.port, get("/accounts/1/orders/a"))).body for _ in range(4)]
    assert found == [b"RECEIVED", b"COMPLETE", b"COMPLETE", b"COMPLETE"]


@pytest.mark.parametrize(
    ("path", "accept", "media_type", "beginning"),
    [
        ("/accounts/1/orders", "application/json", "application/xml", b"<?xml"),
        ("/accounts/1/orders/x", "text/plain", "application/xml", b"<?xml"),
        ("/unknown", "text/plain", "text/plain", b"There is no recording of any request to /unk"),
        ("/unknown", "application/json", "application/json", b'{"code": "94090", "desc'),
        ("/unknown", "application/xml", "application/xml", b"<?xml"),
    ],
)
async def test_an_unknown_path_is_404_in_the_form_that_its_client_reads(
    tmp_path: Path, path: str, accept: str, media_type: str, beginning: bytes
) -> None:
    db = await record(tmp_path, (get(), reply(200, b"found")))
    async with replaying_on_a_port(db) as offline:
        missed = await ask(offline.port, get(path, f"Accept: {accept}"))
    assert missed.status == 404
    assert missed.headers["content-type"] == f"{media_type}; charset=utf-8"
    assert missed.body.startswith(beginning)
    assert b"There is no recording of any request to " in missed.body


async def test_what_was_recorded_without_credentials_answers_with_and_without(
    tmp_path: Path,
) -> None:
    credentials = "Authorization: Basic dXNlcjpwYXNzd29yZA=="
    db = await record(
        tmp_path,
        (get("/open"), reply(200, b"a")),
        (get("/closed", credentials), reply(200, b"b")),
    )
    async with replaying_on_a_port(db) as offline:
        assert await offline.status(get("/open")) == 200
        assert await offline.status(get("/open", "Authorization: Bearer another")) == 200
        assert await offline.status(get("/closed", "Authorization: Bearer another")) == 200
        assert await offline.status(get("/closed")) == 409


async def test_an_answer_that_was_kept_in_part_is_a_miss_that_says_so(tmp_path: Path) -> None:
    db = await record(tmp_path, (get("/large"), reply(200, bytes(5000))), limits={"record": "1KiB"})
    async with replaying_on_a_port(db) as offline:
        found = [await ask(offline.port, get("/large")) for _ in range(2)]
    assert [one.status for one in found] == [409, 409]
    sentence = "The answer to GET /large was recorded only in part, because it was too large;"
    assert found[0].body.decode().startswith(sentence)
