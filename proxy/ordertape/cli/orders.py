"""`ordertape orders pause|resume`: the emergency stop."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ordertape.build import change
from ordertape.cli.operator import operator
from ordertape.cli.options import AccountId, Word, configured, store_options
from ordertape.cli.terminal import printable
from ordertape.store.reading import Reader

_EVERY = "*"


@click.group("orders")
def command() -> None:
    """Stop and resume new orders; what is in force stays so across restarts."""


_ACCOUNT = click.option(
    "--account", type=AccountId(_EVERY), default=_EVERY, help="One account only; all without it."
)
_REASON = click.option("--reason", required=True, type=Word(), help="Why, for the audit.")


@command.command()
@store_options
@_ACCOUNT
@_REASON
def pause(db: Path, account: str, reason: str) -> None:
    """Answer new orders with 503 and send nothing."""
    change(db, lambda: configured(db), "pause", account=account, reason=reason, operator=operator())
    click.echo(f"Orders are paused for {_whom(account)}.")


@command.command()
@store_options
@_ACCOUNT
@_REASON
def resume(db: Path, account: str, reason: str) -> None:
    """Let orders through again."""
    answer = change(
        db, lambda: configured(db), "resume", account=account, reason=reason, operator=operator()
    )
    lifted = bool(answer["lifted"])
    if lifted:
        click.echo(f"The pause of {_whom(account)} is lifted.")
    else:
        click.echo(f"ordertape: No pause was in force for {_whom(account)}.", err=True)
    with Reader(db) as reader:
        for left in reader.pauses():
            why = printable(f"{left.reason}, by {left.operator}")
            click.echo(f"Orders are still paused for {_whom(left.account)} ({why}).")
    sys.exit(0 if lifted else 1)


def _whom(account: str) -> str:
    return "every account" if account == _EVERY else f"account {account}"
