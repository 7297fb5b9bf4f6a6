"""Reservations of numbers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import Violation
from ordertape.order import Order

_UUID = re.compile(r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}")
_ALLOWED = "the UUID that the reservation got"


@dataclass(frozen=True)
class ReservationId:
    """Refuse a ReservationId that is not a UUID; a list without any passes.

    Units: 32 hexadecimal digits of any case in groups of 8, 4, 4, 4 and 12, with dashes between
    and no braces; trimmed of XML blanks.
    Codes: 1008, for an empty one too.
    Source: orders API, ReservationIdList, whose example has the placeholder `[GUID]`.
    """

    concerns: ClassVar[tuple[str, ...]] = ("ReservationIdList",)
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<ExistingTelephoneNumberOrderType><TelephoneNumberList>"
        "<TelephoneNumber>9193752369</TelephoneNumber></TelephoneNumberList>"
        "<ReservationIdList><ReservationId>[GUID]</ReservationId></ReservationIdList>"
        "</ExistingTelephoneNumberOrderType></Order>"
    )

    def validate(self, order: Order) -> Iterator[Violation]:
        """One violation for each that is malformed."""
        for reservations in order.fields("ReservationIdList"):
            for reservation in reservations.iterchildren("ReservationId"):
                if _UUID.fullmatch(order.value(reservation)) is None:
                    message = order.unlike(reservation, _ALLOWED)
                    yield order.violation(reservation, "1008", message)
