"""Local access and transport areas."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class Lata:
    """Refuse a Lata that is not one to five digits.

    Units: digits; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, Lata.
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "Lata": Format(r"[0-9]{1,5}", "5002", "one to five digits"),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<LATASearchAndOrderType><Lata>224000</Lata><Quantity>1</Quantity></LATASearchAndOrderType>"
        "</Order>"
    )
