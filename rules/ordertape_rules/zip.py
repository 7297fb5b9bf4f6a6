"""ZIP codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class Zip:
    """Refuse a Zip that is not five digits, with or without a dash and four more.

    Units: digits; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, Zip.
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "Zip": Format(r"[0-9]{5}(?:-[0-9]{4})?", "5002", "five digits, or five, a dash and four"),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<ZIPSearchAndOrderType><Zip>2760</Zip><Quantity>1</Quantity></ZIPSearchAndOrderType>"
        "</Order>"
    )
