"""`ordertape quota adjust`: correct what counts, of a quota or of one exchange."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ordertape.cli.options import AccountId, Word, store_options
from ordertape.cli.quota.changing import changed, note, reason_option
from ordertape.cli.terminal import printable
from ordertape.errors import StartUpError
from ordertape.store.changes import MOST
from ordertape.store.reading import Filter, Reader


@click.command("adjust")
@store_options
@click.option("--account", type=AccountId(), help="Whose quota is adjusted.")
@click.option("--quota", type=Word(), help="Which one, by its name in the configuration.")
@click.option(
    "--by", "amount", type=click.IntRange(-MOST, MOST), help="So much more is used, or less."
)
@click.option("--exchange", metavar="ID", type=Word(), help="Decide what this one counts for.")
@click.option("--used", type=click.IntRange(0, MOST), help="So many telephone numbers.")
@click.option("--refund", is_flag=True, help="Nothing at all, also as an order.")
@reason_option
def adjust(
    *,
    db: Path,
    account: str | None,
    quota: str | None,
    amount: int | None,
    exchange: str | None,
    used: int | None,
    refund: bool,
    reason: str,
) -> None:
    """Correct what counts: in a quota's present window, or of one exchange in every quota.

    What an exchange counts for is decided for good: one that is held no longer is, and an answer
    that comes later changes nothing.
    """
    of_quota = [part is not None for part in (account, quota, amount)]
    decided = (used is not None) + refund
    if exchange is None and all(of_quota) and not decided:
        note(db, str(account))
        facts = changed(db, "quota-adjust", reason, account=account, quota=quota, amount=amount)
        said = f"{facts['new']} of {quota} are used by account {account}; it was {facts['old']}."
    elif exchange is not None and not any(of_quota) and decided == 1:
        ident = _found(db, exchange)
        facts = changed(db, "quota-decide", reason, exchange=ident, used=used)
        new, old = _counted(facts["new"]), _counted(facts["old"])
        said = f"The exchange {ident} counts for {new} of account {facts['account']}; it was {old}."
    else:
        raise click.UsageError(
            "Say either --account, --quota and --by, or --exchange with one of --used and --refund"
        )
    click.echo(printable(said))


def _found(db: Path, ident: str) -> str:
    """The id of the exchange that is named as `audit show` takes it.

    Of several of one name only one may count: who sends again does so under the same
    CustomerOrderId, and what is taken from the wrong one would be given twice.
    """
    with Reader(db) as reader:
        full = reader.show(ident)
        if full is None:
            sentence = (
                f"ordertape: No exchange in {db} has the id {ident}; `audit list` names them."
            )
            click.echo(printable(sentence), err=True)
            sys.exit(1)
        if full.row.id.startswith(ident):
            return full.row.id
        named = Filter(order_id=ident), Filter(customer_order_id=ident)
        alike = [row.id for one in named for row in reader.list(one) if row.used is not None]
    if len(set(alike)) > 1:
        raise StartUpError(
            f"Several exchanges that count are named {ident}; name one of them by its own id, "
            "which `ordertape audit list` shows."
        )
    return alike[0] if alike else full.row.id


def _counted(numbers: int | None) -> str:
    return "nothing" if numbers is None else f"{numbers} number{'' if numbers == 1 else 's'}"
