"""Blanks around values go, and nothing else does."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from order_shapes import CLIENTS, indented
from ordertape.canonical import match_key
from ordertape.model import Edit
from ordertape.order import Order, read_order
from ordertape.testing.orders import wild_trees
from ordertape_rules.trim_whitespace import TrimWhitespace


def normalized(body: bytes) -> Order:
    order = read_order(body, None)
    TrimWhitespace().normalize(order)
    return order


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (" 743 ", "743"),
        ("\t\r\n743\n", "743"),
        ("&#13;743&#x9;", "743"),
        (" \n ", ""),
        ("1 2", "1 2"),
        ("\xa0743\xa0", "\xa0743\xa0"),
        ("\u20031\u3000", "\u20031\u3000"),
        (" \xa0 ", "\xa0"),
        ("", ""),
    ],
)
def test_xml_blanks_around_a_value_go(before: str, after: str) -> None:
    order = normalized(f"<Order><SiteId>{before}</SiteId></Order>".encode())
    assert (order.root[0].text or "") == after


def test_every_edit_is_noted_and_only_leaves_are_edited() -> None:
    order = normalized(
        b"<Order>\n  <SiteId> 7\n</SiteId>\n  <!-- c -->\n  <Extra a=' 1 '><In> x</In> </Extra>\n"
        b"  <TnAttributes> </TnAttributes>\n</Order>"
    )
    assert order.edits == (
        Edit("", "/Order/SiteId", " 7\n", "7"),
        Edit("", "/Order/Extra/In", " x", "x"),
    )
    assert etree.tostring(order.root) == (
        b'<Order>\n  <SiteId>7</SiteId>\n  <!-- c -->\n  <Extra a=" 1 "><In>x</In> </Extra>\n'
        b"  <TnAttributes> </TnAttributes>\n</Order>"
    )


def test_of_the_clients_only_templates_need_it() -> None:
    edited = {client for client, body in CLIENTS.items() if normalized(body).changed}
    assert edited == {"a template in a shell script"}


@given(wild_trees(), st.sampled_from(["", " ", "\t"]))
def test_trimming_is_done_once_and_whatever_the_indentation(
    root: etree._Element, space: str
) -> None:
    order = normalized(etree.tostring(root))
    again = normalized(order.serialize())
    assert not again.changed
    other = normalized(indented(root, space))
    assert [(edit.xpath, edit.after) for edit in other.edits] == [
        (edit.xpath, edit.after) for edit in order.edits
    ]
    keys = {match_key("POST", "/", b"", None, False, known) for known in (order, again, other)}
    assert len(keys) == 1
