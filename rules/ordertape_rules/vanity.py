"""Words that numbers should spell."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class Vanity:
    """Refuse a LocalVanity or TollFreeVanity that is not 4 to 7 letters or digits.

    Units: ASCII letters of any case, and digits; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, LocalVanity and TollFreeVanity.
    """

    formats: ClassVar[Mapping[str, Format]] = dict.fromkeys(
        ("LocalVanity", "TollFreeVanity"),
        Format(r"[A-Za-z0-9]{4,7}", "5002", "4 to 7 letters or digits"),
    )
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<TollFreeVanitySearchAndOrderType><TollFreeVanity>car</TollFreeVanity>"
        "<Quantity>1</Quantity></TollFreeVanitySearchAndOrderType></Order>"
    )
