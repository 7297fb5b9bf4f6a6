"""Interactions as a cassette has them, and what they are stored with."""

from dataclasses import replace
from typing import Any

from ordertape.admission import Policy
from ordertape.cassette.interaction import Interaction
from ordertape.model import Headers
from ordertape.redaction import Redaction
from ordertape.rule import build_rules, discover
from replayed import order

POLICY = Policy(build_rules({}, {}, discover(files=())))
REDACTION = Redaction(headers=(), query_keys=("token",), key=b"k" * 32, key_id="12345678")
XML = (b"Content-Type", b"application/xml")


def placed(**changes: Any) -> Interaction:
    """An order that was accepted, with these changes."""
    one = Interaction(
        "POST",
        "https://service.example/v1.0/accounts/14/orders",
        Headers.of([XML]),
        order(after="<PartialAllowed>true</PartialAllowed><CustomerOrderId>c</CustomerOrderId>"),
        201,
        b"Created",
        Headers.of([XML, (b"Location", b"https://service.example/v1.0/accounts/14/orders/o-1")]),
        b"<OrderResponse/>",
        started_at=1_790_000_000_123_456,
        duration=1_500,
    )
    return replace(one, **changes)


READ = placed(
    method="GET",
    url="https://service.example/numbers?b=2&a=1",
    request_headers=Headers.of([(b"Accept", b"*/*"), (b"accept", b"a/b")]),
    request_body=b"",
    status=299,
    reason=b"",
    headers=Headers.of([(b"X", b"1"), (b"x", b"caf\xe9")]),
    body=bytes(range(256)),
    duration=0,
)
"""A safe request, and an answer that is no text."""
