"""What goes out of a recording: the request without what was only its client's.

That is credentials, cookies, and what proxies have added. What was redacted cannot be sent as it
was recorded, and is not sent at all.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from ordertape import admission, coding, drift, hops
from ordertape.admission import Policy
from ordertape.cassette import urls
from ordertape.errors import RefusedError
from ordertape.model import SAFE_METHODS, Body, Headers, Kind, Message, Request, Response
from ordertape.redaction import Redaction
from ordertape.store.reading import Recorded
from ordertape.upstream.replay.sources import Source

__all__ = ["Reading", "Survey", "Task", "task_of"]

_LEFT_BEHIND = frozenset(
    {
        *(b"authorization", b"cookie", b"forwarded", b"host", b"via", b"x-forwarded-for"),
        *(b"x-forwarded-host", b"x-forwarded-port", b"x-forwarded-proto", b"x-real-ip"),
        b"ordertape-session",
    }
)
"""Header fields of a recorded request that never go out again, beside those of one connection."""

_NEVER = frozenset({"CONNECT", "TRACE"})
_READABLE = frozenset({b"gzip", b"x-gzip", b"deflate", b"identity"})
_TARGET = re.compile(r"/[^\s\0-\x20\x7f]*|\*")
_BREAKS = re.compile(rb"[\r\n\0]")
_UNAUTHORIZED = 401
_LARGEST = 16 << 20  # bytes of a compressed request that are looked through


@dataclass(frozen=True, slots=True)
class Reading:
    """How recordings are read.

    `policy` says what an order costs, `redaction` what is never sent. `bases` are URLs that clients
    used: what a recorded URL has behind one of these is its path. `authorization` is the value of
    Authorization that is sent in place of the recorded one.
    """

    policy: Policy
    redaction: Redaction
    bases: Sequence[str] = ()
    authorization: bytes | None = None


@dataclass(frozen=True, slots=True)
class Task:
    """A recording that is to be verified, as it is told: nothing in it is secret.

    `cost` is of an order, in telephone numbers; None where that is not known. `request` is what
    goes out, and `recorded` what was answered; both None where `reason` says why it cannot be.
    """

    name: str
    method: str
    target: str
    kind: Kind
    cost: int | None = None
    request: Request | None = None
    recorded: Response | None = None
    reason: str | None = None

    @property
    def safe(self) -> bool:
        """Whether it changes nothing."""
        return self.method in SAFE_METHODS


@dataclass(frozen=True, slots=True)
class Survey:
    """How many recordings there are, and what `--send-orders` adds to those that are safe.

    `cost` is what the `orders` cost, in telephone numbers, but for those of `unknown` cost.
    `others` are further requests that can change something.
    """

    recordings: int = 0
    orders: int = 0
    cost: int = 0
    unknown: int = 0
    others: int = 0

    def plus(self, task: Task) -> Survey:
        """With one more recording."""
        unsafe = task.request is not None and not task.safe
        order = unsafe and task.kind is not Kind.OTHER
        return Survey(
            self.recordings + 1,
            self.orders + order,
            self.cost + (task.cost or 0 if order else 0),
            self.unknown + (order and task.cost is None),
            self.others + (unsafe and not order),
        )

    def told(self) -> str | None:
        """What can change something, for a sentence; None where nothing does."""
        parts: list[str] = []
        if self.orders:
            cost = f"{self.cost} telephone number{'' if self.cost == 1 else 's'}"
            known = [cost] if self.orders > self.unknown else []
            unknown = [f"{self.unknown} at a cost that is not known"] if self.unknown else []
            parts.append(f"{_counted(self.orders, 'order')} for {' and '.join(known + unknown)}")
        if self.others:
            what = _counted(self.others, "other request")
            parts.append(f"{what} that can change something")
        return " and ".join(parts) or None


def task_of(source: Source, exchange: Recorded, reading: Reading) -> Task:
    """What is to be done about a completed exchange. Errors: StartUpError."""
    reader, seq = source.reader, exchange.seq
    message = reader.message(seq, "sent") or reader.message(seq, "received")
    answered = reader.message(seq, "answered")
    base, target = _path(exchange, reading.bases)
    name = source.name(seq, exchange.id)
    task = Task(name, exchange.method, drift.without_digests(target), exchange.kind)
    if message is None or answered is None:
        return replace(task, reason="it is no longer kept")
    headers = _headers(message.headers)
    recorded = _response(answered, base)
    request = Request(exchange.method, target, headers, Body(message.body))
    authorized = message.headers.get(b"authorization") is not None
    obstacles = (
        *_obstacles(message, answered),
        *_unsendable(request, reading.redaction),
        *_unauthorized(recorded, reading, authorized=authorized),
    )
    if obstacles:
        return replace(task, reason=obstacles[0])
    # A cassette may have been recorded with credentials, and kept without.
    if reading.authorization is not None and (authorized or recorded.status != _UNAUTHORIZED):
        headers = headers.with_added(b"Authorization", reading.authorization)
        request = replace(request, headers=headers)
    cost = _cost(request, reading.policy) if task.kind is Kind.ORDER else None
    return replace(task, cost=cost, request=request, recorded=recorded)


def _path(exchange: Recorded, bases: Sequence[str]) -> tuple[str, str]:
    """The base that a request was sent to, and the rest of its URL."""
    upstream, target = exchange.upstream, exchange.target
    if target == "*":
        return upstream, target
    if not target.startswith("/"):  # it named its server itself
        return urls.behind(target, bases) or urls.split(target) or (upstream, target)
    found = urls.behind(upstream.removesuffix("/") + target, bases) if upstream else None
    return found or (upstream, target)


def _headers(recorded: Headers) -> Headers:
    """What goes out again; no coding is asked for that could not be read."""
    kept = hops.end_to_end(recorded).without(_LEFT_BEHIND)
    return Headers.of(
        (name, _codings(value) if name.lower() == b"accept-encoding" else value)
        for name, value in kept
    )


def _codings(value: bytes) -> bytes:
    members = [member.strip() for member in value.split(b",")]
    readable = [one for one in members if one.partition(b";")[0].strip().lower() in _READABLE]
    return value if readable == members else b", ".join(readable) or b"identity"


def _response(answered: Message, base: str) -> Response:
    _, status, reason = (*answered.line.split(b" ", 2), b"")[:3]
    return Response(int(status), reason, answered.headers, Body(answered.body), base)


def _obstacles(message: Message, answered: Message) -> Iterator[str]:
    """Why there is nothing to send, or to compare an answer with."""
    if message.truncated:
        yield "its body was recorded only in part"
    if answered.truncated:
        yield "its answer was recorded only in part"


def _unsendable(request: Request, redaction: Redaction) -> Iterator[str]:
    """Why a request cannot be sent as it was recorded.

    What is secret by now is not sent either, though the recording has it.
    """
    if request.method in _NEVER:
        yield f"{request.method} is never sent"
    if _TARGET.fullmatch(request.target) is None:
        yield "its target is no path that can be sent"
    target = request.target
    if drift.is_redacted(target) or redaction.constant_target(target) != target:
        yield "its target holds what is redacted"
    constants = admission.constant_headers(request.headers, redaction)
    for (name, value), (_, constant) in zip(request.headers, constants, strict=True):
        if drift.is_redacted(value.decode("latin-1")) or constant != value:
            yield f"its header {name.decode('latin-1')} is redacted"
        if _BREAKS.search(name + value):
            yield f"its header {name.decode('latin-1')} holds a line break or NUL"
    if drift.is_redacted(_plain(request).decode("latin-1")):
        yield "its body holds what is redacted"


def _unauthorized(recorded: Response, reading: Reading, *, authorized: bool) -> Iterator[str]:
    """Why a request cannot be sent with what there is of credentials."""
    if authorized and recorded.status == _UNAUTHORIZED:
        yield "it was refused for credentials that are not known any more"
    if authorized and reading.authorization is None:
        yield (
            "it was recorded with credentials, and none are given "
            "(ORDERTAPE_UPSTREAM_AUTHORIZATION or --authorization-file)"
        )


def _plain(request: Request) -> bytes:
    try:
        return coding.decoded(request.body.held, request.headers, _LARGEST)
    except RefusedError:
        return request.body.held


def _cost(request: Request, policy: Policy) -> int | None:
    try:
        return admission.read(request, policy).cost
    except RefusedError:
        return None


def _counted(count: int, thing: str) -> str:
    return f"{count} {thing}{'' if count == 1 else 's'}"
