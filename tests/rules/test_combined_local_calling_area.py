"""EnableLCA in a combined search."""

import pytest

from judged import agreed, combined, searched, told
from ordertape_rules.combined_local_calling_area import CombinedLocalCallingArea

NPA_NXX, NPA_NXX_X = "<NpaNxx>919439</NpaNxx>", "<NpaNxxX>9194391</NpaNxxX>"
PLACE = "<RateCenter>RALEIGH</RateCenter><State>NC</State>"
CITY = "<City>RALEIGH</City><State>NC</State>"


@pytest.mark.parametrize(
    ("criteria", "code"),
    [
        (NPA_NXX, None),
        (NPA_NXX_X, None),
        (PLACE, None),
        (f"{NPA_NXX}<EnableTNDetail>true</EnableTNDetail>", None),
        (f"{NPA_NXX}<State>NC</State>", "5002"),
        (f"{NPA_NXX_X}<Zip>27606</Zip>", "5002"),
        (f"{PLACE}<Lata>224</Lata>", "5002"),
        (f"{PLACE}{NPA_NXX}", "5002"),
        (f"{PLACE}<City>RALEIGH</City>", "5002"),
        (CITY, "5002"),
        ("<State>NC</State>", "5002"),
        ("<AreaCode>617</AreaCode>", "5002"),
        ("<Zip>27606</Zip>", "5002"),
        ("<Lata>224</Lata>", "5002"),
    ],
)
@pytest.mark.parametrize("name", ["EnableLCA", "EnableLca"])
def test_what_is_refused_is_what_the_service_refuses(
    criteria: str, code: str | None, name: str
) -> None:
    assert agreed(combined(f"{criteria}<{name}>\ntrue </{name}>")) == ([code] if code else [])
    assert agreed(combined(f"{criteria}<{name}>false</{name}>")) == []


def test_in_another_search_any_criterion_goes_with_it() -> None:
    criteria = f"{PLACE}<Zip>27606</Zip><EnableLCA>true</EnableLCA><Quantity>1</Quantity>"
    assert agreed(searched("RateCenterSearchAndOrderType", criteria)) == []


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(CombinedLocalCallingArea.example) == [
        (
            "combined-local-calling-area",
            "enforce",
            "5002",
            "/Order/CombinedSearchAndOrderType/EnableLCA",
            (
                "EnableLCA is 'true'; send it only with NpaNxx, with NpaNxxX, "
                "or with RateCenter and State, alone."
            ),
        )
    ]
