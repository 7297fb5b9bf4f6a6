"""The order's name."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_SHORT = re.compile(r"(?s:.{0,50})")


@dataclass(frozen=True)
class Name:
    """Refuse a Name of more than 50 characters; an empty one passes.

    Units: Unicode characters, not bytes; blanks around the name do not count.
    Codes: 1011.
    Source: orders API, common POST table (its label says `name`, every payload has `Name`).
    """

    concerns: ClassVar[tuple[str, ...]] = ("Name",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<Name>All the numbers that the new office in Raleigh needs</Name>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each Name that is too long."""
        return order.malformed("Name", _SHORT, "1011", "at most 50 characters")
