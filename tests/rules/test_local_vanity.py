"""LocalVanity in a combined search: with AreaCode, Quantity and EndsIn, and nothing else."""

import pytest

from judged import agreed, area, combined, told

VANITY = "<AreaCode>617</AreaCode><LocalVanity>newcars</LocalVanity>"


@pytest.mark.parametrize(
    ("criteria", "codes"),
    [
        (VANITY, []),
        (f"{VANITY}<EndsIn>true</EndsIn>", []),
        (f"{VANITY}<Extra>1</Extra>", []),
        ("<LocalVanity>newcars</LocalVanity>", ["5002"]),
        ("<LocalVanity>newcars</LocalVanity><State>NC</State>", ["5002", "5002"]),
        (f"{VANITY}<State>NC</State>", ["5002"]),
        (f"{VANITY}<Zip>27606</Zip>", ["5002"]),
        (f"{VANITY}<Lata>224</Lata>", ["5002"]),
        (f"{VANITY}<City>RALEIGH</City><State>NC</State>", ["5002"] * 2),
        (f"{VANITY}<RateCenter>RALEIGH</RateCenter><State>NC</State>", ["5002"] * 2),
        (f"{VANITY}<EnableLCA>false</EnableLCA>", ["5002"]),
        (f"{VANITY}<EnableLca>false</EnableLca>", ["5002"]),
        (f"{VANITY}<EnableTNDetail>true</EnableTNDetail>", ["5002"]),
        (f"{VANITY}<TollFreeVanity>newcars</TollFreeVanity>", ["5002"]),
        (f"{VANITY}<TollFreeWildCharPattern>8**</TollFreeWildCharPattern>", ["5002"]),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(criteria: str, codes: list[str]) -> None:
    assert agreed(combined(criteria)) == codes


@pytest.mark.parametrize(
    ("requested", "codes"), [("true", ["5002"]), (" true\n", ["5002"]), ("false", [])]
)
def test_it_cannot_wait_for_numbers(requested: str, codes: list[str]) -> None:
    stated = f"<BackOrderRequested>{requested}</BackOrderRequested>"
    assert agreed(combined(VANITY, stated)) == codes
    assert agreed(combined("<AreaCode>617</AreaCode>", stated)) == []


def test_the_conditions_hold_in_a_combined_search_only() -> None:
    beside = "<LocalVanity>newcars</LocalVanity><State>NC</State><Quantity>1</Quantity>"
    assert agreed(area(beside=beside)) == []


def test_everything_that_has_to_go_is_told() -> None:
    place = "/Order/CombinedSearchAndOrderType"
    stated = "<BackOrderRequested>true</BackOrderRequested>"
    assert told(combined("<LocalVanity>newcars</LocalVanity><Zip>27606</Zip>", stated)) == [
        (
            "local-vanity",
            "enforce",
            "5002",
            "/Order/BackOrderRequested",
            (
                "BackOrderRequested is 'true'; send false, or leave it out, "
                "in an order with LocalVanity."
            ),
        ),
        (
            "local-vanity",
            "enforce",
            "5002",
            place,
            "CombinedSearchAndOrderType has LocalVanity but no AreaCode; send the AreaCode.",
        ),
        (
            "local-vanity",
            "enforce",
            "5002",
            f"{place}/Zip",
            "Zip is '27606'; send no more than AreaCode, Quantity and EndsIn beside LocalVanity.",
        ),
    ]
