"""The orders that are shipped for trying rules on: that they are what they are said to be."""

import re

from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from ordertape.order import read_order
from ordertape.order.names import SPECIFIED
from ordertape.testing import order_of, valid_orders, wild_orders
from ordertape.testing.layouts import LAYOUTS, written
from ordertape.testing.orders import valid_trees


def drawn(strategy: st.SearchStrategy[bytes], count: int) -> list[bytes]:
    """The same orders in every run."""
    bodies: list[bytes] = []

    @settings(max_examples=count, derandomize=True, database=None, deadline=None)
    @given(strategy)
    def draw(body: bytes) -> None:
        bodies.append(body)

    draw()
    return bodies


def test_wild_orders_hold_all_that_an_order_may_and_are_admitted() -> None:
    bodies = drawn(wild_orders(), 400)
    roots = [read_order(body, None).root for body in bodies]
    names = {str(element.tag) for root in roots for element in root.iter(etree.Element)}
    assert len({*SPECIFIED} - names) < 3  # chance may leave out one or two
    whole = b"\n".join(bodies)
    for wanted in (
        rb"<!--.+?--><Order",  # before the root
        rb">\s*<!--.*?-->\s*<[A-Z]",  # between elements
        rb"<!\[CDATA\[",
        rb"<SiteId>\s+\d+\s+</SiteId>",
        rb"<Name></Name>|<Name/>",
        rb'<[A-Za-z]+ id="',
        rb"<Unknown>\s*<[A-Z]",
        rb"&#13;",
        rb"&#\d{3,};",  # what US-ASCII and ISO-8859-1 cannot hold
        rb"[\xc3-\xf4][\x80-\xbf]",
    ):
        assert re.search(wanted, whole, re.DOTALL), wanted
    types = [len(read_order(body, None).types) for body in bodies]
    assert {0, 1, 2} <= {*types}


def test_valid_orders_come_in_every_layout() -> None:
    bodies = drawn(valid_orders(), 200)
    for layout in LAYOUTS.values():
        head = layout.mark + layout.before.replace("\n", layout.newline).encode()
        assert any(body.startswith(head) for body in bodies)


@settings(max_examples=40, deadline=None)
@given(valid_trees())
def test_a_layout_changes_nothing_but_blanks_between_elements(tree: etree._Element) -> None:
    said = {
        etree.canonicalize(read_order(written(tree, layout), None).root, strip_text=True)
        for layout in LAYOUTS.values()
    }
    assert len(said) == 1


def test_combined_orders_come_with_and_without_a_vanity() -> None:
    bodies = drawn(order_of("CombinedSearchAndOrderType"), 30)
    assert {b"<LocalVanity>" in body for body in bodies} == {True, False}


def test_only_the_types_that_are_asked_for_come() -> None:
    some = ("ZIPSearchAndOrderType", "LATASearchAndOrderType")
    bodies = drawn(valid_orders(some), 30)
    assert {read_order(body, None).order_type for body in bodies} == {*some}
