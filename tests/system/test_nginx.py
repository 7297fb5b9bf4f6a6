"""A well-known server behind the gateway, and a well-known proxy in front of it: nginx."""

import asyncio
import gzip
import hashlib
import os
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from gateways import ORDER, Gateway, gateway, order_request
from ordertape.model import Charge, State
from ordertape.store.reading import Full
from ordertape.testing import refused_port
from raw_http import Client, Reply

pytestmark = pytest.mark.system

CREATED = b"<OrderResponse><OrderStatus>RECEIVED</OrderStatus></OrderResponse>"
PAGE = b"".join(
    b"<p>%b</p>\n" % hashlib.sha256(b"%d" % line).hexdigest().encode() for line in range(5000)
)
"""So long, also when it is compressed, that nobody holds it whole."""
CLOSE = b"Connection: close\r\n"

CONFIGURATION = """\
daemon off;
master_process off;
pid nginx.pid;
error_log error.log info;
events {{ worker_connections 128; }}
http {{
    log_format one '$connection $connection_requests $request_method $request_uri $status';
    access_log access.log one;
    client_body_temp_path body;
    proxy_temp_path proxy;
    fastcgi_temp_path fastcgi;
    uwsgi_temp_path uwsgi;
    scgi_temp_path scgi;
    default_type application/xml;
    {http}
    server {{
        listen 127.0.0.1:{port};
        {server}
    }}
}}
"""

SERVICE = """
        keepalive_requests 10;
        client_max_body_size 4k;
        client_header_buffer_size 1k;
        large_client_header_buffers 2 2k;
        root pages;
        location ~ ^/accounts/(?<account>[0-9]+)/orders$ {
            add_header Location http://$http_host/accounts/$account/orders/o-1 always;
            return 201 '<OrderResponse><OrderStatus>RECEIVED</OrderStatus></OrderResponse>';
        }
        location ~ ^/chunked/accounts/[0-9]+/orders$ {
            sub_filter_types *;
            sub_filter RECEIVED RECEIVED;
            return 201 '<OrderResponse><OrderStatus>RECEIVED</OrderStatus></OrderResponse>';
        }
        location /packed/ {
            alias pages/;
            gzip on;
            gzip_types *;
            gzip_proxied any;
        }
        location /empty { return 204; }
"""
"""The orders service, as nginx would stand for it."""


@dataclass(frozen=True)
class Nginx:
    """A running nginx and its folder."""

    port: int
    folder: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    async def served(self, count: int) -> list[tuple[int, int, str]]:
        """(connection, how many-th request on it, the rest of the line), once there are so many."""
        log = self.folder / "access.log"
        async with asyncio.timeout(20):
            while log.read_bytes().count(b"\n") < count:  # noqa: ASYNC110 - a file has no event
                await asyncio.sleep(0.02)
        lines = [line.split(" ", 2) for line in log.read_text(encoding="utf-8").splitlines()]
        return [(int(connection), int(turn), rest) for connection, turn, rest in lines]


@asynccontextmanager
async def nginx(folder: Path, server: str, http: str = "") -> AsyncIterator[Nginx]:
    """Run nginx with this configuration until the block ends; its port is open on entry."""
    port = refused_port()
    process = _started(folder, CONFIGURATION.format(port=port, server=server, http=http))
    try:
        async with asyncio.timeout(20):
            while not _open(port):
                assert process.poll() is None, process.communicate()[1].decode()
                await asyncio.sleep(0.02)
        yield Nginx(port, folder)
    finally:
        process.terminate()
        process.communicate(timeout=20)


def _started(folder: Path, configuration: str) -> subprocess.Popen[bytes]:
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
    assert program, "nginx is not installed; scripts/test-system installs it."
    (folder / "pages").mkdir(parents=True)
    (folder / "pages" / "page.html").write_bytes(PAGE)
    (folder / "nginx.conf").write_text(configuration, encoding="utf-8")
    return subprocess.Popen(
        [program, "-p", folder, "-c", "nginx.conf", "-e", "error.log"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def _open(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[Client]:
    client = Client(*await asyncio.open_connection("127.0.0.1", port))
    try:
        yield client
    finally:
        await client.close()


async def ask(port: int, *requests: bytes) -> list[Reply]:
    """Send requests one after the other on one connection."""
    async with connected(port) as client:
        replies = []
        for request in requests:
            await client.send(request)
            replies.append(await client.reply())
        return replies


def get(path: bytes, *extra: bytes, method: bytes = b"GET") -> bytes:
    lines = (b"%b %b HTTP/1.1" % (method, path), b"Host: gateway.example", *extra)
    return b"\r\n".join((*lines, b"", b""))


async def recorded_of(running: Gateway, count: int) -> list[Full]:
    """What is recorded once it is so many exchanges; answers to safe methods do not wait for it."""
    async with asyncio.timeout(20):
        while len(found := running.recorded()) < count:  # noqa: ASYNC110 - a file has no event
            await asyncio.sleep(0.02)
    return found


def kept_alive(request: bytes) -> bytes:
    return request.replace(CLOSE, b"")


def lasting(reply: Reply) -> tuple[bytes, list[tuple[bytes, bytes]], bytes]:
    """A reply but for what belongs to one connection or one moment."""
    hop = {b"date", b"connection", b"via", b"transfer-encoding"}
    pairs = [(name, value) for name, value in reply.headers if name.lower() not in hop]
    return reply.line, pairs, reply.body


# nginx behind the gateway.


async def test_an_order_gets_the_201_of_nginx(tmp_path: Path) -> None:
    async with nginx(tmp_path / "nginx", SERVICE) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            [answer] = await ask(running.port, order_request())
            [full] = running.recorded()
        assert [line[2] for line in await service.served(1)] == [
            "POST /accounts/9900012/orders 201"
        ]
    assert (answer.line, answer.body) == (b"HTTP/1.1 201 Created", CREATED)
    assert (answer.get("server") or b"").startswith(b"nginx/")
    assert answer.get("location") == b"http://gateway.example/accounts/9900012/orders/o-1"
    assert (full.row.state, full.row.status, full.row.charge) == (
        State.COMPLETED,
        201,
        Charge.KEPT,
    )
    assert full.messages["answered"].body == CREATED


async def test_orders_share_connections_until_nginx_ends_them(tmp_path: Path) -> None:
    """It ends each at its tenth request, and says so: the eleventh order takes a new one."""
    async with nginx(tmp_path / "nginx", SERVICE) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            orders = [kept_alive(order_request())] * 25
            answers = await ask(running.port, *orders)
            recorded = running.recorded()
        served = await service.served(25)
    assert [answer.status for answer in answers] == [201] * 25
    assert [full.row.state for full in recorded] == [State.COMPLETED] * 25
    turns = [turn for _, turn, _ in served]
    assert turns == [*range(1, 11), *range(1, 11), *range(1, 6)]
    assert len({connection for connection, _, _ in served}) == 3


async def test_many_clients_order_at_once(tmp_path: Path) -> None:
    async with nginx(tmp_path / "nginx", SERVICE) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            orders = [kept_alive(order_request())] * 15
            answers = await asyncio.gather(*(ask(running.port, *orders) for _ in range(16)))
            recorded = running.recorded()
        served = await service.served(240)
    assert [[answer.status for answer in one] for one in answers] == [[201] * 15] * 16
    assert [full.row.state for full in recorded] == [State.COMPLETED] * 240
    assert len(served) == 240
    assert max(turn for _, turn, _ in served) == 10


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        (order_request(ORDER.replace(b"<Order>", b"<Order>" + b" " * 5000)), 413),
        (order_request(ORDER, b"X-Long: " + b"x" * 3000), 400),
        (get(b"/" + b"x" * 3000), 414),
        (get(b"/nowhere"), 404),
    ],
    ids=["body too large", "header too large", "target too long", "nothing there"],
)
async def test_what_nginx_refuses_passes_unchanged(
    tmp_path: Path, request_: bytes, status: int
) -> None:
    async with (
        nginx(tmp_path / "nginx", SERVICE) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        [direct] = await ask(service.port, request_)
        [answer, after] = await ask(running.port, kept_alive(request_), kept_alive(get(b"/empty")))
        [first, _] = await recorded_of(running, 2)
    assert direct.status == status
    assert lasting(answer) == lasting(direct)
    assert after.status == 204
    assert (first.row.state, first.row.status) == (State.COMPLETED, status)
    assert first.row.charge is (Charge.REFUNDED if first.row.method == "POST" else None)


async def test_a_chunked_answer_to_an_order_is_whole(tmp_path: Path) -> None:
    async with (
        nginx(tmp_path / "nginx", SERVICE) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        request = kept_alive(order_request(path=b"/chunked/accounts/9900012/orders"))
        [direct] = await ask(service.port, request)
        answers = await ask(running.port, request, request)
        recorded = await recorded_of(running, 2)
        served = await service.served(3)
    assert direct.get("transfer-encoding") == b"chunked"
    assert [(answer.line, answer.body) for answer in answers] == [(direct.line, CREATED)] * 2
    assert [full.row.state for full in recorded] == [State.COMPLETED] * 2
    assert [full.messages["answered"].body for full in recorded] == [CREATED] * 2
    assert [turn for _, turn, _ in served] == [1, 1, 2]


async def test_a_chunked_page_streams_through_coded(tmp_path: Path) -> None:
    async with (
        nginx(tmp_path / "nginx", SERVICE) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        request = get(b"/packed/page.html", b"Accept-Encoding: gzip")
        [direct] = await ask(service.port, request)
        [answer, plain] = await ask(running.port, request, get(b"/page.html"))
        recorded = await recorded_of(running, 2)
    assert direct.get("transfer-encoding") == b"chunked"
    assert lasting(answer) == lasting(direct)
    assert gzip.decompress(answer.body) == PAGE
    assert (plain.body, plain.get("content-length")) == (PAGE, b"%d" % len(PAGE))
    assert [full.row.state for full in recorded] == [State.COMPLETED] * 2


async def test_head_conditional_and_range_requests_are_framed_as_nginx_frames_them(
    tmp_path: Path,
) -> None:
    async with (
        nginx(tmp_path / "nginx", SERVICE) as service,
        gateway(tmp_path, upstream=service.url) as running,
    ):
        [page] = await ask(running.port, get(b"/page.html"))
        etag = page.get("etag")
        assert etag is not None
        requests = [
            (get(b"/page.html", method=b"HEAD"), 200, True),
            (get(b"/page.html", b"If-None-Match: " + etag), 304, False),
            (get(b"/page.html", b"Range: bytes=3-8"), 206, False),
            (get(b"/page.html", b"Range: bytes=0-1,5-6"), 206, False),
            (get(b"/empty"), 204, False),
        ]
        async with connected(running.port) as client, connected(service.port) as direct:
            for request, status, head_only in requests:
                await client.send(request)
                await direct.send(request)
                answer = await client.reply(head_only=head_only)
                expected = await direct.reply(head_only=head_only)
                assert answer.status == status
                if b"multipart" not in (answer.get("content-type") or b""):  # its boundary differs
                    assert lasting(answer) == lasting(expected)


# nginx in front of the gateway.

KEPT_ALIVE = """
            proxy_http_version 1.1;
            proxy_set_header Connection "";
            proxy_set_header Host $http_host;
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_request_buffering off;
            proxy_buffering off;"""
FRONTS = {"as it is, in HTTP/1.0": "", "in HTTP/1.1, kept alive and unbuffered": KEPT_ALIVE}


def front(port: int, settings: str) -> tuple[str, str]:
    """The server and what stands beside it: a proxy before the gateway on this port."""
    upstream = f"upstream gateway {{ server 127.0.0.1:{port}; keepalive 4; }}"
    return f"location / {{ proxy_pass http://gateway; {settings} }}", upstream


@pytest.mark.parametrize("kind", FRONTS)
async def test_orders_through_a_proxy_are_understood(tmp_path: Path, kind: str) -> None:
    async with (
        nginx(tmp_path / "service", SERVICE) as service,
        gateway(tmp_path, upstream=service.url) as running,
        nginx(tmp_path / "front", *front(running.port, FRONTS[kind])) as proxy,
    ):
        untrimmed = ORDER.replace(b"743", b" 743 ")
        requests = [order_request(untrimmed), order_request(b"<Order>"), get(b"/page.html")]
        created, refused, page = await ask(proxy.port, *map(kept_alive, requests))
        recorded = await recorded_of(running, 3)
    assert (created.status, created.body) == (201, CREATED)
    assert (created.get("location") or b"").endswith(b"/accounts/9900012/orders/o-1")
    assert refused.status == 400
    assert refused.body.startswith(
        b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><OrderResponse><ErrorList>'
        b"<Error><Code>94000</Code><Description>"
    )
    assert refused.get("ordertape-state") == b"refused"
    assert (page.status, page.body) == (200, PAGE)
    assert [full.row.state for full in recorded] == [
        State.COMPLETED,
        State.REFUSED,
        State.COMPLETED,
    ]
    assert recorded[0].messages["received"].body == untrimmed
    assert recorded[0].messages["sent"].body.endswith(ORDER)


async def test_a_proxy_keeps_its_connections_to_the_gateway(tmp_path: Path) -> None:
    async with (
        nginx(tmp_path / "service", SERVICE) as service,
        gateway(tmp_path, upstream=service.url) as running,
        nginx(tmp_path / "front", *front(running.port, KEPT_ALIVE)) as proxy,
    ):
        answers = await ask(proxy.port, *[kept_alive(order_request())] * 20)
        peers = {full.row.peer for full in running.recorded()}
    assert [answer.status for answer in answers] == [201] * 20
    assert [answer.get("location") for answer in answers] == [
        b"http://gateway.example/accounts/9900012/orders/o-1"
    ] * 20
    assert len(peers) == 1


@pytest.mark.parametrize("kind", FRONTS)
async def test_a_chunked_order_and_a_coded_page_pass_both(tmp_path: Path, kind: str) -> None:
    async with (
        nginx(tmp_path / "service", SERVICE) as service,
        gateway(tmp_path, upstream=service.url) as running,
        nginx(tmp_path / "front", *front(running.port, FRONTS[kind])) as proxy,
    ):
        head = kept_alive(order_request()).partition(b"\r\n\r\n")[0]
        head = head.replace(b"Content-Length: %d" % len(ORDER), b"Transfer-Encoding: chunked")
        half = len(ORDER) // 2
        chunks = b"".join(
            b"%x\r\n%b\r\n" % (len(piece), piece) for piece in (ORDER[:half], ORDER[half:], b"")
        )
        order, page = await ask(
            proxy.port,
            head + b"\r\n\r\n" + chunks,
            get(b"/packed/page.html", b"Accept-Encoding: gzip"),
        )
        recorded = await recorded_of(running, 2)
    assert (order.status, order.body) == (201, CREATED)
    assert recorded[0].messages["received"].body == ORDER
    assert page.get("content-encoding") == b"gzip"
    assert gzip.decompress(page.body) == PAGE
