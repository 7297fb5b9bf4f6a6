"""Content codings, digests, and what an edit makes stale."""

import base64
import gzip
import hashlib
import zlib

import pytest

from ordertape.coding import as_utf8, check_digests, decoded, forbids_changes
from ordertape.errors import GatewayError, MalformedError, TooLargeError, UnsupportedTypeError
from ordertape.model import Headers

BODY = b"<Order><SiteId>743</SiteId></Order>"
ZIPPED = gzip.compress(BODY)


def headers(**fields: str) -> Headers:
    return Headers.of(
        (name.replace("_", "-").encode(), value.encode()) for name, value in fields.items()
    )


@pytest.mark.parametrize(
    ("coding", "body"),
    [
        ("gzip", ZIPPED),
        ("x-gzip", ZIPPED),
        ("GZIP", ZIPPED),
        ("deflate", zlib.compress(BODY)),
        ("identity", BODY),
        ("", BODY),
    ],
)
def test_a_known_coding_is_undone(coding: str, body: bytes) -> None:
    assert decoded(body, headers(Content_Encoding=coding), 1000) == BODY


@pytest.mark.parametrize(
    ("coding", "body", "error"),
    [
        ("br", BODY, UnsupportedTypeError),
        ("gzip, gzip", ZIPPED, UnsupportedTypeError),
        ("gzip", BODY, MalformedError),
        ("gzip", ZIPPED[:-4], MalformedError),
        ("gzip", ZIPPED + b"x", MalformedError),
        ("gzip", ZIPPED + ZIPPED, MalformedError),
        ("gzip", gzip.compress(bytes(1001)), TooLargeError),
        ("gzip", gzip.compress(bytes(50_000_000)), TooLargeError),
    ],
)
def test_any_other_coding_is_refused(coding: str, body: bytes, error: type[GatewayError]) -> None:
    with pytest.raises(error):
        decoded(body, headers(Content_Encoding=coding), 1000)


def test_a_body_at_the_limit_passes() -> None:
    body = gzip.compress(bytes(1000))
    assert decoded(body, headers(Content_Encoding="gzip"), 1000) == bytes(1000)


def b64(algorithm: str, body: bytes) -> str:
    return base64.b64encode(hashlib.new(algorithm, body).digest()).decode()


@pytest.mark.parametrize(
    "fields",
    [
        {"Content_MD5": b64("md5", BODY)},
        {"Content_Digest": f"sha-256=:{b64('sha256', BODY)}:"},
        {"Content_Digest": f"sha-512=:{b64('sha512', BODY)}:, sha-256=:{b64('sha256', BODY)}:"},
        {"Content_Digest": "unixsum=:AAAA:"},
        {},
    ],
)
def test_a_true_digest_passes(fields: dict[str, str]) -> None:
    check_digests(BODY, headers(**fields))


@pytest.mark.parametrize(
    "fields",
    [
        {"Content_MD5": b64("md5", b"other")},
        {"Content_MD5": "not base64"},
        {"Content_Digest": f"sha-256=:{b64('sha256', b'other')}:"},
    ],
)
def test_a_false_digest_is_refused(fields: dict[str, str]) -> None:
    with pytest.raises(MalformedError, match="digest"):
        check_digests(BODY, headers(**fields))


def test_no_transform_and_signatures_forbid_changes() -> None:
    assert forbids_changes(headers(Cache_Control="max-age=0, No-Transform"))
    assert forbids_changes(headers(Signature_Input='sig1=("content-digest")'))
    assert not forbids_changes(headers(Cache_Control="no-cache"))


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (b"application/xml", b"application/xml"),
        (b"text/xml; charset=ISO-8859-1", b"text/xml; charset=utf-8"),
        (b'text/xml;Charset="iso-8859-1"; a=b', b"text/xml;Charset=utf-8; a=b"),
    ],
)
def test_a_named_charset_becomes_that_of_the_new_bytes(before: bytes, after: bytes) -> None:
    assert as_utf8(before) == after
