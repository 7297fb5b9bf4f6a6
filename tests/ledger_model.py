"""What the quota ledger should do, said again in lists that are summed up.

Nothing is kept up to date here: whatever is asked is counted from all that ever happened.
"""

from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from ordertape.errors import NeverFitsError, OverQuotaError, RefusedError
from ordertape.model import TRANSITIONS, Charge, Outcome, State
from ordertape.quota import Burst, Mode, Quota, Rolling, Unit, Window
from ordertape.quota.window import SECOND
from ordertape.store.connection import sqlite3
from ordertape.store.ledger import Ledger

_WRONG = """SELECT * FROM (SELECT quota.*,
    (SELECT coalesce(sum(iif(quota.unit = 'numbers', exchange.used, 1)), 0) FROM exchange
        WHERE exchange.account = quota.account AND exchange.used IS NOT NULL
        AND counted_at >= starts AND counted_at < ends)
    + (SELECT coalesce(sum(amount), 0) FROM adjustment
        WHERE adjustment.account = quota.account AND adjustment.policy = quota.policy
        AND adjustment.unit = quota.unit AND (amount > 0 OR adjustment.win = quota.win)
        AND adjustment.at >= starts AND adjustment.at < ends) AS should_be_used,
    (SELECT coalesce(sum(iif(quota.unit = 'numbers', exchange.used, 1)), 0) FROM exchange
        WHERE exchange.account = quota.account AND exchange.held = 1
        AND counted_at >= starts AND counted_at < ends) AS held
    FROM quota)
    WHERE used IS NOT should_be_used OR used < held"""


@contextmanager
def reading(db: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(f"file:{db}?mode=ro", uri=True)) as connection:
        yield connection


def wrong_sums(connection: sqlite3.Connection) -> Sequence[tuple[object, ...]]:
    """Every row of `quota` that is not the sum of what counts, or has less than nothing settled."""
    return connection.execute(_WRONG).fetchall()


def stand(
    connection: sqlite3.Connection, account: str, quotas: Sequence[Quota], now: int
) -> Sequence[tuple[int, int]]:
    """(used, held) of each of these quotas, as the ledger has it."""
    standings = Ledger(connection, now).standings(account, quotas).standings
    return [(standing.used, standing.held) for standing in standings]


@dataclass
class Order:
    """One that was admitted; `numbers` None counts for nothing."""

    account: str
    at: int
    numbers: int | None
    held: bool = True
    state: State = State.PENDING


@dataclass(frozen=True)
class Adjustment:
    """What an operator has added to a window, or taken from it."""

    account: str
    policy: str
    unit: Unit
    window: Window
    at: int
    amount: int


@dataclass(frozen=True)
class Expected:
    """What becomes of an order: which error it gets, if any, and which quotas that names."""

    error: type[RefusedError] | None = None
    quotas: Sequence[str] = ()


@dataclass
class Model:
    """The accounts' quotas; `now` is the wall clock, in microseconds."""

    now: int
    orders: list[Order] = field(default_factory=list)
    adjustments: list[Adjustment] = field(default_factory=list)
    limits: dict[tuple[str, str], int | None] = field(default_factory=dict)
    boosts: list[tuple[str, str, int, int]] = field(default_factory=list)
    debts: dict[tuple[str, str], tuple[int, int]] = field(default_factory=dict)
    asked_at: dict[str, int] = field(default_factory=dict)

    def moment(self, account: str) -> int:
        """The account's time, which stands still where the clock goes back."""
        return max(self.now, self.asked_at.get(account, 0))

    def limit(self, account: str, quota: Quota, *, boosted: bool = True) -> int | None:
        stated = self.limits.get((account, quota.name), quota.limit)
        if not stated or not boosted:
            return stated
        at = self.moment(account)
        more = [
            by for *whose, by, until in self.boosts if whose == [account, quota.name] and until > at
        ]
        return max(0, stated + sum(more))

    def counted(self, account: str, policy: str, unit: Unit, window: Window, at: int) -> list[int]:
        """[used, held]."""
        extent = window.extent(at)  # its own tests hold it to tables

        def inside(moment: int) -> bool:
            if isinstance(window, Rolling):
                return moment > at - window.seconds * SECOND
            return extent.starts <= moment < extent.ends

        used = held = 0
        for order in self.orders:
            if order.account == account and order.numbers is not None and inside(order.at):
                counts = order.numbers if unit is Unit.NUMBERS else 1
                used += counts
                held += counts * order.held
        for one in self.adjustments:
            same = (one.account, one.policy, one.unit) == (account, policy, unit)
            if same and inside(one.at) and (one.amount > 0 or one.window == window):
                used += one.amount
        return [used, held]

    def debt(self, account: str, quota: Quota) -> int:
        """How long, in microseconds, a burst's bucket takes to run empty."""
        debt, since = self.debts.get((account, quota.name), (0, self.now))
        full = (1 if (limit := self.limit(account, quota)) is None else limit) * _interval(quota)
        return min(max(0, debt - max(0, self.now - since)), full)

    def stand(self, account: str, quota: Quota) -> tuple[int, int]:
        """(used, held) of a quota."""
        if isinstance(quota.window, Burst):
            return -(-self.debt(account, quota) // _interval(quota)), 0
        at = self.moment(account)
        used, held = self.counted(account, quota.name, quota.unit, quota.window, at)
        return used, held

    # What happens, and what is to be expected of it.

    def touch(self, account: str) -> None:
        """Where the clock has gone back, debts are what they were, and run down from here."""
        for (whose, policy), (debt, since) in self.debts.items():
            if whose == account and since > self.now:
                self.debts[whose, policy] = debt, self.now

    def refused(self, account: str, quotas: Sequence[Quota], numbers: int) -> Expected | None:
        refusing, never, either = [], [], False
        for quota in quotas:
            limit = self.limit(account, quota)
            if limit is None or quota.mode is Mode.SHADOW:
                continue
            used, _ = self.stand(account, quota)
            asked = numbers if quota.unit is Unit.NUMBERS else 1
            if limit == 0 or asked > limit:
                never.append(f"The quota {quota.name} ")
            elif used + asked > limit:
                refusing.append(f"The quota {quota.name} ")
                # Whether it ever fits depends on which boosts have ended by then.
                either = either or asked > (self.limit(account, quota, boosted=False) or 0)
        if either:
            return Expected(OverQuotaError)
        if never:
            return Expected(NeverFitsError, never)
        return Expected(OverQuotaError, refusing) if refusing else None

    def order(self, account: str, quotas: Sequence[Quota], numbers: int) -> Expected:
        self.touch(account)
        refused = self.refused(account, quotas, numbers)
        at = self.moment(account)
        if any(not isinstance(quota.window, Burst) for quota in quotas):
            self.asked_at[account] = at
        if refused is not None:
            return refused
        for quota in quotas:
            if isinstance(quota.window, Burst):
                debt = self.debt(account, quota) + _interval(quota)
                self.debts[account, quota.name] = debt, self.now
        self.orders.append(Order(account, at, numbers))
        return Expected()

    def settle(self, order: Order, outcome: Outcome) -> bool:
        """Whether it can end so."""
        if outcome.state not in TRANSITIONS[order.state]:
            return False
        order.state = outcome.state
        unknown = outcome.state is State.IN_DOUBT or outcome.charge is Charge.UNKNOWN
        if order.held and not unknown:
            order.held = False
            if outcome.state is State.FAILED or outcome.charge is Charge.REFUNDED:
                order.numbers = None
            elif outcome.kept is not None and order.numbers is not None:
                order.numbers = min(order.numbers, outcome.kept)
        return True

    def decide(self, order: Order, numbers: int | None) -> bool:
        """Whether that can be decided."""
        if order.state is State.PENDING:
            return False
        before = order.numbers, order.held
        order.numbers, order.held = numbers, False
        for one in self.adjustments:
            if one.amount < 0 and one.account == order.account:
                window = one.account, one.policy, one.unit, one.window
                used, held = self.counted(*window, one.at)
                if used < held:
                    order.numbers, order.held = before
                    return False
        return True

    def adjust(self, account: str, quota: Quota, amount: int) -> bool:
        """Whether so much can be added, or taken away."""
        if isinstance(quota.window, Burst) or (isinstance(quota.window, Rolling) and amount < 0):
            return False
        at = self.moment(account)
        used, held = self.counted(account, quota.name, quota.unit, quota.window, at)
        if used - held + amount < 0:
            return False
        self.touch(account)
        self.asked_at[account] = at
        one = Adjustment(account, quota.name, quota.unit, quota.window, at, amount)
        self.adjustments.append(one)
        return True

    def restart(self) -> None:
        """Of what was under way nobody knows what became."""
        for order in self.orders:
            if order.state is State.PENDING:
                order.state = State.IN_DOUBT


def _interval(quota: Quota) -> int:
    assert isinstance(quota.window, Burst)
    return quota.window.interval
