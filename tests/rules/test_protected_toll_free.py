"""Toll-free numbers cannot be Protected."""

import pytest

from judged import agreed, area, searched, told
from ordertape_rules.protected_toll_free import ProtectedTollFree

TOLL_FREE = {
    "TollFreeVanitySearchAndOrderType": "<TollFreeVanity>newcars</TollFreeVanity>",
    "TollFreeWildCharSearchAndOrderType": "<TollFreeWildCharPattern>8**</TollFreeWildCharPattern>",
}


@pytest.mark.parametrize("order_type", TOLL_FREE)
@pytest.mark.parametrize(
    ("attributes", "codes"),
    [
        ("", []),
        ("<TnAttributes/>", []),
        ("<TnAttributes><TnAttribute>Protected</TnAttribute></TnAttributes>", ["5101"]),
        ("<TnAttributes><TnAttribute>\nProtected </TnAttribute></TnAttributes>", ["5101"]),
        ("<TnAttributes><TnAttribute>protected</TnAttribute></TnAttributes>", ["5102"]),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(
    order_type: str, attributes: str, codes: list[str]
) -> None:
    criteria = f"{TOLL_FREE[order_type]}<Quantity>1</Quantity>"
    assert agreed(searched(order_type, criteria, attributes)) == codes


def test_other_numbers_can_be_protected() -> None:
    attributes = "<TnAttributes><TnAttribute>Protected</TnAttribute></TnAttributes>"
    assert agreed(area(attributes)) == []


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(ProtectedTollFree.example) == [
        (
            "protected-toll-free",
            "enforce",
            "5101",
            "/Order/TnAttributes/TnAttribute",
            (
                "TnAttribute is 'Protected', which toll-free numbers cannot be; "
                "send the order without."
            ),
        )
    ]
