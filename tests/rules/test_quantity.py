"""Quantities: 1 to 5000 in one to seven digits; one left out is warned of."""

from typing import Literal

import pytest

from judged import agreed, area, codes, existing, searched, told
from ordertape_rules.quantity import Quantity

Missing = Literal["warn", "refuse", "allow"]


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("1", None),
        ("5000", None),
        ("0005000", None),
        ("0000001", None),
        (" \t\r\n5000 ", None),
        ("0", "5009"),
        ("0000000", "5009"),
        ("", "5009"),
        ("  ", "5009"),
        ("+1", "5009"),
        ("-1", "5009"),
        ("1.0", "5009"),
        ("1e3", "5009"),
        ("1,000", "5009"),
        ("0x10", "5009"),
        ("1_0", "5009"),
        ("1 0", "5009"),
        ("\xa01", "5009"),
        ("٣", "5009"),
        ("²", "5009"),
        ("ten", "5009"),
        ("5001", "5215"),
        ("0005001", "5215"),
        ("9999999", "5215"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    assert agreed(area(beside=f"<Quantity>{value}</Quantity>")) == ([code] if code else [])


@pytest.mark.parametrize("value", ["00000001", "50000000", "9" * 400])
def test_more_than_seven_digits_are_no_quantity(value: str) -> None:
    assert codes(area(beside=f"<Quantity>{value}</Quantity>")) == ["5009"]


@pytest.mark.parametrize(
    ("order_type", "criteria", "code"),
    [
        ("AreaCodeSearchAndOrderType", "<AreaCode>617</AreaCode>", "5198"),
        (
            "TollFreeVanitySearchAndOrderType",
            "<TollFreeVanity>newcars</TollFreeVanity>",
            "5199",
        ),
        ("ZIPSearchAndOrderType", "<Zip>27606</Zip>", "5009"),
        ("CombinedSearchAndOrderType", "<Zip>27606</Zip>", "5009"),
    ],
)
@pytest.mark.parametrize(
    ("missing", "severities"), [("warn", ["warn"]), ("refuse", ["enforce"]), ("allow", [])]
)
def test_a_search_without_one_meets_what_is_configured(
    order_type: str, criteria: str, code: str, missing: Missing, severities: list[str]
) -> None:
    body = searched(order_type, criteria)
    assert told(body, {"quantity": {"missing": missing}}) == [
        (
            "quantity",
            severity,
            code,
            f"/Order/{order_type}",
            (
                f"{order_type} has no Quantity and counts as 5000 numbers; "
                "send a whole number from 1 to 5000."
            ),
        )
        for severity in severities
    ]
    assert agreed(body) == []


def test_existing_numbers_need_no_quantity_but_a_stated_one_is_judged() -> None:
    body = existing("<TelephoneNumber>9193752369</TelephoneNumber>")
    assert told(body, {"quantity": {"missing": "refuse"}}) == []
    stated = body.replace("</TelephoneNumberList>", "</TelephoneNumberList><Quantity>0</Quantity>")
    assert agreed(stated) == ["5009"]


def test_one_outside_the_order_type_is_not_missed_for_it_cannot_be_counted() -> None:
    body = area("<Quantity>1</Quantity>", beside="")
    assert told(body, {"quantity": {"missing": "refuse"}}) == []


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(Quantity.example) == [
        (
            "quantity",
            "enforce",
            "5009",
            "/Order/AreaCodeSearchAndOrderType/Quantity",
            "Quantity is '0'; send a whole number from 1 to 5000.",
        )
    ]
