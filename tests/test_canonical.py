"""Equal keys for equal requests, and for no others."""

import json

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from lxml import etree

from order_shapes import indented
from ordertape.canonical import KEY_VERSION, is_current, match_key, matched_by
from ordertape.order import XML_BLANKS, read_order
from ordertape.testing.orders import wild_trees

XML = b"application/xml"
JSON = b"application/json"


def key(
    body: bytes = b"",
    content_type: bytes | None = XML,
    *,
    method: str = "POST",
    target: str = "/a",
    authorized: bool = False,
) -> str:
    return match_key(method, target, body, content_type, authorized, None)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (b"<A><B>1</B></A>", b"<A>\r\n\t<B>\n1 </B>\n</A>\n"),
        (b"<A b='1' c='2'/>", b'<A  c = "2" b="1"></A>'),
        (b"<p:A xmlns:p='u'><p:B/></p:A>", b"<A xmlns='u'><q:B xmlns:q='u'/></A>"),
        (b"<A/>", b"<?xml version='1.0' encoding='utf-8'?><!-- c --><A><?x y?></A>"),
        (b"<A><B/>1<C/></A>", b"<A><B/><!-- c --> 1 <?x?><C/></A>"),
        (b"<A>10</A>", b"<A><![CDATA[1]]>&#48;</A>"),
        ("<A>é</A>".encode(), b"<?xml version='1.0' encoding='iso-8859-1'?><A>\xe9</A>"),
    ],
)
def test_xml_is_known_whatever_it_was_written_with(one: bytes, other: bytes) -> None:
    assert key(one) == key(other) == key(other, b"text/xml") == key(other, None)


@pytest.mark.parametrize(
    "others",
    [
        [b"<A/>", b"<B/>", b"<A xmlns='u'/>", b"<A><A/></A>", b"<A>A</A>", b"<A A=''/>"],
        [b"<A><B/><C/></A>", b"<A><C/><B/></A>", b"<A><B><C/></B></A>", b"<A><BC/></A>"],
        [
            b"<A b='1'/>",
            b"<A b='2'/>",
            b"<A><b>1</b></A>",
            b"<A>b1</A>",
            b"<A xmlns:p='u' p:b='1'/>",
        ],
        [b"<A>1</A>", b"<A>\xc2\xa01</A>", b"<A>1 1</A>", b"<A>1  1</A>"],
        [b"<A><B/>1<C/></A>", b"<A><B>1</B><C/></A>", b"<A><B/><C/>1</A>", b"<A>1<B/><C/></A>"],
        [b"<A ab='c'/>", b"<A a='bc'/>", b"<A a='b' c=''/>", b"<A a='b@1:c0:'/>"],
        [b"<A><B/></A>", b"<A>&lt;1:B&gt;</A>", b"<A>T1:1</A>", b"<A>1</A>", b"<A>1:1</A>"],
        [b"<A", b"<A ", b"<!DOCTYPE A><A/>", b"<!DOCTYPE A><A />", b"<A>" * 300, b"", b" "],
    ],
)
def test_xml_that_differs_has_another_key(others: list[bytes]) -> None:
    assert len({key(body) for body in others}) == len(others)


def test_json_is_known_whatever_its_order_and_blanks() -> None:
    one, other = b'{"a": [1, "x"], "b": null}', b'\n{"b":null,"a":[1,"\\u0078"]}'
    assert key(one, JSON) == key(other, JSON) == key(other, b"application/hal+json; charset=utf-8")


def test_json_that_differs_has_another_key() -> None:
    others = [
        b'{"a": 1}',
        b'{"a": "1"}',
        b'{"a": 1.0}',
        b'{"a": true}',
        b'{"a": "true"}',
        b'{"a": null}',
        b'{"a": [1]}',
        b'{"a": [[1]]}',
        b'["a", "b"]',
        b'["aSb"]',
        b'["aS1:b"]',
        b'["ab"]',
        b'{"a": 1, "a": 1}',
        b'{"a":1,"a":1}',
        b'{"a": NaN}',
        b'{"a": "\\ud800"}',
        b"[" * 100_000,
        b'"' + b"a" * 10,
        b"\xff",
        b"1" * 5000,
    ]
    assert len({key(body, JSON) for body in others}) == len(others)


def test_other_bodies_are_known_by_their_bytes() -> None:
    plain = b"text/plain"
    assert key(b"<A/>", plain) != key(b"<A />", plain)
    assert key(b"<A/>", plain) == key(b"<A/>", b"image/png")
    assert key(b"", None, method="GET") == key(b"", XML, method="GET")


def test_the_query_counts_without_its_order_and_everything_else_as_it_is() -> None:
    assert key(target="/a?b=1&c=2") == key(target="/a?c=2&b=1")
    targets = [
        "/a",
        "/a/",
        "/b",
        "/A",
        "/a?b=1",
        "/a?b=2",
        "/a?b=1&b=1",
        "/a?b%3D1",
        "/a?b=1%26c=2",
    ]
    keys = {key(target=target) for target in targets}
    assert len(keys) == len(targets)
    assert key(method="PUT") not in keys
    assert key(target="/\udcff") not in keys


def test_a_recording_without_credentials_answers_requests_with_and_without() -> None:
    with_them, without = key(authorized=True), key(authorized=False)
    assert with_them != without
    assert matched_by(with_them) == (with_them, without)
    assert matched_by(without) == (without,)
    assert is_current(with_them)
    assert is_current(without)
    assert not is_current(with_them.replace(f"{KEY_VERSION}:", "0:", 1))


@given(wild_trees(), st.sampled_from(["", " ", "\t", "    "]))
def test_an_order_is_known_whatever_its_indentation(root: etree._Element, space: str) -> None:
    compact, spread = etree.tostring(root), indented(root, space)
    assert key(compact) == key(spread)
    keys = {
        match_key("POST", "/a", b"whatever", None, authorized=False, order=read_order(body, XML))
        for body in (compact, spread)
    }
    assert len(keys) == 1


values = st.text(
    st.characters(min_codepoint=0x20, max_codepoint=0x2FFF, exclude_characters="\x7f"), max_size=8
) | st.sampled_from(["", " 743 ", "\n1\t", "true", "\xa07\xa0", "<&>"])


@given(wild_trees(), values, st.data())
def test_an_order_with_another_value_has_another_key(
    root: etree._Element, value: str, data: st.DataObject
) -> None:
    before = key(etree.tostring(root))
    leaves = [element for element in root.iter(etree.Element) if not len(element)]
    assume(leaves)
    leaf = data.draw(st.sampled_from(leaves))
    same = (leaf.text or "").strip(XML_BLANKS) == value.strip(XML_BLANKS)
    leaf.text = value
    assert (key(etree.tostring(root)) == before) is same


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(json_values, json_values)
def test_json_has_equal_keys_where_its_compact_sorted_form_is_equal(
    one: object, other: object
) -> None:
    forms = [json.dumps(value, sort_keys=True, separators=(",", ":")) for value in (one, other)]
    keys = [key(json.dumps(value, indent=1).encode(), JSON) for value in (one, other)]
    assert (keys[0] == keys[1]) is (forms[0] == forms[1])


def test_an_orders_siblings_may_stand_in_any_order() -> None:
    def key(body: bytes) -> str:
        order = read_order(body, None)
        return match_key("POST", "/accounts/1/orders", body, None, authorized=False, order=order)

    one = b"<Order><SiteId>1</SiteId><X><A>1</A><B>2</B></X><Name>n</Name></Order>"
    assert key(one) == key(
        b"<Order><Name>n</Name><X><B>2</B><A>1</A></X><SiteId>1</SiteId></Order>"
    )
    assert key(one) != key(
        b"<Order><Name>n</Name><X><B>1</B><A>2</A></X><SiteId>1</SiteId></Order>"
    )
    assert key(one) != key(
        b"<Order><Name>n</Name><X><B>2</B></X><A>1</A><SiteId>1</SiteId></Order>"
    )
