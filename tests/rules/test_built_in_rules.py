"""The built-in rules together: examples, order of telling, and agreement with the service."""

import re
from importlib.metadata import entry_points
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

import ordertape_rules
from judged import RULES, of_the_service, told
from order_shapes import CLIENTS
from ordertape.canonical import match_key
from ordertape.errors import RefusedError
from ordertape.model import Violation
from ordertape.order import ORDER_TYPES, Order, read_order
from ordertape.rule import GROUP, RuleSet, build_rules
from ordertape.testing.orders import order_of, valid_trees, wild_orders, wild_trees

NORMALIZING = build_rules(
    {"order-defaults": {"combined_enable_lca": False}, "spelling": {"action": "rename"}}, {}
)
OWN = {
    configured.name: configured.registered.rule
    for configured in RULES.rules
    if configured.registered.package == "ordertape"
}


def applied(body: bytes, rules: RuleSet = RULES) -> tuple[Order, list[Violation]]:
    order = read_order(body, None)
    return order, list(rules.apply(order, None).violations)


# What every rule has.


def test_every_file_is_one_rule_under_its_own_name() -> None:
    files = {file.stem for file in Path(ordertape_rules.__path__[0]).glob("[!_]*.py")}
    assert {name.replace("-", "_") for name in OWN} == files
    for entry_point in entry_points(group=GROUP):
        if entry_point.name in OWN:
            words = entry_point.name.split("-")
            module = "_".join(words)
            class_name = "".join(map(str.capitalize, words))
            assert entry_point.value == f"ordertape_rules.{module}:{class_name}"


@pytest.mark.parametrize("name", OWN)
def test_the_example_meets_this_rule_and_no_other(name: str) -> None:
    order, violations = applied(OWN[name].example.encode())  # type: ignore[attr-defined]
    assert {found.rule for found in violations} | {edit.rule for edit in order.edits} == {name}


@pytest.mark.parametrize("name", OWN)
def test_the_page_says_where_the_rule_is_from_and_every_code_that_it_has(name: str) -> None:
    page = OWN[name].__doc__ or ""
    assert "Source: orders API" in page
    _, violations = applied(OWN[name].example.encode())  # type: ignore[attr-defined]
    assert all(found.code in page for found in violations)


@pytest.mark.parametrize("name", OWN)
def test_a_violation_is_one_sentence_that_says_what_to_do(name: str) -> None:
    for _, _, code, _, message in told(OWN[name].example):  # type: ignore[attr-defined]
        assert code.isdigit()
        assert re.fullmatch(r"[A-Z][^;]*; \S.*\.", message)


# All at once.


def test_all_violations_are_told_in_the_order_of_the_document_with_their_lines() -> None:
    body = b"""<Order>
  <PeerId>peer</PeerId>
  <ExistingTelephoneNumberOrderType>
    <TelephoneNumberList>
      <TelephoneNumber>123</TelephoneNumber>
      <TelephoneNumber>9193752369</TelephoneNumber>
      <TelephoneNumber>9193752369</TelephoneNumber>
    </TelephoneNumberList>
    <ReservationIdList><ReservationId>[GUID]</ReservationId></ReservationIdList>
  </ExistingTelephoneNumberOrderType>
  <ZipSearchAndOrderType>
    <Zip>2760</Zip>
    <EndsIn>1</EndsIn>
  </ZipSearchAndOrderType>
  <TnAttributes><TnAttribute>Precious</TnAttribute></TnAttributes>
  <PartialAllowed>yes</PartialAllowed>
  <Name>A name of more than fifty characters is a bit too long</Name>
</Order>"""
    _, violations = applied(body)
    listed = "/Order/ExistingTelephoneNumberOrderType"
    zip_type = "/Order/ZipSearchAndOrderType"
    assert [(v.rule, v.code, v.xpath, v.line, v.severity) for v in violations] == [
        ("site-id", "5022", "/Order", 1, "enforce"),
        ("peer-id", "5023", "/Order/PeerId", 2, "enforce"),
        (
            "telephone-number",
            "5070",
            f"{listed}/TelephoneNumberList/TelephoneNumber[1]",
            5,
            "enforce",
        ),
        (
            "telephone-number",
            "5093",
            f"{listed}/TelephoneNumberList/TelephoneNumber[3]",
            7,
            "enforce",
        ),
        ("reservation-id", "1008", f"{listed}/ReservationIdList/ReservationId", 9, "enforce"),
        ("order-type", "5087", zip_type, 11, "enforce"),
        ("quantity", "5009", zip_type, 11, "warn"),
        ("spelling", "94002", zip_type, 11, "warn"),
        ("zip", "5002", f"{zip_type}/Zip", 12, "enforce"),
        ("booleans", "5002", f"{zip_type}/EndsIn", 13, "enforce"),
        ("ends-in", "5002", f"{zip_type}/EndsIn", 13, "enforce"),
        ("tn-attribute", "5102", "/Order/TnAttributes/TnAttribute", 15, "enforce"),
        ("booleans", "5217", "/Order/PartialAllowed", 16, "enforce"),
        ("name", "1011", "/Order/Name", 17, "enforce"),
    ]


@pytest.mark.parametrize(
    ("client", "warned"),
    [
        ("python", ["spelling", "spelling"]),
        ("node", []),
        ("ruby", ["spelling"]),
        ("php", []),
        ("c#", ["search-criterion"]),
        ("java-iris", ["spelling"]),
        ("numbers-java-sdk", ["spelling"]),
        ("go", []),
        ("a template in a shell script", []),
    ],
)
def test_the_orders_of_every_client_pass_with_the_expected_warnings_only(
    client: str, warned: list[str]
) -> None:
    _, violations = applied(CLIENTS[client])
    assert [(found.rule, found.severity) for found in violations] == [
        (rule, "warn") for rule in warned
    ]


def test_every_client_has_its_row_above() -> None:
    marks = test_the_orders_of_every_client_pass_with_the_expected_warnings_only.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in marks[0].args[1]} == CLIENTS.keys()


def test_what_the_specification_does_not_know_is_never_judged() -> None:
    body = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<CloseOrder>maybe</CloseOrder><Extra><Zip>x</Zip><Quantity2/><EndsIn/></Extra>"
        "<LATASearchAndOrderType><Lata>224</Lata><Quantity>1</Quantity>"
        "<Protected>?</Protected><Extra><TelephoneNumberList><TelephoneNumber/>"
        "</TelephoneNumberList></Extra></LATASearchAndOrderType>"
        "<TnAttributes><Other>x</Other></TnAttributes></Order>"
    )
    assert told(body) == []


@pytest.mark.parametrize("blank", [" ", "\n\t", "\r\n    "])
def test_verdicts_do_not_depend_on_trimming(blank: str) -> None:
    untrimmed = build_rules({"trim-whitespace": {"severity": "off"}}, {})
    for body in (*CLIENTS.values(), *(rule.example.encode() for rule in OWN.values())):  # type: ignore[attr-defined]
        root = etree.fromstring(body.strip())
        for leaf in root.iter(etree.Element):
            if not len(leaf):
                leaf.text = f"{blank}{leaf.text or ''}{blank}"
        padded = etree.tostring(root)
        verdicts = [
            [(v.rule, v.code, v.xpath, v.message) for v in applied(padded, rules)[1]]
            for rules in (RULES, untrimmed)
        ]
        assert verdicts[0] == verdicts[1]


# Agreement with the service.


@pytest.mark.parametrize("order_type", ORDER_TYPES)
def test_a_valid_order_of_each_type_is_admitted_by_the_rules_and_the_service(
    order_type: str,
) -> None:
    @settings(max_examples=15)
    @given(order_of(order_type))
    def admitted(body: bytes) -> None:
        _, violations = applied(body)
        assert {found.rule for found in violations} <= {"quantity"}
        assert {found.severity for found in violations} <= {"warn"}
        assert of_the_service(body) == []

    admitted()


@settings(max_examples=150)
@given(wild_orders())
def test_what_the_rules_admit_the_service_admits(body: bytes) -> None:
    order, violations = applied(body)
    refused = [found for found in violations if found.severity == "enforce"]
    if refused or "search-criterion" in {found.rule for found in violations}:
        return
    try:
        assert order.cost
    except RefusedError:  # a Quantity outside the order type
        return
    assert of_the_service(body) == []


# Normalising.


@settings(max_examples=60)
@given(valid_trees() | wild_trees(), st.randoms(use_true_random=False))
def test_normalising_is_done_once_whatever_the_layout_and_the_order_of_elements(
    root: etree._Element, random: object
) -> None:
    order, _ = applied(etree.tostring(root), NORMALIZING)
    again, _ = applied(order.serialize(), NORMALIZING)
    assert not again.changed
    shuffled = etree.fromstring(etree.tostring(root))
    for parent in (shuffled, *shuffled.iterchildren(etree.Element)):
        children = list(parent)
        random.shuffle(children)  # type: ignore[attr-defined]
        parent[:] = children
    etree.indent(shuffled)
    other, _ = applied(etree.tostring(shuffled), NORMALIZING)
    keys = {match_key("POST", "/", b"", None, False, known) for known in (order, again, other)}
    assert len(keys) == 1


@settings(max_examples=60)
@given(wild_trees())
def test_every_change_is_noted_with_its_rule_and_nothing_else_changes(root: etree._Element) -> None:
    body = etree.tostring(root)
    before = read_order(body, None)
    order, _ = applied(body, NORMALIZING)
    undone = read_order(order.serialize(), None)
    places = {undone.xpath(element): element for element in undone.root.iter(etree.Element)}
    for edit in reversed(order.edits):
        element = places[edit.xpath]
        if edit.before is None:
            element.getparent().remove(element)  # type: ignore[union-attr]
        elif edit.rule == "spelling":
            element.tag = edit.before.strip("<>")
        else:
            element.text = edit.before or None
    assert etree.tostring(undone.root, method="c14n") == etree.tostring(before.root, method="c14n")


def test_an_order_that_needs_nothing_is_left_as_it_is() -> None:
    for rule in OWN.values():
        order, _ = applied(rule.example.encode())  # type: ignore[attr-defined]
        assert order.changed == hasattr(rule, "normalize") * (rule.__name__ != "Spelling")


@given(wild_trees(), st.data())
@settings(max_examples=60)
def test_what_was_noted_on_the_way_is_what_is_found_there(
    root: etree._Element, data: st.DataObject
) -> None:
    noted, _ = applied(etree.tostring(root), data.draw(st.sampled_from([RuleSet(()), NORMALIZING])))
    surveyed = Order(noted.root)
    for name in ("SiteId", "EnableLCA", "Extra", "TelephoneNumber", *ORDER_TYPES):
        assert list(noted.fields(name)) == list(surveyed.fields(name))
    assert list(noted.types) == list(surveyed.types)
    assert list(noted.padded()) == list(surveyed.padded())
    for parent in noted.root.iter(etree.Element):
        assert noted.stated(parent) == surveyed.stated(parent)
        assert list(noted.stated(parent)) == list(surveyed.stated(parent))
