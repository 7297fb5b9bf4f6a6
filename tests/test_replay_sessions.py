"""Sequences and sessions: whose turn it is, what then, and whose turns those are."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gateways import ask, order_request
from ordertape.errors import StartUpError
from ordertape.matching import Matching
from ordertape.testing import ReadRequest, reply
from replayed import FIRST, SECOND, body_of, get, order, record, replaying_on_a_port

ORDER = order_request(order())
TWICE = ((ORDER, FIRST), (ORDER, SECOND))


def named(session: str, request: bytes) -> bytes:
    """The request with the header that names its session."""
    return request.replace(b"\r\n", b"\r\nOrdertape-Session: %b\r\n" % session.encode(), 1)


def below(session: str, request: bytes) -> bytes:
    """The request with the path that names its session."""
    return request.replace(b" /", b" /~%b/" % session.encode(), 1)


@pytest.mark.parametrize(
    ("repeat", "orders", "reads"),
    [
        (None, [1, 2, 0, 0, 0], [1, 2, 2, 2, 2]),
        ("last", [1, 2, 2, 2, 2], [1, 2, 2, 2, 2]),
        ("loop", [1, 2, 1, 2, 1], [1, 2, 1, 2, 1]),
        ("error", [1, 2, 0, 0, 0], [1, 2, 0, 0, 0]),
    ],
)
async def test_what_comes_behind_the_end_of_a_sequence_is_configured(
    tmp_path: Path, repeat: str | None, orders: Sequence[int], reads: Sequence[int]
) -> None:
    answers = FIRST, SECOND
    db = await record(tmp_path, *TWICE, *((get("/a"), answer) for answer in answers))
    bodies = {409: 0, **{body_of(answer): at + 1 for at, answer in enumerate(answers)}}
    async with replaying_on_a_port(db, repeat=repeat) as offline:
        for request, expected in ((ORDER, orders), (get("/a"), reads)):
            found = [await ask(offline.port, request) for _ in expected]
            turns = [bodies[409 if one.status == 409 else one.body] for one in found]
            assert turns == expected
        assert list(offline.replay.unused()) == []


@pytest.mark.parametrize("with_session", [named, below], ids=["header", "path"])
async def test_each_session_has_its_own_place_in_every_sequence(
    tmp_path: Path, with_session: Any
) -> None:
    db = await record(tmp_path, *TWICE)
    async with replaying_on_a_port(db) as offline:
        turns = ["one", "two", "two", "one", "one"]
        found = [await ask(offline.port, with_session(name, ORDER)) for name in turns]
        assert [answer.body for answer in found[:4]] == [
            body_of(answer) for answer in (FIRST, FIRST, SECOND, SECOND)
        ]
        assert found[4].status == 409
        assert (await ask(offline.port, ORDER)).body == body_of(FIRST)
        assert offline.replay.session("one").misses.total() == 1
        assert offline.replay.session("two").misses.total() == 0
        assert offline.replay.misses.total() == 1


async def test_a_session_is_no_part_of_what_is_recognised_refused_or_recorded(
    tmp_path: Path,
) -> None:
    db = await record(tmp_path, (get("/?a=1"), reply(200, b"root")))
    async with replaying_on_a_port(db, matching={"headers": ["Ordertape-Session"]}) as offline:
        assert await offline.status(named("s", get("/?a=1"))) == 200
        assert await offline.status(get("/~s?a=1")) == 200
        assert await offline.status(below("s", ORDER.replace(b"<Order>", b"<Order "))) == 400
        missed = await ask(offline.port, get("/~no name/?a=1".replace(" ", "%20")))
        assert (missed.status, b"to /~no%20name/;" in missed.body) == (404, True)
        refused = await ask(offline.port, named("no name", get("/?a=1")))
        assert (refused.status, b"Ordertape-Session is no name" in refused.body) == (400, True)


async def test_outside_replay_a_session_is_a_path_like_any_other(tmp_path: Path) -> None:
    db = await record(tmp_path, (get("/~s/a"), reply(200, b"tilde")))
    async with replaying_on_a_port(db) as offline:
        assert await offline.status(get("/~s/a")) == 404
        assert (await ask(offline.port, get("/~x/~s/a"))).body == b"tilde"


async def test_location_leads_back_into_the_session(tmp_path: Path) -> None:
    async def created(peer: Any) -> None:
        await ReadRequest()(peer)
        location = f"{peer.service.url}/accounts/9900012/orders/o-1".encode()
        await peer.writer.drain()
        lines = (b"Location", location), (b"Content-Location", b"/accounts/9900012/orders/o-1")
        peer.writer.write(reply(201, b"<a/>", *lines))

    db = await record(tmp_path, (ORDER, [created]), (ORDER, [created]))
    path = "/accounts/9900012/orders/o-1"
    async with replaying_on_a_port(db) as offline:
        by_path = await ask(offline.port, below("s", ORDER))
        by_header = await ask(offline.port, named("t", ORDER))
    assert by_path.headers["location"] == f"http://gateway.example/~s{path}"
    assert by_path.headers["content-location"] == f"/~s{path}"
    assert by_header.headers["location"] == f"http://gateway.example{path}"
    assert by_header.headers["content-location"] == path


async def test_a_session_may_have_recordings_and_options_of_its_own(tmp_path: Path) -> None:
    shared = await record(tmp_path / "shared", (get("/a"), reply(200, b"shared")))
    own = await record(tmp_path / "own", *TWICE)
    other = order_request(order("<Quantity>7</Quantity>"))
    async with replaying_on_a_port(shared) as offline:
        playback = offline.replay.open(
            "mine", [own], matching=Matching(ignore=("//Quantity",)), repeat="loop"
        )
        found = [await ask(offline.port, below("mine", other)) for _ in range(3)]
        assert [one.body for one in found] == [body_of(one) for one in (FIRST, SECOND, FIRST)]
        assert await offline.status(below("mine", get("/a"))) == 404
        assert await offline.status(get("/a")) == 200
        with pytest.raises(StartUpError, match="The session mine is open already"):
            offline.replay.open("mine", [own])
        assert list(playback.unused()) == []
        await offline.replay.end("mine")
        assert playback.misses.total() == 1
        assert await offline.status(below("mine", get("/a"))) == 200


async def test_what_was_not_asked_for_is_known_by_name(tmp_path: Path) -> None:
    db = await record(tmp_path, *TWICE, (get("/a"), FIRST), (get("/b"), FIRST))
    async with replaying_on_a_port(db) as offline:
        await offline.status(named("one", ORDER))
        await offline.status(named("two", get("/b")))
        names = list(offline.replay.unused())
        assert len(names) == 2
        assert all(name.startswith("exchange ") and name.endswith(f" of {db}") for name in names)
        await offline.status(named("two", get("/a")))
        await offline.status(named("one", ORDER))
        assert list(offline.replay.unused()) == []


async def test_a_replay_may_begin_without_recordings_of_all(tmp_path: Path) -> None:
    own = await record(tmp_path, (get("/a"), reply(200, b"own")))
    async with replaying_on_a_port() as offline:
        offline.replay.open("mine", [own])
        assert await offline.status(below("mine", get("/a"))) == 200
        assert await offline.status(get("/a")) == 404


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        ("nothing", "There is no recording {path}; name a store"),
        ("folder", "There is no cassette and no store in {path}; name another"),
    ],
)
async def test_a_source_that_is_not_there_is_refused(
    tmp_path: Path, make: str, sentence: str
) -> None:
    path = tmp_path / "source"
    if make == "folder":
        path.mkdir()
    with pytest.raises(StartUpError) as refused:
        async with replaying_on_a_port(path):
            pass
    assert str(refused.value).startswith(sentence.format(path=path))
