"""States, territories and provinces."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class State:
    """Refuse a State that is not two letters.

    The form is judged and not a list: states, territories and Canadian provinces are all in use.
    Units: ASCII letters of any case; trimmed of XML blanks.
    Codes: 5002, for an empty one too.
    Source: orders API, State.
    """

    formats: ClassVar[Mapping[str, Format]] = {
        "State": Format(r"[A-Za-z]{2}", "5002", "two letters"),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<StateSearchAndOrderType><State>Ohio</State><Quantity>1</Quantity>"
        "</StateSearchAndOrderType></Order>"
    )
