"""Recorded and asked requests as they are matched: normalised by the rules in force."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ordertape import admission, canonical
from ordertape.admission import Policy
from ordertape.errors import RefusedError
from ordertape.explaining import Seen
from ordertape.model import Body, Headers, Kind, Message, Request
from ordertape.order import Order
from ordertape.redaction import Redaction
from ordertape.route import Route, classify
from ordertape.store.reading import Reader, Recorded

__all__ = ["admitted", "asked", "keyed", "recorded"]

_DIGEST = re.compile(r"ordertape:[0-9a-f]{8}:[0-9a-f]{16}")  # what redaction leaves of a secret
_DIGEST_BYTES = re.compile(_DIGEST.pattern.encode())


def keyed(reader: Reader, policy: Policy, redaction: Redaction) -> Iterator[tuple[Recorded, str]]:
    """Each completed exchange with its key by the rules in force.

    The key that was stored is that key where rules, redaction, the options of matching and the
    version of keys are the same.
    """
    for exchange in reader.completed():
        stored, target = exchange.match_key, exchange.target
        if (
            stored
            and canonical.is_current(stored, policy.matching)
            and exchange.rules_version == policy.rules.version
            and _DIGEST.sub("redacted", target) == redaction.constant_target(target)
        ):
            yield exchange, stored
        elif (seen := recorded(reader, exchange.seq, policy, redaction)) is not None:
            yield exchange, seen.key(policy.matching)


def recorded(reader: Reader, seq: int, policy: Policy, redaction: Redaction) -> Seen | None:
    """A recorded request; None where it was not kept whole."""
    received = reader.message(seq, "received")
    if received is None or received.truncated:
        return None
    request = _request(received)
    route = _route(request.method, request.target)
    order = _order(request, policy) if route.kind is Kind.ORDER else None
    if order is not None:
        try:
            policy.rules.apply(order, route.account)
        except RefusedError:
            order = None  # the rules in force refuse it: it will never be asked for
    return _seen(request, order, redaction)


def admitted(request: Request, policy: Policy) -> Request:
    """The request as it would leave, an order normalised. Errors: RefusedError."""
    route = classify(request.method, request.target)
    if route.error is not None:
        raise route.error
    if route.kind is not Kind.ORDER:
        return request
    judged = admission.judge(admission.read(request, policy), request, policy, route.account)
    if judged.refusal is not None:
        raise judged.refusal
    return judged.forward


def asked(request: Request, policy: Policy, redaction: Redaction) -> Seen:
    """A request that is to be answered: the gateway has normalised it."""
    is_order = _route(request.method, request.target).kind is Kind.ORDER
    return _seen(request, _order(request, policy) if is_order else None, redaction)


@lru_cache(maxsize=1024)
def _route(method: str, target: str) -> Route:
    return classify(method, target)


def _request(received: Message) -> Request:
    method, target, _ = (*received.line.decode("utf-8", "surrogateescape").split(" ", 2), "")[:3]
    return Request(method, target, received.headers, Body(received.body))


def _order(request: Request, policy: Policy) -> Order | None:
    try:
        return admission.read(request, policy)
    except RefusedError:
        return None


def _seen(request: Request, order: Order | None, redaction: Redaction) -> Seen:
    headers = admission.constant_headers(request.headers, redaction)
    return Seen(
        request.method,
        _DIGEST.sub("redacted", redaction.constant_target(request.target)),
        Headers.of((name, _DIGEST_BYTES.sub(b"redacted", value)) for name, value in headers),
        request.body.held,
        order,
    )
