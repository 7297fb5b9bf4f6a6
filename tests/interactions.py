"""Recorded interactions for the tests of cassettes."""

from typing import Any

from hypothesis import strategies as st

from ordertape.cassette import Interaction
from ordertape.model import Headers

URL = "http://numbers.test/accounts/9900012/orders"
ORDER = b'<?xml version="1.0"?>\n<Order>\n  <SiteId>743</SiteId>\n</Order>\n'
ANSWER = b'<?xml version="1.0"?>\n<OrderResponse>\n  <Order>\xc3\xa9</Order>\n</OrderResponse>\n'


def lines(*pairs: tuple[str, str]) -> Headers:
    return Headers.of((name.encode(), value.encode()) for name, value in pairs)


def interaction(**changes: Any) -> Interaction:
    """An accepted order, with these changes."""
    told: dict[str, Any] = {
        "method": "POST",
        "url": URL,
        "request_headers": lines(("Accept", "*/*"), ("Content-Type", "application/xml")),
        "request_body": ORDER,
        "status": 201,
        "reason": b"Created",
        "headers": lines(
            ("Content-Type", "application/xml"),
            ("Location", URL + "/1"),
            ("Set-Cookie", "a=1; Path=/"),
            ("Set-Cookie", "b=2"),
        ),
        "body": ANSWER,
    }
    return Interaction(**{**told, **changes})


_VALUE = st.text(st.characters(min_codepoint=0x20, codec="utf-8"), max_size=20).map(
    lambda value: value.strip().encode()
)
_NAME = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,12}", fullmatch=True).filter(
    lambda name: name.lower() != "content-encoding"
)
_HEADERS = st.lists(st.tuples(_NAME.map(str.encode), _VALUE), max_size=5).map(
    lambda pairs: Headers.of(sorted(pairs, key=lambda pair: pair[0]))
)
BODIES = st.one_of(
    st.binary(max_size=60),
    st.text(max_size=80).map(lambda text: text.encode("utf-8", "surrogatepass")),
    st.lists(
        st.sampled_from(["<a>", "</a>", " ", "\n", "\t", "\r", "é", "\ufeff", "#", "- ", "x: y"]),
        max_size=25,
    ).map(lambda parts: "".join(parts).encode()),
)


@st.composite
def any_interactions(draw: st.DrawFn) -> Interaction:
    """Interactions as a store may hold them, headers in the order of their names."""
    return interaction(
        method=draw(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD"])),
        url=URL + draw(st.sampled_from(["", "?a=1&a=2&b=%20", "/x'%2F?"])),
        request_headers=draw(_HEADERS),
        request_body=draw(BODIES),
        status=draw(st.integers(200, 599)),
        reason=draw(st.sampled_from([b"", b"OK", b"Not: found", b"null", b"1"])),
        headers=draw(_HEADERS),
        body=draw(BODIES),
    )
