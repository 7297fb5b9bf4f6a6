"""Location and Content-Location, pointed at the gateway."""

import pytest

from ordertape.model import Headers
from ordertape.server.location import rewrite, rewrite_headers

API = "https://api.example"
OWN = "http://gateway:8080"


@pytest.mark.parametrize(
    ("value", "upstream", "expected"),
    [
        ("https://api.example/accounts/1/orders/5", API, "http://gateway:8080/accounts/1/orders/5"),
        ("HTTPS://API.Example/a", API, "http://gateway:8080/a"),
        ("https://api.example:443/a", API, "http://gateway:8080/a"),
        ("http://api.example/a", API, "http://gateway:8080/a"),
        ("//api.example/a?b#c", API, "http://gateway:8080/a?b#c"),
        ("https://api.example", API, "http://gateway:8080"),
        ("https://api.example?q", API, "http://gateway:8080?q"),
        ("https://api.example/v1/a", API + "/v1", "http://gateway:8080/a"),
        ("https://api.example/v1/a/", API + "/v1/", "http://gateway:8080/a/"),
        ("https://api.example/v1", API + "/v1", "http://gateway:8080"),
        ("http://[::1]:9/a", "http://[::1]:9", "http://gateway:8080/a"),
        ("https://api.example/caf\xe9", API, "http://gateway:8080/caf\xe9"),
    ],
)
def test_a_reference_to_the_service_becomes_one_to_the_gateway(
    value: str, upstream: str, expected: str
) -> None:
    assert rewrite(value.encode("latin-1"), upstream, OWN) == expected.encode("latin-1")


@pytest.mark.parametrize(
    ("value", "upstream"),
    [
        ("/accounts/1/orders/5", API),
        ("orders/5", API),
        ("", API),
        ("https://other.example/a", API),
        ("https://api.example.evil/a", API),
        ("https://api.example:8443/a", API),
        ("https://user@api.example/a", API),
        ("https://api.example/v10/a", API + "/v1"),
        ("https://api.example/other", API + "/v1"),
        ("urn:isbn:1", API),
        ("https://api.example/a", ""),
    ],
)
def test_every_other_reference_is_left_alone(value: str, upstream: str) -> None:
    assert rewrite(value.encode(), upstream, OWN) == value.encode()


def test_a_public_url_with_a_path_keeps_it() -> None:
    assert rewrite(b"https://api.example/a", API, "https://gw/base/") == b"https://gw/base/a"


def test_only_the_two_fields_are_touched_and_order_stays() -> None:
    there = b"https://api.example/a"
    headers = Headers(
        ((b"X", there), (b"LOCATION", there), (b"Content-Location", there), (b"Link", there))
    )
    here = b"http://gateway:8080/a"
    assert rewrite_headers(headers, API, OWN).pairs == (
        (b"X", there),
        (b"LOCATION", here),
        (b"Content-Location", here),
        (b"Link", there),
    )


def test_a_path_below_the_base_path_loses_it_as_the_gateway_adds_it_again() -> None:
    assert rewrite(b"/base/a/1", "http://up.example/base", "http://gw") == b"/a/1"
    assert rewrite(b"/basement/1", "http://up.example/base", "http://gw") == b"/basement/1"
    assert rewrite(b"/a/1", "http://up.example", "http://gw") == b"/a/1"
