"""Area code and exchange, with and without the first digit of the line."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_NPA_NXX = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{2}")
_NPA_NXX_X = re.compile(r"[2-9][0-9]{2}[2-9][0-9]{2}[0-9]")


@dataclass(frozen=True)
class NpaNxx:
    """Refuse an NpaNxx or NpaNxxX whose area code or exchange does not begin with 2 to 9.

    Units: six digits, in NpaNxxX one more; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, Npa-Nxx or Npa-Nxxxx with EnableLCA.
    """

    concerns: ClassVar[tuple[str, ...]] = ("NpaNxx", "NpaNxxX")
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<NPANXXSearchAndOrderType><NpaNxx>919139</NpaNxx><EnableLCA>false</EnableLCA>"
        "<Quantity>1</Quantity></NPANXXSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each that is malformed."""
        six = "six digits, the first and the fourth from 2 to 9"
        seven = "seven digits, the first and the fourth from 2 to 9"
        return (
            *order.malformed("NpaNxx", _NPA_NXX, "5002", six),
            *order.malformed("NpaNxxX", _NPA_NXX_X, "5002", seven),
        )
