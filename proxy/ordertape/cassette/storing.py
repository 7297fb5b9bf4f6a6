"""Interactions into a store, where they are found by their keys like whatever else was recorded."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from ordertape import __version__, admission, canonical, giving, transcript
from ordertape.admission import Judgement, Policy
from ordertape.cassette import urls
from ordertape.cassette.interaction import CassetteError, Interaction
from ordertape.cassette.ordinals import ORDINAL
from ordertape.errors import RefusedError, StartUpError
from ordertape.matching import DEFAULT, Matching
from ordertape.model import (
    Body,
    Exchange,
    Headers,
    Kind,
    Message,
    Origin,
    Outcome,
    Request,
    Response,
    State,
)
from ordertape.redaction import DIGEST, Redaction
from ordertape.route import Route, classify
from ordertape.store.connection import sqlite3
from ordertape.store.group import Stamp
from ordertape.store.reading import Recorded
from ordertape.store.settings import SCRATCH, StoreSettings
from ordertape.store.startup import open_to_write

__all__ = ["Recognised", "into_store", "recognised", "stored_key"]

_AT_ONCE = 500  # interactions whose rows are in memory together


@dataclass(frozen=True, slots=True)
class Recognised:
    """What a recorded request is: its route, what the rules make of an order, and its key."""

    route: Route
    key: str
    judged: Judgement | None = None


def recognised(
    request: Request, policy: Policy, redaction: Redaction, matching: Matching = DEFAULT
) -> Recognised:
    """The key by the rules in force. An order that cannot be read is found by its bytes only."""
    route = classify(request.method, request.target)
    if route.kind is not Kind.ORDER or route.error is not None:
        return Recognised(route, admission.match_key(request, None, redaction, matching))
    try:
        judged = admission.judge(admission.read(request, policy), request, policy, route.account)
    except RefusedError:
        return Recognised(route, admission.match_key(request, None, redaction, matching))
    key = admission.match_key(judged.forward, judged.leaves, redaction, matching)
    return Recognised(route, key, judged)


def stored_key(
    recorded: Recorded, policy: Policy, redaction: Redaction, matching: Matching = DEFAULT
) -> str | None:
    """The key that was stored, where the rules in force would make the same; else None.

    They would where rules, redaction, the options of matching and the version of keys are the same.
    """
    key, target = recorded.match_key, recorded.target
    if (
        key
        and canonical.is_current(key, matching)
        and recorded.rules_version == policy.rules.version
        and DIGEST.sub("redacted", target) == redaction.constant_target(target)
    ):
        return key
    return None


def into_store(
    database: Path,
    interactions: Iterable[Interaction],
    policy: Policy,
    redaction: Redaction,
    *,
    settings: StoreSettings = SCRATCH,
    keep_answers: bool = False,
    upstreams: Sequence[str] = (),
) -> int:
    """Add them, as completed exchanges of origin `recorded`, all or none; how many there were.

    The store is made where there is none. `keep_answers` is for scratch stores whose answers are
    given to clients: these keep their cookies and other secrets, and keys go by the options of
    matching in force, not by the default. `upstreams` are base URLs: what an interaction's URL has
    behind the one that it begins with is its target, else what it has behind its authority.
    Errors: StartUpError, also while a gateway writes the store.
    """
    into = _Into(policy, redaction, keep_answers, tuple(upstreams))
    stamp = Stamp(__version__, str(uuid.uuid4()), settings.clock)
    opened = open_to_write(database, settings, stamp)
    with ExitStack() as undo:
        undo.callback(opened.lock.release)
        undo.callback(opened.connection.close)
        try:
            return _written(opened.connection, iter(interactions), into, stamp)
        except sqlite3.Error as error:
            raise StartUpError(
                f"The store {database} cannot be written ({error}), and nothing was added; mend "
                "that, or name another with --db."
            ) from error


@dataclass(frozen=True, slots=True)
class _Into:
    policy: Policy
    redaction: Redaction
    keep_answers: bool
    upstreams: tuple[str, ...]


def _written(
    connection: sqlite3.Connection, rest: Iterator[Interaction], into: _Into, stamp: Stamp
) -> int:
    """One transaction, planned piece by piece: a cassette may be larger than memory."""
    count = 0
    connection.execute("BEGIN IMMEDIATE")
    try:
        while some := list(islice(rest, _AT_ONCE)):
            batch = stamp.batch(connection)
            for one in some:
                batch.record(*_exchange(one, into))
            batch.write(connection)
            count += len(some)
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
    return count


def _exchange(one: Interaction, into: _Into) -> tuple[Exchange, Outcome]:
    upstream, target = _taken_apart(one.url, into.upstreams)
    request = Request(one.method, target, one.request_headers, Body(one.request_body))
    matching = into.policy.matching if into.keep_answers else DEFAULT
    known = recognised(request, into.policy, into.redaction, matching)
    kept = _ordinals_kept(into.redaction.target(target), target, into.redaction)
    message = transcript.request_message(request, kept, into.redaction)
    started = transcript.moment() if one.started_at is None else one.started_at
    exchange = Exchange(
        id=transcript.exchange_id(),
        received_at=started,
        kind=known.route.kind,
        origin=Origin.RECORDED,
        upstream=upstream,
        method=one.method,
        target=kept,
        peer="",
        received=replace(
            message, headers=_headers(message.headers, one.request_headers, into.redaction)
        ),
        account=known.route.account,
        match_key=known.key,
        rules_version=into.policy.rules.version,
    )
    if known.judged is not None:
        order = known.judged.leaves
        exchange = replace(
            exchange,
            order_type=order.order_type,
            customer_order_id=order.customer_order_id,
            quantity=order.quantity,
            cost=known.judged.cost,
        )
    return exchange, _outcome(one, started + (one.duration or 0), known.route.kind, into)


def _outcome(one: Interaction, at: int, kind: Kind, into: _Into) -> Outcome:
    headers = one.headers
    if not into.keep_answers:
        headers = _headers(into.redaction.headers(headers), headers, into.redaction)
    line = b"HTTP/1.1 %d %b" % (one.status, one.reason)
    digest = hashlib.sha256(one.body).digest()
    ordered = kind is Kind.ORDER
    return Outcome(
        State.COMPLETED,
        at,
        status=one.status,
        answered=Message(line, headers, one.body, len(one.body), digest),
        order_id=transcript.order_id(Response(one.status, headers=headers)) if ordered else None,
        charge=giving.charge(one.status) if ordered else None,
    )


def _headers(redacted: Headers, original: Headers, redaction: Redaction) -> Headers:
    if redacted is original:
        return original
    return Headers.of(
        (
            name,
            _ordinals_kept(value.decode("latin-1"), before.decode("latin-1"), redaction).encode(
                "latin-1"
            ),
        )
        for (name, value), (_, before) in zip(redacted, original, strict=True)
    )


def _ordinals_kept(redacted: str, original: str, redaction: Redaction) -> str:
    """An ordinal that a cassette has in a secret's place is none: it stays, and equal to others."""
    if redacted != original:
        for ordinal in set(ORDINAL.findall(original)):
            redacted = redacted.replace(redaction.fingerprint(ordinal.encode()), ordinal)
    return redacted


def _taken_apart(url: str, upstreams: Sequence[str]) -> tuple[str, str]:
    """The base of a URL, credentials in it left out, and the rest of it."""
    found = urls.behind(url, upstreams) or urls.split(url)
    if found is None:
        raise CassetteError(f"{url!r} is no absolute URL; correct it in the cassette.")
    return found
