"""Telephone numbers: ten digits, none twice, at least one."""

import pytest

from judged import agreed, area, existing, searched, told


def numbers(*values: str) -> str:
    return "".join(f"<TelephoneNumber>{value}</TelephoneNumber>" for value in values)


@pytest.mark.parametrize(
    ("values", "codes"),
    [
        (["2000000000"], []),
        (["9999999999"], []),
        ([" 9193752369\n"], []),
        (["9193752369", "9193752720"], []),
        (["1999999999"], ["5070"]),
        (["0193752369"], ["5070"]),
        (["919375236"], ["5070"]),
        (["91937523690"], ["5070"]),
        (["19193752369"], ["5070"]),
        (["+19193752369"], ["5070"]),
        (["919-375-2369"], ["5070"]),
        (["(919)3752369"], ["5070"]),
        ([""], ["5070"]),
        ([" "], ["5070"]),
        (["٩١٩٣٧٥٢٣٦٩"], ["5070"]),
        (["\xa09193752369"], ["5070"]),
        (["9193752369", "9193752369"], ["5093"]),
        (["9193752369", "9193752720", "\n 9193752369 "], ["5093"]),
        (["9193752369"] * 3, ["5093", "5093"]),
        (["919375236", "9193752369", "9193752369"], ["5070", "5093"]),
        ([], ["5073"]),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(values: list[str], codes: list[str]) -> None:
    assert agreed(existing(numbers(*values))) == codes


def test_an_order_without_a_list_has_no_number() -> None:
    name = "ExistingTelephoneNumberOrderType"
    assert agreed(searched(name, "")) == ["5073"]
    assert agreed(searched(name, "<Extra/>")) == ["5073"]
    assert agreed(searched(name, numbers("9193752369"))) == ["5073"]
    reserved = (
        "<ReservationIdList><ReservationId>fc7d4bf4-9cff-44b0-9b8a-b4ea9fdb3d2a</ReservationId>"
        "</ReservationIdList>"
    )
    assert agreed(searched(name, reserved)) == ["5073"]


def test_numbers_in_another_order_type_are_judged_but_need_not_be_there() -> None:
    listed = f"<TelephoneNumberList>{numbers('1')}</TelephoneNumberList><Quantity>1</Quantity>"
    assert agreed(area(beside=listed)) == ["5070"]
    assert agreed(area(beside="<TelephoneNumberList/><Quantity>1</Quantity>")) == []


def test_every_wrong_number_is_told_where_it_is() -> None:
    place = "/Order/ExistingTelephoneNumberOrderType/TelephoneNumberList"
    assert told(existing(numbers("9193752369", "123", "9193752369"))) == [
        (
            "telephone-number",
            "enforce",
            "5070",
            f"{place}/TelephoneNumber[2]",
            "TelephoneNumber is '123'; send ten digits, the first from 2 to 9.",
        ),
        (
            "telephone-number",
            "enforce",
            "5093",
            f"{place}/TelephoneNumber[3]",
            "TelephoneNumber is '9193752369', which is listed before; send it once.",
        ),
    ]
    assert told(existing("")) == [
        (
            "telephone-number",
            "enforce",
            "5073",
            place,
            "TelephoneNumberList has no TelephoneNumber; send at least one.",
        )
    ]
