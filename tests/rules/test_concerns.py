"""What a rule concerns: it is asked only about orders that have it, and has nothing else to say."""

from collections.abc import Iterable
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import ClassVar

import pytest
from hypothesis import given, settings

from judged import RULES
from ordertape.errors import StartUpError
from ordertape.model import Violation
from ordertape.order import Order, read_order
from ordertape.rule import GROUP, Registered, build_rules, discover
from ordertape.testing.orders import wild_orders


@dataclass(frozen=True)
class Always:
    """A violation wherever it is asked."""

    def validate(self, order: Order) -> Iterable[Violation]:
        """Find it."""
        return [order.violation(order.root, "1", "It is there; leave it out.")]


@dataclass(frozen=True)
class OfZips(Always):
    """The same, of ZIP searches."""

    concerns: ClassVar[tuple[str, ...]] = ("Zip", "ZIPSearchAndOrderType")


@dataclass(frozen=True)
class OfStrangers(Always):
    """Concerned with what the specification has not."""

    concerns: ClassVar[tuple[str, ...]] = ("Zip", "CountryCodeA3")


@pytest.mark.parametrize(
    ("inner", "asked"),
    [
        ("<ZipSearchAndOrderType/>", True),
        ("<AreaCodeSearchAndOrderType><Zip/></AreaCodeSearchAndOrderType>", True),
        ("<AreaCodeSearchAndOrderType/>", False),
        ("<Extra><Zip>27606</Zip></Extra>", False),
        ("", False),
    ],
)
def test_a_rule_is_asked_only_about_what_concerns_it(inner: str, asked: bool) -> None:  # noqa: FBT001 - a column of the table
    registered = {
        name: Registered(name, rule, "tests", "1")
        for name, rule in {"always": Always, "zips": OfZips}.items()
    }
    order = read_order(f"<Order>{inner}</Order>".encode(), None)
    verdict = build_rules({}, {}, registered).apply(order, None)
    expected = ["always", "zips"] if asked else ["always"]
    assert [found.rule for found in verdict.violations] == expected


def test_an_element_that_the_specification_has_not_stops_start_up() -> None:
    entry_point = EntryPoint("strangers", f"{__name__}:OfStrangers", GROUP)
    with pytest.raises(StartUpError) as refusal:
        discover([entry_point])
    assert str(refusal.value) == (
        f"The rule strangers of {__name__}:OfStrangers has CountryCodeA3 in `concerns`, which is "
        "no element of the specification that stands alone; correct it, or judge it in `validate`."
    )


@settings(max_examples=60)
@given(wild_orders())
def test_no_built_in_rule_has_anything_to_say_about_what_does_not_concern_it(body: bytes) -> None:
    order = read_order(body, None)
    present = {name for name, _ in order.every()}
    for configured in RULES.rules:
        concerns = getattr(configured.rule, "concerns", None)
        if concerns is not None and present.isdisjoint(concerns):
            assert list(configured.rule.validate(order)) == []  # type: ignore[union-attr]
