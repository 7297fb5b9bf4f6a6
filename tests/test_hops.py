"""What stays behind at the gateway, and what may not be made to."""

import pytest

from ordertape.hops import HOP_BY_HOP, PROTECTED, end_to_end, end_to_end_response
from ordertape.model import Headers


def test_everything_else_travels_in_order_with_its_spelling_and_repeats() -> None:
    pairs = (
        (b"X-A", b"1"),
        (b"Connection", b"keep-alive, X-Gone"),
        (b"x-a", b"2"),
        (b"X-Gone", b"for this hop"),
        (b"X_Foo", b""),
        (b"Obs", b"caf\xe9"),
    )
    assert end_to_end(Headers(pairs)).pairs == (pairs[0], pairs[2], pairs[4], pairs[5])


@pytest.mark.parametrize("travel", [end_to_end, end_to_end_response])
@pytest.mark.parametrize("name", sorted(HOP_BY_HOP))
def test_a_hop_by_hop_field_stays_whatever_its_letter_case(name: bytes, travel: object) -> None:
    assert callable(travel)
    assert travel(Headers(((name.title(), b"x"), (b"A", b"b")))).pairs == ((b"A", b"b"),)


def test_what_only_requests_hold_back_passes_in_a_response() -> None:
    headers = Headers(((b"Expect", b"x"), (b"HTTP2-Settings", b"x")))
    assert end_to_end(headers).pairs == ()
    assert end_to_end_response(headers) == headers


@pytest.mark.parametrize(
    "name",
    [*sorted(PROTECTED), b"Content-Type", b"Content-Length", b"X-Forwarded-For", b"Accept"],
)
def test_a_protected_field_cannot_be_nominated(name: bytes) -> None:
    headers = Headers(((b"Connection", name + b", close"), (name, b"kept")))
    assert end_to_end(headers).pairs == ((name, b"kept"),)
    assert end_to_end_response(headers).pairs == ((name, b"kept"),)


def test_nominations_are_gathered_from_every_connection_line() -> None:
    headers = Headers(
        (
            (b"Connection", b"a ,, B"),
            (b"CONNECTION", b"\tc"),
            (b"A", b"1"),
            (b"b", b"2"),
            (b"C", b"3"),
            (b"D", b"4"),
        )
    )
    assert end_to_end(headers).pairs == ((b"D", b"4"),)
