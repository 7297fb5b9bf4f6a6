"""`ordertape quota set`: another limit for one account."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from ordertape.cli.options import store_options
from ordertape.cli.quota.changing import (
    account_option,
    changed,
    limited,
    note,
    quota_option,
    reason_option,
)
from ordertape.cli.terminal import printable
from ordertape.store.changes import MOST

_UNLIMITED = "unlimited"


class _Limit(click.ParamType[str]):
    """A whole number, or the word for none."""

    name = f"n|{_UNLIMITED}"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:  # noqa: ANN401 - click's signature
        """As it is written."""
        is_number = re.fullmatch("[0-9]{1,13}", value) is not None and int(value) <= MOST
        if value != _UNLIMITED and not is_number:
            self.fail(f"{value!r} is neither a whole number nor {_UNLIMITED}", param, ctx)
        return str(value)


@click.command("set")
@store_options
@account_option
@quota_option
@click.option("--limit", type=_Limit(), help="So many of the quota's unit; 0 refuses every order.")
@click.option("--reset", is_flag=True, help="The configuration's limit holds again.")
@reason_option
def set_limit(
    *, db: Path, account: str, quota: str, limit: str | None, reset: bool, reason: str
) -> None:
    """Let another limit hold than the configuration's, until it is reset.

    It stays in force across restarts and changes of the configuration. Of a burst it is the size.
    """
    if (limit is not None) == reset:
        raise click.UsageError("Say one of --limit and --reset")
    note(db, account)
    if reset:
        facts = changed(db, "quota-reset", reason, account=account, quota=quota)
    else:
        number = None if limit == _UNLIMITED else int(str(limit))
        facts = changed(db, "quota-set", reason, account=account, quota=quota, limit=number)
    old, new = limited(facts["old"]), limited(facts["new"])
    whose = " as configured" if reset else ""
    said = f"The limit of {quota} for account {account} is {new}{whose}; it was {old}."
    click.echo(printable(said))
