"""The gateway as a process: how it starts, what it logs, how it bears a full disk, how it stops."""

import asyncio
import json
import re
import resource
import socket
import threading
import time
from pathlib import Path

from gateways import ask, order_request, parse
from ordertape.model import State
from ordertape.store.reading import Filter, Reader, Row
from ordertape.testing import HoldOn, ReadRequest, Respond, Scripted, Send, order_created
from processes import Running, ordertape, running

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
FREE = ("--listen", "127.0.0.1:0", "--admin", "off")


def order(name: str) -> bytes:
    return order_request(
        f"<Order><SiteId>743</SiteId><CustomerOrderId>{name}</CustomerOrderId>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>".encode()
    )


def asked(port: int, request: bytes) -> int:
    return asyncio.run(ask(port, request)).status


class InFlight:
    """An order that a thread has sent and waits for."""

    def __init__(self, port: int, request: bytes) -> None:
        self._answer = b""
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._socket.sendall(request)
        self._thread = threading.Thread(target=self._read)
        self._thread.start()

    def _read(self) -> None:
        with self._socket:
            while piece := self._socket.recv(65536):
                self._answer += piece

    def status(self) -> int:
        self._thread.join(60)
        return parse(self._answer).status


def rows(folder: Path) -> dict[str | None, Row]:
    with Reader(folder / "ordertape.db") as reader:
        return {row.customer_order_id: row for row in reader.list(Filter())}


def test_it_says_where_it_listens_and_what_to_try(tmp_path: Path) -> None:
    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as gateway:
        assert asked(gateway.port, order("first")) == 201
        assert gateway.stop() == 0
        said = "".join(gateway.output)
    assert f"ordertape is listening on {gateway.url} in front of the sandbox." in said
    assert "Recording to ordertape.db" in said
    assert f"curl -i -u user:password {gateway.url}/accounts/9900012/orders" in said


def test_on_a_pipe_it_logs_one_json_line_an_exchange_and_no_secret(tmp_path: Path) -> None:
    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as gateway:
        request = order("logged").replace(b"/orders ", b"/orders?key=canary-query ")
        request = request.replace(b"dXNlcjpwYXNzd29yZA==", b"canary-password")
        environment_free = asked(gateway.port, request)
        assert gateway.stop() == 0
    [line] = [json.loads(text) for text in gateway.errors if '"exchange"' in text]
    assert environment_free == 201
    assert (line["account"], line["state"], line["status"]) == ("9900012", "COMPLETED", 201)
    assert re.fullmatch(r"[0-9a-f-]{36}", line["id"])
    assert line["duration_ms"] > 0
    assert "canary-password" not in "".join(gateway.errors + gateway.output)


def test_a_second_gateway_on_the_same_store_is_refused_in_one_sentence(tmp_path: Path) -> None:
    with running("serve", "--sandbox", *FREE, cwd=tmp_path):
        second = ordertape("serve", "--sandbox", *FREE, cwd=tmp_path)
        listed = ordertape("audit", "list", cwd=tmp_path)
    assert second.returncode == 2
    assert second.stdout == ""
    assert re.fullmatch(r"ordertape: [^\n]*ordertape\.db[^\n]*\n", second.stderr), second.stderr
    assert (listed.returncode, listed.stderr) == (0, "")


def test_a_taken_port_is_one_sentence(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        refused = ordertape(
            "serve", "--sandbox", "--listen", f"127.0.0.1:{port}", "--admin", "off", cwd=tmp_path
        )
    assert refused.returncode == 2
    assert re.fullmatch(rf"ordertape: [^\n]*127\.0\.0\.1:{port}[^\n]*\n", refused.stderr)


def test_orders_in_flight_at_sigterm_finish_are_recorded_and_it_exits_0(tmp_path: Path) -> None:
    script = [ReadRequest(), HoldOn(), Send(CREATED)]
    with Scripted(script).in_thread() as service:
        with running("serve", "--upstream", service.url, *FREE, cwd=tmp_path) as gateway:
            orders = [InFlight(gateway.port, order(f"o-{number}")) for number in range(3)]
            service.run(service.wait_for_attempts(3))
            gateway.process.terminate()
            for _ in orders:
                service.proceed()
            assert [one.status() for one in orders] == [201, 201, 201]
            assert gateway.process.wait(60) == 0
        assert len(service.attempts) == 3
    assert {row.state for row in rows(tmp_path).values()} == {State.COMPLETED}


def limit_files(gateway: Running, size: int) -> None:
    """Let the process write no file past `size` bytes: to it the disk is full there."""
    _, hard = resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE)
    resource.prlimit(gateway.process.pid, resource.RLIMIT_FSIZE, (size, hard))


def test_while_nothing_can_be_written_nothing_is_sent_and_what_was_sent_is_kept(
    tmp_path: Path,
) -> None:
    """The store fails under an order in flight, and heals by itself when there is room again."""
    (tmp_path / "ordertape.toml").write_text("store.commit_deadline = 2", encoding="utf-8")
    script = [ReadRequest(), HoldOn(), Send(CREATED)]
    with Scripted(script).in_thread() as service:
        with running("serve", "--upstream", service.url, *FREE, cwd=tmp_path) as gateway:
            in_flight = InFlight(gateway.port, order("in-flight"))
            service.run(service.wait_for_attempts(1))
            limit_files(gateway, 4096)
            refused = asyncio.run(ask(gateway.port, order("refused")))
            assert (refused.status, refused.code) == (503, "95030")
            assert refused.headers["ordertape-state"] == "refused"
            assert "retry-after" in refused.headers
            service.proceed()
            assert in_flight.status() == 201
            limit_files(gateway, resource.RLIM_INFINITY)
            service.proceed()
            patience = time.monotonic() + 30
            while (status := asked(gateway.port, order("after"))) == 503:
                assert time.monotonic() < patience  # the store looks again by itself
            assert status == 201
        assert [b"refused" in attempt for attempt in service.attempts] == [False, False]
    found = rows(tmp_path)
    assert found["in-flight"].state is State.COMPLETED
    assert found["after"].state is State.COMPLETED


def test_a_body_of_any_size_passes_in_flat_memory(tmp_path: Path, *, long: bool) -> None:
    size, piece = 1 << (30 if long else 28), bytes(1 << 20)
    head = b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size
    script = [ReadRequest(), Send(head), Send(piece, times=size // len(piece))]
    with (
        Scripted(script).in_thread() as service,
        running("serve", "--upstream", service.url, *FREE, cwd=tmp_path) as gateway,
    ):
        with socket.create_connection(("127.0.0.1", gateway.port), timeout=60) as client:
            client.sendall(b"GET /file HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n")
            buffer, received = bytearray(1 << 20), 0
            while count := client.recv_into(buffer):
                received += count
        status = Path(f"/proc/{gateway.process.pid}/status").read_text(encoding="ascii")
        peak = re.search(r"VmHWM:\s+(\d+) kB", status)
        assert gateway.stop() == 0
    assert received > size
    assert peak is not None
    assert int(peak[1]) < 150 * 1024  # which is less than the body


def test_the_admin_listener_answers_health_and_readiness(tmp_path: Path) -> None:
    with Scripted([Respond(CREATED)]).in_thread() as service:
        arguments = ("--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0")
        with running("serve", "--upstream", service.url, *arguments, cwd=tmp_path) as gateway:
            admin = int(gateway.printed(r"health on http://127\.0\.0\.1:(\d+)")[1])
            request = b"GET /%b HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n"
            assert [asked(admin, request % path) for path in (b"healthz", b"readyz", b"x")] == [
                200,
                200,
                404,
            ]


def test_a_store_in_a_directory_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    refused = ordertape("serve", "--sandbox", *FREE, "--db", "none/ordertape.db", cwd=tmp_path)
    assert refused.returncode == 2
    assert refused.stderr == (
        f"ordertape: There is no directory {tmp_path}/none; make it, or use another --db.\n"
    )
