"""Rate centers and cities: not empty, and with a State beside them."""

import pytest

from judged import agreed, area, codes, combined, searched, told

CITY, RATE_CENTER = "CitySearchAndOrderType", "RateCenterSearchAndOrderType"
LCA = "<EnableLCA>true</EnableLCA><Quantity>1</Quantity>"


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (searched(CITY, "<City>R</City><State>NC</State><Quantity>1</Quantity>"), None),
        (searched(CITY, "<City>\n St. Louis </City><State>NC</State><Quantity>1</Quantity>"), None),
        (searched(CITY, "<City/><State>NC</State><Quantity>1</Quantity>"), "5002"),
        (searched(CITY, "<City>\t\n</City><State>NC</State><Quantity>1</Quantity>"), "5002"),
        (searched(CITY, "<City>RALEIGH</City><Quantity>1</Quantity>"), "5002"),
        (searched(RATE_CENTER, f"<RateCenter>R</RateCenter><State>NC</State>{LCA}"), None),
        (searched(RATE_CENTER, f"<RateCenter/><State>NC</State>{LCA}"), "5002"),
        (searched(RATE_CENTER, f"<RateCenter>RALEIGH</RateCenter>{LCA}"), "5002"),
        (combined("<City>RALEIGH</City><State>NC</State>"), None),
        (combined("<RateCenter>RALEIGH</RateCenter><State>NC</State>"), None),
        (combined("<City>RALEIGH</City>"), "5002"),
        (combined("<RateCenter>RALEIGH</RateCenter>"), "5002"),
        (combined("<RateCenter>RALEIGH</RateCenter><City>RALEIGH</City>"), "5002"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(body: str, code: str | None) -> None:
    assert agreed(body) == ([code] if code else [])


def test_a_no_break_space_is_a_name() -> None:
    city = "<City>\xa0</City><State>NC</State><Quantity>1</Quantity>"
    assert agreed(searched(CITY, city)) == []


def test_a_city_needs_its_state_in_any_order_type() -> None:
    assert codes(area(beside="<City>RALEIGH</City><Quantity>1</Quantity>")) == ["5002"]
    state = "<City>RALEIGH</City><State>NC</State><Quantity>1</Quantity>"
    assert agreed(area(beside=state)) == []
    assert codes(area("<State>NC</State>", state.replace("<State>NC</State>", ""))) == ["5002"]


def test_a_missing_state_is_told_once_at_the_order_type() -> None:
    assert told(combined("<RateCenter/><City>RALEIGH</City>")) == [
        (
            "place",
            "enforce",
            "5002",
            "/Order/CombinedSearchAndOrderType",
            (
                "CombinedSearchAndOrderType has RateCenter and City but no State; "
                "send the State beside it."
            ),
        ),
        (
            "place",
            "enforce",
            "5002",
            "/Order/CombinedSearchAndOrderType/RateCenter",
            "RateCenter is empty; send its name.",
        ),
    ]
