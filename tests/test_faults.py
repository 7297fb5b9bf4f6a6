"""Every way in which an upstream fails an order, and what the client and the record say of it.

Always: at most one attempt reaches the upstream, the answer has the API's form, and the record's
state is the one that the answer states.
"""

import asyncio
import socket
import ssl
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import trustme

from gateways import ORDER, ask, gateway, order_request, parse
from ordertape.model import State
from ordertape.testing import (
    Close,
    Drip,
    Hang,
    HoldOn,
    ReadRequest,
    Reset,
    Respond,
    Scripted,
    Send,
    Step,
    order_created,
    refused_port,
    unaccepting,
)

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")


@dataclass(frozen=True)
class Fault:
    """What the upstream does, and what must come of it."""

    name: str
    script: Sequence[Step]
    status: int
    code: str
    settings: dict[str, Any]


IN_DOUBT = [
    Fault("closed before the answer", [ReadRequest(), Close()], 502, "95020", {}),
    Fault("reset after the request", [ReadRequest(), Reset()], 502, "95020", {}),
    Fault(
        "reset in the middle of the head",
        [ReadRequest(), Send(CREATED[:40]), Reset()],
        502,
        "95020",
        {},
    ),
    Fault(
        "reset in the middle of the body",
        [ReadRequest(), Send(CREATED[:-40]), Reset()],
        502,
        "95020",
        {},
    ),
    Fault(
        "Content-Length too long", [ReadRequest(), Send(CREATED[:-9]), Close()], 502, "95020", {}
    ),
    Fault("garbage status line", [Respond(b"HELO 201 Created\r\n\r\n"), Close()], 502, "95020", {}),
    Fault(
        "two lengths",
        [Respond(b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab")],
        502,
        "95020",
        {},
    ),
    Fault(
        "length and chunks",
        [
            Respond(
                b"HTTP/1.1 201 Created\r\nContent-Length: 1\r\n"
                b"Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
            )
        ],
        502,
        "95020",
        {},
    ),
    Fault(
        "bad chunk",
        [Respond(b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n")],
        502,
        "95020",
        {},
    ),
    Fault(
        "answer too large",
        [
            ReadRequest(),
            Send(b"HTTP/1.1 201 Created\r\nContent-Length: 3000\r\n\r\n"),
            Send(b"x" * 1000, times=3),
        ],
        502,
        "95020",
        {"limits": {"order_answer": 2000}},
    ),
    Fault(
        "hang past the read timeout",
        [ReadRequest(), Hang()],
        504,
        "95040",
        {"timeouts": {"read": 0.2}},
    ),
    Fault(
        "slow drip past the total",
        [ReadRequest(), Drip(CREATED, every=0.05)],
        504,
        "95040",
        {"timeouts": {"connect": 0.1, "read": 5, "order_total": 0.4}},
    ),
    Fault(
        "switching protocols unasked",
        [Respond(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")],
        502,
        "95020",
        {},
    ),
]


@pytest.mark.parametrize("fault", IN_DOUBT, ids=lambda fault: fault.name)
async def test_an_order_whose_answer_fails_is_in_doubt_and_never_sent_again(
    fault: Fault, tmp_path: Path
) -> None:
    async with Scripted(fault.script) as service:
        async with gateway(tmp_path, upstream=service.url, **fault.settings) as running:
            reply = await ask(running.port, order_request())
            [full] = running.recorded()
        assert len(service.attempts) == service.connections == 1
    assert (reply.status, reply.code) == (fault.status, fault.code)
    assert reply.headers["ordertape-state"] == "in-doubt"
    assert reply.headers["ordertape-exchange"] == full.row.id
    assert b"<SiteId>743</SiteId>" in reply.body
    assert (full.row.state, full.row.status) == (State.IN_DOUBT, fault.status)
    assert full.row.charge is None
    assert full.row.reason
    assert full.row.reason.encode().split(b"'")[0] in reply.body


async def test_a_refused_connection_fails_and_nothing_was_sent(tmp_path: Path) -> None:
    async with gateway(tmp_path, upstream=f"http://127.0.0.1:{refused_port()}") as running:
        reply = await ask(running.port, order_request())
        [full] = running.recorded()
    assert (reply.status, reply.code, reply.headers["ordertape-state"]) == (502, "95020", "failed")
    assert (full.row.state, full.row.status) == (State.FAILED, 502)


async def test_a_name_that_does_not_resolve_fails(tmp_path: Path) -> None:
    async with gateway(tmp_path, upstream="http://nothing.invalid") as running:
        reply = await ask(running.port, order_request())
        [full] = running.recorded()
    assert (reply.status, reply.code, reply.headers["ordertape-state"]) == (502, "95020", "failed")
    assert full.row.state is State.FAILED


async def test_a_connection_that_is_not_taken_in_time_fails_with_504(tmp_path: Path) -> None:
    with unaccepting() as port:
        timeouts = {"connect": 0.3}
        upstream = f"http://127.0.0.1:{port}"
        async with gateway(tmp_path, upstream=upstream, timeouts=timeouts) as running:
            reply = await ask(running.port, order_request())
            [full] = running.recorded()
    assert (reply.status, reply.code, reply.headers["ordertape-state"]) == (504, "95040", "failed")
    assert (full.row.state, full.row.status) == (State.FAILED, 504)


async def test_a_certificate_that_is_not_trusted_fails_before_a_byte_is_sent(
    tmp_path: Path,
) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)
    async with Scripted([Respond(CREATED)], tls=context) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            reply = await ask(running.port, order_request())
            [full] = running.recorded()
        assert service.attempts == []
    assert (reply.status, reply.code, reply.headers["ordertape-state"]) == (502, "95020", "failed")
    assert full.row.state is State.FAILED


async def test_a_trusted_certificate_lets_the_order_through(tmp_path: Path) -> None:
    authority = trustme.CA()
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    async with Scripted([Respond(CREATED)], tls=context) as service:
        tls = {"ca": tmp_path / "ca.pem"}
        async with gateway(tmp_path, upstream=service.url, upstream_tls=tls) as running:
            reply = await ask(running.port, order_request())
            [full] = running.recorded()
    assert (reply.status, full.row.state) == (201, State.COMPLETED)


async def test_a_client_that_left_still_has_its_order_completed_and_recorded(
    tmp_path: Path,
) -> None:
    """The order's fate does not hang on the client's patience."""
    async with (
        Scripted([ReadRequest(), HoldOn(), Send(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        _, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(order_request())
        await service.wait_for_attempts(1)
        writer.close()
        await writer.wait_closed()
        service.proceed()
        [full] = await running.recorded_when(lambda full: full.row.delivered is not None)
    assert (full.row.state, full.row.status) == (State.COMPLETED, 201)
    assert full.row.delivered is False
    assert full.messages["answered"].body == parse(CREATED).body


async def test_a_client_that_reset_before_the_answer_is_recorded_as_not_delivered(
    tmp_path: Path,
) -> None:
    async with (
        Scripted([ReadRequest(), HoldOn(), Send(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        client = socket.create_connection(("127.0.0.1", running.port))
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        client.sendall(order_request())
        await service.wait_for_attempts(1)
        client.close()
        service.proceed()
        [full] = await running.recorded_when(lambda full: full.row.delivered is not None)
    assert (full.row.state, full.row.delivered) == (State.COMPLETED, False)


async def test_an_answer_that_was_taken_is_recorded_as_delivered(tmp_path: Path) -> None:
    async with Scripted([Respond(CREATED)]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            await ask(running.port, order_request())
        [full] = running.recorded()
    assert full.row.delivered is True


REFUSALS = [
    (
        "body over its limit",
        order_request(b"<Order>" + b" " * (1 << 20) + b"</Order>"),
        413,
        "94130",
    ),
    ("not well-formed", order_request(b"<Order>"), 400, "94000"),
    ("a document type", order_request(b"<!DOCTYPE Order><Order/>"), 400, "94001"),
    (
        "not XML",
        order_request(b'{"Order":1}').replace(b"application/xml", b"application/json"),
        415,
        "94150",
    ),
    ("an unknown coding", order_request(ORDER, b"Content-Encoding: br"), 415, "94150"),
    ("a path trick", order_request(path=b"/accounts/9900012/x/../orders"), 400, "94003"),
    ("a false digest", order_request(ORDER, b"Content-MD5: AAAA"), 400, "94000"),
    ("a header too long", order_request(ORDER, b"X-Long: " + b"x" * 9000), 431, "94130"),
    (
        "a target too long",
        order_request(path=b"/" + b"x" * 9000 + b"/accounts/1/orders"),
        414,
        "94130",
    ),
    ("two lengths", order_request(ORDER, b"Content-Length: 3"), 400, "94000"),
    ("length and chunks", order_request(ORDER, b"Transfer-Encoding: chunked"), 400, "94000"),
    (
        "a bad chunk",
        order_request(b"zz\r\n").replace(b"Content-Length: 4", b"Transfer-Encoding: chunked"),
        400,
        "94000",
    ),
]


@pytest.mark.parametrize(
    ("request_bytes", "status", "code"),
    [row[1:] for row in REFUSALS],
    ids=[row[0] for row in REFUSALS],
)
async def test_what_is_refused_is_recorded_and_never_sent(
    request_bytes: bytes, status: int, code: str, tmp_path: Path
) -> None:
    async with Scripted([Respond(CREATED)]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            reply = await ask(running.port, request_bytes)
            [full] = running.recorded()
        assert service.connections == 0
    assert (reply.status, reply.code) == (status, code)
    assert reply.headers["ordertape-state"] == "refused"
    assert reply.headers["ordertape-exchange"] == full.row.id
    assert (full.row.state, full.row.status) == (State.REFUSED, status)


async def test_a_body_that_comes_too_slowly_is_refused_with_408(tmp_path: Path) -> None:
    async with Scripted([Respond(CREATED)]) as service:
        timeouts = {"body": 0.2}
        async with gateway(tmp_path, upstream=service.url, timeouts=timeouts) as running:
            reply = await ask(running.port, order_request()[:-10])
            [full] = running.recorded()
        assert service.connections == 0
    assert (reply.status, reply.code) == (408, "94080")
    assert full.row.state is State.REFUSED


async def test_a_client_that_waits_for_100_gets_it_and_then_its_answer(tmp_path: Path) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        head, _, body = order_request(ORDER, b"Expect: 100-continue").partition(b"\r\n\r\n")
        writer.write(head + b"\r\n\r\n")
        assert await reader.readuntil(b"\r\n\r\n") == b"HTTP/1.1 100 Continue\r\n\r\n"
        writer.write(body)
        assert parse(await reader.read()).status == 201
        writer.close()
        await writer.wait_closed()
        assert b"Expect" not in service.attempts[0]


async def test_a_body_that_is_too_large_is_refused_before_it_is_asked_for(tmp_path: Path) -> None:
    async with (
        Scripted([Respond(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        request = order_request(bytes(2 << 20), b"Expect: 100-continue")
        reply = await ask(running.port, request.partition(b"\r\n\r\n")[0] + b"\r\n\r\n")
    assert (reply.status, reply.code) == (413, "94130")
