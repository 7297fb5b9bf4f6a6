"""The criteria of a combined search."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

COMBINED = "CombinedSearchAndOrderType"
_EXCLUSIVE = ("AreaCode", "NpaNxx", "NpaNxxX")
CRITERIA = frozenset({*_EXCLUSIVE, "City", "Lata", "LocalVanity", "RateCenter", "State", "Zip"})
"""What a combined search may search by."""


@dataclass(frozen=True)
class Combined:
    """Refuse a combined search by nothing, or by two of AreaCode, NpaNxx and NpaNxxX.

    Codes: 5224 for one without any criterion, 5002 for each that the first excludes.
    Source: orders API, limitations of a combined search. The example beside them breaks the first.
    """

    structural: ClassVar[bool] = True
    concerns: ClassVar[tuple[str, ...]] = (COMBINED,)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<CombinedSearchAndOrderType><AreaCode>617</AreaCode><NpaNxx>919439</NpaNxx>"
        "<Quantity>1</Quantity></CombinedSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation where there is no criterion, and one for each that is one too many."""
        for combined in order.fields(COMBINED):
            stated = order.stated(combined)
            if CRITERIA.isdisjoint(stated):
                allowed = " or ".join(sorted(CRITERIA))
                message = f"{combined.tag!s} has nothing to search by; send {allowed}."
                yield order.violation(combined, "5224", message)
            exclusive = [name for name in stated if name in _EXCLUSIVE]
            for name in exclusive[1:]:
                element = stated[name]
                allowed = f"either {exclusive[0]} or {name}"
                yield order.violation(element, "5002", order.unlike(element, allowed))
