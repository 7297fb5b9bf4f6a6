"""`ordertape audit`: questions to the record. Reading never disturbs a running gateway."""

from __future__ import annotations

import click

from ordertape.cli.audit.list import list_exchanges
from ordertape.cli.audit.recheck import recheck_orders
from ordertape.cli.audit.show import show


@click.group("audit")
def command() -> None:
    """Ask what passed."""


command.add_command(list_exchanges)
command.add_command(recheck_orders)
command.add_command(show)
