"""Elements that are true or false."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class Booleans:
    """Refuse an element for a boolean, such as PartialAllowed, that is neither true nor false.

    The others are BackOrderRequested, EnableLCA, EndsIn and EnableTNDetail.
    Units: XML boolean, exactly `true` or `false` (never `1` or `TRUE`); trimmed of XML blanks.
    Codes: 5217 for PartialAllowed, 5002 for the others; for an empty one too.
    Source: orders API, POST tables.
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "PartialAllowed": Format("true|false", "5217", "true or false"),
        **dict.fromkeys(
            ("BackOrderRequested", "EnableLCA", "EndsIn", "EnableTNDetail"),
            Format("true|false", "5002", "true or false"),
        ),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<BackOrderRequested>TRUE</BackOrderRequested>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )
