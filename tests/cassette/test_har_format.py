"""HTTP Archives: ours against the specification's schema, and those of browsers and proxies."""

import gzip
import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from interactions import ANSWER, ORDER, URL, any_interactions, interaction, lines
from ordertape.cassette import CassetteError, Interaction, dump, har
from ordertape.model import Headers

HERE = Path("orders.har")
SCHEMA = json.loads((Path(__file__).parent / "har-1.2.schema.json").read_bytes())
VALIDATOR = jsonschema.Draft7Validator(SCHEMA)
WHEN = 1_700_000_000_123_456
ZIPPED = gzip.compress(ANSWER, mtime=0)


def archived(*recorded: Interaction) -> dict[str, Any]:
    """The archive as a browser reads it, which must be one."""
    archive: dict[str, Any] = json.loads(dump(recorded, "har"))
    VALIDATOR.validate(archive)
    return archive


def entry(*recorded: Interaction) -> dict[str, Any]:
    (only,) = archived(*recorded)["log"]["entries"]
    found: dict[str, Any] = only
    return found


def loaded(*entries: dict[str, Any], creator: str = "WebInspector") -> list[Interaction]:
    log = {"version": "1.2", "creator": {"name": creator, "version": "1"}, "entries": entries}
    return har.load(b"\xef\xbb\xbf" + json.dumps({"log": log}).encode(), HERE)


def foreign(**changes: Any) -> dict[str, Any]:
    """An entry as Chrome writes it; `request_x` and `response_x` change what is inside."""
    told: dict[str, Any] = {
        "startedDateTime": "2023-11-14T23:13:20.123+01:00",
        "time": 12.5,
        "request": {
            "method": "GET",
            "url": "http://x.test/a?b=c",
            "httpVersion": "HTTP/1.1",
            "headers": [{"name": "Accept", "value": "*/*"}],
            "queryString": [],
            "cookies": [],
            "headersSize": -1,
            "bodySize": 0,
        },
        "response": {
            "status": 200,
            "statusText": "OK",
            "httpVersion": "HTTP/1.1",
            "cookies": [],
            "headers": [{"name": "Content-Type", "value": "text/plain"}],
            "content": {"size": 5, "mimeType": "text/plain", "text": "hello"},
            "redirectURL": "",
            "headersSize": -1,
            "bodySize": -1,
        },
        "cache": {},
        "timings": {"send": 1, "wait": 11, "receive": 0.5},
    }
    for name, value in changes.items():
        half, _, key = name.partition("_")
        told[half][key] = value
    return told


PLAIN = Interaction(
    "GET",
    "http://x.test/a?b=c",
    lines(("Accept", "*/*")),
    b"",
    200,
    b"OK",
    lines(("Content-Type", "text/plain")),
    b"hello",
    1_700_000_000_123_000,
    12_500,
    {"timings": {"send": 1, "wait": 11, "receive": 0.5}},
)


def test_an_order_is_an_entry_with_its_cookies_query_sizes_and_timings() -> None:
    recorded = interaction(
        url=URL + "?a=1&b=%C3%A9&c",
        request_headers=lines(("Content-Type", "application/xml"), ("Cookie", "s=1; t=a=b")),
        headers=lines(
            ("Content-Type", "application/xml"),
            ("Location", URL + "/1"),
            ("Set-Cookie", "s=2; Expires=Wed, 21 Oct 2026 07:28:00 GMT; Path=/; Secure; HttpOnly"),
            ("Set-Cookie", "t=; Expires=soon; Domain=x.test"),
        ),
        started_at=WHEN,
        duration=1_234_567,
    )
    assert entry(recorded) == {
        "startedDateTime": "2023-11-14T22:13:20.123456Z",
        "time": 1234.567,
        "request": {
            "method": "POST",
            "url": URL + "?a=1&b=%C3%A9&c",
            "httpVersion": "HTTP/1.1",
            "cookies": [{"name": "s", "value": "1"}, {"name": "t", "value": "a=b"}],
            "headers": [
                {"name": "Content-Type", "value": "application/xml"},
                {"name": "Cookie", "value": "s=1; t=a=b"},
            ],
            "queryString": [
                {"name": "a", "value": "1"},
                {"name": "b", "value": "é"},
                {"name": "c", "value": ""},
            ],
            "postData": {"mimeType": "application/xml", "text": ORDER.decode()},
            "headersSize": len(
                b"POST /accounts/9900012/orders?a=1&b=%C3%A9&c HTTP/1.1\r\n"
                b"Content-Type: application/xml\r\nCookie: s=1; t=a=b\r\n\r\n"
            ),
            "bodySize": len(ORDER),
        },
        "response": {
            "status": 201,
            "statusText": "Created",
            "httpVersion": "HTTP/1.1",
            "cookies": [
                {
                    "name": "s",
                    "value": "2",
                    "path": "/",
                    "expires": "2026-10-21T07:28:00+00:00",
                    "httpOnly": True,
                    "secure": True,
                },
                {"name": "t", "value": "", "domain": "x.test", "httpOnly": False, "secure": False},
            ],
            "headers": [
                {"name": name.decode(), "value": value.decode()} for name, value in recorded.headers
            ],
            "content": {
                "size": len(ANSWER),
                "mimeType": "application/xml",
                "text": ANSWER.decode(),
            },
            "redirectURL": URL + "/1",
            "headersSize": len(
                b"HTTP/1.1 201 Created\r\n"
                + b"".join(b"%s: %s\r\n" % pair for pair in recorded.headers)
                + b"\r\n"
            ),
            "bodySize": len(ANSWER),
        },
        "cache": {},
        "timings": {
            "blocked": -1,
            "dns": -1,
            "connect": -1,
            "send": 0,
            "wait": 1234.567,
            "receive": 0,
            "ssl": -1,
        },
    }
    assert har.load(dump([recorded], "har"), HERE) == [recorded]


@given(recorded=st.lists(any_interactions(), max_size=3))
@settings(deadline=None, max_examples=30)
def test_whatever_is_written_is_a_har_and_comes_back_as_it_was(
    recorded: list[Interaction],
) -> None:
    archived(*recorded)
    assert har.load(dump(recorded, "har"), HERE) == recorded


def test_a_compressed_answer_shows_its_text_and_keeps_its_bytes() -> None:
    recorded = interaction(headers=lines(("Content-Encoding", "gzip")), body=ZIPPED)
    content = entry(recorded)["response"]["content"]
    assert (content["text"], content["size"]) == (ANSWER.decode(), len(ANSWER))
    assert content["size"] - content["compression"] == len(ZIPPED)
    assert har.load(dump([recorded], "har"), HERE) == [recorded]


def test_a_coding_that_is_not_known_keeps_its_bytes() -> None:
    recorded = interaction(headers=lines(("Content-Encoding", "br")), body=b"\x8b\x01\x80x\x03")
    assert "text" not in entry(recorded)["response"]["content"]
    assert har.load(dump([recorded], "har"), HERE) == [recorded]


def test_the_text_counts_where_someone_has_changed_it() -> None:
    recorded = interaction(headers=lines(("Content-Encoding", "gzip")), body=ZIPPED)
    changed = dump([recorded], "har").replace("é".encode(), b"e")
    (read,) = har.load(changed, HERE)
    assert (read.headers, read.body) == (Headers(), ANSWER.replace("é".encode(), b"e"))


@pytest.mark.parametrize(
    ("media", "body"),
    [
        ("text/plain; charset=iso-8859-1", b"\xe9"),
        ("text/plain; charset=iso-8859-1", "é".encode()),
        ('text/xml; charset="UTF-16"', "é".encode("utf-16")),
        ("text/plain; charset=none-such", "é".encode()),
        ("image/png", b"\x89PNG\0"),
        ("text/plain", b""),
    ],
)
def test_bodies_in_any_charset_come_back_as_they_were(media: str, body: bytes) -> None:
    told = lines(("Content-Type", media))
    recorded = interaction(headers=told, body=body, request_headers=told, request_body=body)
    archived(recorded)
    assert har.load(dump([recorded], "har"), HERE) == [recorded]


def test_an_archive_of_chrome_is_read() -> None:
    assert loaded(foreign()) == [PLAIN]


@pytest.mark.parametrize(
    ("changes", "wanted"),
    [
        (
            {"request_headers": [[":method", "GET"], ["A", "b"]]},
            {"request_headers": lines(("A", "b"))},
        ),
        (
            {"response_headers": [{"name": "set-cookie", "value": "a=1\nb=2"}]},
            {"headers": lines(("set-cookie", "a=1"), ("set-cookie", "b=2"))},
        ),
        (
            {
                "response_content": {
                    "size": 1,
                    "mimeType": "x/y",
                    "text": "/w==",
                    "encoding": "base64",
                }
            },
            {"body": b"\xff"},
        ),
        (
            {"response_content": {"mimeType": "text/plain; charset=latin1", "text": "é"}},
            {"body": b"\xe9"},
        ),
        ({"response_content": {"size": 0, "mimeType": "x/y"}}, {"body": b""}),
        ({"response_status": 304, "response_content": {"size": 9}}, {"status": 304, "body": b""}),
        ({"response_statusText": ""}, {"reason": b""}),
        ({"request_postData": {"mimeType": "a/b", "text": "é"}}, {"request_body": "é".encode()}),
        (
            {
                "request_postData": {
                    "mimeType": "application/x-www-form-urlencoded",
                    "params": [{"name": "a", "value": "b c"}, {"name": "d"}],
                }
            },
            {"request_body": b"a=b+c&d="},
        ),
        (
            {
                "response_headers": [
                    {"name": "Content-Encoding", "value": "gzip"},
                    {"name": "Content-Length", "value": "3"},
                ]
            },
            {"headers": lines(("Content-Length", "5"))},
        ),
        ({"request_url": "HTTP://x.test/a b"}, {"url": "HTTP://x.test/a%20b"}),
    ],
)
def test_what_browsers_and_proxies_write_is_read_as_it_was_sent(
    changes: dict[str, Any], wanted: dict[str, Any]
) -> None:
    (read,) = loaded(foreign(**changes))
    assert {name: getattr(read, name) for name in wanted} == wanted


@pytest.mark.parametrize(
    "changes",
    [
        {"response_status": 0},
        {"response_status": 101},
        {"request_url": "data:text/plain,hello"},
        {"request_url": "chrome-extension://x/y"},
        {"request_url": "wss://x.test/"},
    ],
)
def test_what_is_no_whole_http_exchange_is_left_out(changes: dict[str, Any]) -> None:
    assert loaded(foreign(**changes), foreign()) == [PLAIN]


def test_the_oldest_comes_first_where_every_time_is_known() -> None:
    late, early = foreign(), foreign()
    early["startedDateTime"] = "2020-01-01T00:00:00Z"
    assert [read.started_at for read in loaded(late, early)] == [
        1_577_836_800_000_000,
        1_700_000_000_123_000,
    ]
    early["startedDateTime"] = "yesterday"
    assert [read.started_at for read in loaded(late, early)] == [1_700_000_000_123_000, None]


def test_fields_of_other_programs_are_written_again() -> None:
    told = foreign(
        request__mine=1,
        response__error=None,
        response_httpVersion="h2",
        response_content={"mimeType": "a/b", "text": "x", "_c": [1]},
    )
    told |= {"_id": "7", "connection": "52492", "pageref": "page_1", "cache": {"comment": "no"}}
    (read,) = loaded(told)
    again = entry(read)
    assert (again["_id"], again["connection"]) == ("7", "52492")
    assert "pageref" not in again, "its page is not kept"
    assert (again["request"]["_mine"], again["response"]["_error"]) == (1, None)
    assert (again["response"]["httpVersion"], again["response"]["content"]["_c"]) == ("h2", [1])
    assert (again["timings"], again["cache"]) == (told["timings"], {"comment": "no"})
    assert har.load(dump([read], "har"), HERE) == [read]


def test_our_own_fields_in_an_archive_of_another_mean_nothing() -> None:
    told = foreign(response_content={"mimeType": "a/b", "text": "x", "_encodedBase64": "/w=="})
    assert (loaded(told)[0].body, loaded(told)[0].extra.get("content")) == (b"x", None)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        (
            {"response_content": {"size": 9}},
            "The answer's body is missing; export the archive with",
        ),
        (
            {"request_bodySize": 9},
            "The request's body is missing; export the archive with content.",
        ),
        (
            {"request_postData": {"mimeType": "multipart/form-data", "params": [{"name": "a"}]}},
            "The request's body is there in parts only; export it as text.",
        ),
        ({"response_content": {"text": "/w=", "encoding": "base64"}}, "The base64 is damaged ("),
        (
            {"response_content": {"text": "a", "encoding": "rot13"}},
            "The body's encoding is not base64",
        ),
        ({"response_headers": [7]}, "A header is neither an object nor a pair;"),
        (
            {"response_headers": [{"name": "A", "value": "b\rc"}]},
            "The header A holds a line break;",
        ),
        ({"request_method": "G T"}, "The request's method is missing or none;"),
        ({"request_url": "/a"}, "The request's URL is missing or not absolute http;"),
        ({"response_status": "OK"}, "The answer's status is missing or no final one"),
    ],
)
def test_what_cannot_be_served_is_refused_with_the_line_of_its_entry(
    changes: dict[str, Any], sentence: str
) -> None:
    log = {"version": "1.2", "entries": [foreign(), foreign(**changes)]}
    text = json.dumps({"log": log}, indent=1)
    line = text[: text.rindex('{\n    "startedDateTime"')].count("\n") + 1
    with pytest.raises(CassetteError) as refused:
        har.load(text.encode(), HERE)
    assert str(refused.value).startswith(f"orders.har:{line}: {sentence}")


@pytest.mark.parametrize("version", ["2.0", "1.0", "1", "x"])
def test_another_version_is_refused(version: str) -> None:
    text = json.dumps({"log": {"version": version, "entries": []}})
    with pytest.raises(CassetteError, match="or later; export it anew"):
        har.load(text.encode(), HERE)


def test_fields_that_are_nested_too_deeply_to_be_written_again_are_left_out() -> None:
    told = foreign()
    told["_deep"] = json.loads("[" * 100 + "]" * 100)
    assert loaded(told) == [PLAIN]
