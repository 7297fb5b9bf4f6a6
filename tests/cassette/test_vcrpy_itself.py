"""vcrpy plays ours to its clients, and what it recorded with them is read as they saw it."""

import asyncio
import gzip
import threading
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import aiohttp
import httpx
import pytest
import requests
import vcr

from interactions import ANSWER, ORDER, interaction, lines
from ordertape.cassette import dump, load

type_of_xml = ("Content-Type", "application/xml; charset=utf-8")
BINARY = bytes(range(256))


@dataclass(frozen=True)
class Given:
    """What a client was given: status, reason, header values by lower-case name, bytes."""

    status: int
    reason: str
    headers: dict[str, list[str]]
    body: bytes


def by_requests(method: str, url: str, body: bytes | None) -> Given:
    with requests.Session() as session:
        answer = session.request(method, url, data=body, allow_redirects=False)
        headers: dict[str, list[str]] = {}
        for name, value in answer.raw.headers.items():
            headers.setdefault(name.lower(), []).append(value)
        return Given(answer.status_code, answer.reason, headers, answer.content)


def by_httpx(method: str, url: str, body: bytes | None) -> Given:
    with httpx.Client() as client:
        answer = client.request(method, url, content=body)
        headers: dict[str, list[str]] = {}
        for name, value in answer.headers.multi_items():
            headers.setdefault(name.lower(), []).append(value)
        return Given(answer.status_code, answer.reason_phrase, headers, answer.content)


def by_aiohttp(method: str, url: str, body: bytes | None) -> Given:
    async def ask() -> Given:
        async with (
            aiohttp.ClientSession() as session,
            session.request(method, url, data=body, allow_redirects=False) as answer,
        ):
            headers: dict[str, list[str]] = {}
            for name, value in answer.headers.items():
                headers.setdefault(name.lower(), []).append(value)
            return Given(answer.status, answer.reason or "", headers, await answer.read())

    return asyncio.run(ask())


CLIENTS = {"requests": by_requests, "httpx": by_httpx, "aiohttp": by_aiohttp}


@dataclass
class Service:
    """A service on a port, and the requests that reached it."""

    port: int = 0
    reached: list[str] = field(default_factory=list)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


@contextmanager
def serving() -> Iterator[Service]:
    service = Service()
    answers: dict[str, tuple[int, list[tuple[str, str]], bytes]] = {
        "/order": (201, [type_of_xml, ("Location", "/order/1")], ANSWER),
        "/gzip": (200, [type_of_xml, ("Content-Encoding", "gzip")], gzip.compress(ANSWER)),
        "/deflate": (200, [("Content-Encoding", "deflate")], zlib.compress(ANSWER)),
        "/binary": (200, [("Content-Type", "application/octet-stream")], BINARY),
        "/cookies": (200, [("Set-Cookie", "a=1; Path=/"), ("Set-Cookie", "b=2")], b"x"),
        "/empty": (204, [], b""),
        "/missing": (404, [type_of_xml], b"<Error/>"),
    }

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def answer(self) -> None:
            service.reached.append(f"{self.command} {self.path}")
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            status, headers, body = answers[self.path.partition("?")[0]]
            self.send_response(status)
            for name, value in headers:
                self.send_header(name, value)
            if status != 204:
                self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        do_GET = do_POST = answer  # noqa: N815 - http.server calls these names

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name
            del format, args

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        service.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield service
        finally:
            server.shutdown()
            thread.join()


REQUESTS: list[tuple[str, str, bytes | None]] = [
    ("POST", "/order", ORDER),
    ("POST", "/order?again=1", BINARY),
    ("GET", "/gzip", None),
    ("GET", "/deflate", None),
    ("GET", "/binary", None),
    ("GET", "/cookies", None),
    ("GET", "/empty", None),
    ("GET", "/missing?a=1&a=%20", None),
]


@pytest.mark.parametrize("format_", ["yaml", "json"])
@pytest.mark.parametrize("client", CLIENTS)
def test_what_vcrpy_recorded_is_read_as_its_client_saw_it(
    client: str, format_: str, tmp_path: Path
) -> None:
    ask: Callable[[str, str, bytes | None], Given] = CLIENTS[client]
    wanted = [part for part in REQUESTS if format_ == "yaml" or part[1] not in _BINARY_ONES]
    cassette = tmp_path / f"c.{format_}"
    decode = format_ == "json"
    recorder = vcr.VCR(serializer=format_, decode_compressed_response=decode)
    with serving() as service, recorder.use_cassette(str(cassette), record_mode="all"):
        seen = [ask(method, service.url + path, body) for method, path, body in wanted]
    assert len(service.reached) == len(wanted)

    read = load(cassette)
    assert [(one.method, one.url, one.request_body) for one in read] == [
        (method, service.url + path, body or b"") for method, path, body in wanted
    ]
    for one, given in zip(read, seen, strict=True):
        assert (one.status, one.reason.decode()) == (given.status, given.reason)
        assert _as_seen(one.body, one.headers.get(b"content-encoding")) == given.body
        told: dict[str, list[str]] = {}
        for name, value in one.headers:
            told.setdefault(name.decode().lower(), []).append(value.decode())
        coding = {"content-encoding", "content-length"}
        assert {key: told[key] for key in told if key not in coding} == {
            key: given.headers[key] for key in given.headers if key not in coding
        }
        if one.status != 204:
            assert told["content-length"] == [str(len(one.body))]


_BINARY_ONES = {"/order?again=1", "/binary"}


def _as_seen(body: bytes, coding: bytes | None) -> bytes:
    if coding is None:
        return body
    return gzip.decompress(body) if coding == b"gzip" else zlib.decompress(body)


def same_body(asked: Any, recorded: Any) -> None:
    """An absent body: httpx says b"" where requests and aiohttp say None."""
    assert (asked.body or b"") == (recorded.body or b"")


@pytest.mark.parametrize("format_", ["vcr", "vcr-json"])
@pytest.mark.parametrize("client", CLIENTS)
def test_vcrpy_plays_ours_to_its_clients_and_nothing_is_reached(
    client: str, format_: str, tmp_path: Path
) -> None:
    ask = CLIENTS[client]
    gzipped = gzip.compress(ANSWER)
    with serving() as service:
        url = service.url
        recorded = [
            interaction(url=url + "/order"),
            interaction(
                method="GET",
                url=url + "/gzip?a=1",
                request_body=b"",
                status=200,
                reason=b"OK",
                headers=lines(
                    type_of_xml,
                    ("Content-Encoding", "gzip"),
                    ("Content-Length", str(len(gzipped))),
                ),
                body=gzipped,
            ),
            interaction(
                url=url + "/order", status=404, reason=b"Not Found", headers=lines(), body=b""
            ),
        ]
        if format_ == "vcr":
            recorded.append(
                interaction(url=url + "/b", request_body=BINARY, body=BINARY, headers=lines())
            )
        cassette = tmp_path / "ours"
        cassette.write_bytes(dump(recorded, format_))
        player = vcr.VCR(
            serializer={"vcr": "yaml", "vcr-json": "json"}[format_],
            match_on=["method", "uri", "sent"],
            record_mode="none",
        )
        player.register_matcher("sent", same_body)
        with player.use_cassette(str(cassette)) as playing:
            given = [ask(one.method, one.url, one.request_body or None) for one in recorded]
            assert playing.all_played
        assert service.reached == []
    plain = [ANSWER, ANSWER, b"", BINARY][: len(recorded)]
    assert [(one.status, one.reason, one.body) for one in given] == [
        (one.status, one.reason.decode(), body) for one, body in zip(recorded, plain, strict=True)
    ]
    assert given[0].headers == {
        "content-type": ["application/xml"],
        "location": [interaction().headers.get(b"location").decode()],  # type: ignore[union-attr]
        "set-cookie": ["a=1; Path=/", "b=2"],
    }
    assert given[1].headers == {
        "content-length": [str(len(ANSWER))],
        "content-type": [type_of_xml[1]],
    }
