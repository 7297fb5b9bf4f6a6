"""States, territories and provinces."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_TWO_LETTERS = re.compile(r"[A-Za-z]{2}")


@dataclass(frozen=True)
class State:
    """Refuse a State that is not two letters.

    The form is judged and not a list: states, territories and Canadian provinces are all in use.
    Units: ASCII letters of any case; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, State.
    """

    concerns: ClassVar[tuple[str, ...]] = ("State",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<StateSearchAndOrderType><State>Ohio</State><Quantity>1</Quantity>"
        "</StateSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each State that is malformed."""
        return order.malformed("State", _TWO_LETTERS, "5002", "two letters")
