"""`ordertape sandbox` as a process, over HTTP."""

import http.client
import socket
from pathlib import Path

from processes import running
from sandboxed import AREA, ORDERS, order

AUTHORIZATION = {"Authorization": "Basic dTpw", "Content-Type": "application/xml"}


def test_the_sandbox_alone_answers_an_order_with_a_location_at_itself(tmp_path: Path) -> None:
    with running("sandbox", "--listen", "127.0.0.1:0", "--seed", "1", cwd=tmp_path) as sandbox:
        connection = http.client.HTTPConnection("127.0.0.1", sandbox.port, timeout=10)
        connection.request("POST", ORDERS, body=order(AREA).encode(), headers=AUTHORIZATION)
        created = connection.getresponse()
        location = f"{sandbox.url}{ORDERS}/cd613e30-d8f1-4adf-91b7-584a2265b1f5"
        assert (created.status, created.headers["Location"]) == (201, location)
        assert b"<OrderStatus>RECEIVED</OrderStatus>" in created.read()
        connection.request("GET", location.removeprefix(sandbox.url), headers=AUTHORIZATION)
        assert connection.getresponse().status == 200
        connection.close()
        assert sandbox.stop() == 0
    assert list(tmp_path.iterdir()) == []


def test_what_is_no_request_is_answered_in_words(tmp_path: Path) -> None:
    with (
        running("sandbox", "--listen", "127.0.0.1:0", cwd=tmp_path) as sandbox,
        socket.create_connection(("127.0.0.1", sandbox.port), timeout=10) as client,
    ):
        client.sendall(b"GET / HTTP/1.1\r\n\r\n")
        head, _, body = b"".join(iter(lambda: client.recv(4096), b"")).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
        assert b"\r\nContent-Type: text/plain; charset=utf-8\r\n" in head
        assert body.endswith(b".\n")
