"""The order's name."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class Name:
    """Refuse a Name of more than 50 characters; an empty one passes.

    Units: Unicode characters, not bytes; blanks around the name do not count.
    Codes: 1011.
    Source: orders API, common POST table (its label says `name`, every payload has `Name`).
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "Name": Format(r"(?s:.{0,50})", "1011", "at most 50 characters"),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<Name>All the numbers that the new office in Raleigh needs</Name>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )
