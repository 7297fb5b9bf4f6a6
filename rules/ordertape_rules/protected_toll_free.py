"""Protected toll-free numbers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_TOLL_FREE = ("TollFreeVanitySearchAndOrderType", "TollFreeWildCharSearchAndOrderType")


@dataclass(frozen=True)
class ProtectedTollFree:
    """Refuse the TnAttribute Protected in an order for toll-free numbers.

    Codes: 5101.
    Source: orders API, TnAttributes; the service's error codes.
    """

    concerns: ClassVar[tuple[str, ...]] = _TOLL_FREE
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<TollFreeVanitySearchAndOrderType><TollFreeVanity>newcars</TollFreeVanity>"
        "<Quantity>1</Quantity></TollFreeVanitySearchAndOrderType>"
        "<TnAttributes><TnAttribute>Protected</TnAttribute></TnAttributes></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each TnAttribute that is Protected."""
        if not any(order.fields(name) for name in _TOLL_FREE):
            return ()
        message = (
            "TnAttribute is 'Protected', which toll-free numbers cannot be; send the order without."
        )
        return [
            order.violation(attribute, "5101", message)
            for attributes in order.fields("TnAttributes")
            for attribute in attributes.iterchildren("TnAttribute")
            if order.value(attribute) == "Protected"
        ]
