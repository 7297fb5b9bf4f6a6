"""Every error that the gateway can answer: one class each, with its status and code.

`str(error)` is the sentence that the user reads: what is wrong, where, and what to do. The one
place that renders them is `answers`. Codes of rules' violations are the service's own; those
below are the gateway's (always digits: clients parse them).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from ordertape.model import State, Violation

_MOST_SAID = 10


class GatewayError(Exception):
    """The gateway answers for itself; `state` says whether anything was sent."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "95000"
    state: ClassVar[State] = State.REFUSED
    retry_after: int | None = None
    """Seconds for Retry-After, or None for no such header."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """More header lines for the answer."""


class RefusedError(GatewayError):
    """Nothing was sent, and nothing will be until the request changes."""

    status = 400
    code = "94000"
    node: object
    """The node of the order's tree that is at fault, None where it is none of them."""

    def __init__(self, sentence: str = "", *, node: object = None) -> None:
        super().__init__(sentence)
        self.node = node


class MalformedError(RefusedError):
    """The body is not well-formed XML, or the message is not HTTP/1.1 as RFC 9112 has it."""


class VersionNotSupportedError(RefusedError):
    """The request line names another protocol than HTTP/1.0 or HTTP/1.1 (RFC 9110 15.6.6)."""

    status = 505


class ForbiddenXmlError(RefusedError):
    """The XML holds a construct that two parsers may read differently."""

    code = "94001"


class AmbiguousElementError(RefusedError):
    """An element occurs twice, or under another spelling than its own."""

    code = "94002"


class BadPathError(RefusedError):
    """The target is not the orders route as written but would become it, or is no path at all."""

    code = "94003"


class MethodNotAllowedError(RefusedError):
    """CONNECT and TRACE are never forwarded (RFC 9110 9.3.6, 9.3.8)."""

    status = 405
    code = "94003"


class TooSlowError(RefusedError):
    """The head or the body did not arrive in time."""

    status = 408
    code = "94080"


class TooLargeError(RefusedError):
    """The body passes its limit."""

    status = 413
    code = "94130"


class TargetTooLongError(RefusedError):
    """The request line passes its limit (RFC 9110 15.5.15)."""

    status = 414
    code = "94130"


class HeadersTooLargeError(RefusedError):
    """A header line, or all of them, pass their limit (RFC 6585 section 5)."""

    status = 431
    code = "94130"


class UnsupportedTypeError(RefusedError):
    """The media type, charset or content coding is not one that an order may have."""

    status = 415
    code = "94150"


class UnknownTransferCodingError(RefusedError):
    """A transfer coding other than chunked (RFC 9112 6.1)."""

    status = 501
    code = "94150"


class ExpectationFailedError(RefusedError):
    """An Expect other than 100-continue (RFC 9110 10.1.1)."""

    status = 417
    code = "94150"


class ViolatedError(RefusedError):
    """One or more rules refuse the order; every violation is answered with its own code.

    The sentence, which is for a log, is that of the first few.
    """

    code = "5002"

    def __init__(self, violations: tuple[Violation, ...]) -> None:
        said = [violation.message for violation in violations[:_MOST_SAID]]
        more = len(violations) - len(said)
        super().__init__(" ".join(said + ([f"({more} more.)"] if more else [])))
        self.violations = violations


class RuleFailedError(RefusedError):
    """A rule raised: the order is refused, never let through."""

    status = 500
    code = "95000"


class GatewayFailedError(RefusedError):
    """The gateway itself failed before anything was sent."""

    status = 500
    code = "95000"


class LoopError(RefusedError):
    """The request has passed this very gateway already (RFC 9110 7.6.3)."""

    status = 508
    code = "95080"


class WrongCredentialsError(RefusedError):
    """The credentials are none of those that the account is configured with."""

    status = 403
    code = "94031"


class OverQuotaError(RefusedError):
    """The order does not fit into what is left of a quota; one sentence for each such quota."""

    status = 429
    code = "94290"

    def __init__(self, sentences: tuple[str, ...]) -> None:
        super().__init__(" ".join(sentences))
        self.sentences = sentences


class NeverFitsError(OverQuotaError):
    """The order asks for more than a quota ever allows: trying again would not help."""

    status = 403
    code = "94030"


class UnavailableError(RefusedError):
    """The exchange cannot be recorded, or orders are paused: nothing was sent."""

    status = 503
    code = "95030"
    retry_after = 5


class NotSentError(GatewayError):
    """The upstream was provably given no byte of the request."""

    status = 502
    code = "95020"
    state = State.FAILED


class OverloadedError(NotSentError):
    """Every connection to the upstream is in use, and none came free in time."""

    status = 503
    code = "95030"
    retry_after = 1


class ConnectTimeoutError(NotSentError):
    """The upstream did not take the connection in time."""

    status = 504
    code = "95040"


class NoRecordingError(NotSentError):
    """Replay holds no unused recording of this request, and never calls out."""

    status = 409
    code = "94090"

    def __init__(
        self,
        sentence: str = "",
        *,
        told: tuple[str, ...] = (),
        facts: Mapping[str, object] | None = None,
        exhausted: bool = False,
    ) -> None:
        super().__init__(sentence)
        self.told = told
        """The explanation, a sentence each: the nearest recording, and how it differs."""
        self.facts = facts
        """The same for programs, None where there is nothing to compare with."""
        self.exhausted = exhausted
        """Whether there were recordings of this very request, and all of them have been used."""


class UnknownPathError(NoRecordingError):
    """Replay holds no recording of this path at all."""

    status = 404


class InDoubtError(GatewayError):
    """The upstream may have acted on the request; no whole answer came."""

    status = 502
    code = "95020"
    state = State.IN_DOUBT


class AnswerTimeoutError(InDoubtError):
    """The upstream's answer did not come, or not wholly, in time."""

    status = 504
    code = "95040"


class StartUpError(Exception):
    """The gateway cannot start, or a command cannot run; the sentence says what to do."""


class StoreHeldError(StartUpError):
    """Another process is writing the store."""


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong with one setting: its dotted key, and the sentence that names it.

    `place` is the file, the variable or the flag that says it, `line` where in that file, counted
    from 1; both None where they are not known.
    """

    key: str
    sentence: str
    place: str | None = None
    line: int | None = None

    def __str__(self) -> str:
        where = [str(part) for part in (self.place, self.line) if part is not None]
        return ": ".join([*([":".join(where)] if where else []), self.sentence])


class ConfigurationError(StartUpError):
    """The configuration is wrong in one place or more; the sentence is of the first."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        first, *others = map(str, problems)
        more = " `ordertape config check` names more." if others else ""
        super().__init__(first + more)
        self.problems = problems
