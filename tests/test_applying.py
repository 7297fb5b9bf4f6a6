"""What becomes of an order whose rules misbehave, and of one that must not be changed."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from gateways import ORDER, ask, gateway, order_request
from ordertape.admission import Policy, judge, read
from ordertape.errors import BadPathError, RuleFailedError, ViolatedError
from ordertape.model import Body, Headers, Request, Violation
from ordertape.order import Order, read_order
from ordertape.rule import Configured, Registered, Rule, RuleSet, Severity, build_rules
from ordertape.testing import Respond, Scripted, order_created


def rules(*named: Rule, severity: Severity = "enforce") -> RuleSet:
    """These rules, named after their classes."""
    return RuleSet(
        tuple(
            Configured(Registered(type(rule).__name__, type(rule), "house", "1"), rule, severity)
            for rule in named
        )
    )


@dataclass(frozen=True)
class Raising:
    """A rule that raises this."""

    error: BaseException

    def validate(self, order: Order) -> Iterable[Violation]:  # noqa: ARG002 - the signature of rules
        """Raise it."""
        raise self.error


@dataclass(frozen=True)
class RaisingEarly(Raising):
    """A rule that raises before any validates."""

    def normalize(self, order: Order) -> None:  # noqa: ARG002 - the signature of rules
        """Raise it."""
        raise self.error

    def validate(self, order: Order) -> Iterable[Violation]:  # noqa: ARG002 - the signature of rules
        """Find nothing."""
        return ()


@dataclass(frozen=True)
class Finding:
    """A rule that finds this."""

    found: Any

    def validate(self, order: Order) -> Any:  # noqa: ARG002 - the signature of rules
        """Find it."""
        return [self.found]


@dataclass(frozen=True)
class OneNumber:
    """A rule that writes a Quantity of one where there is none."""

    def normalize(self, order: Order) -> None:
        """Write it."""
        for order_type in order.types:
            if "Quantity" not in order.stated(order_type):
                order.add(order_type, "Quantity", "1")


HERE = Violation("", "1", "/Order", 1, "Wrong.")


@pytest.mark.parametrize("kind", [Raising, RaisingEarly])
@pytest.mark.parametrize(
    "error", [SystemExit(3), asyncio.CancelledError(), GeneratorExit(), KeyError("x")]
)
def test_whatever_a_rule_raises_refuses_the_order(
    kind: type[Raising], error: BaseException
) -> None:
    with pytest.raises(RuleFailedError, match=f"failed on this order .{type(error).__name__}"):
        rules(kind(error), severity="warn").apply(read_order(ORDER, None), None)


@pytest.mark.parametrize(
    "found",
    [
        replace(HERE, severity="error"),
        replace(HERE, severity="off"),
        replace(HERE, code=5002),  # type: ignore[arg-type]
        replace(HERE, code="<x>"),
        replace(HERE, code=""),
        replace(HERE, message=None),  # type: ignore[arg-type]
        replace(HERE, xpath=1),  # type: ignore[arg-type]
        "wrong",
        None,
    ],
)
def test_what_is_no_violation_refuses_the_order_and_does_not_pass_for_a_warning(
    found: object,
) -> None:
    with pytest.raises(RuleFailedError):
        rules(Finding(found)).apply(read_order(ORDER, None), None)


def test_what_is_raised_in_place_of_a_violation_is_judged_like_one() -> None:
    junk = Raising(ViolatedError((replace(HERE, severity="odd"),)))
    with pytest.raises(RuleFailedError):
        rules(junk).apply(read_order(ORDER, None), None)


def test_a_rule_cannot_put_another_tree_in_the_place_of_the_orders() -> None:
    with pytest.raises(AttributeError):
        read_order(ORDER, None).root = None  # type: ignore[misc, assignment]


@pytest.mark.parametrize("kind", [Raising, RaisingEarly])
def test_a_refusal_that_a_rule_raises_is_one_of_its_violations(kind: type[Raising]) -> None:
    order = read_order(ORDER, None)
    raised = kind(ViolatedError((HERE, replace(HERE, code="2", severity="warn"))))
    verdict = rules(raised, Finding(HERE)).apply(order, None)
    own = replace(HERE, rule=kind.__name__)
    assert verdict.violations == (
        own,
        replace(own, code="2", severity="warn"),
        replace(HERE, rule="Finding"),
    )
    path = kind(BadPathError("It is on the wrong path."))
    assert rules(path, severity="warn").apply(order, None).violations == (
        Violation(kind.__name__, "94003", "/Order", 1, "It is on the wrong path.", "warn"),
    )


def posted(body: bytes, *headers: tuple[bytes, bytes]) -> Request:
    return Request("POST", "/accounts/1/orders", Headers.of(headers), Body(body))


@pytest.mark.parametrize("forbidden", [False, True])
def test_an_order_costs_what_leaves_and_not_what_would_have(forbidden: bool) -> None:  # noqa: FBT001 - a row of the table
    body = ORDER.replace(b"<Quantity>1</Quantity>", b"")
    headers = [(b"Cache-Control", b"no-transform")] if forbidden else []
    request = posted(body, *headers)
    policy = Policy(rules(OneNumber()))
    judged = judge(read(request, policy), request, policy, "1")
    if forbidden:
        assert (judged.cost, judged.forward.body.held, judged.edits) == (5000, body, ())
        assert [found.rule for found in judged.violations] == ["no-transform"]
        assert judged.leaves.quantity is None
    else:
        assert (judged.cost, len(judged.edits), judged.leaves.quantity) == (1, 1, 1)


@dataclass(frozen=True)
class NoNames:
    """A rule that refuses before any validates."""

    def normalize(self, order: Order) -> bool:
        """Refuse; what it returns means nothing."""
        if order.fields("Name"):
            raise BadPathError("No names here.")
        return True


@pytest.mark.parametrize("forbidden", [False, True])
def test_what_a_rule_refuses_while_it_normalises_is_refused_whatever_the_client_forbids(
    forbidden: bool,  # noqa: FBT001 - a row of the table
) -> None:
    body = ORDER.replace(b"<Quantity>1</Quantity>", b"")
    headers = [(b"Cache-Control", b"no-transform")] if forbidden else []
    policy = Policy(rules(NoNames(), OneNumber()))
    for name, refused in ((b"", False), (b"<Name>x</Name>", True)):
        request = posted(body.replace(b"</Order>", name + b"</Order>"), *headers)
        judged = judge(read(request, policy), request, policy, "1")
        assert (judged.refusal is not None) is refused


def test_the_number_of_those_left_out_is_told_once() -> None:
    numbers = b"<TelephoneNumber>1</TelephoneNumber>" * 1500
    body = (
        b"<Order><SiteId>743</SiteId><ExistingTelephoneNumberOrderType><TelephoneNumberList>"
        b"%b</TelephoneNumberList><Quantity>x</Quantity></ExistingTelephoneNumberOrderType></Order>"
    ) % numbers
    judged = judge(read_order(body, None), posted(body), Policy(build_rules({}, {})), None)
    assert judged.violations[-1].message == "There are 501 violations more; correct these first."


def test_bytes_that_only_the_fallback_reads_do_not_leave_where_changes_are_forbidden() -> None:
    body = ORDER.replace(b"</Order>", b"<Name>Caf\xe9</Name></Order>")
    policy = Policy(rules(OneNumber()), fallback_charset="iso-8859-1")
    forbidding = posted(body, (b"Cache-Control", b"no-transform"))
    judged = judge(read(forbidding, policy), forbidding, policy, "1")
    assert (judged.refusal is not None, judged.cost) == (True, None)
    free = posted(body)
    assert judge(read(free, policy), free, policy, "1").refusal is None


def test_a_stray_quantity_is_told_beside_what_else_is_wrong_in_document_order() -> None:
    body = (
        b"<Order><Quantity>1</Quantity><SiteId>x</SiteId><AreaCodeSearchAndOrderType>"
        b"<AreaCode>1</AreaCode><Quantity>z</Quantity></AreaCodeSearchAndOrderType></Order>"
    )
    policy = Policy(build_rules({}, {}))
    judged = judge(read_order(body, None), posted(body), policy, None)
    assert [(found.rule, found.code) for found in judged.violations] == [
        ("cost", "94002"),
        ("site-id", "5016"),
        ("area-code", "5002"),
        ("quantity", "5009"),
    ]
    assert isinstance(judged.refusal, ViolatedError)


async def test_a_rule_that_ends_the_process_ends_one_order_only(tmp_path: Path) -> None:
    house = (
        "from dataclasses import dataclass\n\n\n@dataclass(frozen=True)\nclass Ending:\n"
        '    """Ends the process."""\n\n    def validate(self, order):\n'
        "        if order.customer_order_id == 'end':\n            raise SystemExit(3)\n"
        "        return ()\n"
    )
    (tmp_path / "house.py").write_text(house)
    ended = ORDER.replace(b"</Order>", b"<CustomerOrderId>end</CustomerOrderId></Order>")
    large = ended.replace(b"</Order>", b"<Extra>" + b"x" * 20_000 + b"</Extra></Order>")
    async with (
        Scripted([Respond(order_created("a1"))]) as service,
        gateway(
            tmp_path, upstream=service.url, rules={"files": [tmp_path / "house.py"]}
        ) as running,
    ):
        statuses = [
            (await ask(running.port, order_request(body))).status for body in (ended, large, ORDER)
        ]
        recorded = running.recorded()
    assert statuses == [500, 500, 201]
    assert [full.row.status for full in recorded] == [500, 500, 201]
    assert len(service.attempts) == 1
