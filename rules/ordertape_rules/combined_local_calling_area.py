"""The local calling area in a combined search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order
from ordertape_rules.combined import COMBINED, CRITERIA

_WITH_LOCAL_CALLING_AREA = (
    frozenset({"NpaNxx"}),
    frozenset({"NpaNxxX"}),
    frozenset({"RateCenter", "State"}),
)


@dataclass(frozen=True)
class CombinedLocalCallingArea:
    """Refuse EnableLCA true in a combined search by anything but one place with such an area.

    That is by NpaNxx, by NpaNxxX, or by RateCenter and State, and by no other criterion beside.
    Codes: 5002.
    Source: orders API, limitations of a combined search.
    """

    concerns: ClassVar[tuple[str, ...]] = (COMBINED,)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<CombinedSearchAndOrderType><Zip>27606</Zip><EnableLCA>true</EnableLCA>"
        "<Quantity>1</Quantity></CombinedSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation at an EnableLCA that is true beside other criteria."""
        for combined in order.fields(COMBINED):
            stated = order.stated(combined)
            enabled = stated.get("EnableLCA")
            if enabled is None or order.value(enabled) != "true" or "LocalVanity" in stated:
                continue  # LocalVanity has a rule of its own, and no EnableLCA beside it
            if CRITERIA.intersection(stated) not in _WITH_LOCAL_CALLING_AREA:
                allowed = "it only with NpaNxx, with NpaNxxX, or with RateCenter and State, alone"
                yield order.violation(enabled, "5002", order.unlike(enabled, allowed))
