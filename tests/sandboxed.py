"""Asking the sandbox directly, and the orders that its tests ask it for."""

from datetime import UTC, datetime
from urllib.parse import urlsplit

from lxml import etree

from ordertape.model import Body, Headers, Request, Response
from ordertape.upstream import Upstream
from ordertape.upstream.sandbox import Sandbox

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


def written(order_type: str | tuple[str, str]) -> str:
    return order_type if isinstance(order_type, str) else searched(*order_type)


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
COMBINED = "CombinedSearchAndOrderType"
VANITY = "<AreaCode>617</AreaCode><LocalVanity>cars</LocalVanity>"
UUID = "34adcd9f-2c4a-4631-9dae-d1f318ed57bc"


def with_numbers(*numbers: str, reservation: str = UUID) -> str:
    listed = "".join(f"<TelephoneNumber>{number}</TelephoneNumber>" for number in numbers)
    return order(
        searched(
            "ExistingTelephoneNumberOrderType",
            f"<TelephoneNumberList>{listed}</TelephoneNumberList><ReservationIdList>"
            f"<ReservationId>{reservation}</ReservationId></ReservationIdList>",
        )
    )
