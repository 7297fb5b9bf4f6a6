"""Attributes of the ordered numbers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order


@dataclass(frozen=True)
class TnAttribute:
    """Refuse a TnAttribute that is not one of those allowed; a list without any passes.

    Units: the attribute's exact spelling; trimmed of XML blanks.
    Codes: 5102, for an empty one too.
    Source: orders API, TnAttributes. Later editions know `External` and `Imported` too.
    """

    allowed: tuple[str, ...] = ("Protected",)
    """The attributes that an order may ask for."""

    concerns: ClassVar[tuple[str, ...]] = ("TnAttributes",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType>"
        "<TnAttributes><TnAttribute>protected</TnAttribute></TnAttributes></Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation for each that is not allowed."""
        for attributes in order.fields("TnAttributes"):
            for attribute in attributes:
                if attribute.tag == "TnAttribute" and order.value(attribute) not in self.allowed:
                    allowed = " or ".join(self.allowed) or "no TnAttribute"
                    message = order.unlike(attribute, allowed)
                    yield order.violation(attribute, "5102", message)
