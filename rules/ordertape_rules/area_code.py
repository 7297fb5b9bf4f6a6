"""Area codes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class AreaCode:
    """Refuse an AreaCode that is not three digits, the first from 2 to 9.

    Units: digits; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, AreaCode.
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "AreaCode": Format(r"[2-9][0-9]{2}", "5002", "three digits, the first from 2 to 9"),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<AreaCodeSearchAndOrderType><AreaCode>117</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )
