"""The gateway's own answers, as bytes and as clients read them."""

import json
import threading
from collections.abc import Callable
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from bandwidth_numbers import Account, Client
from bandwidth_numbers.utils.rest import RestError
from lxml import etree

from order_shapes import CLIENTS
from ordertape import errors
from ordertape.answers import render
from ordertape.errors import (
    AnswerTimeoutError,
    GatewayError,
    MalformedError,
    MethodNotAllowedError,
    NotSentError,
    UnavailableError,
    ViolatedError,
)
from ordertape.model import Response, Violation
from ordertape.order import read_order

DECLARATION = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
TWO = ViolatedError(
    (
        Violation("site-id", "5016", "/Order/SiteId", 1, "SiteId is x & not digits."),
        Violation("name", "1011", "/Order/Name", 1, "Name is too long."),
    )
)


def answer(
    error: GatewayError,
    *,
    order: bytes | None = None,
    xml: bool = True,
    accept: bytes | None = None,
) -> Response:
    read = None if order is None else read_order(order, None)
    return render(error, exchange_id="0198", order=read, xml=xml, accept=accept)


def text(response: Response) -> str:
    return response.body.held.decode()


def test_on_the_orders_route_the_answer_has_the_apis_own_form() -> None:
    order = (
        b"<!-- a -->\n<Order>\n  <SiteId>x</SiteId>\n <!-- b -->\n <Name>\xc3\xa9</Name>\n</Order>"
    )
    response = answer(TWO, order=order, accept=b"application/json")
    assert text(response) == (
        f"{DECLARATION}<OrderResponse><ErrorList>"
        "<Error><Code>5016</Code><Description>SiteId is x &amp; not digits.</Description></Error>"
        "<Error><Code>1011</Code><Description>Name is too long.</Description></Error>"
        "</ErrorList><Order><SiteId>x</SiteId><!-- b --><Name>é</Name></Order></OrderResponse>"
    )
    assert response.headers.pairs == (
        (b"Content-Type", b"application/xml; charset=utf-8"),
        (b"Cache-Control", b"no-store"),
        (b"Ordertape-Exchange", b"0198"),
        (b"Ordertape-State", b"refused"),
    )
    assert (response.status, response.reason, response.body.rest) == (400, b"Bad Request", None)


def test_the_echo_is_a_copy_of_the_order_as_normalised_and_empty_without_one() -> None:
    order = read_order(CLIENTS["node"], None)
    order.add(order.root, "PartialAllowed", "true")
    before = order.serialize()
    response = render(TWO, exchange_id="1", order=order, xml=True, accept=None)
    assert text(response).endswith(
        "<Order><SiteId>743</SiteId><AreaCodeSearchAndOrderType><AreaCode>617</AreaCode>"
        "<Quantity>2</Quantity></AreaCodeSearchAndOrderType>"
        "<PartialAllowed>true</PartialAllowed></Order></OrderResponse>"
    )
    assert order.serialize() == before
    assert text(answer(MalformedError("Broken."))) == (
        f"{DECLARATION}<OrderResponse><ErrorList><Error><Code>94000</Code>"
        "<Description>Broken.</Description></Error></ErrorList><Order/></OrderResponse>"
    )


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        (None, "text/plain"),
        (b"", "text/plain"),
        (b"*/*", "text/plain"),
        (b"image/png", "text/plain"),
        (b"application/json", "application/json"),
        (b"application/json, text/plain, */*", "application/json"),
        (b"text/plain, application/json", "text/plain"),
        (b"*/*, application/json", "text/plain"),
        (b"application/json, */*;q=0.8", "application/json"),
        (b"Application/JSON;charset=utf-8", "application/json"),
        (b"application/*", "application/json"),
        (b"text/*;q=0.1, application/json;q=0.2", "application/json"),
        (b"application/json;q=0, */*;q=0.1", "text/plain"),
        (b"application/json;q=nonsense", "text/plain"),
        (b"application/xml", "application/xml"),
        (b"text/xml, application/json;q=0.5", "application/xml"),
        (b"text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8", "application/xml"),
        (b"\xff;;q=,,", "text/plain"),
    ],
)
def test_elsewhere_the_client_chooses_the_form(accept: bytes | None, form: str) -> None:
    response = answer(NotSentError("Gone."), xml=False, accept=accept)
    assert response.headers.get(b"Content-Type") == f"{form}; charset=utf-8".encode()
    expected = {
        "text/plain": "Gone.\n",
        "application/json": '{"code": "95020", "description": "Gone.", "state": "failed"}',
        "application/xml": (
            f"{DECLARATION}<OrderResponse><ErrorList><Error><Code>95020</Code>"
            "<Description>Gone.</Description></Error></ErrorList><Order/></OrderResponse>"
        ),
    }
    assert text(response) == expected[form]


def test_headers_say_whether_it_was_sent_and_when_to_come_again() -> None:
    paused = answer(UnavailableError("Paused."))
    assert (paused.status, paused.headers.get(b"Retry-After")) == (503, b"5")
    late = answer(AnswerTimeoutError("Late."))
    assert late.headers.get(b"Ordertape-State") == b"in-doubt"
    assert late.headers.get(b"Retry-After") is None
    refused = answer(MethodNotAllowedError("No."), xml=False)
    assert refused.headers.get(b"Allow") == b"GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"


@pytest.mark.parametrize("accept", [b"text/plain", b"application/json", b"application/xml"])
def test_what_a_client_sent_never_breaks_an_answer(accept: bytes) -> None:
    sentence = "".join(map(chr, range(0x300))) + "\ud800\udcff\ufffe\uffff]]>\U0001f600"
    body = answer(MalformedError(sentence), xml=False, accept=accept).body.held
    told = {
        b"text/plain": lambda: body.decode().removesuffix("\n"),
        b"application/json": lambda: json.loads(body)["description"],
        b"application/xml": lambda: etree.fromstring(body).findtext(".//Description"),
    }[accept]()
    assert len(told) == len(sentence)
    assert told.endswith("\ufffd\ufffd\ufffd\ufffd]]>\U0001f600")
    assert "<&>" not in body.decode()
    assert "\x1b" not in body.decode()


def every_error() -> list[type[GatewayError]]:
    def below(kind: type[GatewayError]) -> list[type[GatewayError]]:
        return [kind, *(each for sub in kind.__subclasses__() for each in below(sub))]

    return [kind for kind in below(GatewayError) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", every_error())
def test_every_error_can_be_rendered_and_its_code_is_digits(kind: type[GatewayError]) -> None:
    error = TWO if kind is ViolatedError else kind("Words.")
    response = answer(error)
    assert response.reason == HTTPStatus(kind.status).phrase.encode()
    assert (etree.fromstring(response.body.held).findtext("ErrorList/Error/Code") or "").isdigit()


class _Answering(BaseHTTPRequestHandler):
    """Gives every order the answer of the server it belongs to."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        response: Response = self.server.answer  # type: ignore[attr-defined]
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name.decode(), value.decode())
        self.send_header("Content-Length", str(len(response.body.held)))
        self.end_headers()
        self.wfile.write(response.body.held)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        """Say nothing."""


def answered(response: Response, call: Callable[[str], object]) -> None:
    """Make a call against a server that gives this response."""
    with HTTPServer(("127.0.0.1", 0), _Answering) as server:
        server.answer = response  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.handle_request)
        thread.start()
        try:
            call(f"http://127.0.0.1:{server.server_port}/api")
        finally:
            thread.join(10)


def test_the_python_sdk_reads_it_as_its_own_error() -> None:
    def order(url: str) -> None:
        account = Account(client=Client(url=url, account_id="1", username="u", password="p"))
        with pytest.raises(RestError) as refusal:
            account.orders.create({"name": "x", "site_id": "y"})
        assert str(refusal.value) == "5016 Iris error: SiteId is x & not digits."

    answered(answer(TWO, order=CLIENTS["python"]), order)
