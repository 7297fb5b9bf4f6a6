"""Recorded and asked requests as they are matched: normalised by the rules in force."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache

from ordertape import admission
from ordertape.admission import Policy
from ordertape.cassette.storing import stored_key
from ordertape.errors import RefusedError
from ordertape.explaining import Seen
from ordertape.model import Body, Headers, Kind, Message, Request
from ordertape.order import Order
from ordertape.redaction import DIGEST, Redaction
from ordertape.route import Route, classify
from ordertape.store.reading import Reader, Recorded
from ordertape.upstream.replay.keys import Keyless, Store

__all__ = ["admitted", "asked", "keyed", "keyless", "recorded"]

_DIGEST_BYTES = re.compile(DIGEST.pattern.encode())


def keyed(reader: Reader, policy: Policy, redaction: Redaction) -> Iterator[tuple[Recorded, str]]:
    """Each completed exchange with its key by the rules in force."""
    for exchange in reader.completed():
        stored = stored_key(exchange, policy, redaction, policy.matching)
        if stored is not None:
            yield exchange, stored
        elif (seen := recorded(reader, exchange.seq, policy, redaction)) is not None:
            yield exchange, seen.key(policy.matching)


def keyless(
    store: Store, last: int, policy: Policy, redaction: Redaction
) -> Iterator[tuple[Keyless, str]]:
    """Each completed exchange, up to that number, that has no key of its own, with the one it gets.

    A body that was still coming when it was recorded could not be recognised then.
    """
    for exchange in store.keyless(last):
        seen = recorded(store, exchange.seq, policy, redaction)
        if seen is not None:
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
        DIGEST.sub("redacted", redaction.constant_target(request.target)),
        Headers.of((name, _DIGEST_BYTES.sub(b"redacted", value)) for name, value in headers),
        request.body.held,
        order,
    )
