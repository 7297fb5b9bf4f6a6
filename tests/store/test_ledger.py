"""What counts of an order, step by step, in a store on a real file with a clock that is set."""

import asyncio
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlite_utils import Database

from ledger_model import reading, wrong_sums
from ordertape.errors import (
    NeverFitsError,
    OverQuotaError,
    RefusedError,
    StartUpError,
    UnavailableError,
)
from ordertape.model import Charge, Kind, State
from ordertape.quota import (
    Burst,
    Calendar,
    Mode,
    Period,
    Quota,
    Reservation,
    Rolling,
    Standing,
    Unit,
    Window,
)
from ordertape.quota.window import SECOND
from ordertape.store import changes
from ordertape.store.connection import connect_writer
from ordertape.store.emergency import EmergencyFile, Spilled
from ordertape.store.group import Stamp
from ordertape.store.ledger import Ledger
from ordertape.store.schema import SCHEMA
from ordertape.store.sqlite import SqliteStore
from ordertape.store.startup import open_to_write
from recorded import intent, outcome, settings, until

NOON = 1_796_126_400 * SECOND
"""2026-12-01 12:00 UTC, a Tuesday; 07:00 in New York, 1 December in both."""
HOUR = 3600 * SECOND
BY = changes.By("ops", "because")


DAY = Calendar(Period.DAY)


def quota(
    limit: int | None = 10_000,
    window: Window = DAY,
    name: str = "daily",
    unit: Unit = Unit.NUMBERS,
    mode: Mode = Mode.ENFORCE,
) -> Quota:
    return Quota(name, unit, limit, window, mode)


class Books:
    """A store, and how an account stands in it. `now` is the wall clock."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self.now = NOON

    async def start(self, **changed: Any) -> None:
        self.store = await SqliteStore.start(
            self.db, settings=settings(clock=lambda: self.now, **changed)
        )

    async def order(
        self, cost: int, *quotas: Quota, account: str = "14", **facts: Any
    ) -> tuple[int, str]:
        exchange = intent(account=account, cost=cost, quantity=cost, **facts)
        return (await self.store.open(exchange, quotas)).handle, exchange.id

    async def ends(self, placed: tuple[int, str], state: State, **facts: Any) -> None:
        await self.store.settle(*placed, outcome(state, **facts))

    def stand(self, *quotas: Quota, account: str = "14") -> Sequence[tuple[int, int]]:
        """(used, held) of each, as the ledger finds it; every sum is checked on the way."""
        with reading(self.db) as connection:
            assert wrong_sums(connection) == []
            found = Ledger(connection, self.now).standings(account, quotas)
        return [(standing.used, standing.held) for standing in found.standings]

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with reading(self.db) as connection:
            return list(connection.execute(statement).fetchall())


@pytest.fixture
async def books(db: Path) -> AsyncIterator[Books]:
    made = Books(db)
    await made.start()
    yield made
    await made.store.close()


async def test_a_refused_order_leaves_what_was_left(books: Books) -> None:
    daily = quota(10_000)
    await books.order(6000, daily)
    with pytest.raises(OverQuotaError):
        await books.order(5000, daily)
    with pytest.raises(NeverFitsError):
        await books.order(10_001, daily)
    assert books.stand(daily) == [(6000, 6000)]
    await books.order(4000, daily)
    with pytest.raises(OverQuotaError):
        await books.order(1, daily)
    assert books.stand(daily) == [(10_000, 10_000)]
    assert books.rows("SELECT state, cost, used, counted_at, held FROM exchange ORDER BY seq") == [
        ("PENDING", 6000, 6000, NOON, 1),
        ("REFUSED", 5000, None, None, 0),
        ("REFUSED", 10_001, None, None, 0),
        ("PENDING", 4000, 4000, NOON, 1),
        ("REFUSED", 1, None, None, 0),
    ]


async def test_an_order_that_one_quota_refuses_counts_in_none(books: Books) -> None:
    generous, narrow = quota(10_000), quota(3, Calendar(Period.HOUR), "orders", Unit.ORDERS)
    rolling, burst = quota(50, Rolling(60), "rolling"), quota(9, Burst(1), "burst", Unit.ORDERS)
    for _ in range(3):
        await books.order(10, generous, narrow, rolling, burst)
    with pytest.raises(OverQuotaError):
        await books.order(10, generous, narrow, rolling, burst)
    assert books.stand(generous, narrow, rolling, burst) == [(30, 30), (3, 3), (30, 30), (3, 0)]


async def test_in_a_group_one_order_is_refused_and_its_neighbours_are_not(books: Books) -> None:
    daily = quota(100)
    answers = await asyncio.gather(
        *[books.order(cost, daily) for cost in (60, 50, 30, 20, 10, 1)],
        books.order(100, daily, account="15"),
        return_exceptions=True,
    )
    refused = [isinstance(answer, OverQuotaError) for answer in answers]
    assert refused == [False, True, False, True, False, True, False]
    assert (books.stand(daily), books.stand(daily, account="15")) == ([(100, 100)], [(100, 100)])
    assert books.rows("SELECT state FROM exchange ORDER BY seq") == [
        ("REFUSED",) if no else ("PENDING",) for no in refused
    ]


@pytest.mark.parametrize(
    ("state", "facts", "counts"),
    [
        (State.COMPLETED, {"charge": Charge.KEPT}, (100, 0)),
        (State.COMPLETED, {"charge": Charge.KEPT, "kept": 40}, (40, 0)),
        (State.COMPLETED, {"charge": Charge.KEPT, "kept": 0}, (0, 0)),
        (State.COMPLETED, {"charge": Charge.KEPT, "kept": 101}, (100, 0)),
        (State.COMPLETED, {"charge": Charge.REFUNDED, "status": 400}, None),
        (State.COMPLETED, {"charge": Charge.UNKNOWN, "status": 503}, (100, 100)),
        (State.COMPLETED, {"charge": Charge.UNKNOWN, "status": 302}, (100, 100)),
        (State.FAILED, {"status": 502}, None),
        (State.IN_DOUBT, {"status": 504}, (100, 100)),
    ],
)
async def test_an_order_ends_and_counts_for_what_it_came_to(
    books: Books, state: State, facts: dict[str, Any], counts: tuple[int, int] | None
) -> None:
    numbers, orders = quota(), quota(name="orders", unit=Unit.ORDERS)
    placed = await books.order(100, numbers, orders)
    await books.ends(placed, state, **facts)
    counted = (0, 0) if counts is None else (1, int(counts[1] > 0))
    assert books.stand(numbers, orders) == [counts or (0, 0), counted]
    used = None if counts is None else counts[0]
    row = books.rows("SELECT used, counted_at, held FROM exchange")
    assert row == [(used, NOON, int(counts is not None and counts[1] > 0))]
    payload = books.rows(
        "SELECT payload ->> 'used', payload ->> 'held' FROM event ORDER BY seq DESC LIMIT 1"
    )
    assert payload == [(used, row[0][2])]


async def test_a_refund_goes_into_the_window_of_the_reservation(books: Books) -> None:
    daily, hourly = quota(), quota(window=Calendar(Period.HOUR), name="hourly")
    old = await books.order(6000, daily, hourly)
    books.now += HOUR
    await books.order(1000, daily, hourly)
    books.now += 12 * HOUR
    await books.order(500, daily, hourly)
    await books.ends(old, State.FAILED)
    assert books.stand(daily, hourly) == [(500, 500), (500, 500)]
    assert books.rows("SELECT policy, used, held FROM quota_usage ORDER BY policy, ends") == [
        *(("daily", 1000, 1000), ("daily", 500, 500)),
        *(("hourly", 0, 0), ("hourly", 1000, 1000), ("hourly", 500, 500)),
    ]


async def test_what_was_in_doubt_counts_until_it_is_known(books: Books) -> None:
    daily = quota(100)
    placed = await books.order(100, daily)
    await books.ends(placed, State.IN_DOUBT)
    with pytest.raises(OverQuotaError):
        await books.order(1, daily)
    await books.ends(placed, State.COMPLETED, at=7, charge=Charge.REFUNDED)
    assert books.stand(daily) == [(0, 0)]
    await books.order(100, daily)


async def test_a_restart_changes_nothing_and_holds_what_was_under_way(books: Books) -> None:
    daily, burst = quota(10_000), quota(3, Burst(0.01), "burst", Unit.ORDERS)
    await books.ends(await books.order(60, daily, burst), State.COMPLETED)
    await books.order(40, daily, burst)
    await books.store.close()
    await books.start()
    assert books.stand(daily, burst) == [(100, 40), (2, 0)]
    assert books.rows("SELECT state, used, held FROM exchange ORDER BY seq") == [
        ("COMPLETED", 60, 0),
        ("IN_DOUBT", 40, 1),
    ]


async def test_an_outcome_in_the_emergency_file_is_settled_at_the_next_start(books: Books) -> None:
    daily = quota()
    placed = [await books.order(100, daily) for _ in range(3)]
    await books.store.close()
    file = EmergencyFile(books.db.with_name("tape.db.emergency"))
    file.append(Spilled(*placed[0], outcome(State.COMPLETED, kept=30)))
    file.append(Spilled(*placed[1], outcome(State.FAILED)))
    file.append(Spilled(*placed[1], outcome(State.FAILED)))  # twice, without harm
    await books.start()
    assert books.stand(daily) == [(130, 100)]


async def test_an_outcome_that_comes_after_another_changes_no_count(books: Books) -> None:
    daily = quota()
    placed = await books.order(100, daily)
    await books.ends(placed, State.COMPLETED)
    await books.store.close()
    file = EmergencyFile(books.db.with_name("tape.db.emergency"))
    file.append(Spilled(*placed, outcome(State.FAILED, at=7)))
    await books.start()
    assert books.stand(daily) == [(100, 0)]
    assert books.rows("SELECT count(*) FROM event WHERE kind = 'superseded'") == [(1,)]


async def test_an_order_whose_caller_went_away_is_given_back(books: Books) -> None:
    daily = quota()
    leaving = asyncio.ensure_future(books.order(100, daily))
    await asyncio.sleep(0)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    await books.store.close()
    await books.start()
    assert books.stand(daily) == [(0, 0)]
    assert books.rows("SELECT state, cost FROM exchange") == [("FAILED", 100)]


async def test_an_order_that_lands_after_it_was_given_up_is_given_back(db: Path) -> None:
    books, daily, hangs = Books(db), quota(), threading.Event()
    kept = settings(commit_deadline=0.2, clock=lambda: books.now)
    stamp = Stamp("test", "boot", kept.clock)
    opened = await asyncio.to_thread(open_to_write, db, kept, stamp)
    books.store = SqliteStore(opened, kept, stamp)
    opened.connection.set_trace_callback(
        lambda statement: hangs.wait(30) and None if statement == "COMMIT" else None
    )
    with pytest.raises(UnavailableError, match="did not take it"):
        await books.order(100, daily)
    hangs.set()
    await until(lambda: books.rows("SELECT state, used FROM exchange") == [("FAILED", None)])
    assert books.stand(daily) == [(0, 0)]
    await books.store.close()


async def test_two_outcomes_of_one_order_in_a_group_refund_it_once(books: Books) -> None:
    daily = quota()
    placed = await books.order(100, daily)
    await books.order(1, daily)
    await asyncio.gather(
        books.ends(placed, State.IN_DOUBT, at=1),
        books.ends(placed, State.COMPLETED, at=2, charge=Charge.REFUNDED),
        books.ends(placed, State.FAILED, at=3),
        return_exceptions=True,
    )
    assert books.stand(daily) == [(1, 1)]


async def test_an_outcome_and_a_decision_in_one_group_count_once(books: Books) -> None:
    daily = quota()
    placed = await books.order(100, daily)
    await books.ends(placed, State.IN_DOUBT)
    await asyncio.gather(
        books.store.change(lambda batch: changes.decide(batch, placed[1], 50, BY)),
        books.ends(placed, State.FAILED, at=3),
        books.store.change(lambda batch: changes.decide(batch, placed[1], 70, BY)),
    )
    assert books.stand(daily) == [(70, 0)]


async def test_a_quota_that_is_new_in_the_middle_of_a_group_counts_those_before(
    books: Books,
) -> None:
    old, new = quota(1000), quota(130, Calendar(Period.DAY, "America/New_York"))
    rolling = quota(1000, Rolling(60), "rolling")
    placed = await books.order(10, old)
    answers = await asyncio.gather(
        books.order(100, old),
        books.ends(placed, State.FAILED),
        books.order(100, new, rolling),
        books.order(30, new, rolling),
        return_exceptions=True,
    )
    kinds = [type(answer) for answer in answers]
    assert kinds == [tuple, type(None), OverQuotaError, tuple]
    assert books.stand(old, new, rolling) == [(130, 130)] * 3


@pytest.mark.parametrize(
    ("before", "after", "used"),
    [
        (quota(100), quota(5), 60),
        (quota(100), quota(100, Calendar(Period.DAY, "America/New_York")), 60),
        (quota(100), quota(100, Calendar(Period.HOUR)), 20),
        (quota(100), quota(100, Calendar(Period.MONTH)), 60),
        (quota(100), quota(100, Rolling(5400)), 60),
        (quota(100), quota(100, Rolling(3600)), 20),
        (quota(100, Rolling(60)), quota(100, Rolling(5400)), 60),
        (quota(100, Rolling(5400)), quota(100, Rolling(60)), 20),
        (quota(100), quota(100, unit=Unit.ORDERS), 2),
        (quota(100), quota(100, name="other"), 60),
        (quota(5, Burst(1), unit=Unit.ORDERS), quota(100), 60),
    ],
)
async def test_a_changed_quota_finds_what_was_used_before(
    books: Books, before: Quota, after: Quota, used: int
) -> None:
    await books.order(40, before)
    books.now += HOUR
    await books.order(20, before)
    assert books.stand(after) == [(used, used)]
    await books.order(0, quota(None, name="none"))  # a removed quota goes on counting
    assert [held for _, held in books.stand(before, after)][1:] == [used + (used == 2)]


async def test_a_lowered_limit_refuses_what_comes_and_keeps_what_is_used(books: Books) -> None:
    await books.order(60, quota(100))
    with pytest.raises(OverQuotaError):
        await books.order(1, quota(50))
    assert books.stand(quota(50)) == [(60, 60)]
    await books.order(40, quota(100))


async def test_a_shadow_quota_counts_past_its_limit(books: Books) -> None:
    shadow, daily = quota(50, name="shadow", mode=Mode.SHADOW), quota(1000)
    exchange = intent(cost=60, quantity=60)
    reservation = (await books.store.open(exchange, (shadow, daily))).reservation
    assert books.stand(shadow, daily) == [(60, 60), (60, 60)]
    whole_day = NOON + 12 * HOUR
    assert reservation == Reservation(
        "14",
        NOON,
        (
            Standing(shadow, 0, 60, whole_day, whole_day, warns=True),
            Standing(daily, 0, 60, whole_day, whole_day),
        ),
        now=NOON,
    )


@pytest.mark.parametrize(
    ("limit", "cost", "error"),
    [(0, 1, NeverFitsError), (0, 0, NeverFitsError), (None, 9_999_999, None), (1, 0, None)],
)
async def test_a_limit_of_0_refuses_all_and_none_refuses_nothing(
    books: Books, limit: int | None, cost: int, error: type[RefusedError] | None
) -> None:
    if error is None:
        await books.order(cost, quota(limit))
    else:
        with pytest.raises(error):
            await books.order(cost, quota(limit))
    assert books.stand(quota(limit)) == [((cost, cost) if error is None else (0, 0))]


@pytest.mark.parametrize("window", [Calendar(Period.DAY), Rolling(24 * 3600)])
async def test_an_account_gains_nothing_when_the_clock_goes_back(
    books: Books, window: Window
) -> None:
    daily = quota(100, window)
    await books.order(100, daily)
    books.now += 24 * HOUR
    await books.order(60, daily)
    books.now -= 24 * HOUR
    with pytest.raises(OverQuotaError):
        await books.order(41, daily)
    await books.order(40, daily)
    assert books.rows("SELECT counted_at FROM exchange WHERE cost = 40") == [(NOON + 24 * HOUR,)]
    books.now += 24 * HOUR
    assert books.stand(daily) == [(100, 100)]


async def test_a_clock_that_went_back_holds_a_burst_up_no_longer_than_its_bucket(
    books: Books,
) -> None:
    daily, burst = quota(), quota(2, Burst(1), "burst", Unit.ORDERS)
    await books.order(1, daily, burst)
    await books.order(1, daily, burst)
    books.now -= HOUR
    with pytest.raises(OverQuotaError) as refusal:
        await books.order(1, daily, burst)
    assert refusal.value.retry_after == 1
    for _ in range(3):
        books.now += SECOND
        await books.order(1, daily, burst)


async def test_what_rolls_out_of_the_window_is_told_to_the_moment(books: Books) -> None:
    rolling = quota(100, Rolling(3600))
    await books.order(60, rolling)
    books.now += 10 * SECOND
    await books.order(30, rolling)
    books.now += 10 * SECOND
    with pytest.raises(OverQuotaError) as refusal:
        await books.order(20, rolling)
    assert refusal.value.retry_after == 3580
    books.now = NOON + HOUR - 1
    with pytest.raises(OverQuotaError):
        await books.order(20, rolling)
    books.now += 1
    assert books.stand(rolling) == [(30, 30)]
    with pytest.raises(OverQuotaError) as refusal:
        await books.order(71, rolling)
    assert refusal.value.retry_after == 10
    await books.order(70, rolling)


async def test_what_comes_to_count_again_counts_in_a_window_that_rolled_past_it(
    books: Books,
) -> None:
    rolling = quota(100, Rolling(3600))
    await books.order(10, rolling)
    books.now += 30 * SECOND
    placed = await books.order(60, rolling)
    await books.ends(placed, State.FAILED)
    books.now += 10 * SECOND
    await books.order(30, rolling)
    books.now = NOON + HOUR
    await books.order(1, rolling)
    await books.store.change(lambda batch: changes.decide(batch, placed[1], 50, BY))
    assert books.stand(rolling) == [(81, 31)]
    with pytest.raises(OverQuotaError):
        await books.order(20, rolling)
    books.now += 30 * SECOND
    assert books.stand(rolling) == [(31, 31)]


async def test_a_refund_that_comes_with_what_rolls_the_window_past_it_is_made_once(
    books: Books,
) -> None:
    rolling = quota(100, Rolling(60))
    placed = await books.order(60, rolling)
    books.now += 50 * SECOND
    await books.order(30, rolling)
    books.now += 10 * SECOND
    await asyncio.gather(books.ends(placed, State.FAILED), books.order(20, rolling))
    assert books.stand(rolling) == [(50, 50)]


async def test_an_order_counts_that_a_clock_before_it_was_set_right_had_in_the_future(
    books: Books,
) -> None:
    rolling = quota(100, Rolling(60))
    await books.order(60, rolling)
    books.now += 24 * HOUR
    await books.order(70)  # no quota is in force, and the clock is wrong
    books.now = NOON + 120 * SECOND
    with pytest.raises(OverQuotaError):
        await books.order(31, rolling)
    await books.order(30, rolling)
    assert books.stand(rolling) == [(100, 100)]


async def test_a_boost_ends_in_the_middle_of_a_window(books: Books) -> None:
    daily, until = quota(100), NOON + HOUR
    await books.store.change(lambda batch: changes.boost(batch, "14", daily, 50, until, BY))
    books.now = until - 1
    await books.order(150, daily)
    books.now = until
    with pytest.raises(OverQuotaError):
        await books.order(1, daily)
    assert books.stand(daily) == [(150, 150)]
    assert books.stand(daily, account="15") == [(0, 0)]


async def test_an_order_is_not_told_to_wait_past_the_end_of_the_boost_that_it_needs(
    books: Books,
) -> None:
    daily = quota(100)
    until_then = books.now + 60 * SECOND
    await books.store.change(lambda batch: changes.boost(batch, "14", daily, 50, until_then, BY))
    await books.order(100, daily)
    with pytest.raises(NeverFitsError, match="ask for at most 100"):
        await books.order(120, daily)
    with pytest.raises(OverQuotaError, match="send it again after"):
        await books.order(60, daily)
    await books.order(50, daily)


async def test_an_account_that_is_blocked_is_not_unblocked_by_a_boost(books: Books) -> None:
    daily, until_then = quota(100), books.now + HOUR

    async def change(plan: Any) -> None:
        await books.store.change(plan)

    await change(lambda batch: changes.boost(batch, "14", daily, 50, until_then, BY))
    await change(lambda batch: changes.set_limit(batch, "14", daily, 0, BY))
    with pytest.raises(NeverFitsError):
        await books.order(1, daily)
    with pytest.raises(StartUpError, match="set it another limit first"):
        await change(lambda batch: changes.boost(batch, "14", daily, 50, until_then, BY))


async def test_an_admitted_order_is_told_when_more_comes_free(books: Books) -> None:
    rolling = quota(100, Rolling(20), name="rolling")
    burst = quota(5, Burst(0.5), name="burst", unit=Unit.ORDERS)
    exchange = intent(account="14", cost=1, quantity=1)
    opened = await books.store.open(exchange, (rolling, burst))
    assert opened.reservation is not None
    told = [standing.more_at - books.now for standing in opened.reservation.standings]
    assert told == [20 * SECOND, 2 * SECOND]


async def test_orders_of_one_microsecond_all_count(books: Books) -> None:
    rolling = quota(100, Rolling(60))
    await asyncio.gather(*[books.order(10, rolling) for _ in range(10)])
    books.now += 60 * SECOND - 1
    assert books.stand(rolling) == [(100, 100)]
    books.now += 1
    assert books.stand(rolling) == [(0, 0)]


@pytest.mark.parametrize(
    "account", ["", "é", "x'; DROP TABLE quota; --", "a\x00b", "\udcff", "*", "7" * 500]
)
async def test_accounts_of_any_name_have_their_own_count(books: Books, account: str) -> None:
    odd = quota(100, name='a "quota" ü %s \\ ?')
    placed = await books.order(60, odd, account=account)
    with pytest.raises(OverQuotaError):
        await books.order(60, odd, account=account)
    await books.order(100, odd)
    await books.ends(placed, State.FAILED)
    assert books.rows("SELECT used FROM quota ORDER BY used") == [(0,), (100,)]


async def test_a_cost_that_no_column_holds_is_refused_and_harms_nobody(books: Books) -> None:
    unlimited = quota(None)
    await books.order(2**80, unlimited)
    answers = await asyncio.gather(
        books.order(1, unlimited),
        books.order(5, unlimited, account="15"),
        return_exceptions=True,
    )
    assert [type(answer) for answer in answers] == [UnavailableError, tuple]
    assert books.stand(unlimited, account="15") == [(5, 5)]


async def test_a_version_2_order_is_barred_by_a_limit_and_counts_nowhere(books: Books) -> None:
    exchange = intent(kind=Kind.ORDER_V2, cost=None)
    with pytest.raises(NeverFitsError):
        await books.store.open(exchange, (quota(None, name="all"), quota(10)))
    passed = intent(kind=Kind.ORDER_V2, cost=None)
    handle = (await books.store.open(passed, (quota(10, mode=Mode.SHADOW),))).handle
    await books.ends((handle, passed.id), State.COMPLETED)
    assert books.rows("SELECT state, used, counted_at, held FROM exchange ORDER BY seq") == [
        ("REFUSED", None, None, 0),
        ("COMPLETED", None, None, 0),
    ]


async def test_the_log_is_warned_once_a_window(books: Books) -> None:
    daily = quota(100)
    warned = []
    for cost in (79, 1, 10, 5):
        reservation = (await books.store.open(intent(cost=cost), (daily,))).reservation
        assert reservation is not None
        warned.append(reservation.standings[0].warns)
    books.now += 24 * HOUR
    reservation = (await books.store.open(intent(cost=80), (daily,))).reservation
    assert reservation is not None
    assert (warned, reservation.standings[0].warns) == ([False, True, False, False], True)


async def test_orders_from_before_the_ledger_count_for_nothing(db: Path) -> None:
    """A store that was made, and has orders in doubt, before the migration `quotas`."""
    connection = connect_writer(db, synchronous="FULL", busy_timeout=1.0)
    SCHEMA.apply(Database(connection), stop_before="quotas")
    columns = "id, state, kind, origin, upstream, method, target, account, cost, received_at, peer"
    connection.execute(
        f"INSERT INTO exchange (seq, {columns}, rules_version, software, boot)"  # noqa: S608
        " VALUES (1, 'old', 'IN_DOUBT', 'order', 'live', '', 'POST', '/', '14', 60, ?, '',"
        " '', '', '')",
        (NOON,),
    )
    connection.close()
    books, daily = Books(db), quota(100)
    await books.start()
    await books.order(100, daily)
    assert books.stand(daily) == [(100, 100)]
    await books.ends((1, "old"), State.COMPLETED, charge=Charge.REFUNDED)
    assert books.stand(daily) == [(100, 100)]
    await books.store.close()


async def test_a_job_that_fails_takes_nothing_with_it(books: Books) -> None:
    daily = quota()

    def fails(batch: Any) -> None:
        batch.ledger.reserve("14", (daily,), 500, assumed=False)
        raise RefusedError("It is no use.")

    results = await asyncio.gather(
        books.order(1, daily),
        books.store.change(fails),
        books.order(2, daily),
        return_exceptions=True,
    )
    assert [isinstance(one, Exception) for one in results] == [False, True, False]
    assert books.stand(daily) == [(3, 3)]
