"""Blanks around values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Order


@dataclass(frozen=True)
class TrimWhitespace:
    """Strip the blanks around every value; a value of nothing but blanks becomes empty.

    Blanks are what XML calls so: space, tab, CR, LF. A no-break space is part of the value.
    Elements that are there to hold others, even empty, comments and attributes stay as they are.
    Source: orders API, whose own examples have values on lines of their own.
    """

    example: ClassVar[str] = (
        "<Order><SiteId>\n  743\n</SiteId><PartialAllowed>true</PartialAllowed>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )

    def normalize(self, order: Order) -> None:
        """Trim every leaf."""
        for leaf in order.padded():
            order.set_text(leaf, order.value(leaf))
