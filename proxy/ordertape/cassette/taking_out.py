"""Completed exchanges of a store as interactions, in the order in which they were recorded."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import urlsplit

from ordertape import hops
from ordertape.cassette.interaction import Interaction
from ordertape.model import Headers, Message, State
from ordertape.store.reading import Filter, Reader, Row

__all__ = ["VOLATILE", "interactions"]

VOLATILE = frozenset(
    {
        *(b"age", b"cf-ray", b"date", b"server-timing", b"traceparent", b"tracestate"),
        *(b"user-agent", b"via", b"x-amz-cf-id", b"x-amzn-requestid", b"x-amzn-trace-id"),
        *(b"x-correlation-id", b"x-request-id", b"x-runtime", b"x-trace-id"),
    }
)
"""Header fields that differ from one recording of the same to the next, and mean nothing."""

_NOWHERE = "http://localhost"


def interactions(
    reader: Reader, asked: Filter, *, keep_headers: bool = False
) -> Iterator[Interaction]:
    """Each completed exchange that was asked for, as it left and as it was answered.

    Left out are those of which the store has no whole body. Host and what concerns one connection
    are left out of the headers, and `VOLATILE` unless they are kept. Secrets are digests still:
    `ordinals.numbered` replaces those. Errors: StartUpError.
    """
    rows: Iterator[Row] = reader.list(replace(asked, state=State.COMPLETED, newest_first=False))
    if asked.limit is not None:  # which are the newest so many
        rows = reversed(list(reader.list(replace(asked, state=State.COMPLETED, newest_first=True))))
    for row in rows:
        request = reader.message(row.seq, "sent") or reader.message(row.seq, "received")
        answered = reader.message(row.seq, "answered")
        if request is None or answered is None or request.truncated or answered.truncated:
            continue
        yield _interaction(row, request, answered, frozenset() if keep_headers else VOLATILE)


def _interaction(
    row: Row, request: Message, answered: Message, dropped: frozenset[bytes]
) -> Interaction:
    _, status, reason = (*answered.line.split(b" ", 2), b"")[:3]
    return Interaction(
        method=row.method,
        url=_url(row.upstream or _NOWHERE, row.target),
        request_headers=_kept(hops.end_to_end(request.headers), dropped | {b"host"}),
        request_body=request.body,
        status=int(status),
        reason=reason,
        headers=_kept(hops.end_to_end_response(answered.headers), dropped),
        body=answered.body,
        started_at=row.received_at,
        duration=None if row.settled_at is None else row.settled_at - row.received_at,
    )


def _kept(headers: Headers, dropped: frozenset[bytes]) -> Headers:
    return headers.without(dropped)


def _url(upstream: str, target: str) -> str:
    """Where the request went: what `upstream` was told, behind the service's base."""
    if target.startswith("/"):
        return upstream.removesuffix("/") + target
    if urlsplit(target).netloc:
        return target  # it named its server itself
    return f"{upstream.removesuffix('/')}/{target}"
