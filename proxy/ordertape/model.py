"""What passes through the gateway, as frozen values; no I/O, no policy.

An exchange moves only along `TRANSITIONS`; whatever moves one asks `move` first.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import AsyncGenerator, Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

__all__ = [
    "SAFE_METHODS",
    "TRANSITIONS",
    "Answer",
    "Body",
    "Charge",
    "Edit",
    "Exchange",
    "Headers",
    "IllegalTransitionError",
    "Kind",
    "Message",
    "Origin",
    "Outcome",
    "Request",
    "Response",
    "State",
    "Tally",
    "Violation",
    "move",
]


class State(enum.StrEnum):
    """Where an exchange stands; the value is what the store and JSON show."""

    REFUSED = "REFUSED"
    PENDING = "PENDING"
    COMPLETED = "COMPLETED"
    FAILED = "FAILED"
    IN_DOUBT = "IN_DOUBT"

    @property
    def token(self) -> str:
        """The spelling in the header `Ordertape-State`: lower case, dashes."""
        return self.value.lower().replace("_", "-")


TRANSITIONS: Mapping[State | None, frozenset[State]] = {
    None: frozenset({State.REFUSED, State.PENDING}),
    State.REFUSED: frozenset(),
    State.PENDING: frozenset({State.COMPLETED, State.FAILED, State.IN_DOUBT}),
    State.IN_DOUBT: frozenset({State.COMPLETED, State.FAILED}),
    State.COMPLETED: frozenset(),
    State.FAILED: frozenset(),
}
"""Every legal move. None is an exchange that does not exist yet; a final state has no way out."""


class IllegalTransitionError(Exception):
    """An exchange was asked to move along no row of `TRANSITIONS`."""


def move(before: State | None, after: State) -> State:
    """Return `after` when the table allows the move.

    Errors: IllegalTransitionError otherwise; nothing has changed then.
    """
    if after not in TRANSITIONS[before]:
        start = "nothing" if before is None else before.value
        raise IllegalTransitionError(f"An exchange cannot move from {start} to {after.value}.")
    return after


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
"""They change nothing (RFC 9110 section 9.2.1): they need no intent, and may be answered again."""


class Kind(enum.StrEnum):
    """Which steps of the pipeline concern a request; decided by its route alone."""

    ORDER = "order"
    ORDER_V2 = "order-v2"
    OTHER = "other"


class Origin(enum.StrEnum):
    """What answered: evidence of real orders is never mixed up with the rest."""

    LIVE = "live"
    SANDBOX = "sandbox"
    RECORDED = "recorded"


class Charge(enum.StrEnum):
    """What becomes of a completed order's cost: 2xx kept, 4xx refunded, 3xx and 5xx unknown."""

    KEPT = "kept"
    REFUNDED = "refunded"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Headers:
    """Header lines as received: name and value bytes, in order, spelling and repeats kept.

    Look-ups ignore letter case (RFC 9110 section 5.1).
    """

    pairs: tuple[tuple[bytes, bytes], ...] = ()

    @classmethod
    def of(cls, pairs: Iterable[tuple[bytes, bytes]]) -> Headers:
        """Headers from any iterable of (name, value)."""
        return cls(tuple(pairs))

    def __iter__(self) -> Iterator[tuple[bytes, bytes]]:
        return iter(self.pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def get(self, name: bytes) -> bytes | None:
        """The first value of `name`, or None."""
        wanted = name.lower()
        return next((value for key, value in self.pairs if key.lower() == wanted), None)

    def get_all(self, name: bytes) -> list[bytes]:
        """Every value of `name`, in order."""
        wanted = name.lower()
        return [value for key, value in self.pairs if key.lower() == wanted]

    def tokens(self, name: bytes) -> list[bytes]:
        """The comma-separated members of every line of `name`, trimmed, lower case."""
        members = (
            part.strip(b" \t").lower() for line in self.get_all(name) for part in line.split(b",")
        )
        return [member for member in members if member]

    def content_length(self) -> int | None:
        """What Content-Length says; None where it is absent, repeated, or no number."""
        lines = self.get_all(b"content-length")
        return int(lines[0]) if len(lines) == 1 and lines[0].isdigit() else None

    def without(self, names: Iterable[bytes]) -> Headers:
        """A copy that lacks every line of these (lower-case) names."""
        dropped = frozenset(names)
        return Headers(tuple(pair for pair in self.pairs if pair[0].lower() not in dropped))

    def with_added(self, name: bytes, value: bytes) -> Headers:
        """A copy with one more line at the end."""
        return Headers((*self.pairs, (name, value)))


@dataclass(frozen=True, slots=True)
class Body:
    """A message body: the bytes at hand, and the stream of what is still to come, if any.

    `rest` None means that `held` is the whole. A stream is read once, by whoever owns the
    message; breaking it off is done with `aclose`.
    """

    held: bytes = b""
    rest: AsyncGenerator[bytes, None] | None = None


@dataclass(frozen=True, slots=True)
class Request:
    """A request as received or as sent.

    `target` is the request line's second word, raw (RFC 9112 section 3.2); `peer` is
    `host:port` of the client's socket; `version` is the HTTP version that it spoke. `match_key`
    is what a recording is found by; the gateway sets it on the request that it sends. `session`
    is the replay session that the client named, if any.
    """

    method: str
    target: str
    headers: Headers = field(default_factory=Headers)
    body: Body = field(default_factory=Body)
    peer: str = ""
    version: str = "1.1"
    match_key: str | None = None
    session: str = ""

    @property
    def path(self) -> str:
        """The target before its first question mark, raw."""
        return self.target.partition("?")[0]

    @property
    def query(self) -> str:
        """The target after its first question mark, raw; empty without one."""
        return self.target.partition("?")[2]


@dataclass(frozen=True, slots=True)
class Response:
    """A response, from the service or the gateway's own.

    `upstream` is the base URL of the service that gave it, which Location is rewritten from;
    "" for the gateway's own answers.
    """

    status: int
    reason: bytes = b""
    headers: Headers = field(default_factory=Headers)
    body: Body = field(default_factory=Body)
    upstream: str = ""


def _nobody_asks(_: bool) -> None:  # noqa: FBT001 - the shape of Answer.delivered
    """Whether the client was given it is not kept."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A response, and what to call once it is known whether the client was given all of it."""

    response: Response
    delivered: Callable[[bool], None] = _nobody_asks


class Edit(NamedTuple):
    """One change that a rule made: where, and what stood there before and after.

    `before` None: the element was not there. `after` None: it was removed.
    """

    rule: str
    xpath: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Violation:
    """One breach of a documented limit. `code` is the service's; `line` counts from 1, 0 unknown.

    `severity` is `enforce` (the order is refused) or `warn` (it is only recorded).
    """

    rule: str
    code: str
    xpath: str
    line: int
    message: str
    severity: str = "enforce"


class Tally:
    """Length and SHA-256 of a body that is seen piece by piece, and its first `limit` bytes."""

    __slots__ = ("_digest", "_kept", "_limit", "length")

    def __init__(self, limit: int) -> None:
        self._digest = hashlib.sha256()
        self._kept = bytearray()
        self._limit = limit
        self.length = 0

    def add(self, piece: bytes) -> None:
        """Count one more piece."""
        self.length += len(piece)
        self._digest.update(piece)
        room = self._limit - len(self._kept)
        if room > 0:
            self._kept += piece[:room]

    def result(self) -> tuple[bytes, int, bytes, bool]:
        """(kept bytes, whole length, SHA-256 of the whole, whether the kept bytes are fewer)."""
        return bytes(self._kept), self.length, self._digest.digest(), self.length > len(self._kept)


@dataclass(frozen=True, slots=True)
class Message:
    """One half of an exchange as it is stored: start line, headers and the recorded body.

    `line` is `POST /path HTTP/1.1` or `HTTP/1.1 201 Created`, secrets replaced. `body` may be a
    beginning: then `truncated`, and `length` and `sha256` speak of the whole as far as it was seen.
    `length` None: not known yet (a streamed request at its intent).
    """

    line: bytes
    headers: Headers
    body: bytes
    length: int | None
    sha256: bytes | None
    truncated: bool = False


@dataclass(frozen=True, slots=True)
class Exchange:
    """What is known of an exchange when it is first recorded: the intent, or the refusal.

    Times are microseconds since 1970 UTC, by the wall clock. `sent` is None where the request
    leaves as received. `cost` is in telephone numbers.
    """

    id: str
    received_at: int
    kind: Kind
    origin: Origin
    upstream: str
    method: str
    target: str
    peer: str
    received: Message
    sent: Message | None = None
    account: str | None = None
    order_type: str | None = None
    customer_order_id: str | None = None
    quantity: int | None = None
    cost: int | None = None
    edits: tuple[Edit, ...] = ()
    violations: tuple[Violation, ...] = ()
    match_key: str | None = None
    rules_version: str = ""


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an exchange ended. `at` is microseconds since 1970 UTC.

    `status` is what the client is given: the service's, or the gateway's own. `answered` is the
    service's response, None where none came. `reason` is the sentence behind anything but a whole
    answer. `streamed` replaces the recorded request where its body was still coming at the intent.
    `kept` is what the service gave, in telephone numbers, where it says that it is done and gave
    less than was ordered.
    """

    state: State
    at: int
    status: int | None = None
    reason: str | None = None
    answered: Message | None = None
    order_id: str | None = None
    charge: Charge | None = None
    kept: int | None = None
    streamed: Message | None = None
