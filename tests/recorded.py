"""Exchanges and outcomes for tests of what is stored: plain values, ids counted up."""

import asyncio
import hashlib
import itertools
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ordertape.model import (
    Charge,
    Edit,
    Exchange,
    Headers,
    Kind,
    Message,
    Origin,
    Outcome,
    State,
    Violation,
)
from ordertape.store.settings import StoreSettings

ORDER = b"<Order><SiteId>743</SiteId></Order>"
ARRIVED = 1_790_000_000_123_456
_numbers = itertools.count(1)


def message(line: bytes, body: bytes = b"", *pairs: tuple[bytes, bytes]) -> Message:
    return Message(line, Headers.of(pairs), body, len(body), hashlib.sha256(body).digest())


def intent(**changes: Any) -> Exchange:
    """An order that a rule has trimmed, with an id of its own."""
    number = next(_numbers)
    exchange = Exchange(
        id=f"0192f000-0000-7000-8000-{number:012d}",
        received_at=ARRIVED,
        kind=Kind.ORDER,
        origin=Origin.LIVE,
        upstream="https://service.example/v1.0",
        method="POST",
        target="/accounts/14/orders?a=%41",
        peer="127.0.0.1:50000",
        received=message(
            b"POST /accounts/14/orders?a=%41 HTTP/1.1",
            ORDER.replace(b"743", b" 743 "),
            (b"Content-Type", b"application/xml"),
            (b"X-Latin", b"caf\xe9"),
        ),
        sent=message(b"POST /accounts/14/orders?a=%41 HTTP/1.1", ORDER),
        account="14",
        order_type="ExistingTelephoneNumberOrderType",
        customer_order_id="c-1",
        quantity=2,
        cost=2,
        edits=(Edit("trim-whitespace", "/Order/SiteId", " 743 ", "743"),),
        violations=(Violation("names", "5019", "/Order/Name", 1, "Name is odd.", "warn"),),
        match_key="a" * 64,
        rules_version="rules-1",
    )
    return replace(exchange, **changes)


def outcome(state: State, **changes: Any) -> Outcome:
    """How it ended, a second and a half later."""
    ended = Outcome(state, ARRIVED + 1_500_000)
    if state is State.COMPLETED:
        ended = replace(
            ended,
            status=201,
            answered=message(
                b"HTTP/1.1 201 Created", b"<OrderResponse/>", (b"Location", b"/orders/o-1")
            ),
            order_id="o-1",
            charge=Charge.KEPT,
        )
    return replace(ended, **changes)


def settings(**changes: Any) -> StoreSettings:
    """A store that is small and impatient."""
    small = StoreSettings(ballast=0, min_free=0, busy_timeout=0.2, retry_interval=0.02)
    return replace(small, **changes)


async def until(condition: Callable[[], bool]) -> None:
    """Wait for what another thread does and tells no event of."""
    async with asyncio.timeout(20):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.005)


def everything_in(folder: Path) -> bytes:
    """Every byte of every file there."""
    return b"".join(path.read_bytes() for path in sorted(folder.iterdir()) if path.is_file())
