"""What an answer says of the numbers that the service gave, and what it leaves in doubt."""

import gzip

import pytest

from ordertape.giving import charge, kept
from ordertape.model import Body, Charge, Headers, Response
from ordertape.upstream.sandbox.answers import Result, settled


def answered(inner: str, *headers: tuple[bytes, bytes]) -> Response:
    body = f"<OrderResponse>{inner}</OrderResponse>".encode()
    return Response(201, headers=Headers.of(headers), body=Body(body))


ECHO = "<Order><BackOrderRequested>false</BackOrderRequested><SiteId>743</SiteId></Order>"
BLANKS = "<OrderStatus>\n FAILED </OrderStatus><CompletedQuantity> 007\t</CompletedQuantity>"
PARTIAL = "<CompletedQuantity>3</CompletedQuantity><OrderStatus>PARTIAL</OrderStatus>"


@pytest.mark.parametrize(
    ("inner", "given"),
    [
        ("<CompletedQuantity>10</CompletedQuantity><OrderStatus>COMPLETE</OrderStatus>", 10),
        (PARTIAL, 3),
        ("<CompletedQuantity>0</CompletedQuantity><OrderStatus>FAILED</OrderStatus>", 0),
        (BLANKS, 7),
    ],
    ids=["all of it", "less", "none", "blanks and zeros"],
)
def test_a_service_that_is_done_says_how_many_it_gave(inner: str, given: int) -> None:
    assert kept(answered(inner), 10, back_ordered=False) == given


@pytest.mark.parametrize(
    "inner",
    [
        "<CompletedQuantity>3</CompletedQuantity><OrderStatus>RECEIVED</OrderStatus>",
        "<CompletedQuantity>3</CompletedQuantity><OrderStatus>BACKORDERED</OrderStatus>",
        "<CompletedQuantity>3</CompletedQuantity><OrderStatus>complete</OrderStatus>",
        "<CompletedQuantity>3</CompletedQuantity>",
        "<OrderStatus>COMPLETE</OrderStatus>",
        f"{PARTIAL}<CompletedQuantity>3</CompletedQuantity>",
        f"{PARTIAL}<OrderStatus>PARTIAL</OrderStatus>",
        f"{PARTIAL}<OrderStatus>RECEIVED</OrderStatus>",
        f"{PARTIAL}<Order><BackOrderRequested> true </BackOrderRequested></Order>",
        "<CompletedQuantity>11</CompletedQuantity><OrderStatus>COMPLETE</OrderStatus>",
        "<CompletedQuantity>-1</CompletedQuantity><OrderStatus>COMPLETE</OrderStatus>",
        "<CompletedQuantity>3.0</CompletedQuantity><OrderStatus>COMPLETE</OrderStatus>",
        "<CompletedQuantity>٣</CompletedQuantity><OrderStatus>COMPLETE</OrderStatus>",
        "<CompletedQuantity></CompletedQuantity><OrderStatus>COMPLETE</OrderStatus>",
        "<CompletedQuantity>1<!-- -->0</CompletedQuantity><OrderStatus>COMPLETE</OrderStatus>",
        "<CompletedQuantity>3<b/></CompletedQuantity><OrderStatus>COMPLETE</OrderStatus>",
        f"{PARTIAL}<unclosed>",
    ],
)
def test_an_answer_that_leaves_it_in_doubt_keeps_the_whole_cost(inner: str) -> None:
    assert kept(answered(inner), 10, back_ordered=False) is None


@pytest.mark.parametrize(
    "inner",
    [
        "<Order><CompletedQuantity>0</CompletedQuantity></Order><OrderStatus>COMPLETE</OrderStatus>",
        "<CompletedQuantity>0</CompletedQuantity><Order><OrderStatus>COMPLETE</OrderStatus></Order>",
        f"{PARTIAL}<Order><CompletedQuantity>0</CompletedQuantity></Order>",
        f"{PARTIAL}<Order><OrderStatus>PARTIAL</OrderStatus></Order>",
        f"<Order>{PARTIAL}</Order>",
    ],
)
def test_what_a_client_has_written_into_its_order_refunds_nothing(inner: str) -> None:
    """The service echoes the order, elements that it does not know perhaps as well."""
    assert kept(answered(inner), 10, back_ordered=False) is None


def test_an_order_that_may_be_filled_later_keeps_its_cost() -> None:
    assert kept(answered(PARTIAL), 10, back_ordered=True) is None


def test_a_compressed_answer_is_read() -> None:
    plain = answered(PARTIAL)
    packed = Response(
        201,
        headers=Headers.of([(b"Content-Encoding", b"gzip")]),
        body=Body(gzip.compress(plain.body.held)),
    )
    assert kept(packed, 10, back_ordered=False) == 3


@pytest.mark.parametrize("coding", [b"gzip", b"br", b"gzip, gzip"])
def test_an_answer_that_is_not_coded_as_it_says_keeps_the_whole_cost(coding: bytes) -> None:
    response = answered(PARTIAL, (b"Content-Encoding", coding))
    assert kept(response, 10, back_ordered=False) is None


def test_an_answer_too_large_to_be_read_keeps_the_whole_cost() -> None:
    assert kept(answered(f"{PARTIAL}<a>{'x' * (1 << 20)}</a>"), 10, back_ordered=False) is None


def test_what_the_sandbox_says_of_an_order_that_it_worked_on_is_understood() -> None:
    result = Result(
        status="PARTIAL", completed=4, failed=6, pending=0, problems=(), failed_numbers=()
    )
    document = settled(ECHO, result, ["9195550100"] * 4, modified="2014-07-11T17:13:57.788Z")
    response = Response(200, body=Body(document.encode()))
    assert kept(response, 10, back_ordered=False) == 4


def test_the_status_says_what_becomes_of_the_cost() -> None:
    found = {status: charge(status, {503}) for status in (200, 201, 204, 302, 400, 409, 500, 503)}
    assert found == {
        200: Charge.KEPT,
        201: Charge.KEPT,
        204: Charge.KEPT,
        302: Charge.UNKNOWN,
        400: Charge.REFUNDED,
        409: Charge.REFUNDED,
        500: Charge.UNKNOWN,
        503: Charge.REFUNDED,
    }
    assert charge(503) is Charge.UNKNOWN
