"""From an order as received to the order as it leaves: reading, rules, and the new bytes' headers.

Plain functions: nothing here waits, sends or records.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from ordertape import canonical, coding
from ordertape.errors import (
    ForbiddenXmlError,
    RefusedError,
    TooLargeError,
    UnsupportedTypeError,
    ViolatedError,
    WrongCredentialsError,
)
from ordertape.matching import DEFAULT, Matching
from ordertape.model import Body, Edit, Headers, Request, Violation
from ordertape.order import Order, media_type_ok, read_order
from ordertape.quota import Quotas
from ordertape.redaction import Redaction
from ordertape.route import accounts_named
from ordertape.rule import MOST_VIOLATIONS, RuleSet, told

_LEFT_AS_RECEIVED = Violation(
    rule="no-transform",
    code="94150",
    xpath="/Order",
    line=0,
    message="The request forbids changes (no-transform or a signature): it left as received.",
    severity="warn",
)

_REDACTED = b"redacted"


@dataclass(frozen=True, slots=True)
class Policy:
    """How orders are read, judged and recognised, what they may cost, and who may give them.

    `limit` is in bytes, for a body that came compressed; `fallback_charset` is `read_order`'s.
    `credentials` has, for accounts that are tied to some, the digests of those.
    """

    rules: RuleSet
    limit: int = 1 << 20
    fallback_charset: str | None = None
    quotas: Quotas = Quotas()  # noqa: RUF009 - frozen
    credentials: Mapping[str, frozenset[str]] = field(default_factory=dict)
    matching: Matching = DEFAULT


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the rules made of an order, and the request that leaves unless there is a `refusal`.

    `leaves` is the order that `forward` holds; `rewritten`: that is another body than came. `cost`
    is in telephone numbers, None in a refusal.
    """

    forward: Request
    leaves: Order
    rewritten: bool = False
    edits: tuple[Edit, ...] = ()
    violations: tuple[Violation, ...] = ()
    cost: int | None = None
    refusal: RefusedError | None = None


def read(request: Request, policy: Policy) -> Order:
    """The order that a request holds. Errors: RefusedError for what cannot be read safely."""
    headers, body = request.headers, request.body.held
    if len(body) > policy.limit:
        raise TooLargeError(f"The body passes {policy.limit} bytes; split the order.")
    media_type = headers.get(b"content-type")
    if not media_type_ok(media_type, body):
        raise UnsupportedTypeError("An order is XML; send it with Content-Type: application/xml.")
    coding.check_digests(body, headers)
    return read_order(
        coding.decoded(body, headers, policy.limit), media_type, policy.fallback_charset
    )


def is_back_ordered(order: Order) -> bool:
    """Whether the order asks for what is not there now to be delivered later."""
    stated = {order.value(said) for said in order.fields("BackOrderRequested")}
    return not stated <= {"", "false"}  # with the rule off, the service may read `1` as true


def check_credentials(request: Request, policy: Policy, redaction: Redaction) -> None:
    """Errors: WrongCredentialsError where an account in the path is tied to others than came.

    However the path may be read. A request without any passes: the service asks for them.
    """
    if not policy.credentials:
        return
    lines = request.headers.get_all(b"authorization")
    came = {redaction.fingerprint(one) for one in lines if one.strip(b" \t")}
    for account in sorted(accounts_named(request.target) & policy.credentials.keys()):
        if not came <= policy.credentials[account]:
            raise WrongCredentialsError(
                f"These credentials are not those of account {account}; use its own, or send the "
                "request to the account that they belong to."
            )


def match_key(
    request: Request, order: Order | None, redaction: Redaction, matching: Matching = DEFAULT
) -> str:
    """What a recording of this request is found by; `order` as normalised, where it is one."""
    counting = matching.matched_headers
    return canonical.match_key(
        request.method,
        redaction.constant_target(request.target),
        request.body.held,
        request.headers.get(b"content-type"),
        request.headers.get(b"authorization") is not None,
        order,
        matching=matching,
        headers=constant_headers(request.headers, redaction) if counting else request.headers,
    )


def constant_headers(headers: Headers, redaction: Redaction) -> Headers:
    """The headers with `redacted` for every value that holds a secret: what keys are made of."""
    kept = redaction.headers(headers)
    return Headers.of(
        (name, value if value == stored else _REDACTED)
        for (name, value), (_, stored) in zip(headers, kept, strict=True)
    )


def judge(order: Order, request: Request, policy: Policy, account: str | None) -> Judgement:
    """Apply the rules, and compute the cost. An order that they leave alone leaves as it came.

    So does one whose client forbids changes: what is judged is what will leave.
    """
    try:
        verdict = policy.rules.apply(order, account)
        if order.changed and coding.forbids_changes(request.headers):
            return _as_received(request, policy, account, verdict.raised)
    except RefusedError as error:
        return Judgement(request, order, refusal=error)
    rewritten = order.changed
    forward = _rewritten(request, order.serialize()) if rewritten else request
    return _costed(Judgement(forward, order, rewritten, verdict.edits, verdict.violations))


def _as_received(
    request: Request, policy: Policy, account: str | None, raised: tuple[Violation, ...]
) -> Judgement:
    """Of an order that must not be changed: only validated, and read anew for that.

    `raised` is what rules found before. Errors: RefusedError.
    """
    order = read(request, policy)
    if order.changed:
        raise ForbiddenXmlError(
            "The bytes are not of the charset that they claim, and the request forbids changes; "
            "send the order as UTF-8."
        )
    violations = policy.rules.validate(order, account)
    found = (*raised, *violations, _LEFT_AS_RECEIVED)
    return _costed(Judgement(request, order, violations=found))


def _costed(judged: Judgement) -> Judgement:
    """With the cost, or the refusal: of violations, and of an order whose cost is unreadable."""
    violations = judged.violations
    cost = None
    try:
        cost = judged.leaves.cost
    except ViolatedError as error:
        known = {found.xpath for found in violations if found.severity == "enforce"}
        extra = tuple(found for found in error.violations if found.xpath not in known)
        violations = (*extra, *violations)
        if len(violations) <= MOST_VIOLATIONS:  # else the last one counts those left out
            violations = told(violations, judged.leaves)
    enforced = tuple(found for found in violations if found.severity == "enforce")
    if enforced:
        return replace(judged, violations=violations, refusal=ViolatedError(enforced))
    return replace(judged, cost=cost)


def _rewritten(request: Request, body: bytes) -> Request:
    """The request with another body, and headers that speak of that."""
    headers = Headers.of(
        (name, _of_new_body(name, value, body))
        for name, value in request.headers.without(coding.STALE_AFTER_EDIT)
    )
    return replace(request, headers=headers, body=Body(body))


def _of_new_body(name: bytes, value: bytes, body: bytes) -> bytes:
    """The value that this header has beside another body."""
    match name.lower():
        case b"content-length":
            return b"%d" % len(body)
        case b"content-type":
            return coding.as_utf8(value)
        case _:
            return value
