"""Secrets as ordinals: equal for equal, wherever they stand; nothing else changes."""

import gzip
import re
import zlib
from dataclasses import replace
from typing import Any

import pytest

from ordertape.cassette.interaction import CassetteError, Interaction
from ordertape.cassette.ordinals import Secrets, numbered
from ordertape.model import Headers
from ordertape.redaction import Redaction

XML = (b"Content-Type", b"application/xml")
KEY = (b"k" * 32, "12345678")
STORE = Redaction(headers=("X-Key",), query_keys=("token",), key=KEY[0], key_id=KEY[1])


def exchanged(**changes: Any) -> Interaction:
    one = Interaction("GET", "http://h/a", Headers(), b"", 200, b"OK", Headers(), b"")
    return replace(one, **changes)


def headers(*lines: str) -> Headers:
    pairs = (line.split(": ", 1) for line in lines)
    return Headers.of((name.encode(), value.encode()) for name, value in pairs)


def lines(found: Headers) -> list[str]:
    return [f"{name.decode()}: {value.decode()}" for name, value in found]


def test_equal_secrets_become_equal_ordinals_in_the_order_of_their_coming() -> None:
    secret = Secrets(headers=("x-key",), query_keys=("Token",))
    first = exchanged(
        url="http://h/a?token=one&b=token",
        request_headers=headers(
            "Authorization: Bearer two", "X-KEY: three", "Cookie: a=four; b=two"
        ),
        headers=headers(
            "Set-Cookie: s=four; Path=/a", "Location: http://h/x?token=one", "ETag: two"
        ),
    )
    second = exchanged(
        request_headers=headers("authorization: three", "Referer: http://up@h/?TOKEN=five")
    )
    found = numbered([first, second, first], secret)
    assert found[0] == found[2]
    seen = [
        found[0].url,
        *lines(found[0].request_headers),
        *lines(found[0].headers),
        *lines(found[1].request_headers),
    ]
    numbers = {
        name: f"redacted-{number}"
        for number, name in enumerate(("two", "three", "four", "one", "up", "five"), 1)
    }
    assert seen == [
        line.format_map(numbers)
        for line in (
            "http://h/a?token={one}&b=token",
            "Authorization: Bearer {two}",
            "X-KEY: {three}",
            "Cookie: a={four}; b={two}",
            "Set-Cookie: s={four}; Path=/a",
            "Location: http://h/x?token={one}",
            "ETag: two",
            "authorization: {three}",
            "Referer: http://{up}@h/?TOKEN={five}",
        )
    ]


def test_digests_of_a_store_become_ordinals_even_where_nothing_is_secret_now() -> None:
    one = exchanged(
        url="http://h" + STORE.target("/a?token=one"),
        request_headers=STORE.headers(headers("X-Key: one", "Authorization: Basic two")),
        headers=headers("Location: http://h/?token=one"),
    )
    [found] = numbered([one], Secrets(query_keys=("token",)), KEY)
    assert lines(found.request_headers) == ["X-Key: redacted-1", "Authorization: Basic redacted-2"]
    assert found.url == "http://h/a?token=redacted-1"
    assert lines(found.headers) == ["Location: http://h/?token=redacted-1"]


def test_ordinals_that_are_there_stay_and_no_other_secret_gets_one_of_them() -> None:
    one = exchanged(
        request_headers=headers("Cookie: a=redacted-2; b=x; c=y"),
        headers=headers("Content-Type: text/xml", "Content-Encoding: gzip"),
        body=gzip.compress(b"<a><b>redacted-1</b></a>"),
    )
    [found] = numbered([one], Secrets(xpaths=("/a/b",)))
    assert lines(found.request_headers) == ["Cookie: a=redacted-2; b=redacted-3; c=redacted-4"]
    assert (found.headers, found.body) == (one.headers, one.body)
    assert numbered([found], Secrets(xpaths=("/a/b",))) == [found]


@pytest.mark.parametrize(
    ("xpath", "body", "redacted"),
    [
        ("/a/b", b"<a><b>x</b><b/>t</a>", b"<a><b>redacted-1</b><b/>t</a>"),
        ("//b", b"<a><b>x</b><c><b> x </b></c></a>", b"<a><b>1</b><c><b>1</b></c></a>"),
        ("/a/b", b"<a>\n <b><c>x</c>y</b>\n</a>\n", b"<a>\n <b>redacted-1</b>\n</a>\n"),
        ("/a/@c", b"<a c='x' d='x'/>", b'<a c="redacted-1" d="x"/>'),
        ("/a/text()", b"<a>x<b>x</b>y</a>", b"<a>redacted-1<b>x</b>redacted-2</a>"),
        (
            "/a/b",
            b"<?xml version='1.0'?>\n<a><b>x</b></a>",
            b"<?xml version='1.0'?>\n<a><b>1</b></a>",
        ),
        ("/a/c", b"<a  b = '1'></a >", b"<a  b = '1'></a >"),
    ],
)
def test_an_xpath_names_places_and_the_rest_stays(xpath: str, body: bytes, redacted: bytes) -> None:
    one = exchanged(
        request_headers=Headers.of([XML, (b"Content-Length", b"%d" % len(body))]),
        request_body=body,
        headers=Headers.of([XML]),
        body=body,
    )
    [found] = numbered([one], Secrets(xpaths=(xpath,)))
    wanted = re.sub(rb">(\d)<", rb">redacted-\1<", redacted)
    assert (found.request_body, found.body) == (wanted, wanted)
    assert found.request_headers.content_length() == len(wanted)


def test_a_charset_and_its_mark_are_kept() -> None:
    latin = b"<?xml version='1.0' encoding='iso-8859-1'?><a><b>x</b>\xe9&#x20ac;</a>"
    marked = b"\xef\xbb\xbf<a><b>x</b>\xc3\xa9</a>"
    found = numbered(
        [
            exchanged(headers=headers("Content-Type: text/xml"), body=latin),
            exchanged(headers=headers("Content-Type: text/xml"), body=marked),
        ],
        Secrets(xpaths=("/a/b",)),
    )
    assert found[0].body == latin.replace(b">x<", b">redacted-1<").replace(b"x20ac", b"8364")
    assert found[1].body == marked.replace(b">x<", b">redacted-1<")


@pytest.mark.parametrize(
    ("coding", "pack", "unpack"),
    [("gzip", gzip.compress, gzip.decompress), ("deflate", zlib.compress, zlib.decompress)],
)
def test_packed_bodies_are_unpacked_redacted_and_packed_again(
    coding: str, pack: Any, unpack: Any
) -> None:
    stated = headers(
        "Content-Type: application/xml", f"Content-Encoding: {coding}", "Content-MD5: AAAA"
    )
    one = exchanged(headers=stated, body=pack(b"<a><b>canary</b></a>"))
    [found] = numbered([one], Secrets(xpaths=("/a/b",)))
    assert unpack(found.body) == b"<a><b>redacted-1</b></a>"
    assert lines(found.headers) == lines(stated)[:2]
    assert numbered([one], Secrets(xpaths=("/a/b",))) == [found]


@pytest.mark.parametrize(
    ("stated", "body"),
    [
        (("Content-Type: application/xml",), b"<a><b>canary</a>"),
        (("Content-Type: text/xml", "Content-Encoding: br"), b"canary"),
        (("Content-Type: text/xml", "Content-Encoding: gzip"), b"canary"),
    ],
)
def test_xml_that_cannot_be_searched_is_no_cassette_to_publish(
    stated: tuple[str, ...], body: bytes
) -> None:
    one = exchanged(headers=headers(*stated), body=body)
    with pytest.raises(
        CassetteError, match=r"The answer of interaction 2 \(GET http://h/a\) says that it is XML"
    ):
        numbered([exchanged(), one], Secrets(xpaths=("/a/b",)))
    assert numbered([one], Secrets()) == [one]


def test_an_xpath_that_is_none_or_names_no_place_is_refused() -> None:
    with pytest.raises(CassetteError, match=r"'/a\[' is no XPath"):
        Secrets(xpaths=("/a[",))
    one = exchanged(headers=Headers.of([XML]), body=b"<a/>")
    with pytest.raises(CassetteError, match=r"'count\(/a\)' names no place"):
        numbered([one], Secrets(xpaths=("count(/a)",)))


def test_json_and_text_are_none_of_an_xpaths_business() -> None:
    one = exchanged(headers=headers("Content-Type: application/json"), body=b'{"a": "<a/>"}')
    assert numbered([one], Secrets(xpaths=("/a",))) == [one]
