"""Another rule set over recorded orders: what counts as admitted, as changed, as unreadable."""

import gzip
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, replace

import pytest

from gateways import ORDER
from ordertape.admission import Policy
from ordertape.model import Edit, Headers, Kind, Message, Origin, State, Violation
from ordertape.order import Order
from ordertape.recheck import Rechecked, Result, compare
from ordertape.rule import RuleSet
from ordertape.rule.protocol import Configured, Registered, Rule, Severity
from ordertape.store.reading import Row
from recorded import ARRIVED


@dataclass(frozen=True)
class Trim:
    """Takes the blanks around SiteId away."""

    def normalize(self, order: Order) -> None:
        for element in order.fields("SiteId"):
            order.set_text(element, order.value(element))


@dataclass(frozen=True)
class Named:
    """Gives an order without a Name this one."""

    name: str = "house"

    def normalize(self, order: Order) -> None:
        if order.child(order.root, "Name") is None:
            order.add(order.root, "Name", self.name)


@dataclass(frozen=True)
class NameFirst:
    """Writes the Name where it does not say anything else."""

    def normalize(self, order: Order) -> None:
        name = order.child(order.root, "Name")
        if name is not None:
            value = order.text(name)
            order.remove(name)
            order.add(order.root, "Name", value)


@dataclass(frozen=True)
class Never:
    """Finds fault with every order."""

    def validate(self, order: Order) -> Iterable[Violation]:
        yield order.violation(order.root, "5999", "No order is taken.")


@dataclass(frozen=True)
class Broken:
    """Raises."""

    def validate(self, order: Order) -> Iterable[Violation]:
        raise KeyError(order.order_type)


def policy(*rules: Rule, severity: Severity = "enforce", limit: int = 1 << 20) -> Policy:
    configured = tuple(
        Configured(
            Registered(type(rule).__name__.lower(), type(rule), "house", "1"), rule, severity
        )
        for rule in rules
    )
    return Policy(RuleSet(configured), limit)


def row(**changes: object) -> Row:
    """An order for account 14 that was admitted and left as received."""
    given = Row(
        seq=1,
        id="0192f000-0000-7000-8000-000000000001",
        state=State.COMPLETED,
        kind=Kind.ORDER,
        origin=Origin.LIVE,
        upstream="https://service.example",
        method="POST",
        target="/accounts/14/orders",
        account="14",
        order_type="AreaCodeSearchAndOrderType",
        customer_order_id=None,
        order_id="o-1",
        quantity=1,
        cost=1,
        status=201,
        reason=None,
        charge=None,
        received_at=ARRIVED,
        settled_at=ARRIVED,
        peer="",
        delivered=None,
        match_key=None,
        rules_version="rules-1",
        software="0.1",
        boot="b",
    )
    return replace(given, **changes)  # type: ignore[arg-type]


def message(body: bytes = ORDER, *pairs: tuple[bytes, bytes]) -> Message:
    headers = Headers.of([(b"Content-Type", b"application/xml"), *pairs])
    line = b"POST /accounts/14/orders HTTP/1.1"
    return Message(line, headers, body, len(body), hashlib.sha256(body).digest())


NO_ORDER = Violation("never", "5999", "/Order", 1, "No order is taken.")
REFUSED = {"state": State.REFUSED, "order_id": None, "cost": None}
HELD_UP = {**REFUSED, "cost": 1}
SPACED = ORDER.replace(b"743", b" 743 ")
TRIMMED = Edit("trim", "/Order/SiteId", " 743 ", "743")
NAMED = Edit("named", "/Order/Name", None, "house")


def with_name(name: bytes) -> bytes:
    return ORDER.replace(b"</Order>", b"<Name>%b</Name></Order>" % name)


@pytest.mark.parametrize(
    ("recorded", "admitting", "refusing"),
    [
        (row(), Result.SAME, Result.NEWLY_REFUSED),
        (row(status=400), Result.SAME, Result.NEWLY_REFUSED),
        (row(state=State.FAILED, status=502), Result.SAME, Result.NEWLY_REFUSED),
        (row(state=State.IN_DOUBT, status=504), Result.SAME, Result.NEWLY_REFUSED),
        (row(state=State.PENDING, status=None), Result.SAME, Result.NEWLY_REFUSED),
        *(
            (row(**HELD_UP, status=status), Result.SAME, Result.NEWLY_REFUSED)
            for status in (403, 429, 503)
        ),
        *(
            (row(**REFUSED, status=status), Result.NEWLY_ADMITTED, Result.SAME)
            for status in (400, 413, 415, 500)
        ),
        *(
            (row(**REFUSED, status=status), Result.UNJUDGED, Result.UNJUDGED)
            for status in (405, 408, 417, 503, 508)
        ),
        (
            row(**REFUSED, status=400, target="/accounts//14/orders"),
            Result.UNJUDGED,
            Result.UNJUDGED,
        ),
    ],
)
def test_what_rules_and_reading_refused_is_told_from_what_others_did(
    recorded: Row, admitting: Result, refusing: Result
) -> None:
    assert compare(recorded, message(), None, policy()).result is admitting
    assert compare(recorded, message(), None, policy(Never())).result is refusing


@pytest.mark.parametrize(
    ("received", "rules", "found"),
    [
        (message(), policy(Never()), (NO_ORDER,)),
        (
            message(b"<Order>"),
            policy(),
            (
                Violation(
                    "reading",
                    "94000",
                    "/Order",
                    0,
                    "The body is not well-formed XML (Premature end of data in tag Order line 1, "
                    "line 1, column 8); correct it.",
                ),
            ),
        ),
        (
            message(),
            policy(limit=100),
            (
                Violation(
                    "reading", "94130", "/Order", 0, "The body passes 100 bytes; split the order."
                ),
            ),
        ),
        (
            message(),
            policy(Broken()),
            (
                Violation(
                    "rules",
                    "95000",
                    "/Order",
                    0,
                    "The rule broken failed on this order (KeyError), so it was not sent; "
                    "report it to whoever maintains house.",
                ),
            ),
        ),
        (
            message(ORDER.replace(b">1<", b">some<")),
            policy(Never(), severity="warn"),
            (
                replace(NO_ORDER, severity="warn"),
                Violation(
                    "cost",
                    "5009",
                    "/Order/AreaCodeSearchAndOrderType/Quantity",
                    1,
                    "Quantity is 'some'; send how many telephone numbers to order, one to seven "
                    "digits.",
                ),
            ),
        ),
        (
            message(ORDER.replace(b"<Order>", b"<Order><Quantity>1</Quantity>")),
            policy(),
            (
                Violation(
                    "cost",
                    "94002",
                    "/Order/Quantity",
                    1,
                    "Quantity stands outside the order type, where it may count or not; move it "
                    "into the order-type element.",
                ),
            ),
        ),
    ],
)
def test_every_step_that_refuses_says_why(
    received: Message, rules: Policy, found: tuple[Violation, ...]
) -> None:
    assert compare(row(), received, None, rules) == Rechecked(row(), Result.NEWLY_REFUSED, found)


@pytest.mark.parametrize("admitted", [True, False])
def test_both_verdicts_are_told(admitted: bool) -> None:  # noqa: FBT001 - a row of the table
    recorded = row() if admitted else row(**REFUSED, status=400)
    same = compare(recorded, message(), None, policy() if admitted else policy(Never()))
    changed = compare(recorded, message(), None, policy(Never()) if admitted else policy())
    assert (same.admitted_before, same.admitted_after) == (admitted, admitted)
    assert (changed.admitted_before, changed.admitted_after) == (admitted, not admitted)


def test_an_account_is_judged_by_its_own_rules() -> None:
    everyone, own = policy().rules.rules, policy(Never()).rules.rules
    rules = Policy(RuleSet(everyone, {"14": own}))
    assert compare(row(), message(), None, rules).result is Result.NEWLY_REFUSED
    assert compare(row(account="15"), message(), None, rules).result is Result.SAME


def test_a_compressed_body_is_read_unpacked() -> None:
    received = message(gzip.compress(ORDER), (b"Content-Encoding", b"gzip"))
    assert compare(row(), received, None, policy()).result is Result.SAME
    assert compare(row(), received, None, policy(Never())).violations == (NO_ORDER,)
    named = compare(row(), received, None, policy(Named()))
    assert named == Rechecked(row(), Result.NORMAL_FORM, edits_added=(NAMED,))


@pytest.mark.parametrize(
    ("received", "edits", "sent", "rules", "expected"),
    [
        pytest.param(SPACED, (TRIMMED,), ORDER, policy(Trim()), (), id="the same edit"),
        pytest.param(
            SPACED, (TRIMMED,), ORDER, policy(), (Result.NORMAL_FORM, (), (), (TRIMMED,)), id="gone"
        ),
        pytest.param(
            SPACED, (), None, policy(Trim()), (Result.NORMAL_FORM, (), (TRIMMED,)), id="new"
        ),
        pytest.param(
            SPACED,
            (NAMED._replace(after="old"), TRIMMED),
            with_name(b"old"),
            policy(Named(), Trim()),
            (Result.NORMAL_FORM, (), (NAMED,), (NAMED._replace(after="old"),)),
            id="another value beside an edit that stays",
        ),
        pytest.param(
            ORDER,
            (NAMED._replace(rule="another"),),
            with_name(b"house"),
            policy(Named()),
            (),
            id="the same edit by another rule",
        ),
        pytest.param(
            ORDER,
            (NAMED,),
            b"<?xml version='1.0'?>\n<Order>\n<Name >house</Name>" + ORDER.removeprefix(b"<Order>"),
            policy(Named()),
            (),
            id="written in another way",
        ),
        pytest.param(
            ORDER.replace(b"<Order>", b"<Order><Name>mine</Name>"),
            (),
            None,
            policy(NameFirst()),
            (),
            id="nothing but another order of elements",
        ),
    ],
)
def test_a_normal_form_is_another_where_what_is_sent_says_something_else(
    received: bytes, edits: tuple[Edit, ...], sent: bytes | None, rules: Policy, expected: object
) -> None:
    recorded = row(edits=edits)
    found = compare(recorded, message(received), None if sent is None else message(sent), rules)
    assert isinstance(expected, tuple)
    assert found == Rechecked(recorded, *(expected or (Result.SAME,)))


@pytest.mark.parametrize(
    "header", [(b"Cache-Control", b"no-transform"), (b"Signature-Input", b"s")]
)
def test_an_order_that_may_not_be_changed_has_the_form_that_it_came_in(
    header: tuple[bytes, bytes],
) -> None:
    received = message(SPACED, header)
    edited = row(edits=(TRIMMED,))
    for recorded, rules in ((row(), policy(Trim())), (edited, policy(Trim())), (edited, policy())):
        assert compare(recorded, received, None, rules).result is Result.SAME
    told = compare(row(), received, None, policy(Trim()), warnings=True)
    assert (told.result, [found.rule for found in told.violations]) == (
        Result.WARNINGS,
        ["no-transform"],
    )


def test_new_warnings_are_changes_only_where_they_are_asked_for() -> None:
    warned = replace(NO_ORDER, severity="warn")
    rules = policy(Never(), severity="warn")
    assert compare(row(), message(), None, rules) == Rechecked(row(), Result.SAME, (warned,))
    found = compare(row(), message(), None, rules, warnings=True)
    assert found == Rechecked(row(), Result.WARNINGS, (warned,))
    known = row(violations=(warned,))
    assert compare(known, message(), None, rules, warnings=True).result is Result.SAME
    assert compare(known, message(), None, policy(), warnings=True).result is Result.SAME


@pytest.mark.parametrize(
    ("recorded", "received", "sent"),
    [
        (row(), None, None),
        (row(), replace(message(), truncated=True), None),
        (row(), replace(message(), body=b""), None),
        (row(), replace(message(), length=None), None),
        (row(edits=(TRIMMED,)), message(SPACED), None),
        (row(edits=(TRIMMED,)), message(SPACED), replace(message(), truncated=True)),
        (row(edits=(TRIMMED,)), message(SPACED), message(b"<Order>")),
        (row(**REFUSED, status=400), replace(message(), truncated=True), None),
    ],
)
def test_what_is_not_kept_whole_cannot_be_judged(
    recorded: Row, received: Message | None, sent: Message | None
) -> None:
    assert compare(recorded, received, sent, policy()) == Rechecked(recorded, Result.UNREADABLE)


def test_what_the_listener_did_not_take_in_was_never_judged() -> None:
    refused = row(**REFUSED, status=413)
    assert compare(refused, message(b""), None, policy()) == Rechecked(refused, Result.UNJUDGED)
