"""The laws of rules: the built-in ones keep them, and a rule that breaks one is told which."""

import dataclasses
import itertools
import re
import subprocess
import sys
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import pytest

from ordertape.errors import BadPathError
from ordertape.model import Violation
from ordertape.order import Order
from ordertape.rule import discover
from ordertape.testing import check_rule

RULES = discover()


def choices(hint: Any) -> list[Any]:
    """Every value of a field's type, where they are few."""
    if hint is bool:
        return [True, False]
    if typing.get_origin(hint) is Literal:
        return list(typing.get_args(hint))
    return list(itertools.chain.from_iterable(map(choices, typing.get_args(hint))))


def variants(rule: type[Any]) -> Iterator[dict[str, Any]]:
    """The defaults, and every other value of every field that has few."""
    yield {}
    hints = typing.get_type_hints(rule)
    for field in dataclasses.fields(rule):
        for value in choices(hints[field.name]):
            if value != field.default:
                yield {field.name: value}


VARIANTS = [(name, fields) for name, found in RULES.items() for fields in variants(found.rule)]


@pytest.mark.parametrize(("name", "fields"), VARIANTS, ids=map(str, VARIANTS))
def test_every_built_in_rule_keeps_the_laws(name: str, fields: dict[str, Any]) -> None:
    check_rule(RULES[name].rule(**fields), examples=40)


@dataclass(frozen=True)
class Marks:
    """Marks the name once more each time."""

    def normalize(self, order: Order) -> None:
        name = order.child(order.root, "Name")
        if name is not None:
            order.set_text(name, f"{order.text(name)}!")


@dataclass(frozen=True)
class Bloats:
    """Makes an order that would not be admitted."""

    def normalize(self, order: Order) -> None:
        if not order.fields("SiteId"):
            order.add(order.root, "SiteId", "1" * 70_000)


@dataclass(frozen=True)
class SeesLines:
    """Finds fault with the layout, which its own order does not keep."""

    def validate(self, order: Order) -> Iterator[Violation]:
        if order.root.sourceline == 1:
            yield order.violation(order.root, "1", "The order begins on the first line.")


@dataclass(frozen=True)
class WritesValues:
    """Edits without the order's knowledge."""

    def normalize(self, order: Order) -> None:
        for name in order.fields("Name"):
            name.text = "x"


@dataclass(frozen=True)
class WritesAttributes:
    """Edits without the order's knowledge, before it does so properly."""

    def normalize(self, order: Order) -> None:
        for name in order.fields("Name"):
            name.set("seen", "true")
            order.set_text(name, "x")


@dataclass(frozen=True)
class EditsWhileValidating:
    """Edits, properly but too late."""

    def validate(self, order: Order) -> list[Violation]:
        order.set_text(order.add(order.root, "Seen", ""), "true")
        return []


@dataclass(frozen=True)
class TidiesWhileValidating:
    """Edits, neither properly nor in time."""

    def validate(self, order: Order) -> list[Violation]:
        order.root.text = None
        return []


@dataclass(frozen=True)
class Trusts:
    """Relies on what may be absent."""

    def validate(self, order: Order) -> list[Violation]:
        [site_id] = order.fields("SiteId")
        return [order.violation(site_id, "1", "SiteId is odd; send an even one.")]


@dataclass(frozen=True)
class Forgets:
    """Returns nothing at all where there is nothing to find."""

    def validate(self, order: Order) -> list[Violation] | None:
        return [order.violation(order.root, "1", "Old.")] if order.site_id == "1" else None


@dataclass(frozen=True)
class Exits:
    """Ends the program, or would like to, at one of its steps."""

    at: str

    def normalize(self, order: Order) -> None:
        if self.at == "normalize" and order.fields("Name"):
            sys.exit("canary")

    def validate(self, order: Order) -> None:
        if self.at == "validate" and order.fields("Name"):
            sys.exit("canary")


@dataclass(frozen=True)
class Interrupted:
    """Is interrupted by who runs it."""

    def validate(self, order: Order) -> list[Violation]:
        raise KeyboardInterrupt(str(order))


@dataclass(frozen=True)
class Concerned:
    """Finds fault with what it says it is concerned with."""

    concerns: ClassVar[tuple[str, ...]] = ("Zip", "City")

    def validate(self, order: Order) -> Iterator[Violation]:
        for name in ("Zip", "City"):
            for element in order.fields(name):
                yield order.violation(element, "1", f"{name} is there; leave it out.")


@dataclass(frozen=True)
class Unconcerned(Concerned):
    """Finds fault with what it does not say it is concerned with."""

    def validate(self, order: Order) -> Iterator[Violation]:
        for element in order.fields("State"):
            yield order.violation(element, "1", "State is there; leave it out.")


@dataclass(frozen=True)
class Chatty:
    """Answers where nothing is asked."""

    def validate(self, order: Order) -> list[str]:
        return ["It is fine."] if order.fields("Name") else []


@dataclass(frozen=True)
class GoesRound:
    """Puts back what it edits."""

    def normalize(self, order: Order) -> None:
        for name in order.fields("Name"):
            value = order.text(name)
            order.set_text(name, f"{value}!")
            order.set_text(name, value)


@dataclass(frozen=True)
class Says:
    """Finds one fault, told as its fields have it."""

    code: str = "5002"
    xpath: str = "/Order/SiteId"
    message: str = "SiteId is odd; send an even one."
    level: str = "enforce"

    def validate(self, order: Order) -> list[Violation]:
        assert order.root.tag == "Order"
        return [Violation("", self.code, self.xpath, 0, self.message, self.level)]


@dataclass(frozen=True)
class SaysNumbers:
    """Finds a fault whose code is a number."""

    def validate(self, order: Order) -> list[Violation]:
        code: Any = 5002
        return [order.violation(order.root, code, "The order is odd; send an even one.")]


@dataclass(frozen=True)
class SaysWords:
    """Finds no violations but words."""

    def validate(self, order: Order) -> list[str]:
        return [str(order)]


@dataclass(frozen=True)
class Remembers:
    """Finds fault with every order, but once only."""

    seen: set[bytes] = dataclasses.field(default_factory=set)

    def validate(self, order: Order) -> list[Violation]:
        told = {order.serialize()} & self.seen
        self.seen.add(order.serialize())
        return [] if told else [order.violation(order.root, "1", "The order is new.")]


@dataclass(frozen=True)
class Refuses:
    """Refuses with an error of the gateway's own."""

    def validate(self, order: Order) -> list[Violation]:
        raise BadPathError(f"{order} is on the wrong path.")


@dataclass(frozen=True)
class OfFewNumbers:
    """Says that it depends on the structure, and finds fault with values."""

    structural: ClassVar[bool] = True

    def validate(self, order: Order) -> list[Violation]:
        return [
            order.violation(quantity, "1", "It is many.")
            for quantity in order.fields("Quantity")
            if order.value(quantity) > "1"
        ]


@dataclass(frozen=True)
class NamesTheNameless:
    """Says that it depends on the structure, and fills in what is empty."""

    structural: ClassVar[bool] = True

    def normalize(self, order: Order) -> None:
        for name in order.fields("Name"):
            if not order.value(name):
                order.set_text(name, "x")


@dataclass(frozen=True)
class NamesAfterTheSite:
    """Says that it depends on the structure, and adds what another element holds."""

    structural: ClassVar[bool] = True

    def normalize(self, order: Order) -> None:
        if not order.fields("Name"):
            order.add(order.root, "Name", (order.site_id or "x")[:9])


IDEMPOTENT = "A second time changes nothing"
NOTED = "No edit without a note"
RAISES = "It never raises"
LEFT_ALONE = "An order that needs nothing is left alone"
PLACED = "A violation has a place, a code and a sentence"
STRUCTURAL = "What is structural depends on no value"
CONCERNED = "It has nothing to say of what does not concern it"


@pytest.mark.parametrize(
    ("rule", "law", "what"),
    [
        (Marks(), IDEMPOTENT, "The second time it edits Edit(rule='Marks', xpath='/Order/Name'"),
        (Bloats(), IDEMPOTENT, "What it makes of the order is refused: <SiteId> in line "),
        (SeesLines(), IDEMPOTENT, "The first time it finds ('/Order', '1', 'The order beg"),
        (WritesValues(), NOTED, "normalize changed the tree by itself: before '<Order"),
        (WritesAttributes(), NOTED, "normalize changed the tree by itself: before '<Order"),
        (EditsWhileValidating(), NOTED, "validate edits the order: Edit(rule='EditsWhileVal"),
        (TidiesWhileValidating(), NOTED, "validate changed the tree by itself: before '<Order"),
        (Trusts(), RAISES, "validate raises ValueError: not enough values to unpack (expected 1, "),
        (Exits("normalize"), RAISES, "normalize raises SystemExit: canary"),
        (Exits("validate"), RAISES, "validate raises SystemExit: canary"),
        (
            Unconcerned(),
            CONCERNED,
            "The order has none of 'Zip', 'City', but it finds Violation(rule='Unconcerned', code=",
        ),
        (OfFewNumbers(), STRUCTURAL, "It does not do the same with it and with b'"),
        (NamesTheNameless(), STRUCTURAL, "It does not do the same with it and with b'"),
        (NamesAfterTheSite(), STRUCTURAL, "It does not do the same with it and with b'"),
        (Chatty(), PLACED, "'It is fine.' is no Violation."),
        (GoesRound(), LEFT_ALONE, "It puts back what it edits: Edit(rule='GoesRound'"),
        (Says(code="E1"), PLACED, "has the code 'E1', which is not digits."),
        (Says(xpath="/SiteId"), PLACED, "has the path '/SiteId', which is nowhere in the order."),
        (Says(xpath="SiteId"), PLACED, "has the path 'SiteId', which is nowhere in the order."),
        (
            SaysNumbers(),
            PLACED,
            "has a path, a code, a message or a severity that is no text.",
        ),
        (Says(message=" "), PLACED, "says ' ', which is not one line of text."),
        (
            Says(message="It is\nodd."),
            PLACED,
            "says 'It is\\nodd.', which is not one line of text.",
        ),
        (Says(level="fatal"), PLACED, "the severity 'fatal', which is not enforce or warn."),
        (SaysWords(), PLACED, "'<Order None, 0 edits>' is no Violation."),
    ],
    ids=lambda value: type(value).__name__ if dataclasses.is_dataclass(value) else "",
)
def test_a_rule_that_breaks_a_law_is_told_which_and_on_what(rule: Any, law: str, what: str) -> None:
    with pytest.raises(AssertionError) as failure:
        check_rule(rule)
    told = str(failure.value)
    assert told.startswith(f"{law}: {rule!r} breaks this law.\n")
    assert what in told
    assert re.search(r"\nThe smallest order that shows it: b['\"].*/(Order)?>['\"]$", told)
    assert len(told) < 1500


def test_a_rule_that_always_fails_does_so_on_the_smallest_order_of_all() -> None:
    with pytest.raises(AssertionError) as failure:
        check_rule(Says(code="no"))
    assert str(failure.value).endswith("The smallest order that shows it: b'<Order/>'")
    assert failure.value.__cause__ is None


def test_the_smallest_order_has_nothing_that_the_breach_does_not_need() -> None:
    with pytest.raises(AssertionError) as failure:
        check_rule(Marks())
    assert str(failure.value) == (
        "A second time changes nothing: Marks() breaks this law.\n"
        "The second time it edits Edit(rule='Marks', xpath='/Order/Name', before='!', after='!!')\n"
        "The smallest order that shows it: b'<Order><Name/></Order>'"
    )


def test_what_a_rule_raised_is_kept_as_the_cause() -> None:
    with pytest.raises(AssertionError) as failure:
        check_rule(Trusts())
    assert isinstance(failure.value.__cause__, ValueError)


def test_who_interrupts_the_trial_is_not_told_of_a_law() -> None:
    with pytest.raises(KeyboardInterrupt):
        check_rule(Interrupted())


def test_a_rule_may_return_nothing_and_speak_of_what_concerns_it() -> None:
    check_rule(Forgets(), examples=40)
    check_rule(Concerned(), examples=40)


def test_a_rule_that_keeps_a_state_is_told_so() -> None:
    with pytest.raises(AssertionError) as failure:
        check_rule(Remembers())
    assert str(failure.value).startswith("The same order gets the same verdict: Remembers(seen={")
    assert str(failure.value).endswith("breaks this law; it keeps a state or asks chance.")


def test_a_refusal_that_a_rule_raises_breaks_no_law() -> None:
    check_rule(Refuses(), examples=20)


def test_a_class_with_defaults_will_do_and_a_warning_and_an_absent_place() -> None:
    check_rule(Says, examples=20)
    check_rule(Says(level="warn", xpath="/Order/TnAttributes/TnAttribute[2]"), examples=20)


@dataclass(frozen=True)
class Demanding:
    """A rule that has to be told something."""

    limit: int

    def validate(self, order: Order) -> list[Violation]:
        return [order.violation(order.root, "1", f"{self.limit} is the limit.")]


@dataclass
class Thawed:
    """A rule that is not frozen."""

    def normalize(self, order: Order) -> None:
        assert order


@dataclass(frozen=True)
class Idle:
    """A frozen dataclass that does nothing."""


@dataclass(frozen=True)
class Misconcerned(Concerned):
    """A rule that is concerned with what the specification has not."""

    concerns: ClassVar[tuple[str, ...]] = ("ZipCode",)


@dataclass(frozen=True)
class Selfless:
    """A rule whose method lacks a parameter."""

    def validate(order: Order) -> list[Violation]:  # type: ignore[misc] # noqa: N805 - the mistake
        return [order.violation(order.root, "1", "It is there; leave it out.")]


@pytest.mark.parametrize(
    ("rule", "sentence"),
    [
        (Demanding, "Demanding needs limit; give check_rule one with its fields set."),
        (Thawed, "Thawed is not a frozen dataclass; make it one."),
        (Thawed(), "Thawed is not a frozen dataclass; make it one."),
        (Idle, "Idle has no normalize, validate, formats; give it one of them."),
        (
            Misconcerned,
            (
                "Misconcerned has ZipCode in `concerns`, which is no element of the specification "
                "that stands alone; correct it, or judge it in `validate`."
            ),
        ),
        (
            Selfless,
            (
                "Selfless has a `validate` that does not take an order; write "
                "`def validate(self, order: Order)`."
            ),
        ),
        (len, "builtin_function_or_method is not a frozen dataclass; make it one."),
    ],
)
def test_what_is_no_rule_is_refused_in_a_sentence(rule: Any, sentence: str) -> None:
    with pytest.raises(TypeError) as refusal:
        check_rule(rule)
    assert str(refusal.value) == sentence


def test_a_rule_with_its_fields_set_will_do() -> None:
    check_rule(Demanding(limit=3), examples=20)


WITHOUT_HYPOTHESIS = """\
import sys
sys.modules["hypothesis"] = None
import ordertape.testing
from ordertape.testing import Scripted
for name in ("check_rule", "order_of", "valid_orders", "wild_orders"):
    try:
        getattr(ordertape.testing, name)
    except ImportError as error:
        print(error)
"""


def test_without_hypothesis_what_needs_it_says_so_and_the_rest_works() -> None:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", WITHOUT_HYPOTHESIS],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout.splitlines() == [
        f"ordertape.testing.{name} needs hypothesis: pip install 'ordertape[testing]'."
        for name in ("check_rule", "order_of", "valid_orders", "wild_orders")
    ]
