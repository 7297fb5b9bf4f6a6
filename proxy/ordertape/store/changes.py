"""What an operator changes about quotas: planned with its event, so that the audit can tell who.

Every function plans one change and returns what it came to. Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ordertape.errors import StartUpError
from ordertape.model import State
from ordertape.quota import Burst, Quota, Rolling, Unit
from ordertape.store.batch import Batch

__all__ = ["MOST", "By", "adjust", "boost", "decide", "reset_limit", "set_limit"]

MOST = 999_999_999_999
"""The most that can be said of a limit, a boost or an adjustment: sums of it stay in 64 bits."""


@dataclass(frozen=True, slots=True)
class By:
    """Who changes it, and why."""

    operator: str
    reason: str


def set_limit(
    batch: Batch, account: str, quota: Quota, limit: int | None, by: By
) -> dict[str, Any]:
    """Let this limit win over the file's until it is reset; None is unlimited.

    Limits are told without boosts, which stay what they are. Errors: StartUpError for less than 0.
    """
    if limit is not None and not 0 <= limit <= MOST:
        raise StartUpError(f"A limit is 0 to {MOST}, or unlimited; name one of those.")
    old = batch.ledger.set_or_filed(account, quota)
    batch.ledger.set_limit(account, quota.name, limit, by.operator, by.reason)
    return _event(batch, "quota-set", account, quota, by, {"old": old, "new": limit})


def reset_limit(batch: Batch, account: str, quota: Quota, by: By) -> dict[str, Any]:
    """Let the file's limit hold again. Errors: StartUpError where none was set."""
    old = batch.ledger.set_or_filed(account, quota)
    if not batch.ledger.reset_limit(account, quota.name):
        raise StartUpError(
            f"No limit of {quota.name} is set for account {account}; the file's is in force."
        )
    return _event(batch, "quota-reset", account, quota, by, {"old": old, "new": quota.limit})


def boost(
    batch: Batch, account: str, quota: Quota, amount: int, until: int, by: By
) -> dict[str, Any]:
    """Allow so much more until then. Errors: StartUpError where that is past, or has no effect."""
    if until <= batch.ledger.now:
        raise StartUpError("The boost would end before it began; name a later --until.")
    if not 0 < amount <= MOST:
        raise StartUpError(f"A boost is by 1 to {MOST}; `quota set` lowers a limit.")
    old = batch.ledger.limit(account, quota)
    if old is None:
        raise StartUpError(f"{quota.name} is unlimited for account {account}; nothing to boost.")
    if old == 0:
        raise StartUpError(f"{quota.name} blocks account {account}; set it another limit first.")
    batch.ledger.boost(account, quota.name, amount, until, by.operator, by.reason)
    new = batch.ledger.limit(account, quota)
    facts = {"old": old, "new": new, "amount": amount, "until": until}
    return _event(batch, "quota-boosted", account, quota, by, facts)


def adjust(batch: Batch, account: str, quota: Quota, amount: int, by: By) -> dict[str, Any]:
    """Count so much more, or less, in the present window.

    Errors: StartUpError for a burst, for less than nothing, and for less in a rolling window: it
    would still be missing once the orders that it stands for have left.
    """
    if isinstance(quota.window, Burst):
        raise StartUpError(f"{quota.name} is a burst, which keeps no count; set its limit instead.")
    if isinstance(quota.window, Rolling) and amount < 0:
        raise StartUpError(
            f"{quota.name} rolls, so that less must be said of an exchange; use --exchange ID."
        )
    if not 0 < abs(amount) <= MOST:
        raise StartUpError(f"An adjustment is by 1 to {MOST}, or by -1 to -{MOST}; name one.")
    try:
        old, new = batch.ledger.adjust(account, quota, amount, by.operator, by.reason)
    except ValueError as error:
        raise StartUpError(
            f"Only {error} of {quota.name} are used for good by account {account}; take away no "
            "more. What is held is decided with --exchange ID."
        ) from error
    facts = {"old": old, "new": new, "amount": amount}
    return _event(batch, "quota-adjusted", account, quota, by, facts)


def decide(batch: Batch, exchange_id: str, used: int | None, by: By) -> dict[str, Any]:
    """Say what an exchange counts for, in telephone numbers; None takes it out of every count.

    Errors: StartUpError for one that is not there, is under way, or counts for nothing.
    """
    found = batch.ledger.stands(exchange_id)
    if found is None:
        raise StartUpError(f"There is no exchange {exchange_id}; see `ordertape audit list`.")
    if found.state is State.PENDING:
        raise StartUpError(f"The exchange {exchange_id} is under way; wait for its outcome.")
    if found.counted_at is None:
        raise StartUpError(f"The exchange {exchange_id} never counted; there is nothing to adjust.")
    if used is not None and not 0 <= used <= MOST:
        raise StartUpError(f"An order counts for 0 to {MOST} telephone numbers; name so many.")
    try:
        batch.ledger.decide(found, used)
    except ValueError as error:
        raise StartUpError(
            f"An adjustment has taken from {error} what the exchange {exchange_id} counts for "
            "there; add that back first, with `ordertape quota adjust`."
        ) from error
    facts = {
        "account": found.account,
        "old": found.used,
        "new": used,
        "unit": Unit.NUMBERS.value,
        "operator": by.operator,
        "reason": by.reason,
    }
    batch.event("quota-decided", exchange_id, batch.ledger.now, facts)
    return facts


def _event(
    batch: Batch, kind: str, account: str, quota: Quota, by: By, facts: dict[str, Any]
) -> dict[str, Any]:
    said = {
        "account": account,
        "policy": quota.name,
        "unit": quota.unit.value,
        "window": str(quota.window),
        **facts,
        "operator": by.operator,
        "reason": by.reason,
    }
    batch.event(kind, None, batch.ledger.now, said)
    return said
