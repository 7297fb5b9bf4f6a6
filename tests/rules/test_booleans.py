"""Booleans: exactly true or false."""

import pytest

from judged import agreed, area, combined, searched, told
from ordertape_rules.booleans import Booleans

NPA_NXX = "NPANXXSearchAndOrderType"
HOLDERS = {
    "PartialAllowed": ("5217", area("<PartialAllowed>{}</PartialAllowed>")),
    "BackOrderRequested": ("5002", area("<BackOrderRequested>{}</BackOrderRequested>")),
    "EnableLCA": (
        "5002",
        searched(NPA_NXX, "<NpaNxx>919439</NpaNxx><EnableLCA>{}</EnableLCA><Quantity>1</Quantity>"),
    ),
    "EnableLca": (
        "5002",
        searched(NPA_NXX, "<NpaNxx>919439</NpaNxx><EnableLca>{}</EnableLca><Quantity>1</Quantity>"),
    ),
    "EnableTNDetail": (
        "5002",
        area(beside="<EnableTNDetail>{}</EnableTNDetail><Quantity>1</Quantity>"),
    ),
    "EndsIn": (
        "5002",
        combined("<AreaCode>617</AreaCode><LocalVanity>newcars</LocalVanity><EndsIn>{}</EndsIn>"),
    ),
}


@pytest.mark.parametrize("name", HOLDERS)
@pytest.mark.parametrize(
    ("value", "good"),
    [
        ("true", True),
        ("false", True),
        ("\n true\t", True),
        ("TRUE", False),
        ("True", False),
        ("1", False),
        ("0", False),
        ("yes", False),
        ("", False),
        ("  ", False),
        ("true false", False),
        ("true\xa0", False),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(name: str, value: str, good: bool) -> None:  # noqa: FBT001 - a column of the table
    code, body = HOLDERS[name]
    assert agreed(body.replace("{}", value)) == ([] if good else [code])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(Booleans.example) == [
        (
            "booleans",
            "enforce",
            "5002",
            "/Order/BackOrderRequested",
            "BackOrderRequested is 'TRUE'; send true or false.",
        )
    ]
