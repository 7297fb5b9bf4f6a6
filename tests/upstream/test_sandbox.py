"""The sandbox, asked directly: whole answers for every order type and every code."""

import re
import zlib
from collections.abc import AsyncGenerator
from datetime import UTC, datetime
from urllib.parse import urlsplit
from xml.sax.saxutils import escape

import pytest
from lxml import etree

from ordertape.model import Body, Headers, Origin, Request, Response
from ordertape.upstream import Upstream
from ordertape.upstream.sandbox import Sandbox
from ordertape.upstream.sandbox.limits import FORMATS, RELATIONS

CLOCK = datetime(2014, 7, 11, 17, 13, 57, 788000, tzinfo=UTC)
CREATED = "2014-07-11T17:13:57.788Z"
DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
FIRST, SECOND = "cd613e30-d8f1-4adf-91b7-584a2265b1f5", "1e2feb89-414c-443c-9027-c4d1c386bbc4"
"""The first ids of seed 1."""

ORDERS = "/api/accounts/9900012/orders"
XML = (b"Content-Type", b"application/xml; charset=utf-8")
TEXT = (b"Content-Type", b"text/plain; charset=utf-8")
CREDENTIALS = Headers.of([(b"Authorization", b"Bearer anything")])


def sandbox(*, completes_after: int = 1) -> Sandbox:
    return Sandbox(seed=1, clock=lambda: CLOCK, completes_after=completes_after)


async def ask(
    service: Upstream, method: str, target: str, body: str | bytes = b"", **more: Headers
) -> Response:
    data = body.encode() if isinstance(body, str) else body
    headers = more.get("headers", CREDENTIALS)
    return await service.send(Request(method, target, headers, Body(data)))


def order(order_type: str, common: str = "<SiteId>743</SiteId>") -> str:
    return f"<Order>{common}{order_type}</Order>"


def searched(order_type: str, criteria: str) -> str:
    return f"<{order_type}>{criteria}</{order_type}>"


def echo(order_type: str, order_id: str | None = FIRST, *, site: str = "743") -> str:
    named = "" if order_id is None else f"<id>{order_id}</id>"
    return (
        f"<Order>{named}<OrderCreateDate>{CREATED}</OrderCreateDate>"
        f"<BackOrderRequested>false</BackOrderRequested>{order_type}"
        f"<PartialAllowed>true</PartialAllowed><SiteId>{site}</SiteId></Order>"
    )


def document(inner: str) -> Body:
    return Body(f"{DECLARATION}<OrderResponse>{inner}</OrderResponse>".encode())


def codes(response: Response) -> list[str | None]:
    """As the SDKs read them: ErrorList right below the root, in each Error the first child."""
    root = etree.fromstring(response.body.held)
    errors = root.find("ErrorList")
    return [] if errors is None else [error[0].text for error in errors]


async def outcome(service: Upstream, body: str) -> etree._Element:
    """What becomes of an order: the answer to its second reading."""
    created = await ask(service, "POST", ORDERS, body)
    assert created.status == 201, created.body.held
    location = (created.headers.get(b"Location") or b"").decode()
    path = urlsplit(location).path
    await ask(service, "GET", path)
    return etree.fromstring((await ask(service, "GET", path)).body.held)


AREA = searched("AreaCodeSearchAndOrderType", "<AreaCode>617</AreaCode><Quantity>1</Quantity>")
LISTED = searched(
    "ExistingTelephoneNumberOrderType",
    "<TelephoneNumberList><TelephoneNumber>9193752369</TelephoneNumber>"
    "<TelephoneNumber>9193752720</TelephoneNumber></TelephoneNumberList>",
)

TYPES = [
    # (as sent, as echoed with defaults, what its numbers look like, how many)
    (AREA, AREA, "617[2-9][0-9]{6}", 1),
    (LISTED, LISTED, "9193752369|9193752720", 2),
    (
        "<RateCenterSearchAndOrderType><RateCenter>RALEIGH</RateCenter><State>NC</State>"
        "<Quantity>2</Quantity></RateCenterSearchAndOrderType>",
        "<RateCenterSearchAndOrderType><RateCenter>RALEIGH</RateCenter><State>NC</State>"
        "<Quantity>2</Quantity><EnableLCA>true</EnableLCA></RateCenterSearchAndOrderType>",
        "919[2-9][0-9]{6}",
        2,
    ),
    (
        "<NPANXXSearchAndOrderType><NpaNxx>919439</NpaNxx><EnableTNDetail>true</EnableTNDetail>"
        "<EnableLCA>false</EnableLCA><Quantity>1</Quantity></NPANXXSearchAndOrderType>",
        "<NPANXXSearchAndOrderType><NpaNxx>919439</NpaNxx><EnableTNDetail>true</EnableTNDetail>"
        "<EnableLCA>false</EnableLCA><Quantity>1</Quantity></NPANXXSearchAndOrderType>",
        "919439[0-9]{4}",
        1,
    ),
    (
        "<NpanxxSearchAndOrderType><EnableLca>false</EnableLca><NpaNxx>919439</NpaNxx>"
        "<Quantity>1</Quantity></NpanxxSearchAndOrderType>",
        "<NPANXXSearchAndOrderType><EnableLCA>false</EnableLCA><NpaNxx>919439</NpaNxx>"
        "<Quantity>1</Quantity></NPANXXSearchAndOrderType>",
        "919439[0-9]{4}",
        1,
    ),
    (
        "<NPANXXXSearchAndOrderType><NpaNxxX>9194391</NpaNxxX><Quantity>1</Quantity>"
        "</NPANXXXSearchAndOrderType>",
        "<NPANXXXSearchAndOrderType><NpaNxxX>9194391</NpaNxxX><Quantity>1</Quantity>"
        "<EnableLCA>true</EnableLCA></NPANXXXSearchAndOrderType>",
        "9194391[0-9]{3}",
        1,
    ),
    (
        "<TollFreeVanitySearchAndOrderType><Quantity>1</Quantity>"
        "<TollFreeVanity>newcars</TollFreeVanity></TollFreeVanitySearchAndOrderType>",
        "<TollFreeVanitySearchAndOrderType><Quantity>1</Quantity>"
        "<TollFreeVanity>newcars</TollFreeVanity></TollFreeVanitySearchAndOrderType>",
        "8(?:00|33|44|55|66|77|88)6392277",
        1,
    ),
    (
        "<TollFreeWildCharSearchAndOrderType><Quantity>3</Quantity>"
        "<TollFreeWildCharPattern>87*</TollFreeWildCharPattern></TollFreeWildCharSearchAndOrderType>",
        "<TollFreeWildCharSearchAndOrderType><Quantity>3</Quantity>"
        "<TollFreeWildCardPattern>87*</TollFreeWildCardPattern></TollFreeWildCharSearchAndOrderType>",
        "877[2-9][0-9]{6}",
        3,
    ),
    (
        "<StateSearchAndOrderType><State>NC</State></StateSearchAndOrderType>",
        "<StateSearchAndOrderType><State>NC</State><Quantity>5000</Quantity></StateSearchAndOrderType>",
        "919[2-9][0-9]{6}",
        1000,
    ),
    (
        "<CitySearchAndOrderType><Quantity>007</Quantity><City>Saint &amp; John</City>"
        "<State>nb</State></CitySearchAndOrderType>",
        "<CitySearchAndOrderType><Quantity>007</Quantity><City>Saint &amp; John</City>"
        "<State>nb</State></CitySearchAndOrderType>",
        "506[2-9][0-9]{6}",
        7,
    ),
    (
        "<ZIPSearchAndOrderType><Quantity>1</Quantity><Zip>27606-1234</Zip></ZIPSearchAndOrderType>",
        "<ZIPSearchAndOrderType><Quantity>1</Quantity><Zip>27606-1234</Zip></ZIPSearchAndOrderType>",
        "[2-9][0-9]{2}[2-9][0-9]{6}",
        1,
    ),
    (
        "<LATASearchAndOrderType><Quantity>1</Quantity><LATA>224</LATA></LATASearchAndOrderType>",
        "<LATASearchAndOrderType><Quantity>1</Quantity><Lata>224</Lata></LATASearchAndOrderType>",
        "[2-9][0-9]{2}[2-9][0-9]{6}",
        1,
    ),
    (
        "<CombinedSearchAndOrderType><Quantity>1</Quantity><AreaCode>617</AreaCode>"
        "<LocalVanity>cars</LocalVanity></CombinedSearchAndOrderType>",
        "<CombinedSearchAndOrderType><Quantity>1</Quantity><AreaCode>617</AreaCode>"
        "<LocalVanity>cars</LocalVanity><EndsIn>false</EndsIn></CombinedSearchAndOrderType>",
        "617[2-9][0-9]{2}2277",
        1,
    ),
]


@pytest.mark.parametrize(("sent", "echoed", "looks", "count"), TYPES, ids=lambda v: str(v)[:30])
async def test_an_order_of_each_type_is_created_then_received_then_has_its_numbers(
    sent: str, echoed: str, looks: str, count: int
) -> None:
    service = sandbox()
    created = await ask(service, "POST", ORDERS, order(sent))
    received = document(f"{echo(echoed)}<OrderStatus>RECEIVED</OrderStatus>")
    location = (b"Location", f"{service.url}{ORDERS}/{FIRST}".encode())
    assert created == Response(
        201, b"Created", Headers.of([XML, location]), received, upstream=service.url
    )
    read = await ask(service, "GET", f"{ORDERS}/{FIRST}?tndetail=true")
    assert read == Response(200, b"OK", Headers.of([XML]), received, upstream=service.url)

    root = etree.fromstring((await ask(service, "GET", f"{ORDERS}/{FIRST}")).body.held)
    numbers = [number.text or "" for number in root.iterfind("CompletedNumbers/TelephoneNumber/*")]
    assert len(set(numbers)) == len(numbers) == count
    assert [number for number in numbers if not re.fullmatch(looks, number)] == []
    assert root.findtext("CompletedQuantity") == str(count)
    assert root.findtext("OrderStatus") == ("PARTIAL" if count == 1000 else "COMPLETE")


async def test_a_settled_order_is_told_whole() -> None:
    service = sandbox()
    listed = LISTED.replace("9193752720", "9995550100")
    await ask(service, "POST", ORDERS, order(listed))
    await ask(service, "GET", f"{ORDERS}/{FIRST}")
    assert (await ask(service, "GET", f"{ORDERS}/{FIRST}")).body == document(
        "<CompletedQuantity>1</CompletedQuantity><CreatedByUser>sandbox</CreatedByUser>"
        "<ErrorList><Error><Code>5005</Code>"
        "<Description>The telephone number is unavailable for ordering</Description>"
        "<TelephoneNumber>9995550100</TelephoneNumber></Error></ErrorList>"
        "<FailedNumbers><FullNumber>9995550100</FullNumber></FailedNumbers>"
        f"<LastModifiedDate>{CREATED}</LastModifiedDate>"
        f"<OrderCompleteDate>{CREATED}</OrderCompleteDate>{echo(listed)}"
        "<OrderStatus>PARTIAL</OrderStatus><CompletedNumbers><TelephoneNumber>"
        "<FullNumber>9193752369</FullNumber></TelephoneNumber></CompletedNumbers>"
        "<FailedQuantity>1</FailedQuantity>"
    )


PART = "<SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
WHOLE = "<SiteId>743</SiteId><PartialAllowed>false</PartialAllowed>"
BACK = PART + "<BackOrderRequested>true</BackOrderRequested>"


def area(code: str, quantity: int) -> str:
    return searched(
        "AreaCodeSearchAndOrderType",
        f"<AreaCode>{code}</AreaCode><Quantity>{quantity}</Quantity>",
    )


@pytest.mark.parametrize(
    ("common", "order_type", "told"),
    [
        (PART, area("617", 1000), ("COMPLETE", "1000", "0", None, [])),
        (PART, area("617", 1001), ("PARTIAL", "1000", "1", None, [])),
        (WHOLE, area("617", 1001), ("FAILED", "0", "1001", None, ["5018"])),
        (PART, area("999", 2), ("FAILED", "0", "2", None, ["5018"])),
        (BACK, area("617", 1001), ("BACKORDERED", "1000", "0", "1", [])),
        (BACK, area("999", 2), ("BACKORDERED", "0", "0", "2", [])),
        (WHOLE, LISTED, ("COMPLETE", "2", "0", None, [])),
        (WHOLE, LISTED.replace("9193752720", "9990000000"), ("FAILED", "0", "2", None, ["5005"])),
        (
            PART,
            searched(
                "TollFreeVanitySearchAndOrderType",
                "<TollFreeVanity>newcars</TollFreeVanity><Quantity>9</Quantity>",
            ),
            ("PARTIAL", "7", "2", None, []),
        ),
        (
            PART,
            searched(
                "TollFreeWildCharSearchAndOrderType",
                "<TollFreeWildCardPattern>812</TollFreeWildCardPattern><Quantity>1</Quantity>",
            ),
            ("FAILED", "0", "1", None, ["5018"]),
        ),
    ],
)
async def test_an_order_gets_what_there_is_and_says_what_it_did_not_get(
    common: str, order_type: str, told: tuple[str, str, str, str | None, list[str]]
) -> None:
    root = await outcome(sandbox(), order(order_type, common))
    names = ("OrderStatus", "CompletedQuantity", "FailedQuantity", "PendingQuantity")
    found = [error.findtext("Code") for error in root.iterfind("ErrorList/Error")]
    assert (*(root.findtext(name) for name in names), found) == told
    assert len(root.findall("CompletedNumbers/TelephoneNumber")) == int(told[1])


async def test_closing_an_order_ends_its_wait() -> None:
    service = sandbox()
    before = await outcome(service, order(area("617", 1001), BACK))
    close = "<Order><OrderId>x</OrderId><CloseOrder>true</CloseOrder></Order>"
    after = await ask(service, "PUT", f"{ORDERS}/{FIRST}", close)
    root = etree.fromstring(after.body.held)
    statuses = [before.findtext("OrderStatus"), after.status, root.findtext("OrderStatus")]
    assert statuses == ["BACKORDERED", 200, "PARTIAL"]
    assert (await ask(service, "PUT", f"{ORDERS}/{SECOND}", close)).status == 404
    assert (await ask(service, "PUT", f"{ORDERS}/{FIRST}", "<Order>")).status == 400


async def test_how_many_readings_an_order_stays_received_can_be_set() -> None:
    service = sandbox(completes_after=0)
    await ask(service, "POST", ORDERS, order(AREA))
    read = await ask(service, "GET", f"{ORDERS}/{FIRST}")
    assert b"<OrderStatus>COMPLETE</OrderStatus>" in read.body.held


COMBINED = "CombinedSearchAndOrderType"
UUID = "34adcd9f-2c4a-4631-9dae-d1f318ed57bc"


def combined(criteria: str) -> str:
    return order(searched(COMBINED, criteria))


def with_common(elements: str) -> str:
    return order(AREA, "<SiteId>743</SiteId>" + elements)


def with_numbers(*numbers: str, reservation: str = UUID) -> str:
    listed = "".join(f"<TelephoneNumber>{number}</TelephoneNumber>" for number in numbers)
    return order(
        searched(
            "ExistingTelephoneNumberOrderType",
            f"<TelephoneNumberList>{listed}</TelephoneNumberList><ReservationIdList>"
            f"<ReservationId>{reservation}</ReservationId></ReservationIdList>",
        )
    )


def protected(order_type: str, attribute: str = "Protected") -> str:
    return order(
        order_type,
        f"<SiteId>743</SiteId><TnAttributes><TnAttribute>{attribute}</TnAttribute></TnAttributes>",
    )


VANITY = "<AreaCode>617</AreaCode><LocalVanity>cars</LocalVanity>"
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


async def test_without_credentials_there_is_a_challenge_and_nothing_else() -> None:
    service = sandbox()
    response = await ask(service, "POST", ORDERS, order(AREA), headers=Headers())
    challenge = Headers.of([(b"WWW-Authenticate", b'Basic realm="orders sandbox"')])
    assert response == Response(401, b"Unauthorized", challenge, upstream=service.url)


@pytest.mark.parametrize("prefix", ["", "/api", "/api/v1", "/v1.0", "/some/where/else"])
async def test_location_has_the_path_as_it_was_asked_for_without_its_query(prefix: str) -> None:
    path = f"{prefix}/accounts/9900012/orders"
    response = await ask(sandbox(), "POST", f"{path}?a=b", order(AREA))
    assert (
        response.headers.get(b"Location") == f"http://sandbox.ordertape.test{path}/{FIRST}".encode()
    )


async def test_an_order_is_its_accounts_own() -> None:
    service = sandbox()
    await ask(service, "POST", ORDERS, order(AREA))
    other = await ask(service, "GET", f"/api/accounts/9900013/orders/{FIRST}")
    assert other == Response(
        404,
        b"Not Found",
        Headers.of([XML]),
        document(
            "<ErrorList><Error><Code>404</Code><Description>"
            f"There is no order {FIRST} of this account.</Description></Error></ErrorList>"
        ),
        upstream=service.url,
    )
    listed = await ask(service, "GET", "/api/accounts/9900013/orders")
    assert b"<TotalCount>0</TotalCount>" in listed.body.held
    assert (await ask(service, "GET", f"/v1.0/accounts/9900012/orders/{FIRST}")).status == 200


async def test_the_list_has_the_newest_first_in_pages() -> None:
    service = sandbox()
    await ask(service, "POST", ORDERS, order(AREA))
    await outcome(service, order(AREA))

    def row(order_id: str, count: int, status: str) -> str:
        return (
            f"<OrderIdUserIdDate><CountOfTNs>{count}</CountOfTNs><userId>sandbox</userId>"
            f"<lastModifiedDate>{CREATED}</lastModifiedDate><OrderType>new_number</OrderType>"
            f"<OrderDate>{CREATED}</OrderDate><orderId>{order_id}</orderId>"
            f"<OrderStatus>{status}</OrderStatus></OrderIdUserIdDate>"
        )

    def page(number: int) -> str:
        relation = "first" if number == 1 else "next"
        url = f"http://sandbox.ordertape.test{ORDERS}?page={number}&amp;size=1"
        return f'<{relation}>Link=&lt;{url}&gt;;rel="{relation}";</{relation}>'

    def wrapped(links: str, rows: str) -> Body:
        return Body(
            f"{DECLARATION}<ResponseSelectWrapper><ListOrderIdUserIdDate>"
            f"<TotalCount>2</TotalCount><Links>{links}</Links>{rows}"
            "</ListOrderIdUserIdDate></ResponseSelectWrapper>".encode()
        )

    first = await ask(service, "GET", f"{ORDERS}?page=1&size=1")
    assert first.body == wrapped(page(1) + page(2), row(SECOND, 1, "COMPLETE"))
    second = await ask(service, "GET", f"{ORDERS}?page=2&size=1")
    assert second.body == wrapped(page(1), row(FIRST, 0, "RECEIVED"))
    whole = await ask(service, "GET", f"{ORDERS}?page=none&size=-1")
    assert whole.body.held.count(b"<OrderIdUserIdDate>") == 2


SEARCH = "/api/accounts/9900012/availableNumbers"


async def test_a_search_lists_numbers_that_an_order_for_them_gets() -> None:
    service = sandbox()
    response = await ask(service, "GET", f"{SEARCH}?areaCode=617&quantity=2")
    assert response.body == Body(
        f"{DECLARATION}<SearchResult><ResultCount>2</ResultCount><TelephoneNumberList>"
        "<TelephoneNumber>6172000000</TelephoneNumber><TelephoneNumber>6172000001"
        "</TelephoneNumber></TelephoneNumberList></SearchResult>".encode()
    )
    root = await outcome(service, with_numbers("6172000000", "6172000001"))
    assert root.findtext("OrderStatus") == "COMPLETE"


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ("npaNxxx=9194391", 1000),
        ("state=NC", 1000),
        ("localVanity=newcars&areaCode=617", 1),
        ("tollFreeVanity=newcars", 7),
        ("areaCode=999", 0),
        ("areaCode=617&quantity=99999999999", 1000),
    ],
)
async def test_a_search_finds_at_most_what_fits_it(query: str, count: int) -> None:
    response = await ask(sandbox(), "GET", f"{SEARCH}?{query}")
    root = etree.fromstring(response.body.held)
    assert root.findtext("ResultCount") == str(count)
    assert len(root.findall("TelephoneNumberList/TelephoneNumber")) == count


@pytest.mark.parametrize(
    ("query", "found"),
    [("areaCode=17", ["5002"]), ("", ["5224"]), ("areaCode=617&quantity=some", ["5009"])],
)
async def test_a_search_that_cannot_be_made_is_a_400(query: str, found: list[str]) -> None:
    response = await ask(sandbox(), "GET", f"{SEARCH}?{query}")
    assert (response.status, codes(response)) == (400, found)


async def test_a_search_can_ask_for_details() -> None:
    query = "areaCode=617&quantity=1&enableTNDetail=true"
    response = await ask(sandbox(), "GET", f"{SEARCH}?{query}")
    assert b"<TelephoneNumberDetailList><TelephoneNumberDetail><FullNumber>6172000000" in (
        response.body.held
    )


async def test_every_account_has_a_site() -> None:
    response = await ask(sandbox(), "GET", "/api/accounts/9900012/sites")
    assert response.body == Body(
        f"{DECLARATION}<SitesResponse><Sites><Site><Id>743</Id><Name>Sandbox</Name></Site>"
        "</Sites></SitesResponse>".encode()
    )


@pytest.mark.parametrize(
    "target",
    ["/", "/api/accounts/9900012", f"{ORDERS}/", "/api/v2/accounts/9900012/orders", "*"],
)
async def test_anything_else_is_a_404_in_words(target: str) -> None:
    response = await ask(sandbox(), "GET", target)
    assert (response.status, response.headers) == (404, Headers.of([TEXT]))
    assert response.body.held.startswith(b"There is no such resource; the sandbox has ")


async def test_a_method_that_a_resource_lacks_is_a_405_that_names_those_it_has() -> None:
    response = await ask(sandbox(), "DELETE", ORDERS)
    allowed = (response.status, response.headers.get(b"Allow"), response.body.held)
    assert allowed == (405, b"GET, HEAD, POST", b"Only GET, HEAD, POST can be used here.\n")


async def test_head_is_get_without_its_body() -> None:
    service = sandbox()
    got = await ask(service, "GET", ORDERS)
    head = await ask(service, "HEAD", ORDERS)
    length = b"%d" % len(got.body.held)
    assert (head.status, head.body) == (200, Body())
    assert head.headers == got.headers.with_added(b"Content-Length", length)


async def test_a_body_may_come_as_a_stream_or_compressed() -> None:
    service = sandbox()
    plain = order(AREA).encode()
    await service.send(Request("POST", ORDERS, CREDENTIALS, Body(plain[:9], stream([plain[9:]]))))
    coded = zlib.compress(plain)
    headers = CREDENTIALS.with_added(b"Content-Encoding", b"deflate")
    await ask(service, "POST", ORDERS, coded, headers=headers)
    listed = await ask(service, "GET", ORDERS)
    assert b"<TotalCount>2</TotalCount>" in listed.body.held
    damaged = await ask(service, "POST", ORDERS, coded[:-4], headers=headers)
    assert (damaged.status, codes(damaged)) == (400, ["400"])


async def test_a_body_that_is_too_large_is_a_413_and_is_not_read_on() -> None:
    read: list[int] = []

    async def endless() -> AsyncGenerator[bytes, None]:
        while True:
            read.append(1)
            yield b" " * 65536

    response = await sandbox().send(Request("POST", ORDERS, CREDENTIALS, Body(b"", endless())))
    assert (response.status, codes(response), len(read)) == (413, ["413"], 17)


async def stream(pieces: list[bytes]) -> AsyncGenerator[bytes, None]:
    for piece in pieces:
        yield piece


async def test_equal_seeds_give_equal_answers_and_others_do_not() -> None:
    async def answers(seed: int) -> list[Response]:
        service = Sandbox(seed=seed, clock=lambda: CLOCK)
        created = [await ask(service, "POST", ORDERS, order(AREA)) for _ in range(3)]
        path = urlsplit(created[0].headers.get(b"Location") or b"").path.decode()
        return [*created, *[await ask(service, "GET", path) for _ in range(2)]]

    assert await answers(1) == await answers(1)
    assert await answers(1) != await answers(2)


async def test_the_oldest_order_is_forgotten_for_the_ten_thousand_and_first() -> None:
    service = sandbox()
    for _ in range(10_001):
        await ask(service, "POST", ORDERS, order(AREA))
    assert repr(service) == "<Sandbox http://sandbox.ordertape.test, 10000 orders>"
    statuses = [
        (await ask(service, "GET", f"{ORDERS}/{found}")).status for found in (FIRST, SECOND)
    ]
    assert statuses == [404, 200]


async def test_it_is_the_kind_of_upstream_whose_orders_are_no_evidence() -> None:
    service: Upstream = sandbox()
    assert (service.origin, service.url) == (Origin.SANDBOX, "http://sandbox.ordertape.test")
    await service.close()
