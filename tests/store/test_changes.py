"""What an operator changes: in force at once, an event in the chain, or a sentence why not."""

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from ledger_model import reading, wrong_sums
from ordertape.errors import OverQuotaError, StartUpError
from ordertape.model import Charge, State
from ordertape.quota import Burst, Calendar, Period, Quota, Rolling, Unit
from ordertape.quota.window import SECOND
from ordertape.store import changes
from ordertape.store.ledger import Ledger
from ordertape.store.sqlite import SqliteStore
from recorded import intent, outcome, settings

NOON = 1_796_126_400 * SECOND
"""2026-12-01 12:00 UTC."""
BY = changes.By("ann", "the service said so")
DAILY = Quota("daily", Unit.NUMBERS, 100, Calendar(Period.DAY))
ROLLING = Quota("rolling", Unit.NUMBERS, 100, Rolling(3600))
BURST = Quota("burst", Unit.ORDERS, 5, Burst(1))
WHOSE = {"operator": "ann", "reason": "the service said so"}
MOST = changes.MOST


class Desk:
    """A store, and an operator at it. `now` is the wall clock."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self.now = NOON

    async def start(self) -> None:
        self.store = await SqliteStore.start(self.db, settings=settings(clock=lambda: self.now))

    async def change(self, what: Callable[..., Any], **facts: Any) -> dict[str, Any]:
        return await self.store.change(partial(what, by=BY, **facts))

    async def order(self, cost: int, *quotas: Quota) -> tuple[int, str]:
        exchange = intent(cost=cost, quantity=cost)
        return (await self.store.open(exchange, quotas)).handle, exchange.id

    def stand(self, *quotas: Quota) -> Sequence[tuple[int, int, int | None]]:
        """(used, held, limit in force) of each; every sum is checked on the way."""
        with reading(self.db) as connection:
            assert wrong_sums(connection) == []
            found = Ledger(connection, self.now).standings("14", quotas).standings
        return [(one.used, one.held, one.quota.limit) for one in found]

    def events(self) -> list[tuple[str, str | None, dict[str, Any]]]:
        """(kind, exchange, payload) of every change, without its time."""
        statement = "SELECT kind, exchange, payload FROM event WHERE kind GLOB 'quota-*'"
        with reading(self.db) as connection:
            found = connection.execute(statement).fetchall()
        facts = [(kind, about, json.loads(payload)) for kind, about, payload in found]
        assert {payload.pop("at") for _, _, payload in facts} <= {self.now}
        return facts


@pytest.fixture
async def desk(db: Path) -> AsyncIterator[Desk]:
    made = Desk(db)
    await made.start()
    yield made
    await made.store.close()


async def test_a_limit_that_is_set_wins_over_the_files_until_it_is_reset(desk: Desk) -> None:
    daily = {"account": "14", "quota": DAILY}
    about = {"account": "14", "policy": "daily", "unit": "numbers", "window": "day UTC", **WHOSE}
    told = [await desk.change(changes.set_limit, **daily, limit=30)]
    assert desk.stand(DAILY) == [(0, 0, 30)]
    with pytest.raises(OverQuotaError):
        await desk.order(20, DAILY), await desk.order(20, DAILY)
    await desk.store.close()
    await desk.start()
    told.append(await desk.change(changes.set_limit, **daily, limit=None))
    await desk.order(500, DAILY)
    told.append(await desk.change(changes.reset_limit, **daily))
    assert desk.stand(DAILY) == [(520, 520, 100)]
    assert told == [
        {**about, "old": 100, "new": 30},
        {**about, "old": 30, "new": None},
        {**about, "old": None, "new": 100},
    ]
    kinds = ("quota-set", "quota-set", "quota-reset")
    assert desk.events() == [(kind, None, one) for kind, one in zip(kinds, told, strict=True)]


async def test_of_limits_set_and_reset_at_once_the_last_holds(desk: Desk) -> None:
    daily = {"account": "14", "quota": DAILY}
    await desk.change(changes.set_limit, **daily, limit=30)
    await asyncio.gather(
        desk.change(changes.reset_limit, **daily), desk.change(changes.set_limit, **daily, limit=7)
    )
    assert desk.stand(DAILY) == [(0, 0, 7)]
    await asyncio.gather(
        desk.change(changes.set_limit, **daily, limit=8), desk.change(changes.reset_limit, **daily)
    )
    assert desk.stand(DAILY) == [(0, 0, 100)]


async def test_boosts_add_up_and_end(desk: Desk) -> None:
    daily = {"account": "14", "quota": DAILY}
    hour = 3600 * SECOND
    told = [
        await desk.change(changes.boost, **daily, amount=50, until=NOON + hour),
        await desk.change(changes.boost, **daily, amount=7, until=NOON + 2 * hour),
    ]
    limits = []
    for _ in range(3):
        limits.append(desk.stand(DAILY)[0][2])
        desk.now += hour
    assert limits == [157, 107, 100]
    assert [(one["old"], one["new"], one["until"]) for one in told] == [
        (100, 150, NOON + hour),
        (150, 157, NOON + 2 * hour),
    ]


async def test_an_adjustment_counts_in_its_window_alone(desk: Desk) -> None:
    await desk.change(changes.adjust, account="14", quota=DAILY, amount=60)
    with pytest.raises(OverQuotaError):
        await desk.order(41, DAILY)
    told = await desk.change(changes.adjust, account="14", quota=DAILY, amount=-20)
    assert (told["old"], told["new"], told["amount"]) == (60, 40, -20)
    other = Quota("other", Unit.NUMBERS, 100, Calendar(Period.DAY))
    assert desk.stand(DAILY, other) == [(40, 0, 100), (0, 0, 100)]
    desk.now += 12 * 3600 * SECOND
    assert desk.stand(DAILY) == [(0, 0, 100)]


async def test_what_was_added_leaves_a_rolling_window_like_an_order(desk: Desk) -> None:
    await desk.change(changes.adjust, account="14", quota=ROLLING, amount=60)
    desk.now += 1800 * SECOND
    await desk.order(30, ROLLING)
    with pytest.raises(OverQuotaError) as refusal:
        await desk.order(20, ROLLING)
    assert refusal.value.retry_after == 1800
    desk.now += 1800 * SECOND
    await desk.order(20, ROLLING)
    assert desk.stand(ROLLING) == [(50, 50, 100)]


async def test_what_was_added_stays_when_the_window_changes_and_what_was_taken_does_not(
    desk: Desk,
) -> None:
    await desk.store.settle(*await desk.order(80, DAILY), outcome(State.COMPLETED))
    desk.now += 3600 * SECOND
    await desk.change(changes.adjust, account="14", quota=DAILY, amount=10)
    await desk.change(changes.adjust, account="14", quota=DAILY, amount=-70)
    hourly = Quota("daily", Unit.NUMBERS, 100, Calendar(Period.HOUR))
    monthly = Quota("daily", Unit.NUMBERS, 100, Calendar(Period.MONTH))
    orders = Quota("daily", Unit.ORDERS, 100, Calendar(Period.DAY))
    assert desk.stand(DAILY, hourly, monthly, orders) == [
        *((20, 0, 100), (10, 0, 100), (90, 0, 100), (1, 0, 100))
    ]
    assert desk.stand(Quota("daily", Unit.NUMBERS, 100, Rolling(60))) == [(10, 0, 100)]


async def test_adjustments_of_one_moment_all_count(desk: Desk) -> None:
    await desk.order(1, DAILY)
    desk.now -= 3600 * SECOND  # the account's time stands still now
    for amount in (10, 5, -3):
        await desk.change(changes.adjust, account="14", quota=DAILY, amount=amount)
        await desk.change(
            changes.boost, account="14", quota=DAILY, amount=1, until=NOON + 3600 * SECOND
        )
    assert desk.stand(DAILY) == [(13, 1, 103)]


async def test_no_more_is_taken_away_than_is_settled(desk: Desk) -> None:
    await desk.store.settle(*await desk.order(30, DAILY), outcome(State.COMPLETED))
    held = await desk.order(50, DAILY)
    with pytest.raises(StartUpError) as refusal:
        await desk.change(changes.adjust, account="14", quota=DAILY, amount=-31)
    assert str(refusal.value) == (
        "Only 30 of daily are used for good by account 14; take away no more. "
        "What is held is decided with --exchange ID."
    )
    await desk.change(changes.adjust, account="14", quota=DAILY, amount=-30)
    await desk.store.settle(*held, outcome(State.FAILED))
    assert desk.stand(DAILY) == [(0, 0, 100)]


async def test_what_an_adjustment_took_is_not_taken_again_with_an_order(desk: Desk) -> None:
    handle, exchange_id = await desk.order(30, DAILY)
    await desk.store.settle(handle, exchange_id, outcome(State.COMPLETED))
    await desk.change(changes.adjust, account="14", quota=DAILY, amount=-10)
    with pytest.raises(StartUpError) as refusal:
        await desk.change(changes.decide, exchange_id=exchange_id, used=9)
    assert str(refusal.value) == (
        f"An adjustment has taken from daily what the exchange {exchange_id} counts for there; "
        "add that back first, with `ordertape quota adjust`."
    )
    await desk.change(changes.decide, exchange_id=exchange_id, used=10)
    assert desk.stand(DAILY) == [(0, 0, 100)]


async def test_what_an_adjustment_took_is_not_taken_from_what_others_hold(desk: Desk) -> None:
    handle, exchange_id = await desk.order(30, DAILY)
    await desk.store.settle(handle, exchange_id, outcome(State.COMPLETED))
    await desk.order(50, DAILY)
    await desk.change(changes.adjust, account="14", quota=DAILY, amount=-30)
    with pytest.raises(StartUpError, match="An adjustment has taken from daily what"):
        await desk.change(changes.decide, exchange_id=exchange_id, used=29)
    await desk.change(changes.decide, exchange_id=exchange_id, used=31)
    assert desk.stand(DAILY) == [(51, 50, 100)]


@pytest.mark.parametrize(("used", "stands"), [(None, (0, 0)), (0, (0, 1)), (40, (40, 1))])
async def test_an_order_in_doubt_counts_for_what_is_decided(
    desk: Desk, used: int | None, stands: tuple[int, int]
) -> None:
    orders = Quota("orders", Unit.ORDERS, 9, Calendar(Period.DAY))
    handle, exchange_id = await desk.order(30, DAILY, orders)
    await desk.store.settle(handle, exchange_id, outcome(State.IN_DOUBT))
    told = await desk.change(changes.decide, exchange_id=exchange_id, used=used)
    assert desk.stand(DAILY, orders) == [(stands[0], 0, 100), (stands[1], 0, 9)]
    facts = {"account": "14", "old": 30, "new": used, "unit": "numbers", **WHOSE}
    assert told == facts
    assert desk.events() == [("quota-decided", exchange_id, facts)]
    # The answer that comes late is recorded, and changes nothing of that.
    late = outcome(State.COMPLETED, at=7, charge=Charge.REFUNDED)
    await desk.store.settle(handle, exchange_id, late)
    assert desk.stand(DAILY, orders) == [(stands[0], 0, 100), (stands[1], 0, 9)]


async def test_a_decision_goes_into_the_window_of_the_order(desk: Desk) -> None:
    handle, exchange_id = await desk.order(30, DAILY)
    await desk.store.settle(handle, exchange_id, outcome(State.FAILED))
    desk.now += 24 * 3600 * SECOND
    await desk.order(5, DAILY)
    await desk.change(changes.decide, exchange_id=exchange_id, used=20)
    assert desk.stand(DAILY) == [(5, 5, 100)]
    desk.now -= 24 * 3600 * SECOND
    with reading(desk.db) as connection:
        found = connection.execute("SELECT used, held FROM quota_usage ORDER BY ends").fetchall()
    assert found == [(20, 0), (5, 5)]


@pytest.mark.parametrize(
    ("what", "facts", "sentence"),
    [
        (changes.reset_limit, {"quota": DAILY}, "No limit of daily is set for account 14; "),
        (changes.set_limit, {"quota": DAILY, "limit": -1}, "A limit is 0 to "),
        (changes.set_limit, {"quota": DAILY, "limit": MOST + 1}, "A limit is 0 to "),
        (changes.boost, {"quota": DAILY, "amount": 5, "until": NOON}, "The boost would end before"),
        (changes.boost, {"quota": DAILY, "amount": 0, "until": NOON + 1}, "A boost is by 1 to "),
        (changes.boost, {"quota": DAILY, "amount": 2**64, "until": NOON + 1}, "A boost is by"),
        (changes.adjust, {"quota": BURST, "amount": 5}, "burst is a burst, which keeps no count"),
        (changes.adjust, {"quota": ROLLING, "amount": -1}, "rolling rolls, so that less"),
        (changes.adjust, {"quota": DAILY, "amount": -1}, "Only 0 of daily are used for good"),
        (changes.adjust, {"quota": DAILY, "amount": 0}, "An adjustment is by 1 to "),
        (changes.adjust, {"quota": DAILY, "amount": 2**64}, "An adjustment is by 1 to "),
    ],
)
async def test_what_cannot_be_done_is_said_and_leaves_no_event(
    desk: Desk, what: Callable[..., Any], facts: dict[str, Any], sentence: str
) -> None:
    with pytest.raises(StartUpError, match=sentence):
        await desk.change(what, account="14", **facts)
    assert (desk.events(), desk.stand(DAILY)) == ([], [(0, 0, 100)])


async def test_an_unlimited_quota_is_not_boosted(desk: Desk) -> None:
    await desk.change(changes.set_limit, account="14", quota=DAILY, limit=None)
    with pytest.raises(StartUpError, match="daily is unlimited for account 14; nothing to boost"):
        await desk.change(changes.boost, account="14", quota=DAILY, amount=5, until=NOON + 1)


async def test_what_never_counted_or_is_under_way_is_not_decided(desk: Desk) -> None:
    _, under_way = await desk.order(30, DAILY)
    uncounted = intent(cost=None)
    handle = (await desk.store.open(uncounted)).handle
    await desk.store.settle(handle, uncounted.id, outcome(State.COMPLETED))
    for exchange_id, used, sentence in (
        ("none", 1, "There is no exchange none; "),
        (under_way, 1, f"The exchange {under_way} is under way; "),
        (uncounted.id, 1, f"The exchange {uncounted.id} never counted; "),
    ):
        with pytest.raises(StartUpError, match=sentence):
            await desk.change(changes.decide, exchange_id=exchange_id, used=used)
    assert (desk.events(), desk.stand(DAILY)) == ([], [(30, 30, 100)])


@pytest.mark.parametrize("used", [-1, MOST + 1])
async def test_an_order_is_decided_within_reason(desk: Desk, used: int) -> None:
    handle, exchange_id = await desk.order(30, DAILY)
    await desk.store.settle(handle, exchange_id, outcome(State.IN_DOUBT))
    with pytest.raises(StartUpError, match="An order counts for 0 to "):
        await desk.change(changes.decide, exchange_id=exchange_id, used=used)
    assert desk.stand(DAILY) == [(30, 30, 100)]
