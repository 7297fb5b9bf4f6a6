"""Words that numbers should spell."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_VANITY = re.compile(r"[A-Za-z0-9]{4,7}")
_ALLOWED = "4 to 7 letters or digits"


@dataclass(frozen=True)
class Vanity:
    """Refuse a LocalVanity or TollFreeVanity that is not 4 to 7 letters or digits.

    Units: ASCII letters of any case, and digits; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, LocalVanity and TollFreeVanity.
    """

    concerns: ClassVar[tuple[str, ...]] = ("LocalVanity", "TollFreeVanity")
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<TollFreeVanitySearchAndOrderType><TollFreeVanity>car</TollFreeVanity>"
        "<Quantity>1</Quantity></TollFreeVanitySearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each that is malformed."""
        return (
            *order.malformed("LocalVanity", _VANITY, "5002", _ALLOWED),
            *order.malformed("TollFreeVanity", _VANITY, "5002", _ALLOWED),
        )
