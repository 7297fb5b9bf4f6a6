"""A word in the numbers of a combined search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order
from ordertape_rules.combined import COMBINED, CRITERIA

_OPTIONS = {"EnableLCA", "EnableTNDetail", "TollFreeVanity", "TollFreeWildCardPattern"}
_EXCLUDED = (CRITERIA | _OPTIONS) - {"AreaCode", "LocalVanity"}


@dataclass(frozen=True)
class LocalVanity:
    """Refuse LocalVanity in a combined search without an AreaCode, or with anything beside both.

    Only Quantity and EndsIn go with them, and BackOrderRequested must not be true.
    Codes: 5002.
    Source: orders API, limitations of LocalVanity.
    """

    concerns: ClassVar[tuple[str, ...]] = (COMBINED,)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<CombinedSearchAndOrderType><AreaCode>617</AreaCode><LocalVanity>newcars</LocalVanity>"
        "<Zip>27606</Zip><Quantity>1</Quantity></CombinedSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation for a missing AreaCode, and one for each element that has to go."""
        for combined in order.fields(COMBINED):
            stated = order.stated(combined)
            if "LocalVanity" not in stated:
                continue
            if "AreaCode" not in stated:
                message = f"{combined.tag!s} has LocalVanity but no AreaCode; send the AreaCode."
                yield order.violation(combined, "5002", message)
            for name, element in stated.items():
                if name in _EXCLUDED:
                    allowed = "no more than AreaCode, Quantity and EndsIn beside LocalVanity"
                    yield order.violation(element, "5002", order.unlike(element, allowed))
            for requested in order.fields("BackOrderRequested"):
                if order.value(requested) == "true":
                    allowed = "false, or leave it out, in an order with LocalVanity"
                    yield order.violation(requested, "5002", order.unlike(requested, allowed))
