"""The pipeline over real parts: what leaves, what is kept, and what the client is given."""

import asyncio
import base64
import hashlib
import socket
import struct
from pathlib import Path

import pytest

from gateways import ORDER, ask, gateway, order_request
from ordertape.build import change
from ordertape.config import Settings
from ordertape.errors import UnavailableError
from ordertape.model import Charge, Edit, Kind, State
from ordertape.store import Store
from ordertape.store.reading import Filter, Reader
from ordertape.testing import (
    Close,
    Hang,
    HoldOn,
    Peer,
    ReadRequest,
    Respond,
    Scripted,
    Send,
    order_created,
    reply,
)

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
UNTRIMMED = (
    b"<Order>\r\n  <!-- kept --><SiteId> 743 </SiteId><Unknown a='1'/>"
    b"<NPANXXSearchAndOrderType><NpaNxx>919439</NpaNxx><Quantity>\n2</Quantity>"
    b"</NPANXXSearchAndOrderType><CustomerOrderId>c-1</CustomerOrderId></Order>"
)


async def test_an_order_that_needs_nothing_leaves_byte_for_byte(tmp_path: Path) -> None:
    body = b"\n<?xml version='1.0'?>".strip() + ORDER.replace(b"><", b" >\r\n<", 1)
    async with Scripted([Respond(CREATED)]) as service:
        async with gateway(tmp_path, upstream=service.url, via="test") as running:
            request = order_request(
                body, b"X-Trace: caf\xe9", b"x-trace: two", b"Keep-Alive: 5", b"X-Empty:"
            )
            answer = await ask(running.port, request)
            [full] = running.recorded()
        [sent] = service.attempts
    assert sent == (
        b"POST /accounts/9900012/orders HTTP/1.1\r\n"
        b"Host: %b\r\n"
        b"Authorization: Basic dXNlcjpwYXNzd29yZA==\r\n"
        b"Content-Type: application/xml\r\n"
        b"X-Trace: caf\xe9\r\n"
        b"x-trace: two\r\n"
        b"X-Empty: \r\n"
        b"Content-Length: %d\r\n"
        b"Via: 1.1 test\r\n\r\n%b"
    ) % (service.url.removeprefix("http://").encode(), len(body), body)
    assert answer.status == 201
    assert answer.body == CREATED.partition(b"\r\n\r\n")[2]
    assert "ordertape-exchange" not in answer.headers
    assert full.row.edits == ()
    assert set(full.messages) == {"received", "answered"}
    assert full.messages["received"].body == body


async def test_a_changed_order_is_kept_in_both_forms_with_the_rule_of_each_edit(
    tmp_path: Path,
) -> None:
    async with Scripted([Respond(CREATED)]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            await ask(running.port, order_request(UNTRIMMED, b"Content-MD5: " + md5(UNTRIMMED)))
            [full] = running.recorded()
        head, _, sent = service.attempts[0].partition(b"\r\n\r\n")
    assert b"Content-MD5" not in head
    assert b"Content-Length: %d" % len(sent) in head
    assert sent.startswith(b"<?xml version='1.0' encoding='UTF-8'?>\n<Order>")
    for kept in (
        b'<!-- kept --><SiteId>743</SiteId><Unknown a="1"/>',
        b"<Quantity>2</Quantity>",
        b"<EnableLCA>true</EnableLCA>",
        b"<PartialAllowed>true</PartialAllowed>",
    ):
        assert kept in sent
    assert full.messages["received"].body == UNTRIMMED
    assert full.messages["sent"].body == sent
    recorded = full.messages["sent"].headers
    assert recorded.get(b"content-length") == b"%d" % len(sent)
    assert recorded.get(b"content-md5") is recorded.get(b"host") is None
    assert set(full.row.edits) == {
        Edit("trim-whitespace", "/Order/SiteId", " 743 ", "743"),
        Edit("trim-whitespace", "/Order/NPANXXSearchAndOrderType/Quantity", "\n2", "2"),
        Edit("order-defaults", "/Order/NPANXXSearchAndOrderType/EnableLCA", None, "true"),
        Edit("order-defaults", "/Order/PartialAllowed", None, "true"),
    }
    row = full.row
    assert (row.state, row.kind, row.account) == (State.COMPLETED, Kind.ORDER, "9900012")
    assert (row.order_type, row.quantity, row.cost) == ("NPANXXSearchAndOrderType", 2, 2)
    assert (row.customer_order_id, row.status, row.charge) == ("c-1", 201, Charge.KEPT)
    assert row.order_id == "34adcd9f-2c4a-4631-9dae-d1f318ed57bc"
    assert [event.kind for event in full.events][:2] == ["pending", "completed"]


def md5(body: bytes) -> bytes:
    return base64.b64encode(hashlib.md5(body, usedforsecurity=False).digest())


async def test_a_request_that_forbids_changes_leaves_as_received_and_says_so(
    tmp_path: Path,
) -> None:
    async with Scripted([Respond(CREATED)]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            answer = await ask(
                running.port, order_request(UNTRIMMED, b"Cache-Control: no-transform")
            )
            [full] = running.recorded()
        assert service.attempts[0].endswith(b"\r\n\r\n" + UNTRIMMED)
    assert answer.status == 201
    assert "sent" not in full.messages
    assert [(v.rule, v.severity) for v in full.row.violations] == [("no-transform", "warn")]


async def test_the_intent_is_on_disk_before_the_service_reads_a_byte(tmp_path: Path) -> None:
    """The service itself looks into the store before it answers."""
    seen: list[State] = []

    async def look(_: Peer) -> None:
        with Reader(tmp_path / "ordertape.db") as reader:
            seen.extend(row.state for row in reader.list(Filter()))

    async with (
        Scripted([look, ReadRequest(), look, Send(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        await ask(running.port, order_request())
    assert seen[:2] == [State.PENDING, State.PENDING]


async def test_the_services_refusal_passes_as_it_is_and_refunds_the_cost(tmp_path: Path) -> None:
    refusal = reply(
        400, b"<OrderResponse><ErrorList/></OrderResponse>", (b"X-RateLimit-Reset", b"17")
    )
    async with (
        Scripted([Respond(refusal)]) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        answer = await ask(running.port, order_request())
        [full] = running.recorded()
    assert (answer.status, answer.headers["x-ratelimit-reset"]) == (400, "17")
    assert answer.body == b"<OrderResponse><ErrorList/></OrderResponse>"
    assert (full.row.state, full.row.status, full.row.charge) == (
        State.COMPLETED,
        400,
        Charge.REFUNDED,
    )


async def test_a_version_2_order_is_recorded_and_passed_untouched(tmp_path: Path) -> None:
    body = b'{"order": {"quantity": 1}}'
    async with Scripted([Respond(CREATED)]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            await ask(running.port, order_request(body, path=b"/api/v2/accounts/1/orders"))
            [full] = running.recorded()
        assert service.attempts[0].endswith(b"\r\n\r\n" + body)
    assert (full.row.kind, full.row.state, full.row.cost) == (Kind.ORDER_V2, State.COMPLETED, None)


async def test_location_points_at_the_gateway_and_a_base_path_is_the_upstreams_own_matter(
    tmp_path: Path,
) -> None:
    async with Scripted([ReadRequest(), respond_with_location]) as service:
        upstream = f"{service.url}/base"
        async with gateway(tmp_path, upstream=upstream) as running:
            answer = await ask(running.port, order_request(path=b"/v1.0/accounts/1/orders"))
        assert service.attempts[0].startswith(b"POST /base/v1.0/accounts/1/orders HTTP/1.1\r\n")
    assert answer.headers["location"] == "http://gateway.example/v1.0/accounts/1/orders/o-1"


async def respond_with_location(peer: Peer) -> None:
    location = f"{peer.service.url}/base/v1.0/accounts/1/orders/o-1".encode()
    await Send(reply(201, b"<OrderResponse/>", (b"Location", location)))(peer)


async def test_a_safe_request_is_recorded_in_one_write_with_its_outcome(tmp_path: Path) -> None:
    async with Scripted([Respond(reply(200, b"fine"))]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            answer = await ask(running.port, GET)
        [full] = running.recorded()
    assert (answer.status, answer.body) == (200, b"fine")
    assert (full.row.method, full.row.kind, full.row.state) == ("GET", Kind.OTHER, State.COMPLETED)
    assert full.messages["answered"].body == b"fine"


GET = b"GET /accounts/1/orders/5?tndetail=true HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


async def test_a_long_answer_streams_and_is_recorded_by_its_beginning_and_hash(
    tmp_path: Path,
) -> None:
    size, chunk = 8 << 20, bytes(range(256)) * 256
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    script = [ReadRequest(), Send(head), Send(chunk, times=size // len(chunk))]
    async with Scripted(script) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            answer = await ask(running.port, GET)
        [full] = running.recorded()
    whole = chunk * (size // len(chunk))
    recorded = full.messages["answered"]
    assert hashlib.sha256(answer.body).digest() == hashlib.sha256(whole).digest()
    assert (recorded.length, recorded.truncated) == (size, True)
    assert recorded.sha256 == hashlib.sha256(whole).digest()
    assert recorded.body == whole[: 1 << 20]


async def test_a_long_upload_has_its_head_on_disk_first_and_its_hash_with_the_outcome(
    tmp_path: Path,
) -> None:
    body = bytes(3 << 20)
    lengths: list[int | None] = []

    async def look(_: Peer) -> None:
        with Reader(tmp_path / "ordertape.db") as reader:
            [row] = reader.list(Filter())
            full = reader.show(row.id)
            assert full is not None
            lengths.append(full.messages["received"].length)

    async with Scripted([look, Respond(reply(200, b"ok"))]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            request = b"PUT /files/1 HTTP/1.1\r\nHost: g\r\nConnection: close\r\n"
            answer = await ask(
                running.port, request + b"Content-Length: %d\r\n\r\n" % len(body) + body
            )
            [full] = running.recorded()
        assert service.attempts[0].endswith(b"\r\n\r\n" + body)
    received = full.messages["received"]
    assert answer.status == 200
    assert lengths[0] is None
    assert (received.length, received.truncated) == (len(body), True)
    assert received.sha256 == hashlib.sha256(body).digest()


async def test_an_answer_that_breaks_off_while_it_streams_aborts_the_client(tmp_path: Path) -> None:
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n"
    request = GET.replace(b"GET", b"DELETE")
    async with Scripted([ReadRequest(), Send(head + bytes(50_000)), HoldOn(), Close()]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            writer.write(request)
            got = await reader.readuntil(b"\r\n\r\n")
            service.proceed()
            with pytest.raises(ConnectionResetError):
                await reader.read(-1)
            writer.close()
        [full] = running.recorded()
    assert got.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (full.row.state, full.row.status, full.row.delivered) == (State.IN_DOUBT, 200, False)


async def test_a_client_that_leaves_a_streaming_answer_releases_the_upstream(
    tmp_path: Path,
) -> None:
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
    async with (
        Scripted([ReadRequest(), Send(head), Hang()]) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write(GET.replace(b"GET", b"DELETE"))
        await reader.readuntil(b"first")
        writer.get_extra_info("socket").setsockopt(
            socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0)
        )
        writer.transport.abort()  # a reset: a mere end of its side may be a half-close
        await service.wait_for_closed(1)
        [full] = await running.recorded_when(lambda full: full.row.delivered is not None)
    assert (full.row.state, full.row.delivered) == (State.IN_DOUBT, False)
    assert full.messages["answered"].body == b"first"


async def test_the_version_that_a_client_spoke_is_recorded_and_told_in_via(tmp_path: Path) -> None:
    async with Scripted([Respond(CREATED)]) as service:
        async with gateway(tmp_path, upstream=service.url, via="mine") as running:
            await ask(running.port, order_request().replace(b"HTTP/1.1", b"HTTP/1.0"))
            [full] = running.recorded()
        assert b"\r\nVia: 1.0 mine\r\n" in service.attempts[0]
    assert full.messages["received"].line == b"POST /accounts/9900012/orders HTTP/1.0"


async def test_uploads_that_begin_alike_are_not_taken_for_one_another(tmp_path: Path) -> None:
    async with Scripted([Respond(reply(200, b"ok"))]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            head = b"PUT /files/1 HTTP/1.1\r\nHost: g\r\nConnection: close\r\n"
            await ask(
                running.port, head + b"Content-Length: %d\r\n\r\n" % (2 << 20) + bytes(2 << 20)
            )
            await ask(running.port, head + b"Content-Length: 3\r\n\r\nabc")
        long, short = running.recorded()
    assert long.row.match_key is None
    assert short.row.match_key is not None


async def test_a_store_that_takes_no_outcome_is_told_to_the_client_and_not_logged_as_done(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    """Neither store nor emergency file: the client has in-doubt, and no line says COMPLETED."""

    class Deaf:
        def __init__(self, store: Store) -> None:
            self._store = store

        def __getattr__(self, name: str) -> object:
            return getattr(self._store, name)

        async def settle(self, *_: object) -> None:
            raise UnavailableError("Nothing took it.")

    async with (
        Scripted([Respond(CREATED)]) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        running.parts.gateway._store = Deaf(running.parts.store)  # noqa: SLF001 - the fault itself
        answer = await ask(running.port, order_request())
    assert (answer.status, answer.code, answer.headers["ordertape-state"]) == (
        502,
        "95020",
        "in-doubt",
    )
    assert "COMPLETED" not in capfd.readouterr().out


async def test_a_pause_refuses_new_orders_is_in_force_after_a_restart_and_ends(
    tmp_path: Path,
) -> None:
    def act(command: str) -> None:
        settings = Settings.model_validate({"db": tmp_path / "ordertape.db"})
        arguments = {"account": "9900012", "reason": "drill", "operator": "op"}
        change(settings.db, lambda: settings, command, **arguments)

    async with Scripted([Respond(CREATED)]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            await asyncio.to_thread(act, "pause")
            paused = await ask(running.port, order_request())
            version_2 = order_request(path=b"/v2/accounts/9900012/orders")
            assert (await ask(running.port, version_2)).status == 503
            other = await ask(running.port, order_request(path=b"/accounts/1/orders"))
        async with gateway(tmp_path, upstream=service.url) as running:
            still = await ask(running.port, order_request())
            reading = await ask(running.port, GET)
            await asyncio.to_thread(act, "resume")
            resumed = await ask(running.port, order_request())
    assert (paused.status, paused.code, paused.headers["ordertape-state"]) == (
        503,
        "95030",
        "refused",
    )
    assert "retry-after" in paused.headers
    assert b"drill" in paused.body
    assert [other.status, still.status, reading.status, resumed.status] == [201, 503, 201, 201]


async def test_a_request_that_came_through_this_gateway_already_is_a_loop(tmp_path: Path) -> None:
    async with Scripted([Respond(CREATED)]) as service:
        async with gateway(tmp_path, upstream=service.url, via="mine") as running:
            looped = await ask(running.port, order_request(ORDER, b"Via: 1.1 other, 1.1 mine"))
            passed = await ask(running.port, order_request(ORDER, b"Via: 1.1 other"))
        assert len(service.attempts) == 1
        head = service.attempts[0].partition(b"\r\n\r\n")[0]
        assert [line for line in head.split(b"\r\n") if line.startswith(b"Via")] == [
            b"Via: 1.1 other",
            b"Via: 1.1 mine",
        ]
    assert (looped.status, looped.code, passed.status) == (508, "95080", 201)


async def test_no_secret_reaches_the_store(tmp_path: Path) -> None:
    secrets = [f"canary-{number}".encode() for number in range(6)]
    request = order_request(
        ORDER,
        b"Cookie: sid=" + secrets[0],
        b"Proxy-Authorization: Basic " + secrets[1],
        b"X-Api-Key: " + secrets[2],
        b"Referer: https://app.example/orders?key=" + secrets[3],
        path=b"/accounts/1/orders?key=" + secrets[3],
    ).replace(b"dXNlcjpwYXNzd29yZA==", secrets[4])
    answer = reply(201, b"<a/>", (b"Set-Cookie", b"sid=" + secrets[5] + b"; Path=/"))
    async with Scripted([Respond(answer)]) as service:
        redact = {"headers": ["x-api-key"], "query": ["KEY"]}
        async with gateway(tmp_path, upstream=service.url, redact=redact) as running:
            given = await ask(running.port, request)
            files = contents(tmp_path)
        sent = service.attempts[0]
    assert given.headers["set-cookie"] == "sid=canary-5; Path=/"
    for secret in (secrets[0], *secrets[2:5]):
        assert secret in sent
    assert secrets[1] not in sent
    for secret in secrets:
        assert not any(secret in content for content in files)


def contents(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir() if path.is_file()]
