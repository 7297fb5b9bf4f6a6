"""`ordertape quota`: what accounts have used, and what they may use beside what the file says."""

from __future__ import annotations

import click

from ordertape.cli.quota.adjust import adjust
from ordertape.cli.quota.boost import boost
from ordertape.cli.quota.history import history
from ordertape.cli.quota.set import set_limit
from ordertape.cli.quota.show import show


@click.group("quota")
def command() -> None:
    """See and change what accounts may order; changes hold from the next order on."""


for _each in (show, set_limit, boost, adjust, history):
    command.add_command(_each)
