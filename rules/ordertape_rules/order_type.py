"""What kind of order it is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order


@dataclass(frozen=True)
class OrderType:
    """Refuse an order that has no order type, or several.

    Codes: 5087.
    Source: orders API, "Putting it all together"; the service's error codes.
    """

    structural: ClassVar[bool] = True
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation at the order where there is none, one at each after the first."""
        types = order.types
        if len(types) == 1:
            return ()
        if not types:
            message = "Order has no order type; send one, such as AreaCodeSearchAndOrderType."
            return (order.violation(order.root, "5087", message),)
        first = types[0].tag
        return [
            order.violation(
                extra, "5087", f"{extra.tag!s} comes beside {first!s}; send one order type."
            )
            for extra in types[1:]
        ]
