"""How many numbers an order asks for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

from ordertape.model import Violation
from ordertape.order import DEFAULT_QUANTITY, Format, Formats, Order, specified

_ALLOWED = "a whole number from 1 to 5000"
_MISSING: Mapping[str, str] = {
    "AreaCodeSearchAndOrderType": "5198",
    "TollFreeVanitySearchAndOrderType": "5199",
}
_EXISTING = "ExistingTelephoneNumberOrderType"


@dataclass(frozen=True)
class Quantity:
    """Refuse a Quantity that is not 1 to 5000; warn of a search without one, which counts 5000.

    An order of existing telephone numbers needs none: it costs what it lists.
    Units: telephone numbers, written in one to seven digits and nothing else.
    Codes: 5009 for one that is malformed, empty or 0, 5215 for one over 5000; for one left out
    5198 in an AreaCode search, 5199 in a TollFreeVanity search, else 5009.
    Source: orders API, Quantity ("default of 5000"), which the codes 5198 and 5199 contradict.
    """

    missing: Literal["warn", "refuse", "allow"] = "warn"
    """What a search without a Quantity meets."""

    structural: ClassVar[bool] = True
    formats: ClassVar[Formats] = {
        "Quantity": (
            Format(r"(?!0+\Z)[0-9]{1,7}", "5009", _ALLOWED),
            Format(r"0*(?:[1-4]?[0-9]{1,3}|5000)", "5215", _ALLOWED),
        ),
    }
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>0</Quantity>"
        "</AreaCodeSearchAndOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation for each search without one."""
        if self.missing == "allow" or len(order.fields("Quantity")) >= len(order.types):
            return  # one outside the order type is not missed: it is refused when it is counted
        for order_type in order.types:
            name = specified(str(order_type.tag))
            if name == _EXISTING or "Quantity" in order.stated(order_type):
                continue
            message = (
                f"{order_type.tag!s} has no Quantity and counts as {DEFAULT_QUANTITY} numbers; "
                f"send {_ALLOWED}."
            )
            severity = "warn" if self.missing == "warn" else "enforce"
            yield order.violation(order_type, _MISSING.get(name, "5009"), message, severity)
