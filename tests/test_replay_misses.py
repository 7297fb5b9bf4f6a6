"""A miss explains itself: to the client, in the log, and when the process ends."""

import asyncio
import json
import re
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from gateways import ask, order_request
from ordertape.cassette import Interaction, dump
from ordertape.model import Headers
from ordertape.testing import reply
from processes import running
from replayed import FIRST, SECOND, get, order, raw, record, replaying_on_a_port

OTHER = order("<Quantity>3</Quantity>", "<CustomerOrderId>c-2</CustomerOrderId>")
SECRET = "canary-secret"


def told(body: bytes) -> list[str]:
    """The sentences of an answer in XML, without the id of the nearest recording."""
    found = re.findall(r"<Code>94090</Code><Description>(.*?)</Description>", body.decode())
    return [re.sub(r"\(exchange \S+ of \S+\)", "(it)", sentence) for sentence in found]


async def test_an_order_that_was_never_recorded_is_told_the_nearest_and_each_difference(
    tmp_path: Path,
) -> None:
    far = order_request(order("<Quantity>9</Quantity>", "<Name>x</Name>"))
    db = await record(tmp_path, (far, SECOND), (order_request(order()), FIRST))
    async with replaying_on_a_port(db) as offline:
        assert await offline.status(order_request(order())) == 201
        missed = await ask(offline.port, order_request(OTHER))
    assert (missed.status, missed.code) == (409, "94090")
    assert told(missed.body) == [
        (
            "There is no recording of POST /accounts/9900012/orders with this query, body and "
            "credentials; send what was recorded, or record this."
        ),
        "The nearest recording is POST /accounts/9900012/orders (it), recorded once, 1 of 1 used.",
        "/Order/NPANXXSearchAndOrderType/Quantity: recorded '2', asked '3'.",
        "/Order/CustomerOrderId: recorded nothing, asked 'c-2'.",
        (
            "With --ignore /Order/NPANXXSearchAndOrderType/Quantity "
            "--ignore /Order/CustomerOrderId the two would match."
        ),
    ]


async def test_the_options_that_a_miss_names_make_it_a_hit(tmp_path: Path) -> None:
    db = await record(tmp_path, (order_request(order()), FIRST))
    async with replaying_on_a_port(db) as offline:
        said = told((await ask(offline.port, order_request(OTHER))).body)[-1]
    ignore = re.findall(r"--ignore (\S+)", said)
    async with replaying_on_a_port(db, matching={"ignore": ignore}) as offline:
        assert await offline.status(order_request(OTHER)) == 201
        assert await offline.status(order_request(OTHER)) == 409
        other = OTHER.replace(b"919439", b"919440")
        assert await offline.status(order_request(other)) == 409


@pytest.mark.parametrize("accept", ["application/json", "text/plain", "application/xml"])
async def test_other_paths_are_told_in_the_form_that_their_client_reads(
    tmp_path: Path, accept: str
) -> None:
    db = await record(tmp_path, (get("/numbers?page=1&size=2"), reply(200, b"found")))
    async with replaying_on_a_port(db) as offline:
        missed = await ask(offline.port, get("/numbers?page=2&size=2", f"Accept: {accept}"))
    body = missed.body.decode()
    [ident] = set(re.findall(r"exchange (\S+) of", body))
    sentences = [
        (
            "There is no recording of GET /numbers with this query, body and credentials; "
            "send what was recorded, or record this."
        ),
        (
            f"The nearest recording is GET /numbers (exchange {ident} of {db}), recorded once, "
            "not used yet."
        ),
        "?page: recorded '1', asked '2'.",
        "With --ignore '?page' the two would match.",
    ]
    if accept == "text/plain":
        assert body.splitlines() == sentences
    elif accept == "application/xml":
        assert re.findall(r"<Description>(.*?)</Description>", body) == sentences
    else:
        assert json.loads(body) == {
            "code": "94090",
            "description": " ".join(sentences),
            "state": "failed",
            "nearest": {
                "recording": f"GET /numbers (exchange {ident} of {db})",
                "used": 0,
                "recorded": 1,
                "differences": [{"place": "?page", "recorded": "1", "asked": "2"}],
                "more": 0,
                "option": "--ignore '?page'",
                "unread": 0,
                "beyond": 0,
            },
        }


async def test_nothing_secret_is_told_and_no_secret_stops_a_match(tmp_path: Path) -> None:
    redact = {"headers": ["X-Api-Key"], "query": ["token"]}
    matching = {"headers": ["X-Api-Key", "X-Client"]}
    asked = get(f"/numbers?token={SECRET}&page=1", f"X-Api-Key: {SECRET}", "X-Client: a")
    db = await record(tmp_path, (asked, reply(200, b"found")), redact=redact)
    with capture_logs() as logged:
        async with replaying_on_a_port(db, redact=redact, matching=matching) as offline:
            other = asked.replace(SECRET.encode(), SECRET.encode() + b"-2")
            assert await offline.status(other) == 200
            missed = await ask(offline.port, other.replace(b"page=1", b"page=2"))
            keyless = await ask(offline.port, get("/numbers?token=x&page=1", "X-Client: a"))
            said = [*offline.replay.misses]
    assert (missed.status, keyless.status) == (409, 409)
    assert b"?page: recorded '1', asked '2'." in missed.body
    assert b"x-api-key: recorded 'redacted', asked nothing." in keyless.body
    assert SECRET not in repr((missed, keyless, said, logged))
    assert "ordertape:" not in repr((missed, keyless, said))  # nor the digest of one


async def test_credentials_that_are_lacking_are_named_and_can_be_ignored(tmp_path: Path) -> None:
    db = await record(tmp_path, (get("/a", "Authorization: Basic dTpw"), reply(200, b"found")))
    async with replaying_on_a_port(db) as offline:
        missed = await ask(offline.port, get("/a"))
    assert b"Authorization: recorded 'some', asked nothing." in missed.body
    assert b"With --ignore Authorization the two would match." in missed.body
    async with replaying_on_a_port(db, matching={"ignore": ["Authorization"]}) as offline:
        assert await offline.status(get("/a")) == 200


async def test_what_is_used_up_is_told_apart_from_what_was_never_there(tmp_path: Path) -> None:
    db = await record(tmp_path, (order_request(order()), FIRST))
    async with replaying_on_a_port(db) as offline:
        assert await offline.status(order_request(order())) == 201
        missed = await ask(offline.port, order_request(order()))
    assert told(missed.body) == [
        (
            "Every recording of this POST /accounts/9900012/orders has been used (1 of 1); "
            "record as many as the client sends."
        ),
        "With --repeat last or --repeat loop it would be answered again.",
    ]


async def test_the_same_path_is_nearer_than_another_and_the_same_method_too(
    tmp_path: Path,
) -> None:
    db = await record(
        tmp_path,
        (get("/accounts/1/orders/1?a=1&b=2&c=3"), reply(200, b"a")),
        (get("/accounts/1/orders/2?x=1"), reply(200, b"b")),
        (get("/accounts/1/orders/1?a=1&b=2&c=3", method="DELETE"), reply(200, b"c")),
    )

    async def nearest(target: str, method: str = "GET") -> str:
        accept = "Accept: application/json"
        missed = await ask(offline.port, get(target, accept, method=method))
        body = missed.body.decode()
        if body.startswith("<"):
            [found] = re.findall("The nearest recording is (.*?) \\(", body)
            return str(found)
        return str(json.loads(body)["nearest"]["recording"]).partition(" (")[0]

    async with replaying_on_a_port(db) as offline:
        assert await nearest("/accounts/1/orders/2?a=1&b=2&c=3") == "GET /accounts/1/orders/2"
        assert await nearest("/accounts/2/orders/1?x=1") == "GET /accounts/1/orders/1"
        assert await nearest("/accounts/1/orders/1?a=1&b=2", "PUT") in {
            "GET /accounts/1/orders/1",
            "DELETE /accounts/1/orders/1",
        }


async def test_a_miss_is_logged_with_its_explanation(tmp_path: Path) -> None:
    db = await record(tmp_path, (get("/numbers?page=1"), reply(200, b"found")))
    with capture_logs() as logged:
        async with replaying_on_a_port(db) as offline:
            await offline.status(get("/numbers?page=2"))
    [miss] = [entry for entry in logged if entry["event"] == "missed"]
    assert miss["log_level"] == "warning"
    assert miss["reason"].startswith("There is no recording of GET /numbers with this query")
    assert miss["explanation"][1:] == [
        "?page: recorded '1', asked '2'.",
        "With --ignore '?page' the two would match.",
    ]


HEADERS = Headers(((b"Content-Type", b"application/xml"),))


def interaction(number: int, **changes: Any) -> Interaction:
    fields: dict[str, Any] = {
        "method": "POST",
        "url": "https://service.example/accounts/1/orders",
        "request_headers": HEADERS,
        "request_body": order(f"<Quantity>{number}</Quantity>"),
        "status": 201,
        "reason": b"Created",
        "headers": HEADERS,
        "body": b"<OrderResponse>%d</OrderResponse>" % number,
        **changes,
    }
    return Interaction(**fields)


async def test_cassettes_and_folders_of_them_are_sources_in_order_of_name(tmp_path: Path) -> None:
    folder = tmp_path / "cassettes"
    (folder / "sub").mkdir(parents=True)
    (folder / "README.md").write_text("Not a cassette.\n", encoding="utf-8")
    (folder / "b.yaml").write_bytes(dump([interaction(1), interaction(2)], "vcr"))
    (folder / "a.json").write_bytes(dump([interaction(1, body=b"<First/>")], "vcr-json"))
    (folder / "sub" / "c.har").write_bytes(dump([interaction(3)], "har"))
    db = await record(folder / "sub", (order_request(order()), FIRST))
    assert db.parent == folder / "sub"

    def asked(number: int) -> bytes:
        return order_request(order(f"<Quantity>{number}</Quantity>"), path=b"/accounts/1/orders")

    async with replaying_on_a_port(folder) as offline:
        assert offline.replay.count == 5
        bodies = [(await ask(offline.port, asked(number))).body for number in (1, 1, 2, 3)]
        missed = await ask(offline.port, asked(4))
    assert bodies == [
        b"<First/>",
        *(b"<OrderResponse>%d</OrderResponse>" % number for number in (1, 2, 3)),
    ]
    [name] = re.findall(rb"The nearest recording is (.*?), recorded", missed.body)
    assert name == f"POST /accounts/1/orders (interaction 1 of {folder / 'a.json'})".encode()


def test_strict_and_all_used_decide_the_exit_code(tmp_path: Path) -> None:
    cassette = tmp_path / "tape.yaml"
    cassette.write_bytes(dump([interaction(1), interaction(2)], "vcr"))
    asked = order_request(order("<Quantity>1</Quantity>"), path=b"/accounts/1/orders")
    other = order_request(order("<Quantity>3</Quantity>"), path=b"/accounts/1/orders")

    def ended(*requests: bytes, options: tuple[str, ...]) -> tuple[int, list[str]]:
        listen = ("--listen", "127.0.0.1:0", *options)
        with running("replay", "tape.yaml", *listen, cwd=tmp_path) as offline:
            for request in requests:
                asyncio.run(raw(offline.port, request))
            code = offline.stop()
        wanted = ("missed: ", "unused: ", "  ")
        return code, [line.rstrip() for line in offline.errors if line.startswith(wanted)]

    assert ended(asked, options=("--strict",)) == (0, [])
    unused = ["unused: interaction 2 of tape.yaml"]
    assert ended(asked, options=("--strict", "--all-used")) == (1, unused)
    assert ended(asked, other, options=("--strict",)) == (
        1,
        [
            (
                "missed: There is no recording of POST /accounts/1/orders with this query, body "
                "and credentials; send what was recorded, or record this."
            ),
            (
                "  The nearest recording is POST /accounts/1/orders (interaction 1 of tape.yaml), "
                "recorded once, 1 of 1 used."
            ),
            "  /Order/NPANXXSearchAndOrderType/Quantity: recorded '1', asked '3'.",
            "  With --ignore /Order/NPANXXSearchAndOrderType/Quantity the two would match.",
        ],
    )
