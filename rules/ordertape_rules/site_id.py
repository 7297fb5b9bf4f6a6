"""The site that numbers go to."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Format, Formats, Order


@dataclass(frozen=True)
class SiteId:
    """Refuse an order without a SiteId, or with one that is not digits.

    Units: digits, however many; trimmed of XML blanks.
    Codes: 5022 for one that is absent or empty, 5016 for one that is malformed.
    Source: orders API, POST table and its error example.
    """

    structural: ClassVar[bool] = True
    formats: ClassVar[Formats] = {
        "SiteId": (Format(r"(?s:.+)", "5022", "digits"), Format(r"[0-9]+", "5016", "digits")),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>site-1</SiteId><PartialAllowed>true</PartialAllowed>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation where there is none."""
        if "SiteId" in order.stated(order.root):
            return ()
        message = "Order has no SiteId; send the digits of the site that the numbers go to."
        return (order.violation(order.root, "5022", message),)
