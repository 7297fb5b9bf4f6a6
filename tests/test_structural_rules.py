"""Rules that depend on the structure alone: they are asked once, and nothing else changes."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import Any, ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from ordertape.errors import StartUpError
from ordertape.model import Edit, Violation
from ordertape.order import Format, Formats, Order, read_order
from ordertape.order.names import VALUES
from ordertape.rule import GROUP, Registered, RuleSet, build_rules, discover
from ordertape.testing import valid_orders, wild_orders

REGISTERED = discover()


def body(inner: str) -> bytes:
    return f"<Order><SiteId>7</SiteId>{inner}</Order>".encode()


def rules_of(**rules: type[Any]) -> RuleSet:
    registered = {name: Registered(name, rule, "tests", "1") for name, rule in rules.items()}
    return build_rules({}, {}, registered)


@dataclass(frozen=True)
class Asked:
    """Notes what it is asked about; names what has no Name, and refuses a Zip."""

    structural: ClassVar[bool] = True
    orders: ClassVar[list[str]] = []

    def normalize(self, order: Order) -> None:
        """Add the name."""
        self.orders.append("normalize")
        if not order.fields("Name"):
            order.add(order.root, "Name", "x")

    def validate(self, order: Order) -> Iterable[Violation]:
        """Find the Zip."""
        self.orders.append("validate")
        return [order.violation(zip_code, "1", "No.") for zip_code in order.fields("Zip")]


NAMED = Edit("asked", "/Order/Name", None, "x")


@pytest.mark.parametrize(
    ("orders", "asked"),
    [
        (["<Name>a</Name>", "<Name>b</Name>", "<Name> </Name>"], ["normalize", "validate"]),
        (["<PeerId>1</PeerId>", "<PeerId> 2 </PeerId>"], ["normalize", "validate"]),
        (["<Name>a</Name><Zip>1</Zip>"] * 2, ["normalize", "validate", "validate"]),
        (["<Name>a</Name>", "<Name>a</Name><PeerId/>"], ["normalize", "validate"] * 2),
        (["<Name>a</Name><Odd/>"] * 2, ["normalize", "validate"] * 2),
        (["<Name>a</Name><!-- -->"] * 2, ["normalize", "validate"] * 2),
    ],
)
def test_a_structural_rule_is_not_asked_again_where_it_only_added_or_had_nothing_to_do(
    orders: list[str], asked: list[str]
) -> None:
    rules = rules_of(asked=Asked)
    Asked.orders.clear()
    for inner in orders:
        verdict = rules.apply(read_order(body(inner), None), None)
        assert [found.code for found in verdict.violations] == ["1"] * inner.count("<Zip>")
        assert verdict.edits == (() if "<Name>" in inner else (NAMED,))
    assert Asked.orders == asked


@dataclass(frozen=True)
class Changing:
    """Renames a LATA that is 9: what the others find is not what they found of it before."""

    def normalize(self, order: Order) -> None:
        """Rename it."""
        for lata in order.fields("Lata"):
            if order.value(lata) == "9":
                order.rename(lata, "Zip")


def test_a_rule_is_asked_again_where_another_made_another_structure_of_the_order() -> None:
    rules = rules_of(zzz=Asked, aaa=Changing)
    inner = "<Name>a</Name><LATASearchAndOrderType><Lata>{}</Lata></LATASearchAndOrderType>"
    found = [
        len(rules.apply(read_order(body(inner.format(lata)), None), None).violations)
        for lata in ("1", "1", "9", "1", "9")
    ]
    assert found == [0, 0, 1, 0, 1]


@dataclass(frozen=True)
class Shaped:
    """A value of two formats, and a container that no value suits."""

    formats: ClassVar[Formats] = {
        "Name": (Format("[a-z]*", "1", "small letters"), Format(".{0,3}", "2", "three at most")),
        "TnAttributes": Format("x", "3", "none"),
    }


def test_a_value_is_told_the_first_format_that_it_is_not_like() -> None:
    rules = rules_of(shaped=Shaped)
    inners = {
        "<Name>abc</Name>": [],
        "<Name>ABC</Name>": ["1"],
        "<Name>abcd</Name>": ["2"],
        "<Name>ABCD</Name>": ["1"],
        "<Name> abc </Name>": [],
        "<TnAttributes></TnAttributes>": ["3"],
        "<TnAttributes><TnAttribute>x</TnAttribute></TnAttributes>": ["3"],
    }
    for inner, codes in [*inners.items()] * 2:
        verdict = rules.apply(read_order(body(inner), None), None)
        assert [found.code for found in verdict.violations] == codes


@dataclass(frozen=True)
class Unsure(Asked):
    """It does not know."""

    structural: ClassVar[Any] = "perhaps"


@dataclass(frozen=True)
class Formless:
    """No format at all."""

    formats: ClassVar[Any] = {"Name": ()}


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        ("Unsure", "has a `structural` that is neither True nor False; correct it."),
        (
            "Formless",
            (
                "has something else than a Format of three texts for Name in `formats`; write it "
                "as Format(pattern, code, allowed)."
            ),
        ),
    ],
)
def test_what_is_wrong_with_them_stops_start_up(rule: str, sentence: str) -> None:
    with pytest.raises(StartUpError) as refusal:
        discover([EntryPoint("a", f"{__name__}:{rule}", GROUP)])
    assert str(refusal.value) == f"The rule a of {__name__}:{rule} {sentence}"


CONFIGS: tuple[dict[str, dict[str, object]], ...] = (
    {},
    {
        "order-defaults": {"combined_enable_lca": False, "partial_allowed": "leave"},
        "spelling": {"action": "rename"},
        "trim-whitespace": {"severity": "off"},
        "quantity": {"missing": "refuse"},
    },
)
REMEMBERING = [build_rules(config, {}, REGISTERED) for config in CONFIGS]


@settings(max_examples=60, deadline=None)
@given(
    valid_orders() | wild_orders(),
    st.lists(st.sampled_from(["", "1", " 743 ", "true", "9193752369", "0005001"]), min_size=1),
)
def test_what_is_remembered_of_orders_changes_no_verdict(order: bytes, values: list[str]) -> None:
    root = etree.fromstring(order)
    for number, leaf in enumerate(root.iter(*VALUES)):
        leaf.text = values[number % len(values)]
    for config, remembering in zip(CONFIGS, REMEMBERING, strict=True):
        for written in (order, etree.tostring(root)):
            remembered, anew = read_order(written, None), read_order(written, None)
            verdict = remembering.apply(remembered, None)
            assert verdict == build_rules(config, {}, REGISTERED).apply(anew, None)
            assert verdict == remembering.apply(read_order(written, None), None)
            assert remembered.serialize() == anew.serialize()


@dataclass(frozen=True)
class AsksAmidEdits:
    """Asks what an order holds between two edits, but not every order."""

    formats: ClassVar[Formats] = {
        "State": Format("[A-Z]{2}", "1", "two letters"),
        "PartialAllowed": Format("NO|true", "2", "NO or true"),
    }

    def normalize(self, order: Order) -> None:
        """Edit it twice."""
        for name in order.fields("Name"):
            if order.value(name) == "ask":
                order.set_text(name, "asked")
                order.held()
            elif order.value(name) == "edit":
                order.set_text(name, "edited")
        if not order.fields("PartialAllowed"):
            order.add(order.root, "PartialAllowed", "NO")


@pytest.mark.parametrize("names", [("ask", "edit"), ("edit", "ask"), ("edit", "edit")])
def test_values_are_judged_by_their_own_formats_whenever_a_rule_asks_for_them(
    names: tuple[str, str],
) -> None:
    rules = rules_of(asks=AsksAmidEdits)
    inner = "<Name>{}</Name><StateSearchAndOrderType><State>{}</State></StateSearchAndOrderType>"
    found = [
        [one.code for one in rules.apply(read_order(body(text), None), None).violations]
        for name, state in zip(names, ("NC", "true"), strict=True)
        for text in [inner.format(name, state)]
    ]
    assert found == [[], ["1"]]
