"""Combined searches: something to search by, and one of AreaCode, NpaNxx and NpaNxxX."""

from itertools import combinations

import pytest

from judged import agreed, combined, told
from ordertape_rules.combined import CRITERIA

STATED = {
    "AreaCode": "<AreaCode>617</AreaCode>",
    "NpaNxx": "<NpaNxx>919439</NpaNxx>",
    "NpaNxxX": "<NpaNxxX>9194391</NpaNxxX>",
    "Lata": "<Lata>224</Lata>",
    "State": "<State>NC</State>",
    "Zip": "<Zip>27606</Zip>",
    "RateCenter": "<RateCenter>RALEIGH</RateCenter><State>NC</State>",
    "City": "<City>RALEIGH</City><State>NC</State>",
    "LocalVanity": "<LocalVanity>newcars</LocalVanity><AreaCode>617</AreaCode>",
}


def test_any_criterion_alone_will_do() -> None:
    assert {name: agreed(combined(STATED[name])) for name in CRITERIA} == {
        name: [] for name in CRITERIA
    }


@pytest.mark.parametrize(
    "others",
    [
        "",
        "<EnableLCA>false</EnableLCA>",
        "<EnableTNDetail>true</EnableTNDetail>",
        "<TollFreeVanity>newcars</TollFreeVanity>",
        "<Extra><Zip>27606</Zip></Extra>",
    ],
)
def test_nothing_else_is_a_criterion(others: str) -> None:
    assert agreed(combined(others)) == ["5224"]


def test_two_of_the_three_exclude_each_other() -> None:
    names = ("AreaCode", "NpaNxx", "NpaNxxX")
    for two in combinations(names, 2):
        assert agreed(combined("".join(STATED[name] for name in two))) == ["5002"]
    assert agreed(combined("".join(STATED[name] for name in names))) == ["5002", "5002"]
    assert (
        agreed(combined(STATED["NpaNxx"] + STATED["City"] + STATED["Zip"] + STATED["Lata"])) == []
    )


def test_the_second_is_told_and_the_first_named() -> None:
    place = "/Order/CombinedSearchAndOrderType"
    assert told(combined(STATED["NpaNxxX"] + STATED["AreaCode"])) == [
        (
            "combined",
            "enforce",
            "5002",
            f"{place}/AreaCode",
            "AreaCode is '617'; send either NpaNxxX or AreaCode.",
        )
    ]
    assert told(combined("")) == [
        (
            "combined",
            "enforce",
            "5224",
            place,
            (
                "CombinedSearchAndOrderType has nothing to search by; send AreaCode or City or "
                "Lata or LocalVanity or NpaNxx or NpaNxxX or RateCenter or State or Zip."
            ),
        )
    ]
