"""A gateway with quotas, whose ledger goes by a clock that the test sets."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import http_sfv

from gateways import Gateway, Reply, ask, gateway, order_request
from ordertape.admission import Policy
from ordertape.build import Parts, rule_set
from ordertape.config import Settings
from ordertape.gateway import Gateway as Pipeline
from ordertape.gateway import Limits
from ordertape.quota import Quota, Quotas, Unit
from ordertape.quota.window import SECOND, Burst, Calendar, Period, Rolling, Window
from ordertape.redaction import Redaction
from ordertape.server import Listener, ListenerSettings
from ordertape.store.connection import connect_reader
from ordertape.store.reading import Full
from ordertape.store.settings import StoreSettings
from ordertape.store.sqlite import SqliteStore
from ordertape.upstream import Upstream
from ordertape.upstream.live import Live, LiveSettings

__all__ = [
    "ACCOUNT",
    "DAY",
    "Burst",
    "Calendar",
    "Clock",
    "Period",
    "Rolling",
    "Window",
    "counted",
    "deciding",
    "fields",
    "gateway",
    "metered",
    "numbers",
    "order",
    "said",
    "used",
]

ACCOUNT = "9900012"
DAY = Calendar(Period.DAY)
_KEY_ID = "01234567"


class Clock:
    """The ledger's wall clock: stands still until it is told to go on."""

    def __init__(self, moment: datetime = datetime(2026, 11, 24, 12, tzinfo=UTC)) -> None:
        self.now = int(moment.timestamp()) * SECOND

    def __call__(self) -> int:
        return self.now

    def pass_by(self, seconds: float) -> None:
        self.now += round(seconds * SECOND)


def numbers(limit: int | None, window: Window = DAY, **more: Any) -> Quota:
    """A limit on telephone numbers, by default of a day."""
    return Quota(
        **{"name": "numbers-per-day", "unit": Unit.NUMBERS, **more}, limit=limit, window=window
    )


@asynccontextmanager
async def metered(
    folder: Path,
    upstream: str | Upstream,
    *quotas: Quota,
    clock: Clock | None = None,
    limits: Limits | None = None,
    **more: Any,
) -> AsyncIterator[Gateway]:
    """Run a gateway in front of this service with these quotas for everyone."""
    db = folder / "ordertape.db"
    clock = Clock() if clock is None else clock
    service = Live(upstream, settings=LiveSettings()) if isinstance(upstream, str) else upstream
    policy = Policy(rule_set(Settings()), quotas=Quotas(everyone=quotas, **more))
    redaction = Redaction(headers=(), query_keys=(), key=b"k" * 32, key_id=_KEY_ID)
    settings = StoreSettings(ballast=0, min_free=0, clock=clock)
    store = await SqliteStore.start(db, settings=settings)
    try:
        pipeline = Pipeline(
            upstream=service,
            store=store,
            policy=policy,
            redaction=redaction,
            limits=limits or Limits(),
            via="test",
        )
        with closing(pipeline):
            listener = Listener(pipeline, settings=ListenerSettings(listen="127.0.0.1:0"))
            await listener.start()
            try:
                yield Gateway(listener.port, Parts(pipeline, store, _KEY_ID), db, listener)
            finally:
                await listener.stop(10)
    finally:
        await service.close()
        await store.close()


def order(quantity: int | None, *more: str) -> bytes:
    """A search for so many numbers; None leaves it to the service."""
    stated = "" if quantity is None else f"<Quantity>{quantity}</Quantity>"
    return (
        "<Order><SiteId>743</SiteId><AreaCodeSearchAndOrderType><AreaCode>617</AreaCode>"
        f"{stated}</AreaCodeSearchAndOrderType><PartialAllowed>true</PartialAllowed>"
        f"{''.join(more)}</Order>"
    ).encode()


async def said(running: Gateway, quantity: int | None, *more: str, **path: bytes) -> Reply:
    """What a client is answered that orders so many."""
    return await ask(running.port, order_request(order(quantity, *more), **path))


async def deciding(running: Gateway, *quantities: int | None) -> list[int]:
    """The statuses of orders of so many numbers, one after the other."""
    return [(await said(running, quantity)).status for quantity in quantities]


def used(db: Path) -> Mapping[tuple[str, str], tuple[int, int]]:
    """(quota, beginning of the window): (used, held), for every window that orders have met."""
    with closing(connect_reader(db)) as connection:
        rows = connection.execute("SELECT policy, starts, used, held FROM quota_usage").fetchall()
    return {(policy, starts): (used, held) for policy, starts, used, held in rows}


def counted(full: Full) -> tuple[int | None, bool]:
    """What an exchange counts for, and whether that is held."""
    return full.row.used, full.row.held


def fields(reply: Reply, name: str) -> dict[str, dict[str, Any]]:
    """A field of the draft, read by an RFC 9651 parser: the parameters of every name."""
    members = http_sfv.List()
    members.parse(reply.headers[name].encode("latin-1"))
    assert all(type(member.value) is str for member in members)
    assert len({member.value for member in members}) == len(members)
    return {member.value: dict(member.params) for member in members}
