"""The sandbox, asked directly: whole answers for every resource and every order type."""

import re
import zlib
from collections.abc import AsyncGenerator
from urllib.parse import urlsplit

import pytest
from lxml import etree

from ordertape.model import Body, Headers, Origin, Request, Response
from ordertape.upstream import Upstream
from ordertape.upstream.sandbox import Sandbox
from sandboxed import (
    AREA,
    CLOCK,
    COMBINED,
    CREATED,
    CREDENTIALS,
    DECLARATION,
    FIRST,
    LISTED,
    ORDERS,
    SECOND,
    TEXT,
    VANITY,
    XML,
    ask,
    codes,
    document,
    echo,
    order,
    outcome,
    sandbox,
    searched,
    with_numbers,
    written,
)

RATE_CENTER = "RateCenterSearchAndOrderType"
NPANXX, NPANXXX = "NPANXXSearchAndOrderType", "NPANXXXSearchAndOrderType"
VANITY_TYPE, WILD = "TollFreeVanitySearchAndOrderType", "TollFreeWildCharSearchAndOrderType"
STATE, CITY = "StateSearchAndOrderType", "CitySearchAndOrderType"
ZIP, LATA = "ZIPSearchAndOrderType", "LATASearchAndOrderType"
ONE, TWO, MOST = (f"<Quantity>{count}</Quantity>" for count in (1, 2, 5000))
LCA, NO_LCA = "<EnableLCA>true</EnableLCA>", "<EnableLCA>false</EnableLCA>"
RALEIGH = "<RateCenter>RALEIGH</RateCenter><State>NC</State>"
SAINT_JOHN = "<City>Saint &amp; John</City><State>nb</State><Quantity>007</Quantity>"
NEW_CARS = "<TollFreeVanity>newcars</TollFreeVanity>"
DETAIL = "<EnableTNDetail>true</EnableTNDetail>"
NPA = "<NpaNxx>919439</NpaNxx>"
PYTHON = f"<EnableLca>false</EnableLca>{NPA}{ONE}"
EIGHT_SEVEN = "<TollFreeWildCharPattern>87*</TollFreeWildCharPattern>"
CARD = "<TollFreeWildCardPattern>87*</TollFreeWildCardPattern>"

TYPES = [
    # (as sent, as echoed with its defaults, what its numbers look like, how many)
    (AREA, AREA, "617[2-9][0-9]{6}", 1),
    (LISTED, LISTED, "9193752369|9193752720", 2),
    ((RATE_CENTER, RALEIGH + TWO), (RATE_CENTER, RALEIGH + TWO + LCA), "919[2-9][0-9]{6}", 2),
    ((NPANXX, NPA + ONE), (NPANXX, NPA + ONE + LCA), "919439[0-9]{4}", 1),
    ((NPANXX, DETAIL + NPA + ONE), (NPANXX, DETAIL + NPA + ONE + LCA), "919439[0-9]{4}", 1),
    (("NpanxxSearchAndOrderType", PYTHON), (NPANXX, NO_LCA + NPA + ONE), "919439[0-9]{4}", 1),
    (
        (NPANXXX, "<NpaNxxX>9194391</NpaNxxX>"),
        (NPANXXX, f"<NpaNxxX>9194391</NpaNxxX>{LCA}{MOST}"),
        "9194391[0-9]{3}",
        1000,
    ),
    ((VANITY_TYPE, ONE + NEW_CARS), (VANITY_TYPE, ONE + NEW_CARS), "8[0-8]{2}6392277", 1),
    ((WILD, TWO + EIGHT_SEVEN), (WILD, TWO + CARD), "877[2-9][0-9]{6}", 2),
    ((STATE, "<State>NC</State>"), (STATE, f"<State>NC</State>{MOST}"), "919[0-9]{7}", 1000),
    ((CITY, SAINT_JOHN), (CITY, SAINT_JOHN), "506[2-9][0-9]{6}", 7),
    ((ZIP, f"<Zip>27606-1234</Zip>{ONE}"), (ZIP, f"<Zip>27606-1234</Zip>{ONE}"), "[0-9]{10}", 1),
    ((LATA, f"<LATA>224</LATA>{ONE}"), (LATA, f"<Lata>224</Lata>{ONE}"), "[0-9]{10}", 1),
    (
        (COMBINED, VANITY + ONE),
        (COMBINED, f"{VANITY}{ONE}<EndsIn>false</EndsIn>"),
        "617[2-9][0-9]{2}2277",
        1,
    ),
]


@pytest.mark.parametrize(("sent", "echoed", "looks", "count"), TYPES, ids=lambda v: str(v)[:30])
async def test_an_order_of_each_type_is_created_then_received_then_has_its_numbers(
    sent: str | tuple[str, str], echoed: str | tuple[str, str], looks: str, count: int
) -> None:
    service = sandbox()
    created = await ask(service, "POST", ORDERS, order(written(sent)))
    received = document(f"{echo(written(echoed))}<OrderStatus>RECEIVED</OrderStatus>")
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
