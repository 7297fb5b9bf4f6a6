"""Every search has the element that it is named after."""

import pytest

from judged import agreed, codes, of_the_service, searched, told

STATED = {
    "AreaCode": "<AreaCode>617</AreaCode>",
    "RateCenter": "<RateCenter>RALEIGH</RateCenter><State>NC</State>",
    "NpaNxx": "<NpaNxx>919439</NpaNxx>",
    "NpaNxxX": "<NpaNxxX>9194391</NpaNxxX>",
    "TollFreeVanity": "<TollFreeVanity>newcars</TollFreeVanity>",
    "TollFreeWildCardPattern": "<TollFreeWildCardPattern>8**</TollFreeWildCardPattern>",
    "TollFreeWildCharPattern": "<TollFreeWildCharPattern>8**</TollFreeWildCharPattern>",
    "State": "<State>NC</State>",
    "City": "<City>RALEIGH</City><State>NC</State>",
    "Zip": "<Zip>27606</Zip>",
    "Lata": "<Lata>224</Lata>",
    "LATA": "<LATA>224</LATA>",
}
NEEDS = {
    "AreaCodeSearchAndOrderType": ("AreaCode",),
    "RateCenterSearchAndOrderType": ("RateCenter",),
    "NPANXXSearchAndOrderType": ("NpaNxx", "NpaNxxX"),
    "NpanxxSearchAndOrderType": ("NpaNxx", "NpaNxxX"),
    "NPANXXXSearchAndOrderType": ("NpaNxxX",),
    "TollFreeVanitySearchAndOrderType": ("TollFreeVanity",),
    "TollFreeWildCharSearchAndOrderType": ("TollFreeWildCardPattern", "TollFreeWildCharPattern"),
    # A City comes with a State, a RateCenter too.
    "StateSearchAndOrderType": ("State", "City", "RateCenter"),
    "CitySearchAndOrderType": ("City",),
    "ZIPSearchAndOrderType": ("Zip",),
    "ZipSearchAndOrderType": ("Zip",),
    "LATASearchAndOrderType": ("Lata", "LATA"),
    "LataSearchAndOrderType": ("Lata", "LATA"),
}


@pytest.mark.parametrize("order_type", NEEDS)
def test_only_its_own_criterion_will_do_and_the_service_agrees(order_type: str) -> None:
    admitted = {
        name
        for name, criterion in STATED.items()
        if not agreed_on(order_type, f"{criterion}<Quantity>1</Quantity>")
    }
    assert admitted == set(NEEDS[order_type])


def agreed_on(order_type: str, criteria: str) -> list[str]:
    if order_type == "RateCenterSearchAndOrderType" and "<AreaCode>" in criteria:
        return ["5002"]  # the case below
    return agreed(searched(order_type, criteria))


def test_an_area_code_alone_in_a_rate_center_search_is_warned_of() -> None:
    body = searched(
        "RateCenterSearchAndOrderType",
        "<AreaCode>919</AreaCode><EnableLCA>true</EnableLCA><Quantity>2</Quantity>",
    )
    assert told(body) == [
        (
            "search-criterion",
            "warn",
            "5002",
            "/Order/RateCenterSearchAndOrderType",
            "RateCenterSearchAndOrderType has no RateCenter; send the RateCenter to search by.",
        )
    ]
    assert set(of_the_service(body)) == {"5002"}


def test_a_criterion_of_the_order_itself_or_of_something_unknown_is_none() -> None:
    criterion, quantity = "<Zip>27606</Zip>", "<Quantity>1</Quantity>"
    assert agreed(searched("ZIPSearchAndOrderType", quantity, criterion)) == ["5002"]
    unknown = f"<Extra>{criterion}</Extra>{quantity}"
    assert agreed(searched("ZIPSearchAndOrderType", unknown)) == ["5002"]


def test_a_refusal_names_what_is_missing_and_where() -> None:
    body = searched("NPANXXSearchAndOrderType", "<EnableLCA>true</EnableLCA><Quantity>1</Quantity>")
    assert told(body) == [
        (
            "search-criterion",
            "enforce",
            "5002",
            "/Order/NPANXXSearchAndOrderType",
            (
                "NPANXXSearchAndOrderType has no NpaNxx or NpaNxxX; "
                "send the NpaNxx or NpaNxxX to search by."
            ),
        )
    ]
    assert codes(body) == ["5002"]
