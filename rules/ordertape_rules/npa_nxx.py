"""Area code and exchange, with and without the first digit of the line."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class NpaNxx:
    """Refuse an NpaNxx or NpaNxxX whose area code or exchange does not begin with 2 to 9.

    Units: six digits, in NpaNxxX one more; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, Npa-Nxx or Npa-Nxxxx with EnableLCA.
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "NpaNxx": Format(
            r"(?:[2-9][0-9]{2}){2}", "5002", "six digits, the first and the fourth from 2 to 9"
        ),
        "NpaNxxX": Format(
            r"(?:[2-9][0-9]{2}){2}[0-9]",
            "5002",
            "seven digits, the first and the fourth from 2 to 9",
        ),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<NPANXXSearchAndOrderType><NpaNxx>919139</NpaNxx><EnableLCA>false</EnableLCA>"
        "<Quantity>1</Quantity></NPANXXSearchAndOrderType></Order>"
    )
