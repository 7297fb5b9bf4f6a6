"""ZIP codes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_ZIP = re.compile(r"[0-9]{5}(?:-[0-9]{4})?")


@dataclass(frozen=True)
class Zip:
    """Refuse a Zip that is not five digits, with or without a dash and four more.

    Units: digits; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, Zip.
    """

    concerns: ClassVar[tuple[str, ...]] = ("Zip",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<ZIPSearchAndOrderType><Zip>2760</Zip><Quantity>1</Quantity></ZIPSearchAndOrderType>"
        "</Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each Zip that is malformed."""
        return order.malformed("Zip", _ZIP, "5002", "five digits, or five, a dash and four")
