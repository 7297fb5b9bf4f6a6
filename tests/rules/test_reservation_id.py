"""Reservations: UUIDs."""

import pytest

from judged import agreed, existing, told
from ordertape_rules.reservation_id import ReservationId

NUMBER = "<TelephoneNumber>9193752369</TelephoneNumber>"
ID = "fc7d4bf4-9cff-44b0-9b8a-b4ea9fdb3d2a"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        (ID, None),
        (ID.upper(), None),
        (f"\n {ID} ", None),
        ("00000000-0000-0000-0000-000000000000", None),
        ("[GUID]", "1008"),
        (ID[:-1], "1008"),
        (f"{ID}0", "1008"),
        (ID.replace("-", ""), "1008"),
        (f"{{{ID}}}", "1008"),
        (f"urn:uuid:{ID}", "1008"),
        (ID.replace("f", "g"), "1008"),
        ("", "1008"),
        (" ", "1008"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    good = f"<ReservationId>{ID}</ReservationId>"
    reserved = (
        f"<ReservationIdList>{good}<ReservationId>{value}</ReservationId></ReservationIdList>"
    )
    assert agreed(existing(NUMBER, reserved)) == ([code] if code else [])


def test_an_empty_list_is_harmless() -> None:
    assert agreed(existing(NUMBER, "<ReservationIdList/>")) == []
    assert agreed(existing(NUMBER, "<ReservationIdList> </ReservationIdList>")) == []


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    place = "/Order/ExistingTelephoneNumberOrderType/ReservationIdList"
    assert told(ReservationId.example) == [
        (
            "reservation-id",
            "enforce",
            "1008",
            f"{place}/ReservationId",
            "ReservationId is '[GUID]'; send the UUID that the reservation got.",
        )
    ]
