"""Patterns of toll-free prefixes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class TollFreeWildCard:
    """Refuse a TollFreeWildCardPattern that is not `8**`, `8d*` or `8dd`, d being any digit.

    Units: three characters, trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, TollFreeWildCardPattern.
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "TollFreeWildCardPattern": Format(
            r"8(?:\*\*|[0-9]\*|[0-9]{2})",
            "5002",
            "8**, 8 with a digit and a star, or 8 with two digits",
        ),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<TollFreeWildCharSearchAndOrderType><Quantity>1</Quantity>"
        "<TollFreeWildCardPattern>8*7</TollFreeWildCardPattern>"
        "</TollFreeWildCharSearchAndOrderType></Order>"
    )
