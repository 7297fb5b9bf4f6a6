"""What accounts have used of their quotas, and what operators changed: read, never written."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from ordertape.quota import Boost, Calendar, Quota, Quotas, Standing
from ordertape.store.ledger import Ledger
from ordertape.store.reading import Reader

__all__ = ["CHANGES", "Change", "Usage", "UsageReader"]

CHANGES: Mapping[str, str] = {
    "quota-set": "set",
    "quota-reset": "reset",
    "quota-boosted": "boosted",
    "quota-adjusted": "adjusted",
    "quota-decided": "decided",
}
"""The kinds of events that an operator's changes are, and the word for each."""

_PAGE = 500
_NAMES = 20_000  # accounts that a name is looked for among

_ACTIVE = """SELECT account, max(at) AS last FROM (
        SELECT account, max(at) AS at FROM quota WHERE ends > ?1 GROUP BY account
        UNION ALL SELECT account, booked FROM burst
        UNION ALL SELECT account, at FROM quota_limit
        UNION ALL SELECT account, at FROM quota_boost WHERE until > ?1
    ) GROUP BY account ORDER BY last DESC, account LIMIT ?2"""
_SETTERS = "SELECT policy, operator FROM quota_limit WHERE account = ?"
_IS_KNOWN = """SELECT EXISTS (SELECT 1 FROM exchange WHERE account = ?1)
    OR EXISTS (SELECT 1 FROM quota_limit WHERE account = ?1)
    OR EXISTS (SELECT 1 FROM quota_boost WHERE account = ?1)"""
_ACCOUNTS = "SELECT DISTINCT account FROM exchange WHERE account IS NOT NULL LIMIT ?"
_CHANGED = "SELECT seq, at, kind, exchange, payload FROM event WHERE kind GLOB 'quota-*'"
"""The condition is that of the index `event_quota`, word for word."""
_CONDITIONS: Mapping[str, str] = {
    "account": "json_extract(payload, '$.account') = :account",
    "quota": "ifnull(json_extract(payload, '$.policy'), :quota) = :quota",
    "since": "at >= :since",
    "until": "at < :until",
}


@dataclass(frozen=True, slots=True)
class Usage:
    """One quota of one account at one moment. Times are microseconds since 1970 UTC.

    `limit` is in force, boosts included; None is unlimited. `window` is `day UTC`, `rolling 3600`
    (seconds), `burst 5` (orders a second); `ends` None: it is no window of the calendar. `source`
    is "file", "file, account" or "set", by this `operator`. `boosts` are those in force, each
    (by, until). Of a burst `used` is how many orders its bucket has no room for at the moment.
    """

    account: str
    quota: str
    unit: str
    window: str
    ends: int | None
    limit: int | None
    source: str
    operator: str | None
    boosts: Sequence[tuple[int, int]]
    used: int
    held: int
    mode: str

    @property
    def settled(self) -> int:
        """What counts for good."""
        return self.used - self.held

    @property
    def remaining(self) -> int | None:
        """What may still be ordered; None where that is unlimited."""
        return None if self.limit is None else max(0, self.limit - self.used)


@dataclass(frozen=True, slots=True)
class Change:
    """What an operator changed, from an event of the chain; `at` in microseconds UTC.

    `facts` are the event's own; None where its payload was pruned.
    """

    seq: int
    at: int
    change: str
    exchange: str | None
    facts: Mapping[str, Any] | None


class UsageReader(Reader):
    """A reader of quotas. Errors of every method: StartUpError."""

    def accounts(self, quotas: Quotas, now: int, limit: int) -> Sequence[str]:
        """Those that have something in a present window or of their own, the last active first."""
        active = [str(account) for account, _ in self._all(_ACTIVE, (now, limit))]
        known = set(active)
        return [*active, *sorted(set(quotas.accounts) - known)][:limit]

    def usage(self, account: str, quotas: Quotas, now: int) -> Sequence[Usage]:
        """How the account stands towards each of its quotas, all at one moment."""
        with self._one_moment():
            reservation = Ledger(self._connection, now).standings(account, quotas.of(account))
            setters = dict(self._all(_SETTERS, (account,)))
        return [
            _usage(account, standing, setters.get(standing.quota.name), reservation.at)
            for standing in reservation.standings
        ]

    def is_known(self, account: str) -> bool:
        """Whether anything is recorded of this account."""
        return bool(self._all(_IS_KNOWN, (account,))[0][0])

    def nearest(self, account: str) -> str | None:
        """The recorded account whose name is most like this one; None where none is."""
        names = [name for (name,) in self._all(_ACCOUNTS, (_NAMES,))]
        return next(iter(difflib.get_close_matches(account, names, n=1)), None)

    def changes(
        self,
        *,
        account: str | None = None,
        quota: str | None = None,
        since: int | None = None,
        until: int | None = None,
    ) -> Iterator[Change]:
        """What operators changed, the newest first; what concerns every quota for any `quota`.

        `since` (inclusive) and `until` (exclusive) are in microseconds UTC.
        """
        asked = {"account": account, "quota": quota, "since": since, "until": until}
        values = {name: value for name, value in asked.items() if value is not None}
        conditions = "".join(f" AND {_CONDITIONS[name]}" for name in values)
        before = 2**63 - 1
        while True:
            rows = self._all(
                f"{_CHANGED}{conditions} AND seq < :before ORDER BY seq DESC LIMIT {_PAGE}",
                {**values, "before": before},
            )
            for seq, at, kind, exchange, payload in rows:
                facts = None if payload is None else json.loads(payload)
                yield Change(seq, at, CHANGES.get(kind, kind), exchange, facts)
                before = seq
            if len(rows) < _PAGE:
                return

    @contextmanager
    def _one_moment(self) -> Iterator[None]:
        """Everything read inside is of one moment, whatever is written meanwhile."""
        with self._readable():
            self._connection.execute("BEGIN")
            try:
                yield
            finally:
                self._connection.execute("COMMIT")


def _usage(account: str, standing: Standing, operator: str | None, at: int) -> Usage:
    quota = standing.quota
    return Usage(
        account=account,
        quota=quota.name,
        unit=quota.unit.value,
        window=str(quota.window),
        ends=standing.more_at if isinstance(quota.window, Calendar) else None,
        limit=quota.limit,
        source=quota.source,
        operator=operator if quota.source == "set" else None,
        boosts=[(boost.by, boost.until) for boost in _in_force(quota, at)],
        used=standing.used,
        held=standing.held,
        mode=quota.mode.value,
    )


def _in_force(quota: Quota, at: int) -> Sequence[Boost]:
    return [boost for boost in quota.boosts if boost.until > at]
