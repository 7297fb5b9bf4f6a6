"""What ordertape ships for tests.

`Scripted` and its steps: a service that does what a script says, for tests of clients and gateways.

`replaying`: cassettes answer on a port while a block runs, for any test framework.

`check_rule`, `valid_orders`, `wild_orders`, `order_of`: the laws that every rule must keep, and the
orders that they are tried on. These need hypothesis: `pip install 'ordertape[testing]'`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from ordertape.testing.scripted import (
    Close,
    Drip,
    Hang,
    HoldOn,
    Peer,
    ReadRequest,
    Reset,
    Respond,
    Scripted,
    Send,
    Step,
    order_created,
    refused_port,
    reply,
    unaccepting,
    unauthorized,
)

if TYPE_CHECKING:
    from ordertape.testing.laws import check_rule
    from ordertape.testing.orders import order_of, valid_orders, wild_orders
    from ordertape.testing.replay import MissedError, replaying

__all__ = [
    "Close",
    "Drip",
    "Hang",
    "HoldOn",
    "MissedError",
    "Peer",
    "ReadRequest",
    "Reset",
    "Respond",
    "Scripted",
    "Send",
    "Step",
    "check_rule",
    "order_created",
    "order_of",
    "refused_port",
    "replaying",
    "reply",
    "unaccepting",
    "unauthorized",
    "valid_orders",
    "wild_orders",
]

_LATER = {
    "MissedError": "replay",
    "check_rule": "laws",
    "order_of": "orders",
    "replaying": "replay",
    "valid_orders": "orders",
    "wild_orders": "orders",
}
"""What is imported only when it is asked for, and from where.

A gateway has no hypothesis, and a scripted service no need of a whole gateway.
"""


def __getattr__(name: str) -> object:
    """What needs hypothesis. Errors: ImportError where that is missing."""
    module = _LATER.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    try:
        return getattr(import_module(f"{__name__}.{module}"), name)
    except ModuleNotFoundError as error:
        if (error.name or "").partition(".")[0] != "hypothesis":
            raise
        raise ImportError(
            f"{__name__}.{name} needs hypothesis: pip install 'ordertape[testing]'."
        ) from None
