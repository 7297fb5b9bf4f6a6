"""No secret is stored, and what is stored in its place tells equal secrets apart from others."""

import hmac
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertape.model import Headers, State
from ordertape.redaction import Redaction
from ordertape.store.sqlite import SqliteStore
from recorded import everything_in, intent, message, outcome, settings

KEY = bytes(range(32))
REDACTION = Redaction(
    headers=("X-Api-Key", "x-token"), query_keys=("key", "Pass Word"), key=KEY, key_id="cafe0123"
)


def digest(secret: bytes) -> bytes:
    return b"ordertape:cafe0123:" + hmac.digest(KEY, secret, "sha256").hex()[:16].encode()


@pytest.mark.parametrize(
    ("name", "value", "stored"),
    [
        (b"Authorization", b"Basic dTpw", b"Basic " + digest(b"dTpw")),
        (b"AUTHORIZATION", b"bEARER t.o.k", b"bEARER " + digest(b"t.o.k")),
        (b"Authorization", b"hunter2", digest(b"hunter2")),
        (b"Authorization", b"hunter2 hunter3", digest(b"hunter2 hunter3")),
        (b"Authorization", b"Basic", digest(b"Basic")),
        (b"Authorization", b"", digest(b"")),
        (b"Proxy-Authorization", b"Digest a=1, b=2", b"Digest " + digest(b"a=1, b=2")),
        (b"Cookie", b"a=1; b=2=3", b"a=" + digest(b"1") + b"; b=" + digest(b"2=3")),
        (b"Cookie", b"bare; a=", digest(b"bare") + b"; a=" + digest(b"")),
        (
            b"Set-Cookie",
            b"sid=s3; Path=/; HttpOnly",
            b"sid=" + digest(b"s3") + b"; Path=/; HttpOnly",
        ),
        (b"Set-Cookie", b"s3; Path=/", digest(b"s3") + b"; Path=/"),
        (b"x-api-KEY", b"k\xff", digest(b"k\xff")),
        (b"X-Token", b"Token t", b"Token " + digest(b"t")),
        (b"Content-Type", b"Basic dTpw", b"Basic dTpw"),
    ],
)
def test_a_secret_header_keeps_its_form(name: bytes, value: bytes, stored: bytes) -> None:
    around = ((b"Host", b"h"), (name, value), (b"Host", b"h"))
    assert REDACTION.headers(Headers(around)).pairs == (
        (b"Host", b"h"),
        (name, stored),
        (b"Host", b"h"),
    )


@pytest.mark.parametrize(
    ("target", "stored", "constant"),
    [
        ("/a?key=s3", f"/a?key={digest(b's3').decode()}", "/a?key=redacted"),
        ("/a?x=%41&KEY=s3&x", f"/a?x=%41&KEY={digest(b's3').decode()}&x", None),
        ("/a?k%65y=s3", f"/a?k%65y={digest(b's3').decode()}", "/a?k%65y=redacted"),
        ("/a?pass+word=s3;x=1", f"/a?pass+word={digest(b's3').decode()};x=1", None),
        ("/a?key=a=b?c", f"/a?key={digest(b'a=b?c').decode()}", "/a?key=redacted"),
        ("/a?key", "/a?key", "/a?key"),
        ("/key=s3", "/key=s3", "/key=s3"),
        ("/a?key=\udcff", f"/a?key={digest(bytes([255])).decode()}", "/a?key=redacted"),
        (
            "http://u:p@host/a",
            f"http://{digest(b'u:p').decode()}@host/a",
            "http://redacted@host/a",
        ),
        ("/a@b?x=c@d", "/a@b?x=c@d", "/a@b?x=c@d"),
    ],
)
def test_a_secret_query_value_goes_and_the_rest_stays(
    target: str, stored: str, constant: str | None
) -> None:
    assert REDACTION.target(target) == stored
    if constant is not None:
        assert REDACTION.constant_target(target) == constant


@given(st.text(st.characters(min_codepoint=33, max_codepoint=126)))
def test_a_target_without_secrets_is_left_byte_for_byte(target: str) -> None:
    quiet = Redaction(headers=(), query_keys=("never-there",), key=KEY, key_id="k")
    if "://" not in target:
        assert quiet.target(target) == target


def test_a_client_cannot_pass_for_another_by_sending_a_digest() -> None:
    victim = REDACTION.headers(Headers(((b"Authorization", b"Basic dTpw"),)))
    forged = REDACTION.headers(victim)
    assert forged != victim
    assert forged.get(b"authorization") == b"Basic " + digest(digest(b"dTpw"))


async def test_canaries_of_every_secret_place_are_in_no_file_of_the_store(tmp_path: Path) -> None:
    db = tmp_path / "tape.db"
    names = (b"Authorization", b"Proxy-Authorization", b"Cookie", b"X-Api-Key", b"X-Token")
    secrets = {name: b"canary-" + name.lower() for name in names}
    headers = Headers.of(
        (name, b"n=" + secret if name == b"Cookie" else secret) for name, secret in secrets.items()
    )
    stored = REDACTION.headers(headers)
    target = REDACTION.target("/a?key=canary-query")
    request = message(f"GET {target} HTTP/1.1".encode(), b"", *stored)
    told = Headers(
        (
            (b"Set-Cookie", b"sid=canary-set; Path=/"),
            (b"Location", b"http://service.example/b?key=canary-location"),
            (b"Content-Location", b"/c?page=1&KEY=canary-content-location"),
        )
    )
    answered = message(b"HTTP/1.1 200 OK", b"", *REDACTION.headers(told))
    store = await SqliteStore.start(db, settings=settings(commit_deadline=0.1, busy_timeout=0.05))
    exchange = intent(target=target, received=request, sent=request)
    ended = outcome(State.COMPLETED, answered=answered)
    await store.settle((await store.open(exchange)).handle, exchange.id, ended)
    assert (tmp_path / "tape.db-wal").stat().st_size > 0
    written = everything_in(tmp_path)
    await store.close()
    assert b"canary" not in written + everything_in(tmp_path)
    assert digest(b"canary-query") in written
