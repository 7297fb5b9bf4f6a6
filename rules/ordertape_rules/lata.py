"""Local access and transport areas."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_LATA = re.compile(r"[0-9]{1,5}")


@dataclass(frozen=True)
class Lata:
    """Refuse a Lata that is not one to five digits.

    Units: digits; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, Lata.
    """

    concerns: ClassVar[tuple[str, ...]] = ("Lata",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<LATASearchAndOrderType><Lata>224000</Lata><Quantity>1</Quantity></LATASearchAndOrderType>"
        "</Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each Lata that is malformed."""
        return order.malformed("Lata", _LATA, "5002", "one to five digits")
