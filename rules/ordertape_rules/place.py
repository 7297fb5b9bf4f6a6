"""Rate centers and cities."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_SOMETHING = re.compile(r"(?s:.+)")
_PLACES = ("RateCenter", "City")


@dataclass(frozen=True)
class Place:
    """Refuse a RateCenter or City that is empty, or that has no State beside it.

    Only together with a State do they name a place, in whichever order type they stand.
    Units: text; one of nothing but XML blanks is empty.
    Codes: 5002.
    Source: orders API, RateCenter, City and the limitations of a combined search.
    """

    concerns: ClassVar[tuple[str, ...]] = _PLACES
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<CitySearchAndOrderType><City>RALEIGH</City><Quantity>1</Quantity>"
        "</CitySearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each that is empty, and one for each order type that lacks a State."""
        found = [
            violation
            for name in _PLACES
            for violation in order.malformed(name, _SOMETHING, "5002", "its name")
        ]
        for order_type in order.types:
            stated = order.stated(order_type)
            places = [name for name in _PLACES if name in stated]
            if places and "State" not in stated:
                message = (
                    f"{order_type.tag!s} has {' and '.join(places)} but no State; "
                    "send the State beside it."
                )
                found.append(order.violation(order_type, "5002", message))
        return found
