"""The quota ledger inside one transaction: what counts, and what an order may still have.

What an order counts for stands in its own row (`exchange.used`, `counted_at`, `held`); a row of
`quota` is the sum of those of one account in one window, kept so that no order has to add them up.
What is held is added up where it is told: few orders are held at a time, and so an order that keeps
all that it had reserved writes nothing here when it ends.
So for every row of `quota`, whatever the configuration has been in the meantime:

    used = numbers, or orders, that count and have starts <= counted_at < ends
           + what operators have added to that quota in the same time, in its unit
           - what they have taken from it in this very window

What was added counts in whatever window the quota gets, as orders do. What was taken away does not:
an hour that a day's correction fell into would be left with less than nothing, and so with room
that nobody meant to give. For the same reason no more can be taken than is settled: the held part
may still be refunded.

A row that is not there, for a new window or a new quota, is made from the exchanges themselves.
The one writer's transaction is what makes reading, deciding and counting one step.
Source: reference page quotas, section 2; the design's Quotas.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ordertape.model import Charge, Outcome, State
from ordertape.quota import Boost, Burst, Quota, Reservation, Rolling, Standing, Unit
from ordertape.quota.window import FOREVER, SECOND
from ordertape.store.book import Amount, Book, Change, Counter
from ordertape.store.connection import sqlite3

__all__ = ["STATEMENTS", "Ledger", "NotTogetherError", "Stand"]

_OF_ACCOUNTS = """SELECT json_group_array(json_array(
        account, kind, name, value, unit, win, starts, used, at, warned)) FROM (
    SELECT account, 'counter' AS kind, policy AS name, ends AS value, unit, win, starts, used, at,
        warned FROM json_each(?1) CROSS JOIN quota ON account = json_each.value AND ends > ?2
    UNION ALL SELECT account, 'burst', policy, booked, at, 0, 0, 0, 0, 0
        FROM json_each(?1) CROSS JOIN burst ON account = json_each.value
    UNION ALL SELECT account, 'limit', policy, allowed, 0, 0, 0, 0, 0, 0
        FROM json_each(?1) CROSS JOIN quota_limit ON account = json_each.value
    UNION ALL SELECT account, 'boost', policy, amount, until, 0, 0, 0, 0, 0
        FROM json_each(?1) CROSS JOIN quota_boost ON account = json_each.value AND until > ?2)"""
_STANDS = """SELECT json_group_array(json_array(
        seq, exchange.id, account, counted_at, used, held))
    FROM json_each(?) CROSS JOIN exchange ON seq = json_each.value"""
_SAVE_COUNTERS = """INSERT INTO quota
    (account, ends, policy, unit, win, starts, used, at, warned)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5,
        value ->> 6, value ->> 7, value ->> 8 FROM json_each(?) WHERE TRUE
    ON CONFLICT (account, ends, policy, unit, win) DO UPDATE SET starts = excluded.starts,
    used = excluded.used, at = excluded.at, warned = excluded.warned"""
_COUNT = """UPDATE quota SET used = used + iif(unit = 'numbers', ?3, ?4), at = max(at, ?5)
    WHERE account = ?1 AND ends > ?2 AND starts <= ?2"""
_SAVE_BURSTS = """INSERT OR REPLACE INTO burst (account, policy, booked, at)
    SELECT value ->> 0, value ->> 1, value ->> 2, value ->> 3 FROM json_each(?)"""
_COUNTED = """SELECT counted_at, used FROM exchange
    WHERE account = ? AND used IS NOT NULL AND counted_at >= ? AND counted_at < ?
    ORDER BY counted_at"""
_HELD = """SELECT ifnull(sum(used), 0), count(*) FROM exchange
    WHERE account = ? AND held = 1 AND counted_at >= ? AND counted_at < ?"""
_ADJUSTED = """SELECT at, amount FROM adjustment
    WHERE account = ? AND policy = ? AND unit = ? AND at >= ? AND at < ?
    AND (amount > 0 OR win = ?) ORDER BY at"""
_DECIDED = "UPDATE exchange SET used = ?, held = 0 WHERE seq = ?"
_SET = """INSERT OR REPLACE INTO quota_limit (account, policy, allowed, operator, reason, at)
    VALUES (?, ?, ?, ?, ?, ?)"""
_RESET = "DELETE FROM quota_limit WHERE account = ? AND policy = ?"
_BOOST = """INSERT INTO quota_boost (account, policy, at, amount, until, operator, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""
_ADJUST = """INSERT INTO adjustment (account, policy, unit, win, at, amount, operator, reason)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_FIND = "SELECT seq, state, account, counted_at, used, held FROM exchange WHERE id = ?"

STATEMENTS = (_SAVE_COUNTERS, _COUNT, _SAVE_BURSTS, _DECIDED, _SET, _RESET, _BOOST, _ADJUST)
"""All that `rows` may ask for."""


class NotTogetherError(Exception):
    """This job must see what others before it in the group have written, and not only planned."""


@dataclass(frozen=True, slots=True)
class Stand:
    """What an exchange counts for, as the table `exchange` has it."""

    seq: int
    state: State
    account: str
    counted_at: int | None
    used: int | None
    held: bool


class Ledger:
    """Reads and counts in the caller's transaction; `rows` are what is to be written at its end.

    `now` is the transaction's moment, by the wall clock; the time of an account never goes back.
    """

    def __init__(self, connection: sqlite3.Connection, now: int) -> None:
        self._connection = connection
        self.now = now
        self._books: dict[str, Book] = {}
        self._stands: dict[int, Sequence[Any]] = {}
        self._loose: dict[str, list[Change]] = {}
        self._moved: set[int] = set()
        self._changes: list[tuple[str, Sequence[Any]]] = []
        # One each, the last: what one transaction sets and resets is not written in that order.
        self._limits: dict[tuple[str, str], tuple[str, Sequence[Any]]] = {}

    def foresee(self, accounts: Iterable[str], exchanges: Iterable[int] = ()) -> None:
        """Read what orders of these accounts, and outcomes of these exchanges, will ask for.

        Whatever is not foreseen is read when it is asked for. But every statement, and every row,
        costs the writer's thread its turn, so that two statements for all are as good as for one.
        """
        names, since = set(accounts), self.now
        stands = self._read(_STANDS, sorted(exchanges))
        for seq, *stand in stands:
            self._stands[seq] = stand
            _, account, counted_at, _, held = stand
            if held and account in names:
                since = min(since, counted_at)
        if names:
            self._open(names, since)

    def reserve(
        self, account: str, quotas: Sequence[Quota], numbers: int, *, assumed: bool
    ) -> Reservation:
        """Count an order of so many telephone numbers, if every quota that enforces admits it."""
        book = self._opened(account)
        at = book.at
        asked = {Unit.NUMBERS: numbers, Unit.ORDERS: 1}
        standings = self._standings(book, quotas, asked, at)
        reservation = Reservation(account, at, standings, assumed, self.now)
        if reservation.admitted:
            self._count(book, at, numbers, standings)
        return reservation

    def settled(self, seq: int, exchange_id: str, outcome: Outcome) -> tuple[int | None, bool]:
        """What counts of an exchange once it has ended so, and whether that is still held.

        What an operator has decided meanwhile stays.
        """
        if seq not in self._stands:
            self.foresee((), (seq,))
        known, account, at, used, held = self._stands.get(seq, (None,) * 5)
        if known != exchange_id:
            return None, False
        self._move(seq)
        if not held:
            return used, False
        if outcome.state is State.IN_DOUBT or outcome.charge is Charge.UNKNOWN:
            return used, True
        kept = _kept(used, outcome)
        change = Change(at, Amount((kept or 0) - used, -int(kept is None)), Amount(-used, -1))
        if account in self._books:
            self._book(account, at).count(change)
        else:
            self._loose.setdefault(account, []).append(change)
        return kept, False

    def standings(self, account: str, quotas: Sequence[Quota]) -> Reservation:
        """How the account stands, as if an order of nothing came."""
        book = self._opened(account)
        at = book.at
        nothing = {Unit.NUMBERS: 0, Unit.ORDERS: 0}
        standings = self._standings(book, quotas, nothing, at)
        held = [replace(one, held=self._held(book, one.quota, at)) for one in standings]
        return Reservation(account, at, tuple(held), now=self.now)

    def first_limit(self, account: str, quotas: Sequence[Quota]) -> Quota | None:
        """The first of these quotas that limits this account, as in force now."""
        book = self._opened(account)
        at = book.at
        in_force = (self._in_force(book, quota, at) for quota in quotas)
        return next((each for each in in_force if each.refuses_some), None)

    # What an operator changes.

    def limit(self, account: str, quota: Quota) -> int | None:
        """The limit in force, boosts included; None is unlimited."""
        book = self._opened(account)
        return self._in_force(book, quota, book.at).limit

    def set_or_filed(self, account: str, quota: Quota) -> int | None:
        """The limit without boosts: the one that is stored, else the file's."""
        book = self._opened(account)
        return book.limits.get(quota.name, quota.limit)

    def set_limit(
        self, account: str, policy: str, limit: int | None, operator: str, reason: str
    ) -> None:
        """Store a limit, which holds from the next order on."""
        book = self._opened(account)
        book.limits[policy] = limit
        row = (account, policy, limit, operator, reason, self.now)
        self._limits[account, policy] = (_SET, row)

    def reset_limit(self, account: str, policy: str) -> bool:
        """Remove a stored limit; False where there is none."""
        book = self._opened(account)
        if policy not in book.limits:
            return False
        del book.limits[policy]
        self._limits[account, policy] = (_RESET, (account, policy))
        return True

    def boost(
        self, account: str, policy: str, amount: int, until: int, operator: str, reason: str
    ) -> None:
        """Store a boost."""
        book = self._opened(account)
        book.boosts.setdefault(policy, []).append(Boost(amount, until))
        row = (account, policy, self.now, amount, until, operator, reason)
        self._changes.append((_BOOST, row))

    def adjust(
        self, account: str, quota: Quota, amount: int, operator: str, reason: str
    ) -> tuple[int, int]:
        """Count so much more, or less, in the present window: what was used before, and is now.

        Errors: ValueError with what is settled, where less than nothing of that would be left.
        """
        book = self._opened(account)
        at = book.at
        current = self._counter(book, quota, at)
        before, win = current.used, current.win
        settled = current.used - self._held_in(book, current)
        if amount < -settled:
            raise ValueError(settled)
        book.unwritten.append(at)
        for counter in book.counters:
            known = (counter.policy, counter.unit) == (quota.name, quota.unit)
            if known and counter.holds(at) and (amount > 0 or counter.win == win):
                counter.used += amount
                counter.changed = True
        row = (account, quota.name, quota.unit.value, win, at, amount, operator, reason)
        self._changes.append((_ADJUST, row))
        return before, current.used

    def stands(self, exchange_id: str) -> Stand | None:
        """What an exchange counts for; None where there is none of this id."""
        row = self._connection.execute(_FIND, (exchange_id,)).fetchone()
        if row is None:
            return None
        seq, state, account, counted_at, used, held = row
        return Stand(seq, State(state), account, counted_at, used, bool(held))

    def decide(self, stand: Stand, used: int | None) -> None:
        """Let an exchange count for so many numbers; None takes it out of every count.

        Errors: ValueError with the name of a quota in which less than nothing would be settled.
        """
        if stand.counted_at is None:
            raise ValueError("It never counted.")
        self._move(stand.seq)
        book = self._book(stand.account, stand.counted_at)
        if stand.used is None:
            for counter in book.counters:
                counter.reach(stand.counted_at)
        orders = (used is not None) - (stand.used is not None)
        more = (used or 0) - (stand.used or 0)
        released = Amount(-(stand.used or 0), -1) if stand.held else Amount()
        book.count(Change(stand.counted_at, Amount(more, orders), released))
        for counter in book.counters:
            if counter.holds(stand.counted_at) and counter.used < self._held_in(book, counter):
                raise ValueError(counter.policy)
        self._changes.append((_DECIDED, (used, stand.seq)))

    def rows(self) -> Iterator[tuple[str, Sequence[Any]]]:
        """(statement, values) for all that has changed."""
        counters = []
        for account, book in self._books.items():
            written = book.written()
            counters += [(account, *counter.row()) for counter in written]
            if book.counters and not written:
                for moment, amount in book.counts.items():
                    asked = book.asked if moment == book.asked else 0
                    yield _COUNT, (account, moment, *amount, asked)
        for account, changes in self._loose.items():
            for moment, amount, _ in changes:
                if any(amount):
                    yield _COUNT, (account, moment, *amount, 0)
        if counters:
            yield _SAVE_COUNTERS, (json.dumps(counters),)
        booked = [
            (account, policy, moment, self.now)
            for account, book in self._books.items()
            for policy, moment in book.booked.items()
        ]
        if booked:
            yield _SAVE_BURSTS, (json.dumps(booked),)
        yield from self._changes
        yield from self._limits.values()

    # What an account has.

    def _move(self, seq: int) -> None:
        """Note that an exchange comes to count for something else than its row says."""
        if seq in self._moved:
            raise NotTogetherError
        self._moved.add(seq)

    def _opened(self, account: str) -> Book:
        """The account's book, for what is of this moment."""
        book = self._book(account, self.now)
        book.booked = book.moved | book.booked
        return book

    def _book(self, account: str, moment: int) -> Book:
        """The account's book, with all counters that this moment may lie in."""
        book = self._books.get(account)
        if book is None or moment < book.since:
            self._open({account}, min(moment, self.now))
            book = self._books[account]
        return book

    def _open(self, names: Iterable[str], since: int) -> None:
        """Read all that ends later of these accounts, but for what is known already."""
        new = {name: Book(name, self.now) for name in names if name not in self._books}
        self._books |= new
        counters: dict[str, list[Sequence[Any]]] = {name: [] for name in names}
        for account, kind, name, value, *more in self._read(_OF_ACCOUNTS, [*names], since):
            if kind == "counter":
                counters[account].append((name, value, *more))
            elif account in new:
                new[account].take(kind, name, value, more[0])
        for account, found in counters.items():
            self._books[account].learn(found, since)
        for book in new.values():
            book.at = max([self.now, *[counter.at for counter in book.counters]])
        for name in new.keys() & self._loose.keys():
            for change in self._loose.pop(name):
                self._book(name, change.at).count(change)

    def _read(self, statement: str, of: Sequence[Any], *values: int) -> list[Sequence[Any]]:
        if not of:
            return []
        row = self._connection.execute(statement, (json.dumps(of), *values)).fetchone()
        found: list[Sequence[Any]] = json.loads(row[0])
        return found

    def _in_force(self, book: Book, quota: Quota, at: int) -> Quota:
        """The quota under the limit that is stored, if any, and with what boosts it now."""
        if quota.name in book.limits:
            quota = replace(quota, limit=book.limits[quota.name], source="set")
        boosts = book.boosts.get(quota.name)
        if boosts:
            quota = replace(quota, boosts=(*quota.boosts, *boosts))
        return quota.at(at)

    # What an order finds.

    def _standings(
        self, book: Book, quotas: Sequence[Quota], asked: Mapping[Unit, int], at: int
    ) -> tuple[Standing, ...]:
        in_force = [self._in_force(book, quota, at) for quota in quotas]
        return tuple([self._standing(book, each, asked[each.unit], at) for each in in_force])

    def _standing(self, book: Book, quota: Quota, asked: int, at: int) -> Standing:
        window = quota.window
        if isinstance(window, Burst):
            return _of_burst(quota, window, book.bursts.get(quota.name, 0), asked, self.now)
        counter = self._counter(book, quota, at)
        free_at = counter.ends
        if isinstance(window, Rolling):
            free_at = (counter.starts if counter.used else at) + window.seconds * SECOND
        standing = Standing(quota, counter.used, asked, free_at, free_at)
        if not standing.fits:
            standing = replace(standing, held=self._held_in(book, counter))
            if isinstance(window, Rolling) and standing.refuses and not standing.never_fits:
                standing = self._of_rolling(book, standing, counter, window, at)
        near = standing.is_near
        if counter.warned and not near and isinstance(window, Rolling):  # it has moved on
            counter.warned, counter.changed = False, True
        return replace(standing, warns=True) if near and not counter.warned else standing

    def _of_rolling(
        self, book: Book, standing: Standing, counter: Counter, window: Rolling, at: int
    ) -> Standing:
        """With the moments at which something, and enough, has left the window."""
        length = window.seconds * SECOND
        more_at = fits_at = at if counter.used == 0 else at + length
        freed, wanted = 0, max(1, standing.excess)
        for moment, amount in self._amounts(book.account, standing.quota, counter):
            if freed == 0 < amount:
                more_at = moment + length
            freed += amount
            if freed >= wanted:
                fits_at = moment + length
                break
        return replace(standing, more_at=more_at, fits_at=fits_at)

    def _amounts(self, account: str, quota: Quota, counter: Counter) -> Iterator[tuple[int, int]]:
        """What counts in a window, the oldest first, with its moment; read as far as is asked."""
        span = (counter.starts, counter.ends)
        counted = (
            (at, used if quota.unit is Unit.NUMBERS else 1)
            for at, used in self._connection.execute(_COUNTED, (account, *span))
        )
        return heapq.merge(counted, self._adjusted(account, counter, *span))

    def _held(self, book: Book, quota: Quota, at: int) -> int:
        """How much of what the quota counts now is held; a burst holds nothing."""
        if isinstance(quota.window, Burst):
            return 0
        return self._held_in(book, self._counter(book, quota, at))

    def _held_in(self, book: Book, counter: Counter) -> int:
        """How much of what counts in its window is held, with what is not written yet."""
        span = (book.account, counter.starts, counter.ends)
        held = Amount(*self._connection.execute(_HELD, span).fetchone())
        for change in book.changes:
            if counter.holds(change.at):
                held = held.plus(change.held)
        return held.of(counter.unit)

    def _counter(self, book: Book, quota: Quota, at: int) -> Counter:
        """The counter of the quota's present window, made from what counts where it is new."""
        win = str(quota.window)
        for counter in book.counters:
            if counter.policy != quota.name or not counter.holds(at):
                continue
            if counter.unit is quota.unit and counter.win == win:
                if isinstance(quota.window, Rolling):
                    self._expire(book, counter, quota.window, at)
                if counter.at < at:
                    counter.at = book.asked = at
                    book.counts.setdefault(at, Amount())
                return counter
        assert not isinstance(quota.window, Burst)  # noqa: S101 - those have no counters
        starts, ends = quota.window.extent(at)
        counter = Counter(
            *(quota.name, quota.unit, win, starts, ends), 0, at, warned=False, changed=True
        )
        self._add_up(book, counter)
        book.counters.append(counter)
        return counter

    def _expire(self, book: Book, counter: Counter, window: Rolling, at: int) -> None:
        """Let a rolling window move on, past what has left it to what will leave it first.

        So nothing is read before that leaves, and never more than has left.
        """
        starts = window.extent(at).starts
        if starts <= counter.starts:
            return
        if any(counter.starts <= moment < starts for moment in book.unwritten):
            raise NotTogetherError
        span = (counter.starts, counter.ends)
        stays = [moment for moment in book.unwritten if moment >= starts]
        for moment, used in self._connection.execute(_COUNTED, (book.account, *span)):
            if moment >= starts:
                stays.append(moment)
                break
            counter.count(Amount(-used, -1))
        for moment, amount in self._adjusted(book.account, counter, *span):
            if moment >= starts:
                stays.append(moment)
                break
            counter.used -= amount
        counter.starts = min([*stays, at])
        counter.changed = True

    def _add_up(self, book: Book, counter: Counter) -> None:
        """Count all that was reserved in its window."""
        span = (counter.starts, counter.ends)
        if any(counter.holds(moment) for moment in book.unwritten):
            raise NotTogetherError
        counted = self._connection.execute(_COUNTED, (book.account, *span)).fetchall()
        for _, used in counted:
            counter.count(Amount(used, 1))
        adjusted = self._adjusted(book.account, counter, *span)
        for _, amount in adjusted:
            counter.used += amount
        if counter.ends == FOREVER:
            counter.starts = min(
                first[0][0] for first in (counted, adjusted, [(counter.at,)]) if first
            )

    def _adjusted(
        self, account: str, counter: Counter, starts: int, ends: int
    ) -> Sequence[tuple[int, int]]:
        """What operators have added to this counter, or taken from it, with its moment."""
        known = (account, counter.policy, counter.unit.value, starts, ends, counter.win)
        return self._connection.execute(_ADJUSTED, known).fetchall()

    def _count(self, book: Book, at: int, numbers: int, standings: Sequence[Standing]) -> None:
        for standing in standings:
            quota = standing.quota
            if isinstance(quota.window, Burst):
                size = quota.limit if quota.limit is not None else 1
                booked = quota.window.booked(book.bursts.get(quota.name, 0), size, self.now)
                book.bursts[quota.name] = book.booked[quota.name] = booked
            elif standing.warns:
                counter = self._counter(book, quota, at)
                counter.warned, counter.changed = True, True
        amount = Amount(numbers, 1)
        book.count(Change(at, amount, held=amount))


def _of_burst(quota: Quota, window: Burst, booked: int, asked: int, at: int) -> Standing:
    size = 1 if quota.limit is None else quota.limit
    frees, taken = window.frees(booked, size, at), window.taken(booked, size, at)
    # The place that comes free next is the first of those that are booked, this order's included.
    behind = max(taken + asked - 1, 0) * window.interval
    return Standing(
        quota,
        taken,
        asked,
        max(frees, max(booked, at) + asked * window.interval - behind),
        frees,
    )


def _kept(used: int, outcome: Outcome) -> int | None:
    """What still counts: nothing of what was refunded, and less where the service gave less."""
    if outcome.state is State.FAILED or outcome.charge is Charge.REFUNDED:
        return None
    return used if outcome.kept is None else min(used, outcome.kept)
