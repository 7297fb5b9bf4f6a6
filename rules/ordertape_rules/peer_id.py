"""The SIP peer that numbers are assigned to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class PeerId:
    """Refuse a PeerId that is not digits; an empty one says nothing and passes.

    Units: digits, however many; trimmed of XML blanks.
    Codes: 5023.
    Source: orders API, common POST table; the service's error codes.
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "PeerId": Format(r"[0-9]*", "5023", "digits, or leave it out"),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<PeerId>peer-1</PeerId>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )
