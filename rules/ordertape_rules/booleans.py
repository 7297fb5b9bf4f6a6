"""Elements that are true or false."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_BOOLEANS = ("true", "false")
_CODES: Mapping[str, str] = {
    "PartialAllowed": "5217",
    "BackOrderRequested": "5002",
    "EnableLCA": "5002",
    "EndsIn": "5002",
    "EnableTNDetail": "5002",
}


@dataclass(frozen=True)
class Booleans:
    """Refuse PartialAllowed, BackOrderRequested, EnableLCA, EndsIn or EnableTNDetail otherwise.

    Units: XML boolean, exactly `true` or `false` (never `1` or `TRUE`); trimmed of XML blanks.
    Codes: 5217 for PartialAllowed, 5002 for the others; for an empty one too.
    Source: orders API, POST tables.
    """

    concerns: ClassVar[tuple[str, ...]] = tuple(_CODES)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<BackOrderRequested>TRUE</BackOrderRequested>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation for each that is neither true nor false."""
        for name, code in _CODES.items():
            for element in order.fields(name):
                if order.value(element) not in _BOOLEANS:
                    message = order.unlike(element, "true or false")
                    yield order.violation(element, code, message)
