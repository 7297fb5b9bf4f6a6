"""Telephone numbers that an order lists."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_NUMBER = re.compile(r"[2-9][0-9]{9}")
_ALLOWED = "ten digits, the first from 2 to 9"


@dataclass(frozen=True)
class TelephoneNumber:
    """Refuse a TelephoneNumber that is malformed or listed twice, and an order that lists none.

    Units: ten digits, without the country's 1 and without dashes; trimmed of XML blanks.
    Codes: 5070 for one that is malformed or empty, 5093 for each that is there already, 5073 for
    an order of existing telephone numbers without any.
    Source: orders API, TelephoneNumberList; the service's error codes.
    """

    concerns: ClassVar[tuple[str, ...]] = (
        "TelephoneNumberList",
        "ExistingTelephoneNumberOrderType",
    )
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<ExistingTelephoneNumberOrderType><TelephoneNumberList>"
        "<TelephoneNumber>19193752369</TelephoneNumber>"
        "</TelephoneNumberList></ExistingTelephoneNumberOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation for each number that is malformed or repeated, one for an empty list."""
        seen = set()
        for numbers in order.fields("TelephoneNumberList"):
            for number in numbers.iterchildren("TelephoneNumber"):
                value = order.value(number)
                if _NUMBER.fullmatch(value) is None:
                    yield order.violation(number, "5070", order.unlike(number, _ALLOWED))
                elif value in seen:
                    message = f"TelephoneNumber is {value!r}, which is listed before; send it once."
                    yield order.violation(number, "5093", message)
                seen.add(value)
        for existing in order.fields("ExistingTelephoneNumberOrderType"):
            listed = order.stated(existing).get("TelephoneNumberList")
            if listed is None or listed.find("TelephoneNumber") is None:
                at = existing if listed is None else listed
                message = f"{at.tag!s} has no TelephoneNumber; send at least one."
                yield order.violation(at, "5073", message)
