"""The table of defaults of clients-and-orders.md, row by row."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from order_shapes import indented
from ordertape.canonical import match_key
from ordertape.model import Edit
from ordertape.order import ORDER_TYPES, Order, read_order
from ordertape.testing.orders import wild_trees
from ordertape_rules.order_defaults import OrderDefaults


def normalized(body: bytes, rule: OrderDefaults = OrderDefaults()) -> Order:  # noqa: B008 - frozen
    order = read_order(body, None)
    rule.normalize(order)
    return order


def added(body: str, rule: OrderDefaults = OrderDefaults()) -> list[tuple[str, str | None]]:  # noqa: B008
    return [(edit.xpath, edit.after) for edit in normalized(body.encode(), rule).edits]


ENABLE_LCA_IN = {
    "NPANXXSearchAndOrderType",
    "NpanxxSearchAndOrderType",
    "NPANXXXSearchAndOrderType",
    "RateCenterSearchAndOrderType",
}


@pytest.mark.parametrize("name", [*ORDER_TYPES, "NpanxxSearchAndOrderType"])
def test_each_order_type_gets_its_own_defaults_and_no_other(name: str) -> None:
    expected = [(f"/Order/{name}/EnableLCA", "true")] if name in ENABLE_LCA_IN else []
    assert added(f"<Order><{name}/></Order>") == [*expected, ("/Order/PartialAllowed", "true")]


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        (True, "true"),
        (False, "false"),
        ("true", "true"),
        ("false", "false"),
        ("leave", None),
    ],
)
def test_defaults_are_configurable(setting: bool | str, expected: str | None) -> None:  # noqa: FBT001
    partial = OrderDefaults(partial_allowed=setting)  # type: ignore[arg-type]
    assert added("<Order/>", partial) == ([("/Order/PartialAllowed", expected)] if expected else [])
    combined = OrderDefaults(partial_allowed="leave", combined_enable_lca=setting)  # type: ignore[arg-type]
    assert added("<Order><CombinedSearchAndOrderType/></Order>", combined) == (
        [("/Order/CombinedSearchAndOrderType/EnableLCA", expected)] if expected else []
    )


@pytest.mark.parametrize("setting", [True, False])
def test_a_combined_search_with_local_vanity_may_hold_no_enable_lca(setting: bool) -> None:  # noqa: FBT001
    rule = OrderDefaults(partial_allowed="leave", combined_enable_lca=setting)
    vanity = "<AreaCode>617</AreaCode><LocalVanity>newcars</LocalVanity>"
    name = "CombinedSearchAndOrderType"
    assert added(f"<Order><{name}>{vanity}</{name}></Order>", rule) == []


@pytest.mark.parametrize(
    "stated",
    [
        "<PartialAllowed>false</PartialAllowed>",
        "<PartialAllowed>nonsense</PartialAllowed>",
        "<PartialAllowed/>",
    ],
)
def test_a_stated_partial_allowed_is_kept_even_if_it_is_empty(stated: str) -> None:
    assert added(f"<Order>{stated}</Order>") == []


@pytest.mark.parametrize("stated", ["EnableLCA", "EnableLca"])
def test_enable_lca_is_there_under_either_spelling(stated: str) -> None:
    for name in ENABLE_LCA_IN:
        body = f"<Order><{name}><{stated}/></{name}><PartialAllowed/></Order>"
        assert added(body) == []


def test_partial_allowed_elsewhere_than_in_the_order_does_not_count() -> None:
    body = "<Order><Extra><PartialAllowed>false</PartialAllowed></Extra></Order>"
    assert added(body) == [("/Order/PartialAllowed", "true")]


def test_defaults_stand_last_indented_like_the_rest_and_are_noted() -> None:
    order = normalized(
        b"<Order>\n  <NPANXXSearchAndOrderType>\n    <NpaNxx>919439</NpaNxx>\n"
        b"  </NPANXXSearchAndOrderType>\n</Order>"
    )
    assert etree.tostring(order.root) == (
        b"<Order>\n  <NPANXXSearchAndOrderType>\n    <NpaNxx>919439</NpaNxx>\n"
        b"    <EnableLCA>true</EnableLCA>\n  </NPANXXSearchAndOrderType>\n"
        b"  <PartialAllowed>true</PartialAllowed>\n</Order>"
    )
    assert order.edits == (
        Edit("", "/Order/NPANXXSearchAndOrderType/EnableLCA", None, "true"),
        Edit("", "/Order/PartialAllowed", None, "true"),
    )


@given(wild_trees(), st.sampled_from(["", " ", "\t"]))
def test_defaults_are_added_once_and_whatever_the_indentation(
    root: etree._Element, space: str
) -> None:
    order = normalized(etree.tostring(root))
    again = normalized(order.serialize())
    assert not again.changed
    other = normalized(indented(root, space))
    assert other.edits == order.edits
    keys = {match_key("POST", "/", b"", None, False, known) for known in (order, again, other)}
    assert len(keys) == 1
