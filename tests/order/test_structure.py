"""What is remembered of structures: a second order is read as the first, or refused as it was."""

import tracemalloc
from collections.abc import Callable
from itertools import combinations, islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from ordertape.errors import RefusedError
from ordertape.order import Order, read_order
from ordertape.order.names import VALUES
from ordertape.order.reading import read_root
from ordertape.order.structure import Filled
from ordertape.testing import valid_orders

KNOWN = (
    "<Order>\n <SiteId>743</SiteId>\n <ZIPSearchAndOrderType>\n  <Zip>27606</Zip>\n"
    "  <Quantity>1</Quantity>\n </ZIPSearchAndOrderType>\n</Order>\n"
)


def told(order: Order) -> tuple[object, ...]:
    """What an order says of itself."""
    names, values = order.held()
    return (
        sorted(zip(names, values, strict=True)),
        order.site_id,
        order.customer_order_id,
        order.order_type,
        [order.xpath(element) for element in order.padded()],
        [(name, order.xpath(element)) for name, element in order.every()],
        list(order.positions()),
    )


def untold(order: Order) -> tuple[object, ...]:
    """The same, of a tree that nothing is known of."""
    return told(Order(order.root))


@settings(max_examples=60, deadline=None)
@given(
    valid_orders(),
    st.lists(st.sampled_from(["", "1", " 743 ", "\n\t7", "a > b", "a\rb\r\nc", " "]), min_size=1),
)
def test_an_order_of_a_known_structure_is_read_like_any(body: bytes, values: list[str]) -> None:
    order = read_order(body, None)
    assert told(order) == untold(order)
    root = etree.fromstring(body)
    leaves = [leaf for leaf in root.iter(etree.Element) if leaf.tag in VALUES]
    for number, leaf in enumerate(leaves):
        leaf.text = values[number % len(values)]
    other = etree.tostring(root, encoding="unicode").replace("&#13;", "\r").replace("&gt;", ">")
    for _ in range(2):
        order = read_order(other.encode(), None)
        assert told(order) == untold(order)


def test_a_structure_is_known_once_it_was_read() -> None:
    for zip_code in ("27606", " 90210\r\n", ">"):
        root, found, _ = read_root(KNOWN.replace("27606", zip_code).encode(), None, None)
        assert isinstance(found, Filled)
        assert found.values == ("743", zip_code.strip(), "1")
        assert root.findtext(".//Zip", "").strip() == zip_code.strip()


@pytest.mark.parametrize(
    "altered",
    [
        KNOWN.replace("\n <SiteId>", "text<SiteId>"),
        KNOWN.replace("</Order>\n", "</Order>text"),
        KNOWN.replace("</Order>\n", "</Order><Odd"),
        KNOWN.replace("</Order>\n", "</Order></Order>"),
        f"text{KNOWN}",
        KNOWN.replace("<Order>\n ", "<Order> >SiteId<SiteId/>/SiteId> "),
        KNOWN.replace("743", "7]]>43"),
        KNOWN.replace("743", "\x01"),
        KNOWN.replace("743", "&unknown;"),
        KNOWN.replace("<Zip>", "<Zip >").replace("</Zip>", "</Zap>"),
        KNOWN.replace("</SiteId>\n", "</SiteId><!-->-->\xa0"),
    ],
)
def test_what_only_looks_like_a_known_structure_is_refused(altered: str) -> None:
    read_order(KNOWN.encode(), None)
    with pytest.raises(RefusedError):
        read_order(altered.encode(), None)


@pytest.mark.parametrize(
    ("altered", "site_id"),
    [
        (KNOWN.replace("743", "<![CDATA[743]]>"), "743"),
        (KNOWN.replace("743", "<![CDATA[<SiteId>]]]]>"), "<SiteId>]]"),
        (KNOWN.replace("743", "7&#52;3"), "743"),
        (KNOWN.replace("743", "7&amp;3"), "7&3"),
        (KNOWN.replace("743", "<!-- 1 -->743"), None),
        (KNOWN.replace("743", f"{' ' * 40}743"), "743"),
        (KNOWN.replace("\n <SiteId>", f"{' ' * 40}<SiteId>"), "743"),
        (KNOWN.replace("<SiteId>743</SiteId>", "<SiteId/>"), None),
        (KNOWN.replace("<SiteId>743</SiteId>", ""), None),
        (f"\ufeff{KNOWN}", "743"),
    ],
)
def test_what_is_written_otherwise_is_read_as_it_is(altered: str, site_id: str | None) -> None:
    for _ in range(2):
        try:
            order = read_order(altered.encode(), None)
        except RefusedError:
            assert "<!-- 1 -->" in altered
            continue
        assert order.site_id == site_id
        assert told(order) == untold(order)


def test_what_is_known_follows_every_edit() -> None:
    read_order(KNOWN.encode(), None)
    edits: list[Callable[[Order, etree._Element], object]] = [
        lambda order, site: order.set_text(site, "3013"),
        lambda order, site: order.set_text(site, " 3013 "),
        lambda order, site: order.set_text(site, "743"),
        lambda order, site: order.remove(site),
        lambda order, _: order.add(order.root, "Name", "x"),
        lambda order, _: order.add(order.types[0], "EndsIn", " true "),
        lambda order, _: order.add(order.root, "TnAttributes", ""),
        lambda order, _: order.add(order.root, "Extra", "1"),
        lambda order, site: order.rename(site, "PeerId"),
        lambda order, _: order.add(order.root, "StateSearchAndOrderType", ""),
    ]
    for first in edits:
        for second in edits[:3] + edits[4:]:
            order = read_order(KNOWN.encode(), None)
            site = order.root[0]
            first(order, site)
            if site.getparent() is not None and first is not second:
                second(order, site)
            assert told(order) == untold(order)
            edits_told = [edit.xpath for edit in order.edits if edit.after is not None]
            assert set(edits_told) <= order.positions().keys()


def test_a_rule_that_changes_the_tree_by_itself_changes_what_is_found_there() -> None:
    order = read_order(KNOWN.encode(), None)
    order.root.insert(0, etree.Element("Name"))
    assert [order.xpath(element) for element in order.fields("SiteId")] == ["/Order/SiteId"]
    assert order.xpath(order.root[0]) == "/Order/Name"


def test_clients_cannot_have_more_remembered_than_there_is_room_for() -> None:
    names = sorted(VALUES)
    bodies = (
        "".join(("<Order>", *(f"<{name}>1</{name}>" for name in chosen), "</Order>")).encode()
        for size in (8, 9)
        for chosen in combinations(names, size)
    )
    tracemalloc.start()
    try:
        for body in islice(bodies, 2000):
            read_order(body, None)
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < 3 << 20


def test_an_order_type_that_was_given_a_value_takes_no_element() -> None:
    order = read_order(b"<Order><Name>x</Name><StateSearchAndOrderType/></Order>", None)
    order.set_text(order.types[0], "NC")
    with pytest.raises(ValueError, match="holds a value"):
        order.add(order.types[0], "State", "NC")
