"""Attributes: those that are allowed."""

import pytest

from judged import agreed, area, codes, told
from ordertape.order import read_order
from ordertape_rules.tn_attribute import TnAttribute


def attributes(*values: str) -> str:
    inner = "".join(f"<TnAttribute>{value}</TnAttribute>" for value in values)
    return area(f"<TnAttributes>{inner}</TnAttributes>")


@pytest.mark.parametrize(
    ("values", "found"),
    [
        ([], []),
        (["Protected"], []),
        (["\n Protected "], []),
        (["protected"], ["5102"]),
        (["PROTECTED"], ["5102"]),
        ([""], ["5102"]),
        (["Precious"], ["5102"]),
        (["Protected", "Precious", ""], ["5102", "5102"]),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(values: list[str], found: list[str]) -> None:
    assert agreed(attributes(*values)) == found


@pytest.mark.parametrize("later", ["External", "Imported"])
def test_attributes_of_later_editions_pass_where_they_are_allowed(later: str) -> None:
    body = attributes(later)
    assert codes(body) == ["5102"]
    allowed = {"tn-attribute": {"allowed": ["Protected", "External", "Imported"]}}
    assert codes(body, allowed) == []
    assert codes(attributes("Precious"), allowed) == ["5102"]


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    place = "/Order/TnAttributes/TnAttribute"
    assert told(TnAttribute.example) == [
        ("tn-attribute", "enforce", "5102", place, "TnAttribute is 'protected'; send Protected.")
    ]
    several = {"tn-attribute": {"allowed": ["A", "B"]}}
    assert [found[-1] for found in told(TnAttribute.example, several)] == [
        "TnAttribute is 'protected'; send A or B."
    ]
    order = read_order(TnAttribute.example.encode(), None)
    assert [found.message for found in TnAttribute(allowed=()).validate(order)] == [
        "TnAttribute is 'protected'; send no TnAttribute."
    ]
