"""Where in a number a word may stand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order


@dataclass(frozen=True)
class EndsIn:
    """Refuse EndsIn, even a false one, where there is no LocalVanity beside it.

    Codes: 5002.
    Source: orders API, EndsIn.
    """

    structural: ClassVar[bool] = True
    concerns: ClassVar[tuple[str, ...]] = ("EndsIn",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode>"
        "<EndsIn>false</EndsIn><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each EndsIn without a LocalVanity."""
        holders = (order.stated(parent) for parent in (order.root, *order.types))
        return [
            order.violation(
                stated["EndsIn"],
                "5002",
                order.unlike(stated["EndsIn"], "it only beside a LocalVanity"),
            )
            for stated in holders
            if "EndsIn" in stated and "LocalVanity" not in stated
        ]
