"""`ordertape quota boost`: more than the limit, for a time."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import click

from ordertape.cli.audit.as_json import moment as shown
from ordertape.cli.options import Duration, Moment, store_options
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
from ordertape.transcript import moment

_MICROSECOND = timedelta(microseconds=1)
_LATEST = 250_000_000_000_000_000  # in the year 9892: later ones could not be printed


@click.command("boost")
@store_options
@account_option
@quota_option
@click.option("--by", "amount", type=click.IntRange(1, MOST), required=True, help="How much more.")
@click.option("--until", type=Moment(), help="When it ends.")
@click.option("--for", "lasting", type=Duration(), help="How long it lasts, such as 2h or 7d.")
@reason_option
def boost(
    *,
    db: Path,
    account: str,
    quota: str,
    amount: int,
    until: int | None,
    lasting: timedelta | None,
    reason: str,
) -> None:
    """Allow so much more than the limit for a time; several boosts add up."""
    if (until is None) == (lasting is None):
        raise click.UsageError("Say one of --until and --for")
    ends = until if lasting is None else moment() + lasting // _MICROSECOND
    if ends is None or ends > _LATEST:
        raise click.UsageError("A boost ends within the calendar; for ever, use `quota set`")
    note(db, account)
    facts = changed(
        db, "quota-boost", reason, account=account, quota=quota, amount=amount, until=ends
    )
    said = (
        f"The limit of {quota} for account {account} is {limited(facts['new'])} until "
        f"{shown(ends)}; it was {limited(facts['old'])}."
    )
    click.echo(printable(said))
