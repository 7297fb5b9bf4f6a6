"""What each record mode answers, asks for and leaves on disk."""

import http.client
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from ordertape.cassette import CassetteError, load
from ordertape.errors import StartUpError
from ordertape.testing import Peer, ReadRequest, Respond, Scripted, Send, refused_port, reply
from ordertape.testing.bench import Mode, Wanted, shared
from ordertape.testing.playing import Playing

MODES: tuple[Mode, ...] = ("none", "once", "new_episodes", "all", "rewrite")
RECORDING = MODES[1:]
CREDENTIALS = {"Authorization": "Basic c2VjcmV0OmNhbmFyeQ=="}
ORDER = (
    b"<Order><SiteId>743</SiteId><AreaCodeSearchAndOrderType><AreaCode>617</AreaCode>"
    b"<Quantity>1</Quantity></AreaCodeSearchAndOrderType></Order>"
)

Asked = tuple[int, str]


@contextmanager
def played(
    cassette: Path, mode: Mode, upstream: str | None = None, config: Path | None = None
) -> Iterator[Playing]:
    playing = shared().play(Wanted((cassette,), mode=mode, upstream=upstream, config=config))
    try:
        yield playing
    finally:
        playing.end()


def ask(to: Playing | str, target: str, body: bytes | None = None) -> Asked:
    """(status, body) of one request, with credentials."""
    place = urlsplit(to if isinstance(to, str) else to.url)
    assert place.port is not None
    connection = http.client.HTTPConnection("127.0.0.1", place.port, timeout=20)
    try:
        kind = {} if body is None else {"Content-Type": "application/xml"}
        method = "GET" if body is None else "POST"
        connection.request(method, place.path + target, body, {**CREDENTIALS, **kind})
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@contextmanager
def aged(age: str) -> Iterator[Scripted]:
    """A service that answers with its age, the path, and how many requests came before."""

    async def answer(peer: Peer) -> None:
        await ReadRequest()(peer)
        path = peer.service.attempts[-1].split(b" ")[1].decode()
        text = f"{age} {path} {len(peer.service.attempts) - 1}"
        await Send(reply(200, text.encode(), (b"Set-Cookie", b"session=canary")))(peer)

    with Scripted([answer], per="request").in_thread() as service:
        yield service


def held(cassette: Path) -> list[str]:
    return [one.body.decode() for one in load(cassette)] if cassette.exists() else []


@pytest.fixture
def cassette(tmp_path: Path) -> Path:
    """One that holds two answers to /a and one to /b."""
    path = tmp_path / "cassettes" / "test.yaml"
    with aged("old") as service, played(path, "once", service.url) as playing:
        for target in ("/a", "/b", "/a"):
            assert ask(playing, target)[0] == 200
    return path


NOT_RECORDED = "There is no recording of any request to /c; correct the path, or record one."
OLD = ["old /a 0", "old /b 1", "old /a 2"]


@pytest.mark.parametrize(
    ("mode", "answers", "asked", "after"),
    [
        ("none", ["old /a 0", None], [], OLD),
        ("once", ["old /a 0", None], [], OLD),
        ("new_episodes", ["old /a 0", "new /c 0"], ["/c"], [*OLD, "new /c 0"]),
        ("all", ["new /a 0", "new /c 1"], ["/a", "/c"], ["new /a 0", "old /b 1", "new /c 1"]),
        ("rewrite", ["new /a 0", "new /c 1"], ["/a", "/c"], ["new /a 0", "new /c 1"]),
    ],
)
def test_a_mode_means_over_a_cassette_what_it_means_to_pytest_recording(
    cassette: Path, mode: Mode, answers: list[str | None], asked: list[str], after: list[str]
) -> None:
    with aged("new") as service, played(cassette, mode, service.url) as playing:
        found = [ask(playing, target) for target in ("/a", "/c")]
        sent = [attempt.split(b" ")[1].decode() for attempt in service.attempts]
    for (status, body), answer in zip(found, answers, strict=True):
        assert (status, body) == (200, answer) if answer else body.startswith(NOT_RECORDED)
    assert (sent, held(cassette)) == (asked, after)


@pytest.mark.parametrize("mode", MODES)
def test_without_a_cassette_every_mode_but_none_records(tmp_path: Path, mode: Mode) -> None:
    path = tmp_path / "new" / "test.yaml"
    with aged("new") as service, played(path, mode, service.url) as playing:
        status, _ = ask(playing, "/a")
        missed = playing.told()
    assert (status, held(path)) == ((404, []) if mode == "none" else (200, ["new /a 0"]))
    if mode == "none":
        assert missed.endswith(f"There is no cassette {path}; record it with --record-mode=once.")
    assert path.parent.exists() == (mode != "none")


def test_an_exhausted_order_is_sent_by_new_episodes(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    counts: list[tuple[set[int], int]] = []
    rounds: tuple[tuple[Mode, int], ...] = (
        ("once", 2),
        ("new_episodes", 2),
        ("new_episodes", 3),
        ("none", 3),
    )
    for mode, orders in rounds:
        with played(path, mode) as playing:
            answers = {ask(playing, "/accounts/1/orders", ORDER)[0] for _ in range(orders)}
        counts.append((answers, len(load(path))))
    assert counts == [({201}, 2), ({201}, 2), ({201}, 3), ({201}, 3)]


def test_what_has_completed_is_on_disk_before_its_answer_is_given(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    seen = []
    with aged("new") as service, played(path, "once", service.url) as playing:
        for target in ("/a", "/b", "/c"):
            ask(playing, target)
            seen.append(held(path))
            assert [one.name for one in tmp_path.iterdir()] == ["test.yaml"]
    whole = ["new /a 0", "new /b 1", "new /c 2"]
    assert seen == [whole[:1], whole[:2], whole]


def test_an_answer_that_breaks_off_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    part = Send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")

    async def hang_up(peer: Peer) -> None:
        peer.writer.close()

    with (
        Scripted(
            [Respond(reply(200, b"a"))], [ReadRequest(), part, hang_up], per="request"
        ).in_thread() as service,
        played(path, "once", service.url) as playing,
    ):
        assert ask(playing, "/a") == (200, "a")
        status, _ = ask(playing, "/b")
    assert (status, held(path)) == (502, ["a"])


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "damage", [lambda text: text[:-20], lambda _: b"", lambda _: b"\x00\xff"], ids=["cut", "", "x"]
)
def test_a_damaged_cassette_is_refused_in_every_mode_and_left_as_it_is(
    cassette: Path, mode: Mode, damage: Callable[[bytes], bytes]
) -> None:
    damaged = damage(cassette.read_bytes())
    cassette.write_bytes(damaged)
    url = f"http://127.0.0.1:{refused_port()}"
    with pytest.raises(CassetteError, match=re.escape(str(cassette))):
        shared().play(Wanted((cassette,), mode=mode, upstream=url))
    assert cassette.read_bytes() == damaged


def test_a_cassette_that_is_damaged_while_it_is_recorded_is_left_as_it_is(
    cassette: Path,
) -> None:
    with aged("new") as service, played(cassette, "rewrite", service.url) as playing:
        cassette.write_bytes(b"interactions:\n- {")
        assert ask(playing, "/a") == (200, "new /a 0")
        complaint = playing.complaint(missed="report")
    assert cassette.read_bytes() == b"interactions:\n- {"
    assert complaint.startswith(f"Nothing more was recorded: {cassette}:")


def test_no_secret_reaches_a_cassette_and_equal_ones_stay_equal(cassette: Path) -> None:
    text = cassette.read_text()
    assert "c2VjcmV0OmNhbmFyeQ" not in text
    assert "canary" not in text
    credentials = [one.request_headers.get(b"authorization") for one in load(cassette)]
    assert len(set(credentials)) == 1
    assert re.fullmatch(rb"Basic redacted-[12]", credentials[0] or b"")


def test_rules_hold_while_recording_and_what_they_refuse_is_not_recorded(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    with played(path, "once") as playing:
        refused = ask(playing, "/accounts/1/orders", ORDER.replace(b"617", b"117"))
        taken = ask(playing, "/accounts/1/orders", ORDER)
    with played(path, "none") as playing:
        again = ask(playing, "/accounts/1/orders", ORDER.replace(b"617", b"117"))
        offline = ask(playing, "/accounts/1/orders", ORDER)
        assert playing.told() == ""
    assert (refused[0], again, taken[0], offline) == (400, refused, 201, taken)
    assert len(load(path)) == 1


@pytest.mark.parametrize(
    ("name", "beginning"),
    [("a.yaml", b"interactions:"), ("a.json", b"{"), ("a.har", b"{")],
)
def test_the_name_of_a_cassette_says_its_format(
    tmp_path: Path, name: str, beginning: bytes
) -> None:
    path = tmp_path / name
    with played(path, "once") as playing:
        live = ask(playing, "/accounts/1/orders", ORDER)
    with played(path, "none") as playing:
        assert ask(playing, "/accounts/1/orders", ORDER) == live
    assert path.read_bytes().startswith(beginning)


def test_the_path_of_the_upstream_is_the_gateways_too(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    with aged("new") as service:
        upstream = f"{service.url}/api/"
        for mode in MODES[1::-1]:
            with played(path, mode, upstream) as playing:
                assert playing.url.endswith("/api")
                assert ask(playing, "/a") == (200, "new /api/a 0")
                assert load(path)[0].url == f"{service.url}/api/a"
        assert len(service.attempts) == 1


def test_a_service_that_is_not_there_is_no_recording(tmp_path: Path) -> None:
    path = tmp_path / "test.yaml"
    with played(path, "once", f"http://127.0.0.1:{refused_port()}") as playing:
        assert ask(playing, "/a")[0] == 502
    assert not path.exists()


def test_an_upstream_that_is_no_url_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StartUpError, match="URL"):
        shared().play(Wanted((tmp_path / "a.yaml",), mode="once", upstream="service:80"))
