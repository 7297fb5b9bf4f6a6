"""A store with an exchange of every kind, for commands that read it."""

import asyncio
from pathlib import Path
from typing import Any

from ordertape.model import Exchange, Kind, Origin, Outcome, State
from ordertape.store.sqlite import SqliteStore
from recorded import ARRIVED, intent, message, outcome, settings

SECOND = 1_000_000  # microseconds


async def fill(db: Path, *exchanges: tuple[Exchange, Outcome | None]) -> None:
    """Record these; None leaves one PENDING."""
    store = await SqliteStore.start(db, settings=settings(clock=lambda: ARRIVED))
    for exchange, ending in exchanges:
        if ending is not None and ending.state is State.REFUSED:
            await store.refuse(exchange, ending)
            continue
        if exchange.method == "GET" and ending is not None:
            await store.record(exchange, ending)
            continue
        handle = (await store.open(exchange)).handle
        if ending is not None:
            await store.settle(handle, exchange.id, ending)
    await store.close()


def numbered(number: int, **changes: Any) -> Exchange:
    return intent(
        id=f"0192f00{number}-0000-7000-8000-000000000000",
        customer_order_id=f"c-{number}",
        received_at=ARRIVED + number * SECOND,
        **changes,
    )


def ended(number: int, state: State, **changes: Any) -> Outcome:
    return outcome(state, at=ARRIVED + number * SECOND + 1500, **changes)


GIVEN = message(b"HTTP/1.1 200 OK")


def fill_with_six(db: Path) -> None:
    """Six exchanges, each of another kind, the fifth with the sandbox."""
    read = {"status": 200, "order_id": None, "charge": None, "answered": GIVEN}
    asyncio.run(
        fill(
            db,
            (numbered(1), ended(1, State.COMPLETED)),
            (numbered(2, account="15"), ended(2, State.FAILED, status=502, reason="No service.")),
            (
                numbered(3, sent=None, edits=(), cost=None),
                ended(3, State.REFUSED, status=400, reason="SiteId is missing; add it."),
            ),
            (numbered(4), None),
            (numbered(5, origin=Origin.SANDBOX), ended(5, State.COMPLETED, order_id="o-5")),
            (
                numbered(6, kind=Kind.OTHER, method="GET", sent=None),
                ended(6, State.COMPLETED, **read),
            ),
        )
    )


FIRST = {
    "id": "0192f001-0000-7000-8000-000000000000",
    "state": "COMPLETED",
    "kind": "order",
    "origin": "live",
    "method": "POST",
    "target": "/accounts/14/orders?a=%41",
    "account": "14",
    "order_type": "ExistingTelephoneNumberOrderType",
    "customer_order_id": "c-1",
    "order_id": "o-1",
    "quantity": 2,
    "cost": 2,
    "assumed": False,
    "used": 2,
    "held": False,
    "counted_at": "2026-09-21T14:13:20.123Z",
    "status": 201,
    "charge": "kept",
    "received_at": "2026-09-21T14:13:21.123Z",
    "duration_ms": 1.5,
    "edits": [
        {"rule": "trim-whitespace", "xpath": "/Order/SiteId", "before": " 743 ", "after": "743"}
    ],
    "violations": [
        {
            "rule": "names",
            "code": "5019",
            "xpath": "/Order/Name",
            "line": 1,
            "message": "Name is odd.",
            "severity": "warn",
        }
    ],
    "reason": None,
    "delivered": None,
}
