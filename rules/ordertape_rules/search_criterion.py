"""What a search is for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order, specified

_CRITERIA: Mapping[str, tuple[str, ...]] = {
    "AreaCodeSearchAndOrderType": ("AreaCode",),
    "RateCenterSearchAndOrderType": ("RateCenter",),
    "NPANXXSearchAndOrderType": ("NpaNxx", "NpaNxxX"),
    "NPANXXXSearchAndOrderType": ("NpaNxxX",),
    "TollFreeVanitySearchAndOrderType": ("TollFreeVanity",),
    "TollFreeWildCharSearchAndOrderType": ("TollFreeWildCardPattern",),
    "StateSearchAndOrderType": ("State",),
    "CitySearchAndOrderType": ("City",),
    "ZIPSearchAndOrderType": ("Zip",),
    "LATASearchAndOrderType": ("Lata",),
}
"""Order type, and what it searches by: any of these."""


@dataclass(frozen=True)
class SearchCriterion:
    """Refuse a search without the element that it is named after.

    An official C# client sends AreaCode alone in a RateCenter search; whether the service takes
    that is not known, so it is only warned of. What a combined search needs is the rule
    `combined`.
    Codes: 5002.
    Source: orders API, payload segments.
    """

    structural: ClassVar[bool] = True
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<AreaCodeSearchAndOrderType><Quantity>1</Quantity></AreaCodeSearchAndOrderType>"
        "</Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation for each order type that lacks its criterion."""
        for order_type in order.types:
            stated = order.stated(order_type)
            criteria = _CRITERIA.get(specified(str(order_type.tag)))
            if criteria is None or not stated.keys().isdisjoint(criteria):
                continue
            wanted = " or ".join(criteria)
            severity = "warn" if criteria == ("RateCenter",) and "AreaCode" in stated else "enforce"
            message = f"{order_type.tag!s} has no {wanted}; send the {wanted} to search by."
            yield order.violation(order_type, "5002", message, severity)
