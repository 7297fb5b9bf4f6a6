"""Patterns of toll-free prefixes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_PATTERN = re.compile(r"8(?:\*\*|[0-9]\*|[0-9]{2})")


@dataclass(frozen=True)
class TollFreeWildCard:
    """Refuse a TollFreeWildCardPattern that is not `8**`, `8d*` or `8dd`, d being any digit.

    Units: three characters, trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, TollFreeWildCardPattern.
    """

    concerns: ClassVar[tuple[str, ...]] = ("TollFreeWildCardPattern",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<TollFreeWildCharSearchAndOrderType><Quantity>1</Quantity>"
        "<TollFreeWildCardPattern>8*7</TollFreeWildCardPattern>"
        "</TollFreeWildCharSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each TollFreeWildCardPattern that is malformed."""
        return order.malformed(
            "TollFreeWildCardPattern",
            _PATTERN,
            "5002",
            "8**, 8 with a digit and a star, or 8 with two digits",
        )
