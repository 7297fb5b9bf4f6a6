"""What the control socket takes about quotas, over a store whose clock the test sets."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from ordertape import quota_control
from ordertape.errors import OverQuotaError, StartUpError
from ordertape.model import Charge, State
from ordertape.quota import Burst, Calendar, Mode, Period, Quota, Quotas, Rolling, Unit
from ordertape.store.sqlite import SqliteStore
from ordertape.store.usage import Change, Usage, UsageReader
from recorded import ARRIVED, intent, outcome, settings

SECOND = 1_000_000
DAY_ENDS = 1_790_035_200_000_000  # 2026-09-22T00:00:00Z
NUMBERS = Quota("numbers-per-day", Unit.NUMBERS, 10_000, Calendar(Period.DAY))
ROLLING = Quota("orders-rolling", Unit.ORDERS, 3, Rolling(3600), mode=Mode.SHADOW)
BURST = Quota("burst", Unit.ORDERS, 4, Burst(0.5))
BY = {"operator": "ops", "reason": "as agreed"}
ASKED = {"account": "14", "quota": "numbers-per-day", **BY}


@dataclass
class Desk:
    """A store, its handlers, and the quotas and the time that hold."""

    store: SqliteStore
    path: Path
    quotas: Quotas
    now: list[int]

    async def ask(self, command: str, **arguments: Any) -> Mapping[str, Any]:
        handlers = quota_control.handlers(self.store, self.path, lambda: self.quotas)
        return await handlers[command](arguments)

    async def ordered(self, cost: int, ending: State | None = None, **ended: Any) -> str:
        """Record an order, and its outcome, if any; return its id."""
        order = intent(cost=cost, quantity=cost)
        handle = (await self.store.open(order, self.quotas.of("14"))).handle
        if ending is not None:
            await self.store.settle(handle, order.id, outcome(ending, **ended))
        return order.id

    def usage(self, account: str = "14") -> dict[str, Usage]:
        with UsageReader(self.path) as reader:
            return {row.quota: row for row in reader.usage(account, self.quotas, self.now[0])}

    def changes(self, **conditions: Any) -> list[Change]:
        with UsageReader(self.path) as reader:
            return list(reader.changes(**conditions))


@asynccontextmanager
async def desk(folder: Path, *quotas: Quota) -> AsyncIterator[Desk]:
    now = [ARRIVED]
    path = folder / "ordertape.db"
    store = await SqliteStore.start(path, settings=settings(clock=lambda: now[0]))
    try:
        yield Desk(store, path, Quotas(quotas), now)
    finally:
        await store.close()


def test_usage_tells_settled_from_held_in_every_kind_of_window(tmp_path: Path) -> None:
    async def used() -> dict[str, Usage]:
        async with desk(tmp_path, NUMBERS, ROLLING, BURST) as at:
            await at.ordered(4000, State.COMPLETED)
            await at.ordered(1000)
            await at.ordered(7, State.COMPLETED, status=400, charge=Charge.REFUNDED)
            return at.usage()

    common = {"account": "14", "source": "file", "operator": None, "boosts": [], "mode": "enforce"}
    assert asyncio.run(used()) == {
        "numbers-per-day": Usage(
            **common,
            quota="numbers-per-day",
            unit="numbers",
            window="day UTC",
            ends=DAY_ENDS,
            limit=10_000,
            used=5000,
            held=1000,
        ),
        "orders-rolling": Usage(
            **{**common, "mode": "shadow"},
            quota="orders-rolling",
            unit="orders",
            window="rolling 3600",
            ends=None,
            limit=3,
            used=2,
            held=1,
        ),
        "burst": Usage(
            **common,
            quota="burst",
            unit="orders",
            window="burst 0.5",
            ends=None,
            limit=4,
            used=3,
            held=0,
        ),
    }


def test_what_is_set_and_boosted_holds_for_the_next_order_and_is_told_with_its_source(
    tmp_path: Path,
) -> None:
    until = ARRIVED + 60 * SECOND

    async def steps() -> tuple[Any, ...]:
        async with desk(tmp_path, NUMBERS) as at:
            await at.ordered(600, State.COMPLETED)
            done = await at.ask("quota-set", **ASKED, limit=700)
            with pytest.raises(OverQuotaError):
                await at.ordered(101)
            boosted = await at.ask("quota-boost", **ASKED, amount=1, until=until)
            await at.ordered(101, State.COMPLETED)
            during = at.usage()["numbers-per-day"]
            at.now[0] = until
            after = at.usage()["numbers-per-day"]
            reset = await at.ask("quota-reset", **ASKED)
            return done, boosted, during, after, reset, at.usage()["numbers-per-day"], at.changes()

    done, boosted, during, after, reset, last, changes = asyncio.run(steps())
    named = {"account": "14", "policy": "numbers-per-day"}
    facts = {**named, "unit": "numbers", "window": "day UTC", **BY}
    assert done == {**facts, "old": 10_000, "new": 700}
    assert boosted == {**facts, "old": 700, "new": 701, "amount": 1, "until": until}
    assert reset == {**facts, "old": 700, "new": 10_000}
    assert (during.limit, during.source, during.operator) == (701, "set", "ops")
    assert (during.boosts, during.used, during.remaining) == ([(1, until)], 701, 0)
    assert after == replace(during, limit=700, boosts=[])
    assert last == replace(after, limit=10_000, source="file", operator=None)
    assert [(one.change, one.at, one.facts) for one in changes] == [
        ("reset", until, {**reset, "at": until}),
        ("boosted", ARRIVED, {**boosted, "at": ARRIVED}),
        ("set", ARRIVED, {**done, "at": ARRIVED}),
    ]


def test_limits_are_told_without_boosts_which_stay_what_they_are(tmp_path: Path) -> None:
    async def steps() -> Any:
        async with desk(tmp_path, NUMBERS) as at:
            await at.ask("quota-boost", **ASKED, amount=5, until=ARRIVED + SECOND)
            unlimited = await at.ask("quota-set", **ASKED, limit=None)
            limited = await at.ask("quota-set", **ASKED, limit=20)
            return unlimited, limited, at.usage()["numbers-per-day"].limit

    unlimited, limited, limit = asyncio.run(steps())
    assert (unlimited["old"], unlimited["new"]) == (10_000, None)
    assert (limited["old"], limited["new"], limit) == (None, 20, 25)


def test_what_is_adjusted_counts_also_twice_while_the_clock_stands_back(tmp_path: Path) -> None:
    async def steps() -> Any:
        async with desk(tmp_path, NUMBERS) as at:
            at.now[0] += SECOND
            await at.ordered(600, State.COMPLETED)
            at.now[0] -= SECOND
            first = await at.ask("quota-adjust", **ASKED, amount=-200)
            second = await at.ask("quota-adjust", **ASKED, amount=50)
            with pytest.raises(StartUpError) as refused:
                await at.ask("quota-adjust", **ASKED, amount=-451)
            return first, second, str(refused.value), at.usage()["numbers-per-day"].used

    first, second, refused, used = asyncio.run(steps())
    assert [(one["old"], one["new"], one["amount"]) for one in (first, second)] == [
        (600, 400, -200),
        (400, 450, 50),
    ]
    assert refused.startswith("Only 450 of numbers-per-day are used for good by account 14; ")
    assert used == 450


def test_an_exchange_is_decided_for_good(tmp_path: Path) -> None:
    async def steps() -> Any:
        async with desk(tmp_path, NUMBERS, ROLLING) as at:
            doubtful = await at.ordered(5000, State.IN_DOUBT)
            gone = await at.ordered(70, State.IN_DOUBT)
            before = [(row.used, row.held) for row in at.usage().values()]
            some = await at.ask("quota-decide", exchange=doubtful, used=3, **BY)
            none = await at.ask("quota-decide", exchange=gone, used=None, **BY)
            with UsageReader(at.path) as reader:
                shown = [reader.show(ident) for ident in (doubtful, gone)]
            rows = [(full.row.used, full.row.held) for full in shown if full is not None]
            kinds = [[event.kind for event in full.events] for full in shown if full is not None]
            after = [(row.used, row.held) for row in at.usage().values()]
            return before, some, none, rows, kinds, after, at.changes(), doubtful

    before, some, none, rows, kinds, after, changes, doubtful = asyncio.run(steps())
    facts = {"account": "14", "unit": "numbers", **BY}
    assert (before, after) == ([(5070, 5070), (2, 2)], [(3, 0), (1, 0)])
    assert some == {**facts, "old": 5000, "new": 3}
    assert none == {**facts, "old": 70, "new": None}
    assert rows == [(3, False), (None, False)]
    assert kinds == [["pending", "in-doubt", "quota-decided"]] * 2
    assert [(one.change, one.exchange) for one in changes][1] == ("decided", doubtful)


@pytest.mark.parametrize(
    ("command", "changes", "sentence"),
    [
        (
            "quota-set",
            {"quota": "number-per-day", "limit": 1},
            "Account 14 has no quota number-per-day; did you mean numbers-per-day?",
        ),
        (
            "quota-set",
            {"quota": "x", "limit": 1},
            "Account 14 has no quota x; it has numbers-per-day, burst, orders-rolling.",
        ),
        (
            "quota-set",
            {"account": "15", "limit": 1},
            "Account 15 has no quota; add one to the configuration ([[quotas]]).",
        ),
        (
            "quota-show",
            {"account": "15", "limit": 1},
            "Account 15 has no quota; add one to the configuration ([[quotas]]).",
        ),
        (
            "quota-reset",
            {},
            "No limit of numbers-per-day is set for account 14; the file's is in force.",
        ),
        (
            "quota-boost",
            {"amount": 1, "until": ARRIVED},
            "The boost would end before it began; name a later --until.",
        ),
        (
            "quota-adjust",
            {"quota": "burst", "amount": 1},
            "burst is a burst, which keeps no count; set its limit instead.",
        ),
        (
            "quota-adjust",
            {"quota": "orders-rolling", "amount": -1},
            "orders-rolling rolls, so that less must be said of an exchange; use --exchange ID.",
        ),
        (
            "quota-decide",
            {"exchange": "0192f000", "used": 1},
            "There is no exchange 0192f000; see `ordertape audit list`.",
        ),
    ],
)
def test_what_cannot_be_done_is_a_sentence_and_changes_nothing(
    tmp_path: Path, command: str, changes: dict[str, Any], sentence: str
) -> None:
    async def asked() -> tuple[str, list[Change]]:
        async with desk(tmp_path, NUMBERS, BURST, ROLLING) as at:
            at.quotas = replace(at.quotas, accounts={"15": ()})
            with pytest.raises(StartUpError) as refused:
                await at.ask(command, **{**ASKED, **changes})
            return str(refused.value), at.changes()

    assert asyncio.run(asked()) == (sentence, [])


def test_history_is_chosen_by_account_quota_and_time(tmp_path: Path) -> None:
    async def steps() -> Any:
        async with desk(tmp_path, NUMBERS, BURST) as at:
            doubtful = await at.ordered(5, State.IN_DOUBT)
            for number, (account, quota) in enumerate(
                [("14", "burst"), ("14", "numbers-per-day"), ("7", "burst")]
            ):
                at.now[0] = ARRIVED + number * SECOND
                named = {"account": account, "quota": quota}
                await at.ask("quota-set", **{**ASKED, **named}, limit=number)
            at.now[0] += SECOND
            await at.ask("quota-decide", exchange=doubtful, used=1, **BY)
            chosen: list[dict[str, Any]] = [
                {},
                {"account": "14"},
                {"quota": "burst"},
                {"account": "7", "quota": "burst"},
                {"since": ARRIVED + SECOND, "until": ARRIVED + 2 * SECOND},
                {"account": "14' OR 1"},
            ]
            return [
                [one.facts["new"] for one in at.changes(**what) if one.facts] for what in chosen
            ]

    assert asyncio.run(steps()) == [
        [1, 2, 1, 0],
        [1, 1, 0],
        [1, 2, 0],
        [2],
        [1],
        [],
    ]


def test_accounts_are_those_with_something_of_their_own_the_last_active_first(
    tmp_path: Path,
) -> None:
    async def steps() -> Any:
        async with desk(tmp_path, NUMBERS) as at:
            at.quotas = replace(at.quotas, accounts={"9": (NUMBERS,), "8": ()})
            await at.store.open(intent(account="1"), at.quotas.of("1"))
            at.now[0] += SECOND
            await at.ask("quota-set", **{**ASKED, "account": "2"}, limit=1)
            at.now[0] += SECOND
            await at.store.open(intent(account="3"), at.quotas.of("3"))
            shown = [
                await asyncio.to_thread(
                    quota_control.shown, at.path, at.quotas, None, limit, at.now[0]
                )
                for limit in (100, 3, 2)
            ]
            at.now[0] = DAY_ENDS + 1
            tomorrow = await asyncio.to_thread(
                quota_control.shown, at.path, at.quotas, None, 9, at.now[0]
            )
            names = [[row["account"] for row in one["rows"]] for one in (*shown, tomorrow)]
            return names, [one["more"] for one in shown]

    assert asyncio.run(steps()) == (
        [["3", "2", "1", "9"], ["3", "2", "1"], ["3", "2"], ["2", "9"]],
        [False, True, True],
    )
