"""Defaults that the documentation leaves to the service."""

from __future__ import annotations

from collections.abc import Container
from dataclasses import dataclass
from typing import ClassVar, Literal

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
    is an error beside most other criteria. One with LocalVanity gets none, for it may hold none."""

    structural: ClassVar[bool] = True
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId>"
        "<NPANXXSearchAndOrderType><NpaNxx>919439</NpaNxx><Quantity>1</Quantity>"
        "</NPANXXSearchAndOrderType></Order>"
    )

    def normalize(self, order: Order) -> None:
        """Add what is absent."""
        for order_type in order.types:
            stated = order.stated(order_type)
            value = self._enable_lca(specified(str(order_type.tag)), stated)
            if value != "leave" and "EnableLCA" not in stated:
                order.add(order_type, "EnableLCA", value)
        value = _spelt(self.partial_allowed)
        if value != "leave" and "PartialAllowed" not in order.stated(order.root):
            order.add(order.root, "PartialAllowed", value)

    def _enable_lca(self, order_type: str, stated: Container[str]) -> str:
        if order_type == _COMBINED:
            return "leave" if "LocalVanity" in stated else _spelt(self.combined_enable_lca)
        return "true" if order_type in _LOCAL_CALLING_AREA else "leave"


def _spelt(setting: _Setting) -> str:
    return str(setting).lower()
