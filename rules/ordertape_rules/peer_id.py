"""The SIP peer that numbers are assigned to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_DIGITS = re.compile(r"[0-9]*")


@dataclass(frozen=True)
class PeerId:
    """Refuse a PeerId that is not digits; an empty one says nothing and passes.

    Units: digits, however many; trimmed of XML blanks.
    Codes: 5023.
    Source: orders API, common POST table; the service's error codes.
    """

    concerns: ClassVar[tuple[str, ...]] = ("PeerId",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<PeerId>peer-1</PeerId>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each PeerId that is malformed."""
        return order.malformed("PeerId", _DIGITS, "5023", "digits, or leave it out")
