"""What an account may order: quotas as they are configured, and as they are in force."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

from ordertape.quota.window import Window

__all__ = ["Boost", "Mode", "Quota", "Quotas", "Unit"]


class Unit(enum.StrEnum):
    """What a quota counts: telephone numbers, or orders whatever their size."""

    NUMBERS = "numbers"
    ORDERS = "orders"


class Mode(enum.StrEnum):
    """Whether a quota refuses orders, or only says that it would have."""

    ENFORCE = "enforce"
    SHADOW = "shadow"


@dataclass(frozen=True, slots=True)
class Boost:
    """So much more than the limit, until a moment in microseconds since 1970 UTC."""

    by: int
    until: int


@dataclass(frozen=True, slots=True)
class Quota:
    """One limit of one account. A burst's limit is the size of its bucket, in orders.

    `limit` None is unlimited: it counts, and never refuses; 0 refuses every order. `warn_at` is
    the share of the limit from which the log warns. `source` says where the limit comes from:
    "file", "file, account", or "set" for one that is stored.
    """

    name: str
    unit: Unit
    limit: int | None
    window: Window
    mode: Mode = Mode.ENFORCE
    warn_at: float | None = 0.8
    boosts: tuple[Boost, ...] = ()
    source: str = "file"

    @property
    def refuses_some(self) -> bool:
        """Whether there are orders that it refuses."""
        return self.limit is not None and self.mode is Mode.ENFORCE

    def at(self, moment: int) -> Self:
        """With the limit that is in force at this moment, and the boosts that it includes.

        An account that is blocked is not unblocked by a boost.
        """
        if not self.boosts or not self.limit:
            return self
        boosts = tuple(boost for boost in self.boosts if boost.until > moment)
        limit = max(0, self.limit + sum(one.by for one in boosts))
        return replace(self, limit=limit, boosts=boosts)


@dataclass(frozen=True, slots=True)
class Quotas:
    """The quotas of every account: `everyone`'s, and those of accounts that have their own.

    `pass_v2`: version 2 orders, whose cost nobody knows, pass where a quota enforces too.
    `refunded` are 5xx statuses that give the cost back. `headers` says which answers tell of
    quotas: "refusals", "always" or "never".
    """

    everyone: tuple[Quota, ...] = ()
    accounts: Mapping[str, tuple[Quota, ...]] = field(default_factory=dict)
    pass_v2: bool = False
    refunded: frozenset[int] = frozenset()
    headers: str = "refusals"

    def of(self, account: str | None) -> tuple[Quota, ...]:
        """The quotas that all have to admit an order of this account."""
        return self.everyone if account is None else self.accounts.get(account, self.everyone)
