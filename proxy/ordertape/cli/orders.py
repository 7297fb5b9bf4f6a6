"""`ordertape orders pause|resume`: the emergency stop."""

from __future__ import annotations

import getpass
import sys
from pathlib import Path

import click

from ordertape.build import change


@click.group("orders")
def command() -> None:
    """Stop and resume new orders; what is in force stays so across restarts."""


_DB = click.option(
    "--db",
    type=click.Path(path_type=Path),
    default=Path("ordertape.db"),
    show_default=True,
    help="The store.",
)
_ACCOUNT = click.option("--account", default="*", help="One account only; all without it.")
_REASON = click.option("--reason", required=True, help="Why, for the audit.")


@command.command()
@_DB
@_ACCOUNT
@_REASON
def pause(db: Path, account: str, reason: str) -> None:
    """Answer new orders with 503 and send nothing."""
    change(db, "pause", account=account, reason=reason, operator=getpass.getuser())
    click.echo(f"Orders are paused for {_whom(account)}.")


@command.command()
@_DB
@_ACCOUNT
@_REASON
def resume(db: Path, account: str, reason: str) -> None:
    """Let orders through again."""
    answer = change(db, "resume", account=account, reason=reason, operator=getpass.getuser())
    if not answer["lifted"]:
        click.echo(f"No pause was in force for {_whom(account)}.", err=True)
        sys.exit(1)
    click.echo(f"Orders are no longer paused for {_whom(account)}.")


def _whom(account: str) -> str:
    return "every account" if account == "*" else f"account {account}"
