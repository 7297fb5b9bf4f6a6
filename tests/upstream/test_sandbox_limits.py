"""What the sandbox refuses, with which code, and what it lets pass."""

from xml.sax.saxutils import escape

import pytest
from lxml import etree

from ordertape.model import Headers, Response
from ordertape.upstream.sandbox.limits import FORMATS, RELATIONS
from sandboxed import (
    AREA,
    COMBINED,
    DECLARATION,
    FIRST,
    LISTED,
    ORDERS,
    VANITY,
    XML,
    ask,
    codes,
    document,
    echo,
    order,
    sandbox,
    searched,
    with_numbers,
)


def combined(criteria: str) -> str:
    return order(searched(COMBINED, criteria))


def with_common(elements: str) -> str:
    return order(AREA, "<SiteId>743</SiteId>" + elements)


def protected(order_type: str, attribute: str = "Protected") -> str:
    return order(
        order_type,
        f"<SiteId>743</SiteId><TnAttributes><TnAttribute>{attribute}</TnAttribute></TnAttributes>",
    )


TOLL_FREE = searched(
    "TollFreeVanitySearchAndOrderType",
    "<TollFreeVanity>cars</TollFreeVanity><Quantity>1</Quantity>",
)

REFUSED = [
    (order(AREA, ""), ["5022"]),
    (order(AREA, "<SiteId/>"), ["5022"]),
    (order(AREA, "<SiteId>seven</SiteId>"), ["5016"]),
    (order(AREA, "<SiteId>٧٤٣</SiteId>"), ["5016"]),
    (with_common("<PeerId>first</PeerId>"), ["5023"]),
    (order(AREA.replace(">1<", ">0<")), ["5009"]),
    (order(AREA.replace(">1<", "><")), ["5009"]),
    (order(AREA.replace(">1<", ">1.5<")), ["5009"]),
    (order(AREA.replace(">1<", ">5001<")), ["5215"]),
    (order(AREA.replace(">1<", f">{'9' * 6000}<")), ["5215"]),
    (with_common(f"<Name>{'n' * 51}</Name>"), ["1011"]),
    (with_common("<CustomerOrderId>a_b</CustomerOrderId>"), ["5052"]),
    (with_common(f"<CustomerOrderId>{'a' * 41}</CustomerOrderId>"), ["5052"]),
    (with_common("<PartialAllowed>yes</PartialAllowed>"), ["5217"]),
    (with_common("<PartialAllowed>TRUE</PartialAllowed>"), ["5217"]),
    (with_common("<BackOrderRequested>1</BackOrderRequested>"), ["5002"]),
    (order(AREA.replace("617", "117")), ["5002"]),
    (order(searched("AreaCodeSearchAndOrderType", "<Quantity>1</Quantity>")), ["5002"]),
    (order(searched("NPANXXSearchAndOrderType", "<NpaNxx>919139</NpaNxx>")), ["5002"]),
    (order(searched("NPANXXXSearchAndOrderType", "<NpaNxxX>919439</NpaNxxX>")), ["5002"]),
    (order(searched("ZIPSearchAndOrderType", "<Zip>2760</Zip>")), ["5002"]),
    (order(searched("LATASearchAndOrderType", "<Lata>224224</Lata>")), ["5002"]),
    (order(searched("StateSearchAndOrderType", "<State>N.C.</State>")), ["5002"]),
    (order(searched("CitySearchAndOrderType", "<City>RALEIGH</City>")), ["5002"]),
    (order(searched("CitySearchAndOrderType", "<City/><State>NC</State>")), ["5002"]),
    (order(searched("RateCenterSearchAndOrderType", "<AreaCode>919</AreaCode>")), ["5002"] * 2),
    (order(searched("RateCenterSearchAndOrderType", "<RateCenter/><State>NC</State>")), ["5002"]),
    (
        order(
            searched(
                "NPANXXSearchAndOrderType",
                "<NpaNxx>919439</NpaNxx><EnableLCA>no</EnableLCA><EnableTNDetail/>",
            )
        ),
        ["5002"] * 2,
    ),
    (order(TOLL_FREE.replace("cars", "car")), ["5002"]),
    (
        order(
            searched(
                "TollFreeWildCharSearchAndOrderType",
                "<TollFreeWildCardPattern>8*0</TollFreeWildCardPattern>",
            )
        ),
        ["5002"],
    ),
    (combined("<AreaCode>617</AreaCode><NpaNxx>919439</NpaNxx>"), ["5002"]),
    (combined("<City>RALEIGH</City><AreaCode>919</AreaCode>"), ["5002"]),
    (combined("<RateCenter>RALEIGH</RateCenter>"), ["5002"]),
    (combined("<Zip>27606</Zip><EnableLCA>true</EnableLCA>"), ["5002"]),
    (combined("<LocalVanity>cars</LocalVanity>"), ["5002"]),
    (combined(f"{VANITY}<Zip>27606</Zip>"), ["5002"]),
    (combined(f"{VANITY}<EndsIn>maybe</EndsIn>"), ["5002"]),
    (combined(VANITY.replace("cars", "new cars")), ["5002"]),
    (
        order(
            searched(COMBINED, VANITY),
            "<SiteId>743</SiteId><BackOrderRequested>true</BackOrderRequested>",
        ),
        ["5002"],
    ),
    (combined("<AreaCode>617</AreaCode><EndsIn>true</EndsIn>"), ["5002"]),
    (combined("<Quantity>1</Quantity>"), ["5224"]),
    (with_numbers("19193752369"), ["5070"]),
    (with_numbers("9193752369", "9193752369"), ["5093"]),
    (with_numbers(), ["5073"]),
    (with_numbers("9193752369", reservation="[GUID]"), ["1008"]),
    (protected(TOLL_FREE), ["5101"]),
    (protected(AREA, "Precious"), ["5102"]),
    (order(""), ["5087"]),
    (order(AREA + LISTED), ["5087"]),
    ("<Order/>", ["5022", "5087"]),
]


@pytest.mark.parametrize(("body", "found"), REFUSED, ids=lambda value: str(value)[-60:])
async def test_an_order_that_breaks_a_limit_is_refused_with_its_code(
    body: str, found: list[str]
) -> None:
    service = sandbox()
    response = await ask(service, "POST", ORDERS, body)
    assert (response.status, codes(response)) == (400, found)
    assert (await ask(service, "GET", f"{ORDERS}/{FIRST}")).status == 404


async def test_every_row_of_the_tables_refuses_some_order() -> None:
    sentences = set()
    for body, _ in REFUSED:
        root = etree.fromstring((await ask(sandbox(), "POST", ORDERS, body)).body.held)
        sentences |= {node.text for node in root.iter("Description")}
    assert {row.sentence for row in (*FORMATS, *RELATIONS)} - sentences == set()


async def test_a_refusal_is_told_whole_with_the_order_as_it_came() -> None:
    service = sandbox()
    body = order("\n " + AREA.replace(">617<", "> 617 <"), "<SiteId> 743 </SiteId>")
    assert await ask(service, "POST", ORDERS, body) == Response(
        400,
        b"Bad Request",
        Headers.of([XML]),
        document(
            "<ErrorList><Error><Code>5016</Code>"
            "<Description>The SiteId submitted is invalid.</Description></Error>"
            "<Error><Code>5002</Code>"
            "<Description>The AreaCode is not three digits from 200.</Description></Error>"
            f"</ErrorList>{echo(AREA.replace('>617<', '> 617 <'), None, site=' 743 ')}"
        ),
        upstream=service.url,
    )


@pytest.mark.parametrize(
    "element",
    ["Name", "CustomerOrderId", "PeerId"],
)
async def test_an_empty_optional_element_is_harmless(element: str) -> None:
    body = with_common(f"<{element}></{element}><TnAttributes/><Unknown><x/></Unknown>")
    response = await ask(sandbox(), "POST", ORDERS, body)
    assert (response.status, codes(response)) == (201, [])
    assert f"<{element}/>".encode() in response.body.held


@pytest.mark.parametrize(
    "criteria",
    [
        "<NpaNxx>919439</NpaNxx><EnableLCA>true</EnableLCA>",
        "<RateCenter>RALEIGH</RateCenter><State>NC</State><EnableLCA>true</EnableLCA>",
        "<AreaCode>617</AreaCode><Zip>27606</Zip><EnableLCA>false</EnableLCA>",
        f"{VANITY}<EndsIn>true</EndsIn><Quantity>1</Quantity>",
    ],
)
async def test_criteria_that_go_together_are_taken(criteria: str) -> None:
    assert (await ask(sandbox(), "POST", ORDERS, combined(criteria))).status == 201


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"", "The body is not well-formed XML"),
        (b"{}", "The body is not well-formed XML"),
        (b"<Order>", "The body is not well-formed XML"),
        (b"<Order>Caf\xe9</Order>", "The body is not well-formed XML"),
        (b'<!DOCTYPE Order [<!ENTITY e "743">]><Order>&e;</Order>', "The body holds a document"),
        (b"<Orders/>", "The root element is Orders, not Order."),
    ],
)
async def test_what_is_no_order_at_all_is_a_400(body: bytes, sentence: str) -> None:
    response = await ask(sandbox(), "POST", ORDERS, body)
    assert (response.status, codes(response)) == (400, ["400"])
    assert escape(sentence).encode() in response.body.held


async def test_blanks_before_the_declaration_and_a_namespace_are_borne() -> None:
    for body in (
        f"\n  {DECLARATION}{order(AREA)}",
        order(AREA).replace("<Order>", '<Order xmlns="urn:x">', 1),
        order(f"<!-- one -->{AREA}<?why not?>"),
    ):
        response = await ask(sandbox(), "POST", ORDERS, body)
        assert response.body == document(f"{echo(AREA)}<OrderStatus>RECEIVED</OrderStatus>")
