"""What the control socket takes about quotas: an operator's changes, and how accounts stand.

The same functions serve a command where no gateway runs. Times are microseconds since 1970 UTC.
"""

from __future__ import annotations

import asyncio
import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ordertape.errors import StartUpError
from ordertape.quota import Quota, Quotas
from ordertape.store import changes
from ordertape.store.batch import Batch
from ordertape.store.changes import By
from ordertape.store.control import Handler
from ordertape.store.sqlite import SqliteStore
from ordertape.store.usage import Usage, UsageReader
from ordertape.transcript import moment

__all__ = ["SHOW", "handlers", "shown", "usages"]

SHOW = "quota-show"


def handlers(store: SqliteStore, path: Path, quotas: Callable[[], Quotas]) -> Mapping[str, Handler]:
    """The commands of `ordertape quota`; `quotas` are those in force when one is carried out."""

    def change(plan: _Plan) -> Handler:
        async def carried_out(asked: dict[str, Any]) -> dict[str, Any]:
            account, quota, by = _about(quotas(), asked)
            return await store.change(lambda batch: plan(batch, account, quota, asked, by))

        return carried_out

    async def decide(asked: Mapping[str, Any]) -> dict[str, Any]:
        exchange, used, by = asked["exchange"], asked["used"], _by(asked)
        return await store.change(lambda batch: changes.decide(batch, exchange, used, by))

    async def show(asked: Mapping[str, Any]) -> dict[str, Any]:
        return await asyncio.to_thread(
            shown, path, quotas(), asked["account"], asked["limit"], moment()
        )

    changing = {name: change(plan) for name, plan in _PLANS.items()}
    return {**changing, "quota-decide": decide, SHOW: show}


_Plan = Callable[[Batch, str, Quota, Mapping[str, Any], By], dict[str, Any]]

_PLANS: Mapping[str, _Plan] = {
    "quota-set": lambda batch, account, quota, asked, by: changes.set_limit(
        batch, account, quota, asked["limit"], by
    ),
    "quota-reset": lambda batch, account, quota, _, by: changes.reset_limit(
        batch, account, quota, by
    ),
    "quota-boost": lambda batch, account, quota, asked, by: changes.boost(
        batch, account, quota, asked["amount"], asked["until"], by
    ),
    "quota-adjust": lambda batch, account, quota, asked, by: changes.adjust(
        batch, account, quota, asked["amount"], by
    ),
}
"""What is done to one quota of one account, by the command that asks for it."""


def shown(path: Path, quotas: Quotas, account: str | None, limit: int, now: int) -> dict[str, Any]:
    """How this account stands, or the `limit` accounts that were active last, as JSON holds it.

    Errors: StartUpError, also where the account has no quota.
    """
    with UsageReader(path) as reader:
        if account is not None:
            if not quotas.of(account):
                raise StartUpError(_without(account))
            accounts: Sequence[str] = [account]
        else:
            accounts = reader.accounts(quotas, now, limit + 1)
        rows = [row for one in accounts[:limit] for row in reader.usage(one, quotas, now)]
    return {
        "rows": [asdict(row) for row in rows],
        "more": len(accounts) > limit,
        "configured": bool(quotas.everyone or any(quotas.accounts.values())),
    }


def usages(answer: Mapping[str, Any]) -> Sequence[Usage]:
    """The rows of what `shown` returned, also after they were JSON."""
    return [Usage(**row) for row in answer["rows"]]


def _about(quotas: Quotas, asked: Mapping[str, Any]) -> tuple[str, Quota, By]:
    """Whom a change concerns, and who makes it. Errors: StartUpError for a quota not there."""
    account, name = asked["account"], asked["quota"]
    known = {quota.name: quota for quota in quotas.of(account)}
    if name in known:
        return account, known[name], _by(asked)
    if not known:
        raise StartUpError(_without(account))
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"it has {', '.join(known)}."
    raise StartUpError(f"Account {account} has no quota {name}; {hint}")


def _without(account: str) -> str:
    return f"Account {account} has no quota; add one to the configuration ([[quotas]])."


def _by(asked: Mapping[str, Any]) -> By:
    return By(asked["operator"], asked["reason"])
