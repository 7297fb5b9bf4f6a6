"""The client's own id of an order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class CustomerOrderId:
    """Refuse a CustomerOrderId that is too long or has other characters; an empty one passes.

    Units: at most 40 ASCII letters, digits, dashes and spaces; blanks around it do not count.
    Codes: 5052.
    Source: orders API, common POST table; the service's error codes.
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "CustomerOrderId": Format(
            r"[A-Za-z0-9 -]{0,40}", "5052", "at most 40 letters, digits, dashes and spaces"
        ),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<CustomerOrderId>order_1</CustomerOrderId>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )
