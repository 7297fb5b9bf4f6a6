"""What the commands that change a quota have in common."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import click

from ordertape.build import change
from ordertape.cli.operator import operator
from ordertape.cli.options import AccountId, Word, configured
from ordertape.cli.terminal import printable
from ordertape.errors import StartUpError
from ordertape.store.usage import UsageReader

__all__ = [
    "account_option",
    "changed",
    "limited",
    "note",
    "quota_option",
    "reason_option",
]

account_option = click.option(
    "--account", type=AccountId(), required=True, help="Whose quota is changed."
)
quota_option = click.option(
    "--quota", type=Word(), required=True, help="Which one, by its name in the configuration."
)
reason_option = click.option("--reason", required=True, type=Word(), help="Why, for the audit.")


def changed(
    db: Path, command: str, reason: str, **arguments: str | int | None
) -> Mapping[str, Any]:
    """Carry out a change, durable on return, and return its facts. Errors: StartUpError."""
    return change(
        db, lambda: configured(db), command, reason=reason, operator=operator(), **arguments
    )


def note(db: Path, account: str) -> None:
    """Say where nothing is recorded or configured of this account: is it new, or misspelt?"""
    with UsageReader(db) as reader:
        if reader.is_known(account) or _is_configured(db, account):
            return
        near = reader.nearest(account)
    hint = "; is it new?" if near is None else f"; did you mean {near}?"
    sentence = f"ordertape: Nothing is recorded of account {account}{hint}"
    click.echo(printable(sentence), err=True)


def _is_configured(db: Path, account: str) -> bool:
    try:
        settings = configured(db)
    except StartUpError:  # a broken configuration must not stand in the way of a change
        return False
    named = (quota.accounts for quota in settings.quotas if quota.accounts != "*")
    return account in settings.accounts or any(account in ids for ids in named)


def limited(limit: int | None) -> str:
    """A limit in words."""
    return "unlimited" if limit is None else str(limit)
