"""`ordertape verify`: recorded requests once more, against a service that is there."""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from documents import documented
from interactions import interaction, lines
from ordertape.cassette import Interaction, dump
from ordertape.testing import (
    Close,
    ReadRequest,
    Reset,
    Respond,
    Scripted,
    Step,
    order_created,
    refused_port,
    reply,
)
from processes import ordertape, running
from replayed import get, record
from terminals import on_terminal

Asked = Callable[..., tuple[int, str, str]]
Told = tuple[int, str, str]

URL = "https://service.example/accounts/1"
SECRET = "Bearer current-credentials"
VARIABLE = "ORDERTAPE_UPSTREAM_AUTHORIZATION"
BASIC = ("Authorization", "Basic redacted-1")
XML = ("Content-Type", "application/xml")
SITES = b"<Sites><Site><Id>743</Id><Name>One</Name></Site></Sites>"


def sites(*pairs: tuple[str, str], **changes: Any) -> Interaction:
    """A recorded GET with credentials, with more headers in its request."""
    told = {
        "method": "GET",
        "url": f"{URL}/sites",
        "request_headers": lines(BASIC, *pairs),
        "request_body": b"",
        "status": 200,
        "reason": b"OK",
        "headers": lines(XML),
        "body": SITES,
    }
    return interaction(**{**told, **changes})


def order(quantity: int = 2, **changes: Any) -> Interaction:
    body = (
        "<Order><AreaCodeSearchAndOrderType><AreaCode>617</AreaCode>"
        f"<Quantity>{quantity}</Quantity></AreaCodeSearchAndOrderType></Order>"
    )
    recorded = order_created("order-1").partition(b"\r\n\r\n")[2]
    told = {
        "url": f"{URL}/orders",
        "request_headers": lines(BASIC, XML),
        "request_body": body.encode(),
        "headers": lines(
            ("Content-Type", "application/xml; charset=utf-8"),
            ("Location", "https://service.example/api/accounts/9900000/orders/order-1"),
        ),
        "body": recorded,
    }
    return interaction(**{**told, **changes})


def answers(body: bytes = SITES, status: int = 200) -> bytes:
    return reply(status, body, (b"Content-Type", b"application/xml"))


@pytest.fixture
def tape(tmp_path: Path) -> Callable[..., Path]:
    def write(*interactions: Interaction, name: str = "tape.yaml") -> Path:
        path = tmp_path / name
        path.write_bytes(dump(interactions, "har" if name.endswith(".har") else "vcr"))
        return path

    return write


@pytest.fixture
def verified(tmp_path: Path, here: Asked) -> Iterator[Callable[..., Told]]:
    """Verify what is here, `tape.yaml` if nothing else is said."""

    def run(url: str, *options: str, source: str = "tape.yaml", secret: str = SECRET) -> Told:
        arguments = ("verify", source, "--against", url, *options)
        return here(*arguments, cwd=tmp_path, variables={VARIABLE: secret})

    return run


Verify = Callable[..., Told]
Tape = Callable[..., Path]


def served(*scripts: Sequence[Step]) -> Scripted:
    return Scripted(*scripts, per="request")


def test_a_service_that_answers_as_recorded_has_not_drifted(tape: Tape, verified: Verify) -> None:
    tape(sites(), sites(method="HEAD", body=b""), sites(method="OPTIONS"))
    again = b"<Sites>\n  <Site><Id>744</Id><Name> One </Name></Site>\n</Sites>"
    head = answers().partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    with served(*([Respond(one)] for one in (answers(again), head, answers()))).in_thread() as now:
        told = verified(now.url)
    assert told == (0, "", "No drift in 3 answers; 1 value varies as expected.\n")
    assert [attempt.split(b" ")[0] for attempt in now.attempts] == [b"GET", b"HEAD", b"OPTIONS"]


def test_the_request_is_the_recorded_one_but_for_credentials_cookies_and_proxies(
    tape: Tape, verified: Verify
) -> None:
    mine = (
        *(("Cookie", "sid=redacted-2"), ("Host", "service.example"), ("Via", "1.1 old")),
        *(("X-Forwarded-For", "10.0.0.1"), ("Forwarded", "for=10.0.0.1")),
        *(("Proxy-Authorization", "Basic redacted-3"), ("Connection", "keep-alive")),
        *(("Accept-Encoding", "gzip, br;q=0.9, zstd"), ("X-Client", "tests"), ("Accept", "a/b")),
    )
    tape(sites(*mine), sites(request_headers=lines(("Accept-Encoding", "br"))))
    with served([Respond(answers())]).in_thread() as now:
        assert verified(now.url)[0] == 0
    authority = now.url.removeprefix("http://").encode()
    assert sorted(now.attempts[0].split(b"\r\n")) == [
        *(b"", b"", b"Accept-Encoding: gzip", b"Accept: a/b"),
        b"Authorization: Bearer current-credentials",
        *(b"GET /accounts/1/sites HTTP/1.1", b"Host: " + authority, b"X-Client: tests"),
    ]
    assert sorted(now.attempts[1].split(b"\r\n")) == [
        *(b"", b"", b"Accept-Encoding: identity", b"Authorization: Bearer current-credentials"),
        *(b"GET /accounts/1/sites HTTP/1.1", b"Host: " + authority),
    ]


def test_drift_is_a_table_and_exit_code_1(tape: Tape, verified: Verify) -> None:
    tape(sites(), sites(url=f"{URL}/sites?page=2"), sites(url=f"{URL}/sites?page=3"))
    other = SITES.replace(b"One", b"Two").replace(b"743", b"1").replace(b"<Site>", b"<Site a='1'>")
    scripts = ([Respond(one)] for one in (answers(other), answers(b"", 404), answers()))
    with served(*scripts).in_thread() as now:
        code, printed, errors = verified(now.url)
    assert code == 1
    assert [line.split("  ") for line in squeezed(printed)] == [
        ["recording", "request", "place", "recorded", "now"],
        ["interaction 1 of tape.yaml", "GET /accounts/1/sites", "/Sites/Site/@a", "absent", "'1'"],
        ["", "/Sites/Site/Name", "'One'", "'Two'"],
        ["interaction 2 of tape.yaml", "GET /accounts/1/sites?page=2", "status", "'200'", "'404'"],
        ["", "1 more place"],
    ]
    assert errors == ("2 of 3 answers have drifted, in 4 places; 1 value varies as expected.\n")


def squeezed(printed: str) -> list[str]:
    """Lines of a table with two blanks between cells."""
    found = []
    for line in printed.splitlines():
        cells = [cell.strip() for cell in line.split("  ") if cell.strip()]
        found.append("  ".join(["", *cells] if line.startswith(" ") else cells))
    return found


def test_what_varies_is_listed_on_request(tape: Tape, verified: Verify) -> None:
    tape(sites())
    with served([Respond(answers(SITES.replace(b"743", b"1")))]).in_thread() as now:
        code, printed, _ = verified(now.url, "--varying")
    assert code == 0
    assert squeezed(printed)[1].endswith("/Sites/Site/Id (id)  '743'  '1'")


def test_json_has_every_documented_field(tape: Tape, verified: Verify) -> None:
    tape(sites(), order())
    other = SITES.replace(b"One", b"Two").replace(b"743", b"1")
    with served([Respond(answers(other))]).in_thread() as now:
        code, printed, _ = verified(now.url, "--json")
    one, skipped = map(json.loads, printed.splitlines())
    assert (code, list(one), list(skipped)) == (1, *[documented("verify --json")] * 2)
    assert one == {
        "recording": "interaction 1 of tape.yaml",
        "method": "GET",
        "target": "/accounts/1/sites",
        "kind": "other",
        "cost": None,
        "result": "drifted",
        "reason": None,
        "sent": True,
        "status": 200,
        "status_now": 200,
        "order_id": None,
        "drift": [{"place": "/Sites/Site/Name", "recorded": "One", "now": "Two"}],
        "varies": [{"place": "/Sites/Site/Id", "recorded": "743", "now": "1", "as": "id"}],
    }
    assert (skipped["kind"], skipped["cost"], skipped["result"]) == ("order", 2, "skipped")
    assert (skipped["reason"], skipped["sent"]) == ("it is an order; --send-orders sends it", False)


def test_orders_are_sent_only_when_asked_and_their_cost_is_said_before(
    tape: Tape, verified: Verify
) -> None:
    tape(order(2), sites(), order(3), order(method="PUT", url=f"{URL}/orders/order-1"))
    scripts = [answers(), order_created("new-1"), answers(), order_created("new-2"), answers()]
    with served(*([Respond(one)] for one in scripts)).in_thread() as now:
        code, _, errors = verified(now.url)
        assert (code, len(now.attempts)) == (0, 1)
        what = "2 orders for 5 telephone numbers and 1 other request that can change something"
        assert f"Not sent without --send-orders: {what}.\n" in errors
        code, printed, errors = verified(now.url, "--send-orders", "--ignore", "Location")
    beside = "nothing of it is recorded or counted by a quota here."
    methods = [attempt.split(b" ")[0] for attempt in now.attempts[1:]]
    assert methods == [b"POST", b"GET", b"POST", b"PUT"]
    assert now.attempts[1].endswith(order(2).request_body)
    assert errors.splitlines() == [
        f"SENDING {what} to {now.url}, each once; {beside}",
        "SENT order: interaction 1 of tape.yaml (POST /accounts/1/orders): 201, order id new-1.",
        "SENT order: interaction 3 of tape.yaml (POST /accounts/1/orders): 201, order id new-2.",
        "SENT request: interaction 4 of tape.yaml (PUT /accounts/1/orders/order-1): 200.",
        "1 of 4 answers has drifted, in 3 places; 2 values vary as expected.",
    ]
    assert (code, "interaction 4" in printed) == (1, True)


def test_an_order_whose_cost_cannot_be_told_is_said_to_have_none_that_is_known(
    tape: Tape, verified: Verify
) -> None:
    tape(
        order(),
        order(request_body=b"<Order"),
        order(url="https://service.example/v2/accounts/1/orders"),
    )
    with served([Respond(answers())]).in_thread() as now:
        _, _, errors = verified(now.url)
    said = "3 orders for 2 telephone numbers and 2 at a cost that is not known"
    assert f"Not sent without --send-orders: {said}.\n" in errors
    assert now.attempts == []


def test_an_order_without_an_answer_is_never_sent_again(tape: Tape, verified: Verify) -> None:
    tape(order(), sites())
    with served([ReadRequest(), Reset()], [Respond(answers())]).in_thread() as now:
        code, printed, errors = verified(now.url, "--send-orders")
    assert (code, [attempt.split(b" ")[0] for attempt in now.attempts]) == (1, [b"POST", b"GET"])
    assert (
        "it may have acted on the request. Look what became of it; it is not sent again." in errors
    )
    assert "1 of 2 answers has drifted; 1 never came whole." in errors
    assert "  answer  " in printed


def test_answers_that_are_broken_off_too_long_or_too_late_are_drift(
    tape: Tape, verified: Verify, tmp_path: Path
) -> None:
    tape(sites(), sites(), sites())
    (tmp_path / "ordertape.toml").write_text(
        "[limits]\norder_answer = 100\n[timeouts]\nread = 0.2\n", encoding="utf-8"
    )
    scripts: list[list[Step]] = [
        [ReadRequest(), Close()],
        [Respond(answers(SITES + b" " * 100))],
        [ReadRequest(), ReadRequest()],
    ]
    with served(*scripts).in_thread() as now:
        code, printed, _ = verified(now.url, "--json")
    told = [json.loads(line) for line in printed.splitlines()]
    assert (code, [one["result"] for one in told]) == (1, ["unanswered"] * 3)
    assert [one["reason"].rpartition(";")[0] or one["reason"] for one in told] == [
        "The upstream closed the connection before its answer was whole",
        "The answer passes 100 bytes, and was not read.",
        "The upstream was silent for 0.2 s",
    ]


def test_credentials_come_from_a_file_or_the_environment_and_are_never_shown(
    tape: Tape, verified: Verify, tmp_path: Path
) -> None:
    tape(sites())
    (tmp_path / "credentials").write_text("Basic dXNlcjpodXNo\n", encoding="utf-8")
    said = answers(b"<Sites>you are dXNlcjpodXNo, user:hush</Sites>")
    with served([Respond(said)]).in_thread() as now:
        code, *printed = verified(now.url, "--authorization-file", "credentials")
        assert b"\r\nAuthorization: Basic dXNlcjpodXNo\r\n" in now.attempts[0]
    assert (code, "hush" in str(printed), "dXNl" in str(printed)) == (1, False, False)
    for wrong in ("hush-hush", "Basic hush\nBasic hush", "Basic h\u00fcsh"):
        code, _, error = verified("http://127.0.0.1:1", secret=wrong)
        assert (code, error.count("\n"), "hush" in error) == (2, 1, False)
        assert f"{VARIABLE} holds no value of Authorization; write one line" in error
    (tmp_path / "credentials").write_bytes(b"")
    code, _, error = verified("http://127.0.0.1:1", "--authorization-file", "credentials")
    assert (code, error.startswith("ordertape: credentials holds no value")) == (2, True)
    code, _, error = verified("http://127.0.0.1:1", "--authorization-file", "none")
    assert (code, "none cannot be used" in error) == (2, True)


def test_credentials_go_where_the_recording_had_some_or_hides_that_it_had(
    tape: Tape, verified: Verify
) -> None:
    tape(
        sites(request_headers=lines()),
        sites(request_headers=lines(), status=401, body=b""),
        sites(status=401, body=b""),
    )
    with served([Respond(answers())], [Respond(answers(b"", 401))]).in_thread() as now:
        code, _, errors = verified(now.url)
    assert code == 0, errors
    assert [b"Authorization" in attempt for attempt in now.attempts] == [True, False]
    assert "interaction 3 of tape.yaml (GET /accounts/1/sites): it was refused for cred" in errors
    with served([Respond(answers())], [Respond(answers(b"", 401))]).in_thread() as now:
        code, _, errors = verified(now.url, secret="")
    assert (code, [b"Authorization" in attempt for attempt in now.attempts]) == (0, [False, False])


@pytest.mark.parametrize(
    ("recorded", "reason"),
    [
        (sites(url=f"{URL}/sites?key=redacted-4"), "its target holds what is redacted"),
        (sites(("X-Key", "redacted-4")), "its header X-Key is redacted"),
        (sites(request_body=b"<A>redacted-4</A>"), "its body holds what is redacted"),
        (sites(method="TRACE"), "TRACE is never sent"),
        (order(), "it is an order; --send-orders sends it"),
        (order(method="DELETE"), "it can change something; --send-orders sends it"),
    ],
)
def test_what_cannot_be_sent_as_it_was_recorded_is_skipped_and_a_run_of_that_is_no_success(
    tape: Tape, verified: Verify, recorded: Interaction, reason: str
) -> None:
    tape(recorded)
    with served([Respond(answers())]).in_thread() as now:
        code, printed, errors = verified(now.url)
    request = f"{recorded.method} {recorded.url.removeprefix('https://service.example')}"
    first, *_, last = errors.splitlines()
    assert (code, printed, now.attempts) == (2, "", [])
    assert first == f"skipped: interaction 1 of tape.yaml ({request}): {reason}."
    assert last == (
        "ordertape: Nothing was verified: the only recording was skipped; see why above."
    )


def test_without_credentials_nothing_is_sent_that_was_recorded_with_some(
    tape: Tape, verified: Verify
) -> None:
    tape(sites(), sites())
    with served([Respond(answers())]).in_thread() as now:
        code, _, errors = verified(now.url, secret="")
    assert (code, now.attempts) == (2, [])
    assert errors == (
        "skipped: interaction 1 of tape.yaml (GET /accounts/1/sites) and 1 more: it was recorded "
        f"with credentials, and none are given ({VARIABLE} or --authorization-file).\n"
        "ordertape: Nothing was verified: all 2 recordings were skipped; see why above.\n"
    )


def test_a_secret_query_key_is_neither_sent_nor_shown(
    tape: Tape, verified: Verify, tmp_path: Path
) -> None:
    tape(sites(url=f"{URL}/sites?key=hush"))
    (tmp_path / "ordertape.toml").write_text("[redact]\nquery = ['key']\n", encoding="utf-8")
    with served([Respond(answers())]).in_thread() as now:
        code, printed, errors = verified(now.url, "--json")
    assert (code, now.attempts, "hush" in printed + errors) == (2, [], False)
    assert json.loads(printed)["target"] == "/accounts/1/sites?key=redacted"


def test_an_empty_cassette_is_no_success(tape: Tape, verified: Verify) -> None:
    tape()
    sentence = "Nothing was verified: there is no recording in tape.yaml; name another cassette."
    assert verified("http://127.0.0.1:1") == (2, "", f"ordertape: {sentence}\n")


def test_a_service_that_cannot_be_reached_is_one_sentence(tape: Tape, verified: Verify) -> None:
    tape(sites(), sites())
    port = refused_port()
    sentence = f"The upstream 127.0.0.1:{port} refuses connections; nothing was sent."
    assert verified(f"http://127.0.0.1:{port}") == (2, "", f"ordertape: {sentence}\n")


@pytest.mark.parametrize(
    ("url", "options", "sentence"),
    [
        ("ftp://127.0.0.1", (), "The upstream URL is neither http nor https"),
        ("http://u:p@127.0.0.1", (), "The upstream URL holds credentials"),
        ("http://127.0.0.1:1", ("--ignore", "?page"), "'?page' is a query key, and an answer has"),
        ("http://127.0.0.1:1", ("--ignore", "/a["), "'/a[' is no XPath"),
    ],
)
def test_wrong_usage_is_one_sentence(
    tape: Tape, verified: Verify, url: str, options: tuple[str, ...], sentence: str
) -> None:
    tape(sites())
    code, printed, error = verified(url, *options)
    assert (code, printed, error.count("\n")) == (2, "", 1)
    assert sentence in error


def test_the_path_is_what_follows_the_base_that_clients_used(tape: Tape, verified: Verify) -> None:
    tape(sites(url="https://service.example/v1/accounts/1/sites?a=%41"))
    with served([Respond(answers())]).in_thread() as now:
        cases = [
            ((now.url,), "/v1/accounts/1/sites?a=%41"),
            ((f"{now.url}/v2/",), "/v2/v1/accounts/1/sites?a=%41"),
            (
                (f"{now.url}/v2", "--upstream", "https://service.example/v1"),
                "/v2/accounts/1/sites?a=%41",
            ),
        ]
        for arguments, _ in cases:
            assert verified(*arguments)[0] == 0
        tape(sites(url=f"{now.url}/v1/accounts/1/sites"))
        assert verified(f"{now.url}/v1")[0] == 0
    targets = [attempt.split(b" ")[1].decode() for attempt in now.attempts]
    assert targets == [*(target for _, target in cases), "/v1/accounts/1/sites"]


def test_folders_and_har_are_taken_too(tape: Tape, verified: Verify, tmp_path: Path) -> None:
    (tmp_path / "more").mkdir()
    tape(sites(), name="more/a.har")
    tape(sites(), name="more/b.yaml")
    with served([Respond(answers(SITES.replace(b"One", b"Two")))]).in_thread() as now:
        _, printed, _ = verified(now.url, "--json", source="more")
    assert [json.loads(line)["recording"] for line in printed.splitlines()] == [
        "interaction 1 of more/a.har",
        "interaction 1 of more/b.yaml",
    ]


def test_stores_are_taken_too_and_what_they_hold_only_in_part_is_skipped(
    verified: Verify, tmp_path: Path
) -> None:
    long = b"<Sites>" + b"<S/>" * 40 + b"</Sites>"
    pairs = ((get("/a"), answers()), (get("/b"), answers(long)))
    asyncio.run(record(tmp_path, *pairs, limits={"record": 100}))
    with served([Respond(answers())]).in_thread() as now:
        code, printed, errors = verified(now.url, source="ordertape.db")
    assert (code, printed, len(now.attempts)) == (0, "", 1)
    assert "(GET /b): its answer was recorded only in part.\n" in errors


def test_a_store_can_be_verified_against_the_gateway_that_goes_on_recording_into_it(
    tape: Tape, here: Asked, tmp_path: Path
) -> None:
    more_than_is_read_at_once = 510
    tape(*[sites()] * more_than_is_read_at_once)
    assert here("cassette", "import", "tape.yaml", "--db", "ordertape.db", cwd=tmp_path)[0] == 0
    (tmp_path / "credentials").write_text(SECRET, encoding="utf-8")
    on_a_port = ("--listen", "127.0.0.1:0", "--admin", "off")
    with running("serve", "--sandbox", *on_a_port, cwd=tmp_path) as now:
        against = ("--against", now.url, "--authorization-file", "credentials")
        done = ordertape("verify", "ordertape.db", *against, cwd=tmp_path)
    assert done.returncode == 1, done
    assert done.stderr.startswith("510 of 510 answers have drifted, in ")


def test_a_narrow_terminal_has_a_paragraph_a_recording_and_sees_how_far_it_is(
    tape: Tape, tmp_path: Path
) -> None:
    tape(sites())
    (tmp_path / "credentials").write_text(SECRET, encoding="utf-8")
    with served([Respond(answers(SITES.replace(b"743", b"1")))]).in_thread() as now:
        options = ("--authorization-file", "credentials", "--varying")
        arguments = ("verify", "tape.yaml", "--against", now.url, *options)
        printed = on_terminal(*arguments, cwd=tmp_path, columns=40)
    assert printed == (
        "\r1 of 1 recordings\r\x1b[K"
        "interaction 1 of tape.yaml  GET /accounts/1/sites\n"
        "  /Sites/Site/Id (id): '743' -> '1'\n"
        "No drift in 1 answer; 1 value varies as expected.\n"
    )
