"""Area codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_NPA = re.compile(r"[2-9][0-9]{2}")


@dataclass(frozen=True)
class AreaCode:
    """Refuse an AreaCode that is not three digits, the first from 2 to 9.

    Units: digits; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, AreaCode.
    """

    concerns: ClassVar[tuple[str, ...]] = ("AreaCode",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<AreaCodeSearchAndOrderType><AreaCode>117</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each AreaCode that is malformed."""
        return order.malformed("AreaCode", _NPA, "5002", "three digits, the first from 2 to 9")
