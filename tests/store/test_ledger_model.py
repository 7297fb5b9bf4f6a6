"""The ledger, through a store on a real file, against the plain model in ledger_model.py.

Whatever is done in whatever order, with restarts and clocks that go back: what is admitted, what
counts and what is held is what the model says, and every row of `quota` is the sum it claims to be.
"""

import asyncio
import itertools
import random
import shutil
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator, Sequence
from contextlib import ExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

import recorded
from ledger_model import Model, Order, reading, stand, wrong_sums
from ordertape.errors import OverQuotaError, RefusedError, StartUpError
from ordertape.model import Charge, IllegalTransitionError, Outcome, State
from ordertape.quota import Burst, Calendar, Mode, Period, Quota, Rolling, Unit
from ordertape.quota.window import SECOND
from ordertape.store import changes
from ordertape.store.batch import Batch
from ordertape.store.sqlite import SqliteStore

BEGIN = 1_793_503_800 * SECOND
"""Saturday 2026-10-31 23:30 in New York: a day, a month and the hour that comes twice are near."""
BY = changes.By("ops", "because")
ACCOUNTS = ("14", "15")
ZONES = ("UTC", "America/New_York")
_times = itertools.count(1)


@dataclass(frozen=True)
class Ordered:
    """An order, perhaps by the quotas from before the last reload."""

    account: str
    numbers: int
    under_the_old: bool = False


@dataclass(frozen=True)
class Settled:
    """How an order ended."""

    which: int
    state: State
    charge: Charge | None = None
    kept: int | None = None


@dataclass(frozen=True)
class Decided:
    """What an operator says that an order counts for."""

    which: int
    numbers: int | None


@dataclass(frozen=True)
class Adjusted:
    """What an operator adds or takes away."""

    account: str
    which: int
    amount: int


@dataclass(frozen=True)
class Limited:
    """A limit is set."""

    account: str
    which: int
    limit: int | None


@dataclass(frozen=True)
class Reset:
    """The limit that was set is reset."""

    account: str
    which: int


@dataclass(frozen=True)
class Boosted:
    """A limit is boosted for so many seconds."""

    account: str
    which: int
    by: int
    seconds: int


@dataclass(frozen=True)
class Configured:
    """The configuration is read again."""

    quotas: Sequence[Quota]


@dataclass(frozen=True)
class Waited:
    """The clock moves, by microseconds, perhaps back."""

    wait: int


@dataclass(frozen=True)
class Restarted:
    """The gateway is stopped or killed, and started."""

    killed: bool


@dataclass(frozen=True)
class Together:
    """These are written in one transaction."""

    steps: Sequence[Any]


class Chance:
    """What is done next, by chance: all that can happen does, and what belongs together meets."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)  # noqa: S311 - no secret, and the same in every run
        self._quotas: list[Quota] = []
        self._dropped: list[Quota] = []

    def begin(self) -> Configured:
        self._quotas = [self._quota(name) for name in "abc"]
        return Configured(tuple(self._quotas))

    def step(self, now: int) -> Any:
        weights = {self._small: 12, self._together: 4, self._configured: 2, self._restarted: 1}
        kind = self._random.choices([*weights, self._waited], [*weights.values(), 5])[0]
        return self._waited(now) if kind == self._waited else kind()

    def _account(self) -> str:
        return self._random.choices(ACCOUNTS, (5, 1))[0]

    def _window(self, unit: Unit) -> Calendar | Rolling | Burst:
        choice = self._random.choice
        zone = choice(ZONES)
        if unit is Unit.ORDERS and self._random.random() < 0.3:
            return Burst(choice((0.01, 1.0, 3.0)))
        return choice((Calendar(choice(list(Period)), zone), Rolling(choice((60, 3600, 86_400)))))

    def _limit(self, unit: Unit) -> int | None:
        limits = (None, 0, 60, 130, 131, 300, 1000) if unit is Unit.NUMBERS else (None, 1, 3, 9, 40)
        return self._random.choice(limits)

    def _quota(self, name: str) -> Quota:
        unit = self._random.choice(list(Unit))
        mode = self._random.choices(list(Mode), (3, 1))[0]
        return Quota(name, unit, self._limit(unit), self._window(unit), mode)

    def _configured(self) -> Configured:
        """One quota is changed, dropped or taken up again."""
        self._random.shuffle(self._quotas)
        taken = {quota.name for quota in self._quotas}
        back = [quota for quota in self._dropped if quota.name not in taken]
        kind = self._random.random()
        if back and (kind < 0.4 or not self._quotas):
            self._quotas.append(self._random.choice(back))
        elif self._quotas:
            quota = self._quotas.pop()
            self._dropped = [*self._dropped[-5:], quota]
            if kind < 0.9:
                self._quotas.append(self._changed(quota))
        return Configured(tuple(self._quotas))

    def _changed(self, quota: Quota) -> Quota:
        kind = self._random.choice(("limit", "window", "window", "unit", "mode"))
        if kind == "limit":
            return replace(quota, limit=self._limit(quota.unit))
        if kind == "window":
            return replace(quota, window=self._window(quota.unit))
        if kind == "mode":
            return replace(quota, mode=self._random.choice(list(Mode)))
        if isinstance(quota.window, Burst):
            return quota
        return replace(quota, unit=self._random.choice(list(Unit)))

    def _waited(self, now: int) -> Waited:
        kind = self._random.random()
        if kind < 0.5:
            seconds = self._random.choice((0, 1, 20, 59, 60, 300, 1200))
            return Waited(seconds * SECOND)
        if kind < 0.75:  # to the beginning of a window, or to its last moment
            period, zone = self._random.choice(list(Period)), self._random.choice(ZONES)
            edge = Calendar(period, zone).extent(now).ends
            return Waited(edge - now - self._random.choice((0, 1, 1, SECOND)))
        if kind < 0.85:
            return Waited(self._random.choice((3600, 7 * 3600, 86_400)) * SECOND)
        return Waited(-self._random.choice((1, SECOND, 600 * SECOND, 7200 * SECOND)))

    def _restarted(self) -> Restarted:
        return Restarted(killed=self._random.random() < 0.5)

    def _together(self) -> Together:
        return Together([self._small() for _ in range(self._random.randint(2, 5))])

    def _small(self) -> Any:
        choice, account, which = self._random.choice, self._account(), self._random.randrange(99)
        recent = int(self._random.expovariate(0.4))
        kinds: list[tuple[int, Callable[[], Any]]] = [
            (
                10,
                lambda: Ordered(
                    account, choice((0, 1, 2, 30, 50, 99, 131)), choice((False, False, True))
                ),
            ),
            (2, lambda: Settled(recent, State.COMPLETED, Charge.KEPT, choice((None, 0, 1, 40)))),
            (2, lambda: Settled(recent, State.COMPLETED, Charge.REFUNDED)),
            (1, lambda: Settled(recent, State.COMPLETED, Charge.UNKNOWN)),
            (2, lambda: Settled(recent, choice((State.FAILED, State.IN_DOUBT)))),
            (2, lambda: Decided(recent, choice((None, 0, 1, 60)))),
            (3, lambda: Adjusted(account, which, choice((-100, -30, -1, 1, 20, 100)))),
            (1, lambda: Limited(account, which, choice((None, 0, 3, 130, 500)))),
            (1, lambda: Reset(account, which)),
            (1, lambda: Boosted(account, which, choice((1, 50)), choice((1, 1800, 86_400)))),
        ]
        return self._random.choices([make for _, make in kinds], [often for often, _ in kinds])[0]()


@dataclass
class Run:
    """A store and the model, side by side."""

    folder: Path
    model: Model = field(default_factory=lambda: Model(BEGIN))
    quotas: Sequence[Quota] = ()
    old: Sequence[Quota] = ()
    placed: list[tuple[Order, int, str]] = field(default_factory=list)
    lives: int = 0

    @property
    def db(self) -> Path:
        return self.folder / f"{self.lives}" / "tape.db"

    async def start(self) -> None:
        self.db.parent.mkdir(exist_ok=True)
        kept = recorded.settings(synchronous="OFF", clock=lambda: self.model.now)
        self.store = await SqliteStore.start(self.db, settings=kept)
        self.read = ExitStack()
        self.connection = self.read.enter_context(reading(self.db))

    async def stop(self) -> None:
        self.read.close()
        await self.store.close()

    async def take(self, step: Any) -> None:
        match step:
            case Waited(wait):
                self.model.now += wait
            case Configured(quotas):
                self.old, self.quotas = self.quotas, quotas
            case Restarted(killed):
                await self.restart(killed=killed)
            case Together(steps):
                await asyncio.gather(*[self.plan(one) for one in steps])
            case _:
                await self.plan(step)
        self.agree()

    def agree(self) -> None:
        assert wrong_sums(self.connection) == []
        for account in ACCOUNTS:
            found = stand(self.connection, account, self.quotas, self.model.now)
            assert found == [self.model.stand(account, quota) for quota in self.quotas]

    async def restart(self, *, killed: bool) -> None:
        before = self.db
        self.model.restart()
        if killed:
            self.lives += 1
            self.db.parent.mkdir()
            for name in (before.name, f"{before.name}-wal"):  # what a killed process leaves
                shutil.copy(before.with_name(name), self.db.with_name(name))
        await self.stop()
        await self.start()

    # What the model expects is settled when a step is planned: steps that come together are
    # written in the order in which they were planned.

    def plan(self, step: Any) -> Coroutine[Any, Any, None]:
        match step:
            case Ordered(account, numbers, under_the_old):
                return self.order(account, numbers, self.old if under_the_old else self.quotas)
            case Settled():
                return self.settle(step)
            case Decided(which, numbers):
                return self.decide(which, numbers)
        if not self.quotas:
            return asyncio.sleep(0)
        plan, fine = self.changed(step, self.quotas[step.which % len(self.quotas)])
        if fine:
            self.model.touch(step.account)
        return self.change(plan, fine)

    def changed(self, step: Any, quota: Quota) -> tuple[Callable[[Batch], Any], bool]:
        """The change, and whether the model allows it."""
        model, key = self.model, (step.account, quota.name)
        match step:
            case Adjusted(account, _, amount):
                fine = model.adjust(account, quota, amount)
                return partial(changes.adjust, quota=quota, account=account, amount=amount), fine
            case Limited(account, _, limit):
                model.limits[key] = limit
                return partial(changes.set_limit, quota=quota, account=account, limit=limit), True
            case Reset(account):
                fine = key in model.limits
                model.limits.pop(key, None)
                return partial(changes.reset_limit, quota=quota, account=account), fine
            case Boosted(account, _, more, seconds):
                until = model.now + seconds * SECOND
                fine = bool(model.limit(account, quota))
                if fine:
                    model.boosts.append((*key, more, until))
                facts = {"account": account, "quota": quota, "amount": more, "until": until}
                return partial(changes.boost, **facts), fine
        raise AssertionError(step)

    async def change(self, plan: Callable[..., Any], fine: bool) -> None:  # noqa: FBT001 - a pair
        with refused(StartUpError, fine=fine):
            await self.store.change(partial(plan, by=BY))

    def order(
        self, account: str, numbers: int, quotas: Sequence[Quota]
    ) -> Coroutine[Any, Any, None]:
        expected = self.model.order(account, quotas, numbers)
        order = None if expected.error else self.model.orders[-1]

        async def ordered() -> None:
            exchange = recorded.intent(account=account, cost=numbers, quantity=numbers)
            if order is None:
                with pytest.raises(RefusedError) as refusal:
                    await self.store.open(exchange, quotas)
                assert isinstance(refusal.value, OverQuotaError)
                if expected.quotas:
                    assert (type(refusal.value), []) == (
                        expected.error,
                        [name for name in expected.quotas if name not in str(refusal.value)],
                    )
                return
            intent = await self.store.open(exchange, quotas)
            assert intent.reservation is not None
            assert intent.reservation.at == order.at
            self.placed.append((order, intent.handle, exchange.id))

        return ordered()

    def settle(self, step: Settled) -> Coroutine[Any, Any, None]:
        if not self.placed:
            return asyncio.sleep(0)
        order, handle, exchange_id = self.placed[-1 - step.which % len(self.placed)]
        ended = Outcome(step.state, next(_times), charge=step.charge, kept=step.kept)
        fine = self.model.settle(order, ended)

        async def settled() -> None:
            with refused(IllegalTransitionError, fine=fine):
                await self.store.settle(handle, exchange_id, ended)

        return settled()

    def decide(self, which: int, numbers: int | None) -> Coroutine[Any, Any, None]:
        if not self.placed:
            return asyncio.sleep(0)
        order, _, exchange_id = self.placed[-1 - which % len(self.placed)]
        fine = self.model.decide(order, numbers)
        plan = partial(changes.decide, exchange_id=exchange_id, used=numbers)
        return self.change(plan, fine)


@contextmanager
def refused(error: type[Exception], *, fine: bool) -> Iterator[None]:
    if fine:
        yield
        return
    with pytest.raises(error):
        yield


@asynccontextmanager
async def run_in(folder: Path) -> AsyncIterator[Run]:
    run = Run(folder)
    await run.start()
    try:
        yield run
    finally:
        await run.stop()


async def follow(folder: Path, seed: int, steps: int) -> None:
    chance = Chance(seed)
    async with run_in(folder) as run:
        step: Any = chance.begin()
        for number in range(steps):
            try:
                await run.take(step)
            except Exception as error:
                error.add_note(f"in step {number} of seed {seed}, {step}, with {run.quotas}")
                raise
            step = chance.step(run.model.now)


def test_whatever_happens_the_ledger_does_what_the_model_does(
    tmp_path: Path, *, long: bool
) -> None:
    for seed in range(400 if long else 8):
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        asyncio.run(follow(folder, seed, 300))
        shutil.rmtree(folder)
