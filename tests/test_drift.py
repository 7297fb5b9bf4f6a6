"""What has changed in an answer, and what only differs each time."""

import gzip
import re
from pathlib import Path

import pytest

from ordertape.drift import Change, Terms, compare
from ordertape.drift.varying import VARYING, VARYING_NAMES, Varying
from ordertape.matching import Matching
from ordertape.model import Body, Headers, Response
from ordertape.redaction import Redaction
from ordertape.testing import order_created

REFERENCE = Path(__file__).parent.parent / "docs" / "reference.md"
REDACTION = Redaction(headers=["X-Secret"], query_keys=["apiKey"], key=b"k" * 32, key_id="01234567")
XML, JSON = "application/xml", "application/json"
ONE, OTHER = "0192f000-0000-7000-8000-000000000001", "cd613e30-d8f1-4adf-91b7-584a2265b1f5"
DIGEST = "ordertape:89abcdef:0123456789abcdef"


def answer(
    body: str | bytes = "",
    *pairs: tuple[str, str],
    media: str = XML,
    status: int = 200,
    upstream: str = "",
) -> Response:
    lines = [("Content-Type", media), *pairs]
    headers = Headers.of((name.encode(), value.encode()) for name, value in lines)
    data = body if isinstance(body, bytes) else body.encode()
    return Response(status, b"", headers, Body(data), upstream)


def found(recorded: Response, now: Response, *ignore: str, credentials: str = "") -> list[Change]:
    told = (credentials,) if credentials else ()
    return list(compare(recorded, now, Terms(Matching(ignore=ignore), REDACTION, told)))


def in_bodies(recorded: str, now: str, *ignore: str, media: str = XML) -> list[Change]:
    return found(answer(recorded, media=media), answer(now, media=media), *ignore)


def test_xml_that_says_the_same_has_not_drifted_however_it_is_written() -> None:
    one = "<?xml version='1.0'?><a:R xmlns:a='urn:x' b='1' c='2'><a:S>v</a:S><a:E></a:E></a:R>"
    other = "<R xmlns='urn:x' c='2' b='1'>\n  <S> v </S>\n  <E/><!-- new -->\n</R>"
    assert in_bodies(one, other) == []
    packed = answer(gzip.compress(other.encode()), ("Content-Encoding", "gzip"))
    assert found(answer(one), packed) == []


@pytest.mark.parametrize(
    ("now", "change"),
    [
        ("<R><S>x</S><T>w</T></R>", Change("/R/S", "v", "x")),
        ("<R><S>v</S></R>", Change("/R/T", "w", None)),
        ("<R><S>v</S><T>w</T><U><V/><W/></U></R>", Change("/R/U", None, "<U> with 2 values")),
        ("<R><S n='1'>v</S><T>w</T></R>", Change("/R/S/@n", None, "1")),
        ("<R><T>w</T><S>v</S></R>", Change("/R (order of its elements)", "S, T", "T, S")),
        ("<Q/>", Change("/Q", "<R> with 2 values", "")),
    ],
)
def test_xml_has_drifted_at_an_xpath_with_both_values(now: str, change: Change) -> None:
    assert in_bodies("<R><S>v</S><T>w</T></R>", now) == [change]


def test_json_has_drifted_at_a_path_and_other_bodies_as_a_whole() -> None:
    assert in_bodies('{"a": [1, {"b": "x"}]}', '{"a":[1,{"b":"y"}],"c":0}', media=JSON) == [
        Change("$.a[1].b", '"x"', '"y"'),
        Change("$.c", None, "0"),
    ]
    assert in_bodies('{"a": 1, "b": 2}', '{"b":2,"a":1}', media=JSON) == []
    [image] = found(answer(b"\x89one", media="image/png"), answer(b"\x89two!", media="image/png"))
    assert image.place == "body"
    assert re.fullmatch(r"4 bytes, SHA-256 [0-9a-f]{16}", str(image.recorded))
    assert re.fullmatch(r"5 bytes, SHA-256 [0-9a-f]{16}", str(image.now))
    [gone] = in_bodies("<R/>", "")
    assert re.fullmatch(r"4 bytes of XML, SHA-256 [0-9a-f]{16}", str(gone.recorded))
    assert (gone.place, gone.now) == ("body", None)
    [other] = found(answer("<R/>"), answer('{"a": 1}', media=JSON), "Content-Type")
    assert (other.place, other.varies) == ("body", None)


SAME_KIND = {
    "a UUID": (ONE, OTHER),
    "a date of ISO 8601, with or without a time": (
        "2014-07-11T17:13:57.788Z",
        "2026-11-24T08:00:00+01:00",
    ),
    "a date of HTTP": ("Fri, 11 Jul 2014 17:13:57 GMT", "Tue, 24 Nov 2026 08:00:00 GMT"),
    "a time of day": ("17:13:57", "08:00:00.5"),
    "16 or more hexadecimal digits": ("0123456789abcdef", "fedcba98765432100"),
    "seconds since 1970, with or without a fraction, of the years 2001 to 2033": (
        "1405098837",
        "1795507200.5",
    ),
    "milliseconds since 1970, of those years": ("1405098837000", "1795507200123"),
    "microseconds since 1970, of those years": ("1405098837000000", "1795507200123456"),
}


@pytest.mark.parametrize("varying", VARYING, ids=lambda varying: varying.what)
def test_what_is_expected_to_differ_varies_and_has_not_drifted(varying: Varying) -> None:
    one, other = SAME_KIND[varying.what]
    for around in ("{}", "at {}, ok", "/a/{}"):
        recorded, now = around.format(one), around.format(other)
        assert in_bodies(f"<R>{recorded}</R>", f"<R>{now}</R>") == [
            Change("/R", recorded, now, varying.kind)
        ]
    assert in_bodies(f"<R>{one}</R>", f"<R>x{other}</R>")[0].varies is None
    assert in_bodies(f"<R>{one}</R>", "<R/>")[0].varies is None
    assert in_bodies(f'{{"a":"{one}"}}', f'{{"a":"{other}"}}', media=JSON)[0].varies == varying.kind


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("6175329621", "9195329621"),  # telephone numbers
        ("16175329621", "19195329621"),
        ("RECEIVED", "COMPLETE"),
        ("2014-07-11", "1405098837"),
        ("1405098837", "1405098837000"),
        (ONE, "0123456789abcdef"),
        ("v1.4050988370", "v1.4050988371"),
        ("12", "13"),
        ("cafe", "babe"),
    ],
)
def test_what_is_something_else_has_drifted(one: str, other: str) -> None:
    assert in_bodies(f"<R><S>{one}</S></R>", f"<R><S>{other}</S></R>") == [
        Change("/R/S", one, other)
    ]


def test_ids_are_recognised_by_their_names_too() -> None:
    for name in ("id", "OrderId", "request-id", "TRACE_ID"):
        [change] = in_bodies(f"<R><{name}>a-1</{name}></R>", f"<R><{name}>b-2</{name}></R>")
        assert (change.place, change.varies) == (f"/R/{name}", "id")
    one, other = "<R xmlns='http://a.b/id' id='1'/>", "<R xmlns='http://a.b/id' id='2'/>"
    assert [change.varies for change in in_bodies(one, other)] == ["id"]
    one, other = (f"<i:R xmlns:i='http://a.b/c'><i:id>{n}</i:id></i:R>" for n in "12")
    assert [change.varies for change in in_bodies(one, other)] == ["id"]
    drifted = [
        ('{"id": 17}', '{"id": "17"}'),
        ('{"id": 17}', '{"id": null}'),
        ('{"id": "a"}', '{"id": "a b"}'),
        ('{"id": "a"}', "{}"),
        ('{"siteId": "a"}', '{"siteId": "b"}'),
    ]
    for one, other in drifted:
        assert in_bodies(one, other, media=JSON)[0].varies is None, (one, other)
    assert in_bodies('{"id": 17}', '{"id": 18}', media=JSON)[0].varies == "id"


def test_headers_are_compared_by_name_whatever_concerns_one_connection_left_out() -> None:
    recorded = answer(
        "",
        ("Date", "Fri, 11 Jul 2014 17:13:57 GMT"),
        ("ETag", '"one"'),
        ("Server", "one"),
        ("X-Old", "there"),
        ("Vary", "Accept"),
        ("Vary", "Origin"),
        ("Last-Modified", "yesterday"),
        ("X-Request-Id", "17"),
        ("Connection", "close"),
        ("Content-Length", "0"),
    )
    now = answer(
        "",
        ("date", "Tue, 24 Nov 2026 08:00:00 GMT"),
        ("etag", '"other"'),
        ("server", "other"),
        ("vary", "Accept"),
        ("Via", "1.1 new"),
        ("X-Trace", ONE),
        ("Transfer-Encoding", "chunked"),
    )
    assert found(recorded, now) == [
        Change("Date", "Fri, 11 Jul 2014 17:13:57 GMT", "Tue, 24 Nov 2026 08:00:00 GMT", "time"),
        Change("ETag", '"one"', '"other"', "header"),
        Change("Server", "one", "other"),
        Change("X-Old", "there", None),
        Change("Vary", "Origin", None),
        Change("Last-Modified", "yesterday", None),
        Change("X-Trace", None, ONE),
    ]
    left = found(recorded, now, "server", "X-Old", "Vary", "last-modified", "X-TRACE")
    assert [change.place for change in left if change.varies is None] == []


def test_cookies_are_compared_without_their_values() -> None:
    recorded = answer("", ("Set-Cookie", f"sid={DIGEST}; Path=/; HttpOnly"))
    assert found(recorded, answer("", ("Set-Cookie", "sid=new; Path=/; HttpOnly"))) == []
    assert found(recorded, answer("", ("Set-Cookie", "sid=new; Path=/"))) == [
        Change("Set-Cookie", "sid=redacted; Path=/; HttpOnly", "sid=redacted; Path=/")
    ]
    expiring = "sid=new; Path=/; Expires=Tue, 24 Nov 2026 08:00:00 GMT"
    earlier = "sid=old; Path=/; Expires=Fri, 11 Jul 2014 17:13:57 GMT"
    [change] = found(answer("", ("Set-Cookie", earlier)), answer("", ("Set-Cookie", expiring)))
    assert change.varies == "time"
    assert "new" not in str(change)


def test_the_address_of_the_service_and_the_id_of_what_was_made_are_no_drift() -> None:
    def created(base: str, ident: str, **changes: int) -> Response:
        location = f"{base}/accounts/1/orders/{ident}"
        link = f"<R><Link>{base}/help</Link></R>"
        return answer(link, ("Location", location), **{"status": 201, **changes}, upstream=base)  # type: ignore[arg-type]

    recorded = created("https://service.example/v1", "order-1")
    changes = found(recorded, created("http://127.0.0.1:8080", "order-2"))
    assert [(change.place, change.varies) for change in changes] == [
        ("Location", "id"),
        ("/R/Link", "address"),
    ]
    moved = found(recorded, created("https://service.example/v1", "x/order-1"))
    assert [(change.place, change.varies) for change in moved] == [("Location", None)]
    status = found(recorded, created("https://service.example/v1", "order-1", status=202))
    assert status == [Change("status", "201", "202")]


def test_nothing_secret_is_ever_told() -> None:
    recorded = answer(
        f"<R><Site>redacted-1</Site><Site>redacted-2</Site><P pin='{DIGEST}'/></R>",
        ("X-Secret", DIGEST),
        ("X-Partly", "a redacted-3"),
        ("Link", "http://a.b/?apiKey=redacted-4&n=1"),
    )
    now = answer(
        "<R><Site>hush</Site><Site>hush</Site><Site>hush</Site><P pin='hush'/></R>",
        ("X-Secret", "hush"),
        ("X-Partly", "a hush"),
        ("Link", "http://a.b/?apiKey=hush&n=2"),
    )
    changes = found(recorded, now)
    assert "hush" not in str(changes)
    assert "ordertape:" not in str(changes)
    assert [(change.place, change.varies) for change in changes] == [
        ("X-Partly", "redacted"),
        ("Link", "redacted"),
        ("/R/Site[1]", "redacted"),
        ("/R/Site[2]", "redacted"),
        ("/R/Site[3]", None),
        ("/R/P/@pin", "redacted"),
    ]
    assert found(answer("", ("X-Secret", "one")), answer("")) == [
        Change("X-Secret", "redacted", None)
    ]
    tokens = in_bodies('{"token": "t-1"}', '{"token":"t-2","auth":{"password":"p"}}', media=JSON)
    assert tokens == [
        Change("$.token", "redacted", "redacted", "redacted"),
        Change("$.auth", None, "redacted"),
    ]
    echo = found(answer("<R>a</R>"), answer("<R>you are dTpw</R>"), credentials="dTpw")
    assert echo == [Change("/R", "a", "you are redacted")]


def test_what_is_ignored_is_no_drift() -> None:
    one = "<R><N>6175329621</N><S a='1'>v</S></R>"
    other = "<R><N>9195329621</N><N>9195329622</N><S a='2'>w</S></R>"
    assert in_bodies(one, other, "//N", "/R/S/@a") == [Change("/R/S", "v", "w")]
    assert in_bodies(one, other, "//N", "/R/S") == []


def test_an_answer_recorded_from_the_service_only_varies_from_the_next_of_its_kind() -> None:
    body_of = [order_created(ident).partition(b"\r\n\r\n")[2] for ident in ("a-1", "b-2")]
    changes = found(*map(answer, body_of))
    assert [(change.place, change.varies) for change in changes] == [
        ("/OrderResponse/Order/id", "id")
    ]


def test_the_reference_lists_all_that_varies() -> None:
    text = REFERENCE.read_text("utf-8").partition("## `verify --json`")[2].partition("\n## ")[0]
    listed = re.findall(r"^\| (.*) \| `(id|time)` \|$", text, re.MULTILINE)
    assert listed == [(varying.what, varying.kind) for varying in VARYING]
    assert all(f"`{name}`" in text for name in VARYING_NAMES)
