"""Rate centers and cities."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Format, Order

_PLACES = ("RateCenter", "City")


@dataclass(frozen=True)
class Place:
    """Refuse a RateCenter or City that is empty, or that has no State beside it.

    Only together with a State do they name a place, in whichever order type they stand.
    Units: text; one of nothing but XML blanks is empty.
    Codes: 5002.
    Source: orders API, RateCenter, City and the limitations of a combined search.
    """

    structural: ClassVar[bool] = True
    concerns: ClassVar[tuple[str, ...]] = _PLACES
    formats: ClassVar[Mapping[str, Format]] = dict.fromkeys(
        _PLACES, Format(r"(?s:.+)", "5002", "its name")
    )
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<CitySearchAndOrderType><City>RALEIGH</City><Quantity>1</Quantity>"
        "</CitySearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation for each order type that has a place and lacks a State."""
        for order_type in order.types:
            stated = order.stated(order_type)
            places = [name for name in _PLACES if name in stated]
            if places and "State" not in stated:
                message = (
                    f"{order_type.tag!s} has {' and '.join(places)} but no State; "
                    "send the State beside it."
                )
                yield order.violation(order_type, "5002", message)
