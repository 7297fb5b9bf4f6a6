"""Normalising and judging by all built-in rules together, on generated orders of every type."""

import re
from collections import Counter
from collections.abc import Iterable
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from lxml import etree

from ordertape.admission import Judgement, Policy, judge, read
from ordertape.canonical import match_key
from ordertape.model import Body, Edit, Headers, Request, Violation
from ordertape.order import ORDER_TYPES, Order, specified
from ordertape.order.names import SPECIFIED
from ordertape.rule import RuleSet, build_rules
from ordertape.testing import order_of, valid_orders, wild_orders
from ordertape.testing.layouts import LAYOUTS, Layout, written
from ordertape.testing.orders import valid_trees, wild_trees

DEFAULT = build_rules({}, {})
RENAMING = build_rules(
    {
        "spelling": {"action": "rename"},
        "order-defaults": {"combined_enable_lca": "true"},
        "quantity": {"missing": "refuse"},
    },
    {},
)
RULE_SETS = st.sampled_from([DEFAULT, RENAMING])
ORDERS = wild_orders() | valid_orders()
TREES = wild_trees() | valid_trees()
ALIKE = st.sampled_from([layout for layout in LAYOUTS.values() if not layout.spread])

few = settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])


def judged(body: bytes, rules: RuleSet = DEFAULT) -> tuple[Order, Judgement]:
    """The order as its rules left it, and what they made of it."""
    headers = Headers.of([(b"Content-Type", b"application/xml")])
    request = Request("POST", "/accounts/1/orders", headers, Body(body))
    policy = Policy(rules)
    order = read(request, policy)
    return order, judge(order, request, policy, None)


def facts(violations: Iterable[Violation]) -> list[tuple[str, ...]]:
    """All but the line, in any order."""
    return sorted((v.rule, v.code, v.xpath, v.message, v.severity) for v in violations)


def unplaced(edits: Iterable[Edit]) -> Counter[tuple[str, str, str | None, str | None]]:
    """Edits without the numbers of siblings."""
    numbers = re.compile(r"\[\d+\]")
    return Counter((e.rule, numbers.sub("", e.xpath), e.before, e.after) for e in edits)


def key(order: Order) -> str:
    return match_key("POST", "/accounts/1/orders", b"", None, authorized=False, order=order)


@few
@given(ORDERS, RULE_SETS)
def test_what_has_been_normalised_needs_nothing_more(body: bytes, rules: RuleSet) -> None:
    order, first = judged(body, rules)
    sent = first.forward.body.held
    again, second = judged(sent, rules)
    assert (second.edits, second.rewritten, second.forward.body.held) == ((), False, sent)
    assert facts(second.violations) == facts(first.violations)
    assert key(again) == key(order)


@few
@given(ORDERS, RULE_SETS)
def test_an_order_that_needs_nothing_leaves_byte_for_byte(body: bytes, rules: RuleSet) -> None:
    _, judgement = judged(body, rules)
    assert judgement.rewritten is bool(judgement.edits)
    if not judgement.edits:
        assert judgement.forward.body.held is body


@few
@given(TREES, ALIKE, ALIKE, RULE_SETS, st.data())
def test_indentation_and_the_order_of_elements_change_nothing(
    tree: etree._Element, one: Layout, other: Layout, rules: RuleSet, data: st.DataObject
) -> None:
    before, first = judged(written(tree, one), rules)
    for parent in list(tree.iter(etree.Element)):
        if len(parent) > 1:
            parent[:] = data.draw(st.permutations(list(parent)))
    after, second = judged(written(tree, other), rules)
    assert key(after) == key(before)
    assert unplaced(second.edits) == unplaced(first.edits)
    assert Counter((v.rule, v.code, v.severity) for v in second.violations) == Counter(
        (v.rule, v.code, v.severity) for v in first.violations
    )


@few
@given(TREES)
def test_blanks_around_values_change_nothing_but_the_edits(tree: etree._Element) -> None:
    bare, spread = LAYOUTS["numbers-java-sdk"], LAYOUTS["a template in a shell script"]
    before, first = judged(written(tree, bare))
    after, second = judged(written(tree, spread))
    assert key(after) == key(before)
    assert facts(second.violations) == facts(first.violations)


def held(root: etree._Element) -> Counter[str]:
    """Comments wherever they are, and every element that is not the specification's."""
    whole = root.getroottree().xpath("//comment()")
    comments = Counter(str(comment) for comment in whole)
    unknown = (e for e in root.iter(etree.Element) if e.tag not in SPECIFIED)
    return comments + Counter(f"{e.tag} {sorted(e.items())}" for e in unknown)


@few
@given(TREES, ALIKE, RULE_SETS)
def test_comments_and_unknown_elements_are_kept(
    tree: etree._Element, layout: Layout, rules: RuleSet
) -> None:
    _, judgement = judged(written(tree, layout), rules)
    assert held(etree.fromstring(judgement.forward.body.held)) == held(tree)


def found(root: etree._Element, xpath: str) -> etree._Element:
    """The element of this path, under any spelling of its names."""
    for step in xpath.split("/")[2:]:
        name, _, number = step.rstrip("]").partition("[")
        alike = [e for e in root.iterchildren(etree.Element) if same(str(e.tag), name)]
        root = alike[int(number or 1) - 1]
    return root


def same(one: str, other: str) -> bool:
    return specified(one) == specified(other)


def replayed(root: etree._Element, edits: Iterable[Edit]) -> etree._Element:
    """The order after these edits, as a reader of the record would make them."""
    root = deepcopy(root)
    for edit in edits:
        if edit.before is None:
            parent, _, name = edit.xpath.rpartition("/")
            etree.SubElement(found(root, parent), name.partition("[")[0]).text = edit.after
        elif edit.rule == "spelling":
            element = found(root, edit.xpath)
            assert edit.before == f"<{element.tag}>"
            element.tag = str(edit.after).strip("<>")
        else:
            element = found(root, edit.xpath)
            assert edit.before == element.text
            element.text = edit.after
    return root


def said(node: etree._Element) -> tuple[Any, ...]:
    """What a tree says, without the blanks between its elements."""
    value = "" if len(node) else node.text or ""
    return str(node.tag), sorted(node.items()), value, [said(child) for child in node]


@few
@given(ORDERS, RULE_SETS)
def test_the_recorded_edits_lead_from_what_came_to_what_left(body: bytes, rules: RuleSet) -> None:
    received = etree.fromstring(body)
    _, judgement = judged(body, rules)
    sent = etree.fromstring(judgement.forward.body.held)
    assert said(replayed(received, judgement.edits)) == said(sent)
    assert {edit.rule for edit in judgement.edits} <= {rule.name for rule in rules.rules}


def shuffled(rules: RuleSet) -> st.SearchStrategy[RuleSet]:
    return st.permutations(rules.rules).map(tuple).map(RuleSet)


EMPTY_ON_TWO_LINES = (
    b"<Order><RateCenterSearchAndOrderType>\n</RateCenterSearchAndOrderType></Order>"
)


@few
@given(ORDERS, RULE_SETS.flatmap(lambda rules: st.tuples(st.just(rules), shuffled(rules))))
@example(EMPTY_ON_TWO_LINES, (DEFAULT, RuleSet(DEFAULT.rules[::-1])))
def test_the_order_of_rules_is_irrelevant(body: bytes, both: tuple[RuleSet, RuleSet]) -> None:
    rules, others = both
    order, first = judged(body, rules)
    other, second = judged(body, others)
    assert other.serialize() == order.serialize()
    assert Counter(second.edits) == Counter(first.edits)
    assert facts(second.violations) == facts(first.violations)


@settings(few, max_examples=15)
@pytest.mark.parametrize("order_type", ORDER_TYPES)
@given(st.data())
def test_valid_orders_are_admitted(order_type: str, data: st.DataObject) -> None:
    order, judgement = judged(data.draw(order_of(order_type)))
    assert (order.order_type, order.site_id is None) == (order_type, False)
    assert order.cost <= 5000
    told = {(violation.rule, violation.severity) for violation in judgement.violations}
    assert told <= {("quantity", "warn")}
