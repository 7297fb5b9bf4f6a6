"""The site that numbers go to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_DIGITS = re.compile(r"[0-9]+")


@dataclass(frozen=True)
class SiteId:
    """Refuse an order without a SiteId, or with one that is not digits.

    Units: digits, however many; trimmed of XML blanks.
    Codes: 5022 for one that is absent or empty, 5016 for one that is malformed.
    Source: orders API, POST table and its error example.
    """

    example: ClassVar[str] = (
        "<Order><SiteId>site-1</SiteId><PartialAllowed>true</PartialAllowed>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation where the SiteId is missing, empty or malformed."""
        stated = order.stated(order.root).get("SiteId")
        if stated is None:
            message = "Order has no SiteId; send the digits of the site that the numbers go to."
            return (order.violation(order.root, "5022", message),)
        value = order.value(stated)
        if _DIGITS.fullmatch(value):
            return ()
        return (
            order.violation(stated, "5016" if value else "5022", order.unlike(stated, "digits")),
        )
