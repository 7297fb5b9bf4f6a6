"""The gateway's own answers: the one place that turns an error into a response.

Bodies hold neither id nor time, so that they replay equal; the headers do.
Source: clients-and-orders.md, "The error that the gateway itself gives on an XML order".
"""

from __future__ import annotations

import json
import re
from http import HTTPStatus
from xml.sax.saxutils import escape

from lxml import etree

from ordertape.errors import (
    GatewayError,
    MethodNotAllowedError,
    NoRecordingError,
    OverQuotaError,
    ViolatedError,
)
from ordertape.model import Body, Headers, Response
from ordertape.order import XML_BLANKS, Order
from ordertape.order.parsing import copied

_XML = "application/xml"
_JSON = "application/json"
_TEXT = "text/plain"
_FORMS = (_TEXT, _JSON, _XML)
"""What an answer off the orders route may be, the default first."""

_EQUIVALENT = {"text/xml": _XML}
_METHODS = b"GET, HEAD, OPTIONS, POST, PUT, PATCH, DELETE"
# What XML 1.0 section 2.2 does not let into a document, not even as a reference.
_NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def render(
    error: GatewayError,
    *,
    exchange_id: str,
    order: Order | None,
    xml: bool,
    accept: bytes | None,
) -> Response:
    """The response to a request that the gateway answers for itself.

    `xml`: the request was on the orders resource, where clients read the API's XML form and no
    other. Elsewhere `accept` (RFC 9110 section 12.5.1) chooses text, JSON or that form. `order` is
    echoed as normalised; without it the echo is empty.
    """
    form = _XML if xml else _chosen(accept)
    headers = [
        (b"Content-Type", f"{form}; charset=utf-8".encode()),
        (b"Cache-Control", b"no-store"),
        (b"Ordertape-Exchange", exchange_id.encode()),
        (b"Ordertape-State", error.state.token.encode()),
    ]
    if error.retry_after is not None:
        headers.append((b"Retry-After", str(error.retry_after).encode()))
    if isinstance(error, MethodNotAllowedError):
        headers.append((b"Allow", _METHODS))
    headers += error.headers
    return Response(
        status=error.status,
        reason=HTTPStatus(error.status).phrase.encode(),
        headers=Headers.of(headers),
        body=Body(_body(form, error, order).encode()),
    )


def _body(form: str, error: GatewayError, order: Order | None) -> str:
    problems = _problems(error)
    if form == _XML:
        return _as_xml(problems, order)
    description = " ".join(sentence for _, sentence in problems)
    miss = error if isinstance(error, NoRecordingError) else None
    if form == _JSON:
        said: dict[str, object] = {
            "code": problems[0][0],
            "description": description,
            "state": error.state.token,
        }
        if miss is not None and miss.facts is not None:
            said["nearest"] = miss.facts
        return _NOT_XML.sub("\ufffd", json.dumps(said, ensure_ascii=False))
    if miss is not None:
        return "".join(f"{sentence}\n" for _, sentence in problems)
    return f"{description}\n"


def _problems(error: GatewayError) -> list[tuple[str, str]]:
    """(code, sentence) of everything that is wrong, without characters that no form can hold."""
    if isinstance(error, ViolatedError) and error.violations:
        found = [(violation.code, violation.message) for violation in error.violations]
    elif isinstance(error, OverQuotaError):
        found = [(error.code, sentence) for sentence in error.sentences]
    elif isinstance(error, NoRecordingError):
        found = [(error.code, sentence) for sentence in (str(error), *error.told)]
    else:
        found = [(error.code, str(error))]
    return [(code, _NOT_XML.sub("\ufffd", sentence)) for code, sentence in found]


def _as_xml(problems: list[tuple[str, str]], order: Order | None) -> str:
    """ErrorList first, in each Error first Code: SDKs read them by position and do not trim."""
    errors = "".join(
        f"<Error><Code>{escape(code)}</Code><Description>{escape(sentence)}</Description></Error>"
        for code, sentence in problems
    )
    echo = "<Order/>" if order is None else _compact(order)
    return (
        '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>'
        f"<OrderResponse><ErrorList>{errors}</ErrorList>{echo}</OrderResponse>"
    )


def _compact(order: Order) -> str:
    """The order without its indentation."""
    root = copied(order.root)
    for node in root.iter():
        if node.tail is not None and not node.tail.strip(XML_BLANKS):
            node.tail = None
        if len(node) and node.text is not None and not node.text.strip(XML_BLANKS):
            node.text = None
    return etree.tostring(root, encoding="unicode", with_tail=False)


def _chosen(accept: bytes | None) -> str:
    """The form that the client likes best; of several the one it names first, or the default."""
    if accept is None:
        return _TEXT
    ranges = [_media_range(member) for member in accept.decode("latin-1").lower().split(",")]
    return max(_FORMS, key=lambda form: _liking(form, ranges))


def _media_range(member: str) -> tuple[str, float]:
    name, *parameters = (part.strip() for part in member.split(";"))
    quality = next((part[2:] for part in parameters if part.startswith("q=")), "1")
    try:
        return _EQUIVALENT.get(name, name), min(max(float(quality), 0.0), 1.0)
    except ValueError:
        return name, 0.0


def _liking(form: str, ranges: list[tuple[str, float]]) -> tuple[float, int]:
    """The weight of the most specific range that holds this form, then how early it stands."""
    for wanted in (form, f"{form.partition('/')[0]}/*", "*/*"):
        weights = [(weight, -at) for at, (name, weight) in enumerate(ranges) if name == wanted]
        if weights:
            weight, early = max(weights)
            return weight, early if weight else 0
    return 0.0, 0
