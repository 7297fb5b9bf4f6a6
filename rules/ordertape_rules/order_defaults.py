"""Defaults that the documentation leaves to the service."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ordertape.order import Order, specified

_Setting = bool | Literal["true", "false", "leave"]

_LOCAL_CALLING_AREA = (
    "NPANXXSearchAndOrderType",
    "NPANXXXSearchAndOrderType",
    "RateCenterSearchAndOrderType",
)
_COMBINED = "CombinedSearchAndOrderType"


@dataclass(frozen=True)
class OrderDefaults:
    """Write out what the client left unsaid; what is there, even empty, is kept.

    PartialAllowed goes into every order, EnableLCA `true` into NPANXX, NPANXXX and RateCenter
    types. Quantity, BackOrderRequested and EndsIn are never written.
    Units: XML boolean, `true` or `false` (never `1` or `TRUE`); `leave` writes nothing.
    Source: orders API, POST tables. They contradict themselves on PartialAllowed; recorded answers
    echo `true`, and `false` would turn a partial order into an all-or-nothing one.
    """

    partial_allowed: _Setting = True
    """What an order without PartialAllowed gets; an empty one is there already."""

    combined_enable_lca: _Setting = "leave"
    """What a Combined type without EnableLCA gets: the service's default there is false, and true
    is an error beside most other criteria."""

    def normalize(self, order: Order) -> None:
        """Add what is absent."""
        enable_lca = dict.fromkeys(_LOCAL_CALLING_AREA, "true")
        enable_lca[_COMBINED] = _spelt(self.combined_enable_lca)
        for order_type in order.types:
            value = enable_lca.get(specified(str(order_type.tag)), "leave")
            if value != "leave" and order.child(order_type, "EnableLCA") is None:
                order.add(order_type, "EnableLCA", value)
        value = _spelt(self.partial_allowed)
        if value != "leave" and order.child(order.root, "PartialAllowed") is None:
            order.add(order.root, "PartialAllowed", value)


def _spelt(setting: _Setting) -> str:
    return str(setting).lower()
