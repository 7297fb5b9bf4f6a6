"""Which recordings replay takes from where, and that it leaves everything else alone."""

import asyncio
import contextlib
import hashlib
import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateways import ask, gateway, order_request
from ordertape.errors import StartUpError
from ordertape.model import State
from ordertape.testing import Close, ReadRequest, Respond, Scripted, Step, refused_port, reply
from processes import ORDERTAPE, running
from recorded import until
from replayed import FIRST, SECOND, body_of, get, order, raw, record, replaying_on_a_port

HERE = Path(__file__).parent
CHILD = HERE / "replaying_child.py"
UNPRIVILEGED = (sys.executable, str(HERE / "unprivileged.py"))
SPELT_OUT = order(
    "<Quantity>2</Quantity><EnableLCA>true</EnableLCA>", "<PartialAllowed>true</PartialAllowed>"
)


def files(folder: Path) -> dict[str, str]:
    """Every file there and what it holds."""
    return {
        path.name: hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.iterdir()
        if path.is_file()
    }


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
    assert offline.replay.misses.total() == 2


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
    async with replaying_on_a_port(db) as offline:
        for asked, answer in ((order(), FIRST), (SPELT_OUT, SECOND)):
            found = await ask(offline.port, order_request(asked))
            assert (found.status, found.body) == (201, body_of(answer))
    async with replaying_on_a_port(db, rules=rules) as offline:
        assert await offline.status(order_request(SPELT_OUT)) == 409


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
        child = await asyncio.to_thread(answered_by_child, db, [get()], before=UNPRIVILEGED)
    finally:
        folder.chmod(0o700)
    assert child == {"bodies": ["found"], "called": [], "clients": 0, "writable": False}
    assert files(folder) == before


def answered_by_child(
    db: Path, requests: Sequence[bytes], *how: str, before: tuple[str, ...] = ()
) -> dict[str, Any]:
    """What a process of its own answers from `db` to each, and which calls out it made."""
    done = subprocess.run(
        [*before, sys.executable, str(CHILD), str(db), *how],
        input=json.dumps([request.decode() for request in requests]).encode(),
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, b""), done.stderr.decode()
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])  # its log comes first
    return found


async def test_nothing_that_could_call_out_is_there(tmp_path: Path) -> None:
    """An audit hook sees every connection and look-up of the replaying process."""
    db = await record(tmp_path, (get("/known"), reply(200, b"found")))
    requests = get("/known"), get("/unknown"), order_request(order())
    child = await asyncio.to_thread(answered_by_child, db, requests)
    assert len(child["bodies"]) == len(requests)
    assert (child["called"], child["clients"]) == ([], 0)
    control = await asyncio.to_thread(answered_by_child, db, [get("/known")], "with-a-client")
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
        (
            "missed: There is no recording of any request to /unknown; correct the path, "
            "or record one. (2 times)\n"
        ),
        (
            "missed: There is no recording of GET /known with this query, body and credentials; "
            "send what was recorded, or record this.\n"
        ),
    ]
    assert list(scratch.iterdir()) == []
    assert set(files(tmp_path)) == set()


_MANY = """
WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < 10000)
INSERT INTO {table} SELECT {columns} FROM {table} t, n WHERE {first} = 1
"""


def multiply(db: Path) -> None:
    """Make ten thousand of the one recording there, by other rules than those in force."""
    numbered = {"seq": "n", "id": "'copy-' || n", "exchange": "n", "rules_version": "'old'"}
    with contextlib.closing(sqlite3.connect(db)) as connection, connection:
        for table, first in (("exchange", "seq"), ("message", "exchange")):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            columns = ", ".join(numbered.get(name, name) for name in names)
            connection.execute(_MANY.format(table=table, columns=columns, first=first))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_broken_off_while_it_reads_its_sources_it_leaves_nothing_behind(
    tmp_path: Path, number: signal.Signals, code: int
) -> None:
    source, scratch = tmp_path / "source", tmp_path / "scratch"
    scratch.mkdir()
    db = asyncio.run(record(source, (order_request(order()), FIRST)))
    multiply(db)
    before = files(source)
    with subprocess.Popen(
        [ORDERTAPE, "replay", str(db), "--listen", "127.0.0.1:0"],
        env={**os.environ, "TMPDIR": str(scratch)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as reading:
        asyncio.run(until(lambda: any(scratch.glob("*/index.db"))))
        reading.send_signal(number)
        said = reading.communicate(timeout=60)
    assert (reading.returncode, said[0], said[1].strip()) == (code, b"", b"")
    assert list(scratch.iterdir()) == []
    assert files(source) == before


async def test_an_upload_that_was_kept_in_part_answers_nothing(tmp_path: Path) -> None:
    """Neither the same upload, whose rest is not known, nor one that is only its beginning."""

    def put(body: bytes) -> bytes:
        head = b"PUT /files/1 HTTP/1.1\r\nHost: g\r\nConnection: close\r\n"
        return head + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)

    long = bytes(2 << 20)
    db = await record(tmp_path, (put(long), reply(200, b"long")), (put(b"abc"), reply(200, b"abc")))
    async with replaying_on_a_port(db) as offline:
        assert await offline.status(put(long)) == 409
        assert await offline.status(put(long[: 1 << 20])) == 409
        assert await offline.status(put(b"abc")) == 200
