"""The service's answers as XML: compact, since clients read texts without trimming them.

Clients find `<ErrorList>` as a child of the root, and in an `<Error>` its first two elements by
position. Source: clients-and-orders.md, Answers; orders-api.md, Example.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from xml.sax.saxutils import escape

from ordertape.model import Body, Headers, Response
from ordertape.upstream.sandbox.limits import Problem
from ordertape.upstream.sandbox.numbers import Result
from ordertape.upstream.sandbox.reading import Asked, OrderType

USER = "sandbox"
"""Who placed every order: credentials are not looked at."""

_DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'


def xml(status: int, document: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Response:
    """A response with an XML document."""
    return _response(status, "application/xml", _DECLARATION + document, headers)


def text(status: int, sentence: str, headers: Iterable[tuple[bytes, bytes]] = ()) -> Response:
    """A response with one sentence."""
    return _response(status, "text/plain", sentence + "\n", headers)


def refused(status: int, problems: Iterable[Problem], echo: str = "") -> Response:
    """An error in the API's form."""
    return xml(status, node("OrderResponse", _error_list(problems), echo))


def order(asked: Asked, *, created: str, order_id: str | None = None) -> str:
    """The echo of an order, under the specification's names; a refused one has no id."""
    common = asked.common
    return node(
        "Order",
        _leaf("CustomerOrderId", common.get("CustomerOrderId")),
        _leaf("id", order_id),
        _leaf("Name", common.get("Name")),
        _leaf("OrderCreateDate", created),
        _leaf("PeerId", common.get("PeerId")),
        _leaf("BackOrderRequested", common.get("BackOrderRequested")),
        *(_order_type(kind) for kind in asked.types),
        _list("TnAttributes", "TnAttribute", asked.attributes),
        _leaf("PartialAllowed", common.get("PartialAllowed")),
        _leaf("SiteId", common.get("SiteId")),
    )


def received(echo: str) -> str:
    """An order that is taken and not yet worked on."""
    return node("OrderResponse", echo, _leaf("OrderStatus", "RECEIVED"))


def settled(echo: str, result: Result, numbers: Sequence[str], *, modified: str) -> str:
    """An order that was worked on: its numbers, and what it did not get."""
    full = "".join(node("TelephoneNumber", _leaf("FullNumber", number)) for number in numbers)
    pending = _leaf("PendingQuantity", str(result.pending)) if result.pending else ""
    return node(
        "OrderResponse",
        _leaf("CompletedQuantity", str(result.completed)),
        _leaf("CreatedByUser", USER),
        _error_list(result.problems) if result.problems else "",
        _list("FailedNumbers", "FullNumber", result.failed_numbers),
        _leaf("LastModifiedDate", modified),
        _leaf("OrderCompleteDate", None if result.pending else modified),
        echo,
        _leaf("OrderStatus", result.status),
        node("CompletedNumbers", full) if full else "",
        _leaf("FailedQuantity", str(result.failed)),
        pending,
    )


def listed_order(order_id: str, created: str, status: str, completed: int) -> str:
    """One row of the list of orders."""
    return node(
        "OrderIdUserIdDate",
        _leaf("CountOfTNs", str(completed)),
        _leaf("userId", USER),
        _leaf("lastModifiedDate", created),
        _leaf("OrderType", "new_number"),
        _leaf("OrderDate", created),
        _leaf("orderId", order_id),
        _leaf("OrderStatus", status),
    )


def order_list(total: int, rows: Iterable[str], first: str, following: str | None) -> str:
    """A page of the list of orders; `first` and `following` are URLs of pages."""
    links = _leaf("first", f'Link=<{first}>;rel="first";')
    if following is not None:
        links += _leaf("next", f'Link=<{following}>;rel="next";')
    inner = node(
        "ListOrderIdUserIdDate", _leaf("TotalCount", str(total)), node("Links", links), *rows
    )
    return node("ResponseSelectWrapper", inner)


def search_result(numbers: Sequence[str], *, detail: bool) -> str:
    """The numbers that a search found."""
    found = (
        node(
            "TelephoneNumberDetailList",
            *(node("TelephoneNumberDetail", _leaf("FullNumber", number)) for number in numbers),
        )
        if detail
        else node("TelephoneNumberList", *(_leaf("TelephoneNumber", n) for n in numbers))
    )
    return node("SearchResult", _leaf("ResultCount", str(len(numbers))), found)


def search_refused(problems: Iterable[Problem]) -> Response:
    """A search that cannot be made."""
    return xml(400, node("SearchResult", _error_list(problems)))


def sites(site_id: str) -> str:
    """The one site that every account has."""
    site = node("Site", _leaf("Id", site_id), _leaf("Name", "Sandbox"))
    return node("SitesResponse", node("Sites", site))


def node(name: str, *children: str) -> str:
    """An element around finished XML."""
    inner = "".join(children)
    return f"<{name}>{inner}</{name}>" if inner else f"<{name}/>"


def _leaf(name: str, value: str | None) -> str:
    """An element around a text; nothing for None."""
    return "" if value is None else node(name, escape(value, {"\r": "&#13;"}))


def _list(name: str, item: str, values: Sequence[str]) -> str:
    """A list of texts; nothing for an empty one."""
    return node(name, *(_leaf(item, value) for value in values)) if values else ""


def _error_list(problems: Iterable[Problem]) -> str:
    errors = (
        node(
            "Error",
            _leaf("Code", problem.code),
            _leaf("Description", problem.sentence),
            _leaf("TelephoneNumber", problem.number),
        )
        for problem in problems
    )
    return node("ErrorList", *errors)


def _order_type(kind: OrderType) -> str:
    return node(
        kind.name,
        *(_leaf(name, value) for name, value in kind.criteria),
        _list("TelephoneNumberList", "TelephoneNumber", kind.numbers),
        _list("ReservationIdList", "ReservationId", kind.reservations),
    )


def _response(
    status: int, media_type: str, content: str, headers: Iterable[tuple[bytes, bytes]]
) -> Response:
    content_type = (b"Content-Type", f"{media_type}; charset=utf-8".encode())
    return Response(
        status=status,
        reason=HTTPStatus(status).phrase.encode(),
        headers=Headers.of((content_type, *headers)),
        body=Body(content.encode()),
    )
