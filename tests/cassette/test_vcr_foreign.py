"""Cassettes that others wrote over the years: every shape and tag of theirs, as plain values."""

import gzip
import zlib
from pathlib import Path

import pytest
import yaml

from interactions import lines
from ordertape.cassette import Interaction, vcr
from ordertape.model import Headers

HERE = Path("cassette.yaml")
PLAIN = "body: {string: hello}"


def request(body: str = "null", headers: str = "{}", **more: str) -> str:
    parts = {"body": body, "headers": headers, "method": "POST", "uri": "http://x.test/a", **more}
    return "".join(f"    {name}: {value}\n" for name, value in parts.items())


def response(body: str = "{string: hello}", headers: str = "{}") -> str:
    return (
        f"    body: {body}\n    headers: {headers}\n"
        "    status:\n      code: 200\n      message: OK\n"
    )


def cassette(asked: str | None = None, answered: str | None = None) -> bytes:
    return (
        "interactions:\n- request:\n"
        + (request() if asked is None else asked)
        + "  response:\n"
        + (response() if answered is None else answered)
        + "version: 1\n"
    ).encode()


def one(text: bytes) -> Interaction:
    (loaded,) = vcr.load(text, HERE)
    return loaded


@pytest.mark.parametrize(
    ("written", "sent"),
    [
        ("null", b""),
        ("''", b""),
        ("<a/>", b"<a/>"),
        ('"a\\0b\\r\\n"', b"a\0b\r\n"),
        ('"\\uFEFF<a/>"', b"\xef\xbb\xbf<a/>"),
        ("123", b"123"),
        ("0o17", b"0o17"),
        ("!!binary |\n      /w==", b"\xff"),
        ("!binary |-\n      /w==", b"\xff"),
        ("!!str 1", b"1"),
        ("! 1", b"1"),
        ("!!python/unicode 'é'", "é".encode()),
        ("!!python/str 'x'", b"x"),
        ("[ab, !!binary 'Y2Q=']", b"abcd"),
        ("!!python/tuple [ab, cd]", b"abcd"),
        (
            (
                "!!python/object/new:_io.BytesIO\n      state: !!python/tuple\n      - !!binary |\n"
                "        Y2Q=\n      - 0\n      - null"
            ),
            b"cd",
        ),
        ("!!python/object/apply:builtins.iter\n      args:\n      - - ab\n        - cd", b"abcd"),
        ("!!python/object/apply:builtins.iter\n    - - ab", b"ab"),
        ("{encoding: ISO-8859-1, string: é}", b"\xe9"),
        ("{encoding: US-ASCII, string: é}", "é".encode()),
        ("{encoding: zlib, string: é}", "é".encode()),
        ("{encoding: UTF-8, base64_string: /w==}", b"\xff"),
    ],
)
def test_every_shape_of_a_body_is_the_bytes_that_were_sent(written: str, sent: bytes) -> None:
    assert one(cassette(request(written))).request_body == sent


@pytest.mark.parametrize(
    ("written", "given", "sent", "media"),
    [
        ("{a: 1, b: [true, null, x, 1.5]}", "", '{"a": 1, "b": [true, null, "x", 1.5]}', None),
        ("{}", "", "{}", None),
        ("[1, 2]", "", "[1, 2]", None),
        ("{when: 2020-01-01}", "", '{"when": "2020-01-01"}', None),
        ("{a: 1, b: x y}", "{Content-Type: application/x-www-form-urlencoded}", "a=1&b=x+y", None),
        (
            "[!!python/tuple [a, b], !!python/tuple [a, c]]",
            "",
            "a=b&a=c",
            "application/x-www-form-urlencoded",
        ),
    ],
)
def test_what_aiohttp_was_handed_is_written_out_as_it_does(
    written: str, given: str, sent: str, media: str | None
) -> None:
    loaded = one(cassette(request(written, given or "{}")))
    told = lines(("Content-Type", media or "application/json"))
    if given:
        told = lines(("Content-Type", "application/x-www-form-urlencoded"))
    assert (loaded.request_body, loaded.request_headers) == (sent.encode(), told)


@pytest.mark.parametrize(
    "written",
    [
        "{Accept: [a], X: [b, c]}",
        "{Accept: a, X: [b, c]}",
        "[!!python/tuple [Accept, a], !!python/tuple [X, b], !!python/tuple [X, [c]]]",
        '["Accept: a\\r\\n", "X: b\\r\\n", "X: c\\r\\n"]',
        "[\"Accept:\\r\\n  a\\r\\n\", 'X: b', 'X: c']",
        (
            "\n      ? !!python/object/apply:multidict._multidict.istr\n"
            "      - Accept\n      : - a\n"
            "      ? !!python/object/new:multidict._multidict.istr\n        args: [X]\n"
            "      : [b, c]"
        ),
        (
            "!!python/object:requests.structures.CaseInsensitiveDict\n      _store:\n"
            "        accept: !!python/tuple [Accept, a]\n        x: !!python/tuple [X, [b, c]]"
        ),
        (
            "!!python/object/apply:__builtin__.frozenset\n"
            "      - - !!python/tuple [Accept, a]\n        - !!python/tuple [X, b]\n"
            "        - !!python/tuple [X, c]"
        ),
        (
            "!!python/object/apply:builtins.frozenset\n      args:\n"
            "      - [[Accept, a], [X, b], [X, c]]"
        ),
    ],
)
def test_every_shape_of_headers_is_the_same_lines(written: str) -> None:
    wanted = lines(("Accept", "a"), ("X", "b"), ("X", "c"))
    assert one(cassette(request(headers=written))).request_headers == wanted
    assert one(cassette(answered=response(headers=written))).headers == wanted


def test_a_header_that_yaml_takes_for_a_number_keeps_its_spelling() -> None:
    loaded = one(cassette(request(headers="{ETag: 0x10, Age: 010, Yes: yes, Empty: }")))
    assert loaded.request_headers == lines(
        ("ETag", "0x10"), ("Age", "010"), ("Yes", "yes"), ("Empty", "")
    )


def test_an_answer_of_the_first_aiohttp_stubs_has_a_url_that_is_ignored() -> None:
    url = (
        "    url: !!python/object/new:yarl.URL\n      state: !!python/tuple\n"
        "      - !!python/object/new:urllib.parse.SplitResult\n        - http\n        - x.test\n"
        "        - /a\n        - ''\n        - ''\n"
    )
    assert one(cassette(answered=response() + url)) == one(cassette())


def test_an_answer_of_the_first_httpx_stubs_has_its_own_names() -> None:
    answered = (
        "    content: hello\n    headers: {X: [a]}\n    http_version: HTTP/1.1\n"
        "    status_code: 404\n"
    )
    loaded = one(cassette(answered=answered))
    assert (loaded.status, loaded.reason, loaded.body) == (404, b"", b"hello")


def test_a_list_from_before_version_1_is_read() -> None:
    text = b"""\
- request: !!python/object:vcr.request.Request
    body: null
    headers: !!python/object/apply:__builtin__.frozenset
    - - !!python/tuple [Accept-Encoding, 'gzip, deflate']
    host: httpbin.org
    method: GET
    path: /get?a=1
    port: 8080
    protocol: http
  response:
    body: {string: !!python/unicode "{}"}
    headers: ["Date: Sun, 08 Sep 2013 00:00:00 GMT\\r\\n", "Server: x\\r\\n"]
    status: {code: 200, message: OK}
"""
    assert one(text) == Interaction(
        "GET",
        "http://httpbin.org:8080/get?a=1",
        lines(("Accept-Encoding", "gzip, deflate")),
        b"",
        200,
        b"OK",
        lines(("Date", "Sun, 08 Sep 2013 00:00:00 GMT"), ("Server", "x")),
        b"{}",
    )


def test_a_json_list_from_before_version_1_is_read() -> None:
    text = (
        b'[{"request": {"body": null, "protocol": "https", "method": "GET", "port": 443, '
        b'"headers": {"Accept": "*/*"}, "host": "h.test", "path": "/"}, "response": {"status": '
        b'{"message": "OK", "code": 200}, "body": {"string": "x"}, "headers": ["A: b\\r\\n"]}}]'
    )
    loaded = one(text)
    assert (loaded.url, loaded.headers) == ("https://h.test/", lines(("A", "b")))


def test_cassettes_of_betamax_and_ruby_are_read() -> None:
    betamax = (
        b'{"http_interactions": [{"request": {"body": {"encoding": "utf-8", "string": "q"}, '
        b'"headers": {"A": ["b"]}, "method": "PUT", "uri": "http://x.test/"}, "response": {"body":'
        b' {"encoding": "UTF-8", "base64_string": "/w=="}, "headers": {}, "status": {"code": 200, '
        b'"message": "OK"}, "url": "http://x.test/"}, "recorded_at": "2013-08-31T00:00:01"}], '
        b'"recorded_with": "betamax/0.9.0"}'
    )
    ruby = b"""\
---
http_interactions:
- request:
    method: put
    uri: http://x.test/
    body:
      encoding: UTF-8
      string: q
    headers:
      A:
      - b
  response:
    status:
      code: 200
      message: OK
    headers: {}
    body:
      encoding: ASCII-8BIT
      string: !binary |-
        /w==
    http_version: '1.1'
  recorded_at: Sat, 31 Aug 2013 00:00:01 GMT
recorded_with: VCR 2.0.0
"""
    wanted = Interaction(
        "PUT",
        "http://x.test/",
        lines(("A", "b")),
        b"q",
        200,
        b"OK",
        Headers(),
        b"\xff",
        started_at=1_377_907_201_000_000,
    )
    assert (one(betamax), one(ruby)) == (wanted, wanted)


def test_shared_headers_are_written_as_aliases_and_read_as_often() -> None:
    loaded = one(cassette(request(headers="&id001 {A: [b]}"), response(headers="*id001")))
    assert loaded.request_headers == loaded.headers == lines(("A", "b"))


TEXT = b"<a>\n"
ZIPPED = gzip.compress(TEXT, mtime=0)
BOTH = (("Content-Encoding", "gzip"), ("Content-Length", "999"))


@pytest.mark.parametrize(
    ("coding", "body", "kept"),
    [
        ("gzip", ZIPPED, True),
        ("x-gzip", ZIPPED + ZIPPED, True),
        ("deflate", zlib.compress(TEXT), True),
        ("deflate", zlib.compress(TEXT)[2:-4], True),
        ("br", b"\x8b\x01\x80x\x03", True),
        ("gzip, br", TEXT, True),
        ("identity", TEXT, True),
        ("gzip", TEXT, False),
        ("gzip", b"", False),
        ("deflate", TEXT, False),
        ("br", TEXT, False),
        ("zstd", TEXT, False),
    ],
)
def test_a_content_encoding_that_the_body_lacks_goes(
    coding: str, body: bytes, *, kept: bool
) -> None:
    recorded = Interaction(
        "GET",
        "http://x.test/",
        Headers(),
        b"",
        200,
        b"OK",
        lines(("Content-Encoding", coding), ("Content-Length", "999"), ("X", "y")),
        body,
    )
    headers = {name.decode(): [value.decode()] for name, value in recorded.headers}
    answered = {
        "body": {"string": body},
        "headers": headers,
        "status": {"code": 200, "message": "OK"},
    }
    asked = {"body": None, "headers": {}, "method": "GET", "uri": "http://x.test/"}
    text = yaml.safe_dump(
        {"interactions": [{"request": asked, "response": answered}], "version": 1},
        sort_keys=False,
    )
    plain = lines(("Content-Length", str(len(body))), ("X", "y"))
    loaded = one(text.encode())
    assert (loaded.headers, loaded.body) == (recorded.headers if kept else plain, body)


def test_an_answer_to_head_keeps_the_coding_of_the_body_that_it_has_not() -> None:
    headers = "{Content-Encoding: [gzip], Content-Length: ['999']}"
    loaded = one(cassette(request().replace("POST", "HEAD"), response("{}", headers)))
    assert (loaded.headers, loaded.body) == (lines(*BOTH), b"")


def test_a_url_is_written_as_a_request_line_takes_it() -> None:
    loaded = one(cassette(request(uri="'http://x.test/é x?a=%20#top'")))
    assert loaded.url == "http://x.test/%C3%A9%20x?a=%20"
