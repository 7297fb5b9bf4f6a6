"""What replay answers, what it never answers, and what it leaves alone."""

import asyncio
import gzip
import hashlib
import json
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from gateways import ask, gateway, order_request
from ordertape.build import replaying
from ordertape.config import Settings
from ordertape.errors import StartUpError
from ordertape.model import State
from ordertape.server import Listener
from ordertape.service import listener_settings
from ordertape.testing import (
    Close,
    ReadRequest,
    Respond,
    Scripted,
    Step,
    order_created,
    refused_port,
    reply,
)
from ordertape.upstream.replay import Replay
from processes import running

FIRST, SECOND = order_created("order-1"), order_created("order-2")
CHILD = Path(__file__).parent / "replaying_child.py"


def order(inner: str = "<Quantity>2</Quantity>", after: str = "") -> bytes:
    return (
        "<Order><SiteId>743</SiteId><NPANXXSearchAndOrderType><NpaNxx>919439</NpaNxx>"
        f"{inner}</NPANXXSearchAndOrderType>{after}</Order>"
    ).encode()


def get(target: str = "/numbers", *extra: str, method: str = "GET") -> bytes:
    lines = (f"{method} {target} HTTP/1.1", "Host: gateway.example", "Connection: close", *extra)
    return "\r\n".join((*lines, "", "")).encode()


async def raw(port: int, request: bytes) -> bytes:
    """The answer as it came, its Date (never the recorded one) taken out."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return re.sub(rb"\r\nDate: [^\r]*", b"", answer, count=1)


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


async def record(
    folder: Path, *pairs: tuple[bytes, bytes | Sequence[Step]], **settings: Any
) -> Path:
    """A store of what a service answered to these requests, one after the other."""
    folder.mkdir(exist_ok=True)
    scripts = [[Respond(what)] if isinstance(what, bytes) else what for _, what in pairs]
    async with (
        Scripted(*scripts, per="request") as service,
        gateway(folder, upstream=service.url, **settings) as recording,
    ):
        for request, _ in pairs:
            await raw(recording.port, request)
    return folder / "ordertape.db"


@dataclass
class Replaying:
    port: int
    replay: Replay

    async def status(self, request: bytes) -> int:
        return (await ask(self.port, request)).status


@asynccontextmanager
async def replaying_on_a_port(*sources: Path, **settings: Any) -> AsyncIterator[Replaying]:
    chosen = Settings.model_validate({"listen": "127.0.0.1:0", "admin": "off", **settings})
    async with replaying(chosen, sources) as (handler, replay):
        listener = Listener(handler, settings=listener_settings(chosen))
        await listener.start()
        try:
            yield Replaying(listener.port, replay)
        finally:
            await listener.stop(5)


def files(folder: Path) -> dict[str, str]:
    """Every file there and what it holds."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file()
    }


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
    assert len(offline.replay.misses) == 1


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
    assert [miss.startswith(used) for miss in offline.replay.misses] == [True, True]


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


async def test_only_what_was_answered_whole_is_replayed(tmp_path: Path) -> None:
    """Refusals come from the rules again; what broke off has no answer to give."""
    requests = [order_request(order(f"<Quantity>{number}</Quantity>")) for number in (1, 2, 3)]
    broken = b"<Order><SiteId>743</SiteId>"
    in_doubt: list[Step] = [ReadRequest(), Close()]
    db = await record(
        tmp_path, (requests[0], FIRST), (requests[1], in_doubt), (order_request(broken), FIRST)
    )
    async with gateway(tmp_path, upstream=f"http://127.0.0.1:{refused_port()}") as unreachable:
        await raw(unreachable.port, requests[2])
        states = [full.row.state for full in unreachable.recorded()]
    assert states == [State.COMPLETED, State.IN_DOUBT, State.REFUSED, State.FAILED]
    async with replaying_on_a_port(db) as offline:
        assert offline.replay.count == 1
        assert [await offline.status(request) for request in requests] == [201, 409, 409]
        refused = await ask(offline.port, order_request(broken))
    assert (refused.status, refused.code) == (400, "94000")
    assert len(offline.replay.misses) == 2


async def test_a_store_without_an_answer_is_refused_at_the_start(tmp_path: Path) -> None:
    db = await record(tmp_path, (order_request(b"<Order>"), FIRST))
    with pytest.raises(StartUpError, match="no completed exchange in the recordings"):
        async with replaying_on_a_port(db):
            pass


async def test_recordings_made_under_other_rules_are_found_by_those_in_force(
    tmp_path: Path,
) -> None:
    rules = {"order-defaults": {"partial_allowed": "leave"}}
    db = await record(
        tmp_path, (order_request(order()), FIRST), (order_request(order()), SECOND), rules=rules
    )
    spelt_out = order(SPELT_OUT, "<PartialAllowed>true</PartialAllowed>")
    async with replaying_on_a_port(db) as offline:
        for asked, answer in ((order(), FIRST), (spelt_out, SECOND)):
            found = await ask(offline.port, order_request(asked))
            assert (found.status, found.body) == (201, body_of(answer))
    async with replaying_on_a_port(db, rules=rules) as offline:
        assert await offline.status(order_request(spelt_out)) == 409


@pytest.mark.parametrize("then", [(), ("token",)], ids=["kept", "redacted"])
async def test_secret_query_values_match_whatever_they_were(
    tmp_path: Path, then: tuple[str, ...]
) -> None:
    """Also where they were no secret yet when they were recorded."""
    db = await record(
        tmp_path, (get("/numbers?token=first&a=1"), reply(200, b"a")), redact={"query": then}
    )
    async with replaying_on_a_port(db, redact={"query": ("token",)}) as offline:
        assert await offline.status(get("/numbers?token=second&a=1")) == 200
        assert await offline.status(get("/numbers?token=second&a=2")) == 409


async def test_several_sources_answer_in_the_order_in_which_they_are_named(tmp_path: Path) -> None:
    request = order_request(order())
    one = await record(tmp_path / "one", (request, FIRST), (get("/one"), reply(200, b"1")))
    two = await record(tmp_path / "two", (request, SECOND), (get("/two"), reply(200, b"2")))
    async with replaying_on_a_port(two, one) as offline:
        assert offline.replay.count == 4
        found = [(await ask(offline.port, request)).body for _ in range(2)]
        assert found == [body_of(SECOND), body_of(FIRST)]
        assert [await offline.status(get(path)) for path in ("/one", "/two")] == [200, 200]


async def test_an_answer_that_was_kept_in_part_is_a_miss_that_says_so(tmp_path: Path) -> None:
    db = await record(tmp_path, (get("/large"), reply(200, bytes(5000))), limits={"record": "1KiB"})
    async with replaying_on_a_port(db) as offline:
        found = [await ask(offline.port, get("/large")) for _ in range(2)]
    assert [one.status for one in found] == [409, 409]
    sentence = "The answer to GET /large was recorded only in part, because it was too large;"
    assert found[0].body.decode().startswith(sentence)


async def test_the_source_is_left_as_it_was(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    db = await record(folder, (order_request(order()), FIRST), (get(), reply(200, b"a")))
    before = files(folder)
    async with replaying_on_a_port(db) as offline:
        assert await offline.status(order_request(order())) == 201
        assert await offline.status(order_request(order())) == 409
        assert await offline.status(get()) == 200
    assert files(folder) == before
    assert not {"ordertape.db-wal", "ordertape.db-shm"} & set(before)


async def test_a_source_that_a_gateway_is_writing_is_replayed_beside_it(tmp_path: Path) -> None:
    earlier, later = (order_request(order(f"<Quantity>{n}</Quantity>")) for n in (1, 2))
    async with (
        Scripted([Respond(FIRST)]) as service,
        gateway(tmp_path, upstream=service.url) as recording,
    ):
        assert (await ask(recording.port, earlier)).status == 201
        async with replaying_on_a_port(recording.db) as offline:
            assert (await ask(recording.port, later)).status == 201
            assert await offline.status(earlier) == 201
            assert await offline.status(later) == 409
        assert (await ask(recording.port, later)).status == 201
        states = [full.row.state for full in recording.recorded()]
        assert states == [State.COMPLETED] * 3
        assert len(service.attempts) == 3


async def test_a_killed_gateways_store_is_replayed_with_its_wal_and_not_touched(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "source"
    folder.mkdir()
    request = order_request(order())
    with running(
        "serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin", "off", cwd=folder
    ) as killed:
        assert (await ask(killed.port, request)).status == 201
        killed.kill()
    before = files(folder)
    assert "ordertape.db-wal" in before
    async with replaying_on_a_port(folder / "ordertape.db") as offline:
        assert await offline.status(request) == 201
    after = files(folder)
    assert {**after, "ordertape.db-shm": ""} == {**before, "ordertape.db-shm": ""}


async def test_a_source_in_a_directory_that_cannot_be_written_is_replayed(tmp_path: Path) -> None:
    folder = tmp_path / "source"
    db = await record(folder, (get(), reply(200, b"found")))
    before = files(folder)
    folder.chmod(0o500)
    try:
        child = await asyncio.to_thread(answered_by_child, db, get(), "unprivileged")
    finally:
        folder.chmod(0o700)
    assert (child["bodies"], child["called"]) == (["found"], [])
    assert files(folder) == before


def answered_by_child(db: Path, request: bytes, *how: str) -> dict[str, Any]:
    """What a process of its own answers from `db`, and which calls out it made."""
    done = subprocess.run(
        [sys.executable, str(CHILD), str(db), *how],
        input=request,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout)
    return found


async def test_nothing_that_could_call_out_is_there(tmp_path: Path) -> None:
    """An audit hook sees every connection and look-up of the replaying process."""
    db = await record(tmp_path, (get("/known"), reply(200, b"found")))
    requests = get("/known"), get("/unknown"), order_request(order())
    for request in requests:
        child = await asyncio.to_thread(answered_by_child, db, request)
        assert (child["called"], child["clients"]) == ([], 0)
    control = await asyncio.to_thread(answered_by_child, db, get("/known"), "with-a-client")
    assert control["clients"] == 1
    assert "socket.connect" in control["called"]


def test_a_process_lists_its_misses_at_the_end_and_leaves_nothing_behind(tmp_path: Path) -> None:
    source, scratch = tmp_path / "source", tmp_path / "scratch"
    scratch.mkdir()
    db = asyncio.run(record(source, (get("/known"), reply(200, b"found"))))
    with running(
        "replay",
        str(db),
        "--listen",
        "127.0.0.1:0",
        cwd=tmp_path,
        environment={"TMPDIR": str(scratch)},
    ) as offline:
        said = f"ordertape is replaying 1 exchanges of {db} on {offline.url}."
        assert offline.printed(re.escape(said))
        assert len(list(scratch.iterdir())) == 1
        for path in ("/known", "/unknown", "/unknown", "/known?a=%1b[31m"):
            asyncio.run(raw(offline.port, get(path)))
        assert offline.stop() == 0
    assert [line for line in offline.errors if line.startswith("missed: ")] == [
        "missed: There is no recording of any request to /unknown; correct the path, "
        "or record one. (2 times)\n",
        "missed: There is no recording of GET /known with this query, body and credentials; "
        "send what was recorded, or record this.\n",
    ]
    assert list(scratch.iterdir()) == []
    assert set(files(tmp_path)) == set()
