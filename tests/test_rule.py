"""Rules found, configured and applied."""

import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from pathlib import Path
from typing import Literal

import pytest

from order_shapes import CLIENTS
from ordertape.errors import ConfigurationError, RuleFailedError, StartUpError
from ordertape.model import Edit, Violation
from ordertape.order import Order, read_order
from ordertape.rule import GROUP, Registered, RuleSet, Verdict, build_rules, discover

BODY = b"<Order>\n<SiteId> 7 </SiteId>\n<Name>x</Name><Name2>y</Name2></Order>"


@dataclass(frozen=True)
class Upper:
    """Names in capitals."""

    letters: tuple[str, ...] = ("x",)
    style: Literal["plain", "fancy"] = "plain"
    times: int = 1
    factor: float = 1.0
    only: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        if self.times < 1:
            raise ValueError("times has to be at least 1.")

    def normalize(self, order: Order) -> None:
        """Make it so."""
        for name in order.elements("Name"):
            order.set_text(name, order.text(name).upper())


@dataclass(frozen=True)
class NoLowerCase:
    """Violations at every lower-case value, last first."""

    def validate(self, order: Order) -> Iterator[Violation]:
        """Find them."""
        for leaf in reversed(list(order.leaves())):
            if order.text(leaf).islower():
                yield order.violation(leaf, "1", f"{leaf.tag} is low.")


@dataclass(frozen=True)
class Absent:
    """Violations about what is not there."""

    def validate(self, order: Order) -> Iterable[Violation]:
        """Find them."""
        assert order.root.tag == "Order"
        return [
            Violation("", "2", "/Order/PeerId", 0, "PeerId is absent."),
            Violation("", "3", "/elsewhere", 0, "Nowhere."),
            Violation("", "4", "/Order/Name/Part", 0, "Part is absent.", "warn"),
        ]


@dataclass(frozen=True)
class Failing:
    """A rule that raises."""

    def validate(self, order: Order) -> list[Violation]:
        """Fail."""
        return [order.violation(order.root[99], "1", "")]


@dataclass(frozen=True)
class FailingLate(Failing):
    """A rule that raises when its violations are asked for."""

    def validate(self, order: Order) -> Iterator[Violation]:  # type: ignore[override]
        """Fail."""
        yield order.violation(order.root, "1", "")
        raise KeyError(order)


@dataclass(frozen=True)
class FailingNormalizer:
    """A rule that raises while it normalises."""

    def normalize(self, order: Order) -> None:
        """Fail."""
        order.add(order.root, "Extra", "\0")


@dataclass(frozen=True)
class Strange:
    """A rule that finds no violations but something else."""

    def validate(self, order: Order) -> list[str]:
        """Find it."""
        return [str(order)]


@dataclass
class Thawed:
    """A dataclass that is not frozen."""

    def validate(self, order: Order) -> list[Violation]:
        """Find nothing."""
        return [order.violation(order.root, "1", "Thawed.")]


@dataclass(frozen=True)
class Idle:
    """A frozen dataclass that does nothing."""


@dataclass(frozen=True)
class Severe:
    """A rule that has a field of a name that every rule has."""

    severity: str = "enforce"

    def normalize(self, order: Order) -> None:
        """Do nothing."""


class Plain:
    """No dataclass at all."""

    def normalize(self, order: Order) -> None:
        """Do nothing."""


def registered(**rules: type) -> Mapping[str, Registered]:
    return {name: Registered(name, rule, "tests", "1") for name, rule in rules.items()}


def built(
    config: Mapping[str, Mapping[str, object]] | None = None,
    accounts: Mapping[str, Mapping[str, Mapping[str, object]]] | None = None,
    **rules: type,
) -> RuleSet:
    return build_rules(config or {}, accounts or {}, registered(**rules))


def test_the_built_in_rules_come_through_the_public_door() -> None:
    rules = discover()
    assert {(rule.name, rule.rule.__name__, rule.package) for rule in rules.values()} >= {
        ("trim-whitespace", "TrimWhitespace", "ordertape"),
        ("order-defaults", "OrderDefaults", "ordertape"),
    }
    assert [rule.name for rule in build_rules({}, {}).rules] == sorted(rules)


def test_a_strangers_package_is_found_with_its_name_and_version(tmp_path: Path) -> None:
    (tmp_path / "house_rules.py").write_text(
        "from dataclasses import dataclass\n\n\n@dataclass(frozen=True)\nclass House:\n"
        '    """A rule of the house."""\n\n    limit: int = 3\n\n'
        "    def validate(self, order):\n        return [order.violation(order.root, '77', 'No')]\n"
    )
    about = tmp_path / "house_rules-2.1.dist-info"
    about.mkdir()
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: house-rules\nVersion: 2.1\n")
    (about / "entry_points.txt").write_text(f"[{GROUP}]\nhouse = house_rules:House\n")
    program = (
        "from ordertape.rule import build_rules\n"
        "from ordertape.order import read_order\n"
        "rules = build_rules({'house': {'limit': 4}}, {})\n"
        "[house] = [rule for rule in rules.rules if rule.name == 'house']\n"
        "print(house.rule, house.registered.package, house.registered.package_version)\n"
        "print(rules.apply(read_order(b'<Order/>', None), None).violations[0].rule)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("House(limit=4) house-rules 2.1\nhouse\n", "")


@pytest.mark.parametrize(
    ("entries", "sentence"),
    [
        (
            [("a", "no_such:A")],
            (
                "The rule a of no_such:A cannot be imported (ModuleNotFoundError: No module named "
                "'no_such'); mend or uninstall it."
            ),
        ),
        (
            [("a", "json:dumps")],
            "The rule a of json:dumps is not a frozen dataclass; make it one.",
        ),
        (
            [("a", "ordertape.model:Tally")],
            "The rule a of ordertape.model:Tally is not a frozen dataclass; make it one.",
        ),
        (
            [("a", "ordertape.model:Violation")],
            (
                "The rule a of ordertape.model:Violation has no normalize, validate, formats; "
                "give it one of them."
            ),
        ),
        (
            [("a", "ordertape_rules.order_defaults:OrderDefaults")] * 2,
            (
                "There are two rules named a, of ordertape_rules.order_defaults:OrderDefaults and "
                "of ordertape_rules.order_defaults:OrderDefaults; uninstall or rename one."
            ),
        ),
    ],
)
def test_what_is_no_rule_stops_start_up(entries: list[tuple[str, str]], sentence: str) -> None:
    with pytest.raises(StartUpError) as refusal:
        discover(EntryPoint(name, value, GROUP) for name, value in entries)
    assert str(refusal.value) == sentence


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (Thawed, "not a frozen dataclass"),
        (Plain, "not a frozen dataclass"),
        (Idle, "no normalize, validate, formats"),
        (Severe, "a field named severity"),
    ],
)
def test_a_class_of_the_wrong_kind_stops_start_up(rule: type, reason: str) -> None:
    entry_point = EntryPoint("a", f"{rule.__module__}:{rule.__name__}", GROUP)
    sys.modules.setdefault(rule.__module__, sys.modules[__name__])
    with pytest.raises(StartUpError, match=reason):
        discover([entry_point])


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"uper": {}}, "There is no rule uper ([rules.uper]); did you mean upper?"),
        ({"zzz": {}}, "There is no rule zzz ([rules.zzz]); there are low, upper."),
        (
            {"upper": {"time": 2}},
            "The rule upper has no field time (rules.upper.time); did you mean times?",
        ),
        (
            {"low": {"qqq": 2}},
            "The rule low has no field qqq (rules.low.qqq); there are severity.",
        ),
        (
            {"upper": {"severity": "wran"}},
            "rules.upper.severity is 'wran'; it is one of enforce, warn and off.",
        ),
        (
            {"upper": {"times": "2"}},
            "rules.upper.times is wrong: Input should be a valid integer; correct it.",
        ),
        (
            {"upper": {"times": True}},
            "rules.upper.times is wrong: Input should be a valid integer; correct it.",
        ),
        (
            {"upper": {"style": "odd"}},
            "rules.upper.style is wrong: Input should be 'plain' or 'fancy'; correct it.",
        ),
        (
            {"upper": {"letters": [1]}},
            "rules.upper.letters is wrong: Input should be a valid string; correct it.",
        ),
        (
            {"upper": {"times": 0}},
            "The rule upper ([rules.upper]) refuses: times has to be at least 1.",
        ),
        (
            {"upper": {"letters": ["secret", 31415926]}},
            "rules.upper.letters is wrong: Input should be a valid string; correct it.",
        ),
    ],
)
def test_a_wrong_configuration_stops_start_up_with_the_right_name(
    config: Mapping[str, Mapping[str, object]], sentence: str
) -> None:
    with pytest.raises(StartUpError) as refusal:
        built(config, upper=Upper, low=NoLowerCase)
    assert str(refusal.value) == sentence
    with pytest.raises(StartUpError) as refusal:
        built({}, {"42": config}, upper=Upper, low=NoLowerCase)
    assert str(refusal.value) == sentence.replace("rules.", "accounts.42.rules.")


@dataclass(frozen=True)
class Keyed:
    """A rule that fails in its own way as it is made."""

    api_key: str
    fails: str = "not"

    def __post_init__(self) -> None:
        if self.fails != "not":
            raise FAILURES[self.fails](f"{self.api_key}\nis odd")

    def normalize(self, order: Order) -> None:
        """Do nothing."""


FAILURES: Mapping[str, type[BaseException]] = {
    "value": ValueError,
    "type": TypeError,
    "key": LookupError,
    "pattern": re.error,
    "exit": SystemExit,
}


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({}, "The rule keyed needs api_key; set rules.keyed.api_key."),
        (
            {"api_key": 31415926},
            "rules.keyed.api_key is wrong: Input should be a valid string; correct it.",
        ),
        (
            {"api_key": "canary", "fails": "value"},
            "The rule keyed ([rules.keyed]) refuses: … is odd",
        ),
        *(
            (
                {"api_key": "canary", "fails": fails},
                (
                    f"The rule keyed of tests cannot be made ({name}: … is odd); "
                    "correct [rules.keyed], or have the rule mended."
                ),
            )
            for fails, name in [
                ("type", "TypeError"),
                ("key", "LookupError"),
                ("pattern", "error"),
                ("exit", "SystemExit"),
            ]
        ),
    ],
)
def test_a_rule_that_cannot_be_made_is_one_sentence_without_what_was_set(
    config: Mapping[str, object], sentence: str
) -> None:
    with pytest.raises(ConfigurationError) as refusal:
        built({"keyed": config}, keyed=Keyed, upper=Upper)
    assert str(refusal.value) == sentence


def test_fields_are_set_with_their_own_types_and_accounts_override_them() -> None:
    rules = built(
        {"upper": {"letters": ["a", "b"], "factor": 2, "only": ["c"]}},
        {"42": {"upper": {"letters": [], "severity": "warn"}}, "43": {}},
        upper=Upper,
    )
    [common] = rules.rules
    [own] = rules.accounts["42"]
    assert common.rule == Upper(letters=("a", "b"), factor=2.0, only=frozenset("c"))
    assert own.rule == Upper(letters=(), factor=2.0, only=frozenset("c"))
    assert (common.severity, own.severity) == ("enforce", "warn")
    assert rules.accounts["43"] == (common,)


def test_every_rule_normalises_before_any_validates_whatever_their_names() -> None:
    rules = built(a=NoLowerCase, b=Upper, c=NoLowerCase)
    verdict = rules.apply(read_order(BODY, None), None)
    assert verdict == Verdict(
        edits=(Edit("b", "/Order/Name", "x", "X"),),
        violations=(
            Violation("a", "1", "/Order/Name2", 3, "Name2 is low."),
            Violation("c", "1", "/Order/Name2", 3, "Name2 is low."),
        ),
    )


def test_violations_come_in_document_order_and_the_absent_where_they_would_be() -> None:
    verdict = built(a=Absent, b=NoLowerCase).apply(read_order(BODY, None), None)
    assert [(violation.rule, violation.xpath) for violation in verdict.violations] == [
        ("a", "/Order/PeerId"),
        ("a", "/Order/Name/Part"),
        ("b", "/Order/Name"),
        ("b", "/Order/Name2"),
        ("a", "/elsewhere"),
    ]


def test_warn_normalises_and_records_and_off_does_nothing() -> None:
    warned = built({"a": {"severity": "warn"}, "b": {"severity": "warn"}}, a=Upper, b=NoLowerCase)
    verdict = warned.apply(read_order(BODY, None), None)
    assert [edit.rule for edit in verdict.edits] == ["a"]
    assert [violation.severity for violation in verdict.violations] == ["warn"]
    off = built({"a": {"severity": "off"}, "b": {"severity": "off"}}, a=Upper, b=NoLowerCase)
    assert off.apply(read_order(BODY, None), None) == Verdict((), ())


def test_a_rule_may_only_warn_of_its_own_accord() -> None:
    verdict = built(a=Absent).apply(read_order(BODY, None), None)
    assert [violation.severity for violation in verdict.violations] == [
        "enforce",
        "warn",
        "enforce",
    ]


def test_an_account_has_its_own_rules_and_any_other_the_common_ones() -> None:
    rules = built({}, {"42": {"a": {"severity": "off"}}}, a=NoLowerCase)
    counts = {
        account: len(rules.apply(read_order(BODY, None), account).violations)
        for account in ("42", "43", None)
    }
    assert counts == {"42": 0, "43": 2, None: 2}


@pytest.mark.parametrize(
    ("rule", "cause"),
    [
        (Failing, IndexError),
        (FailingLate, KeyError),
        (FailingNormalizer, ValueError),
        (Strange, AttributeError),
    ],
)
def test_a_rule_that_raises_refuses_the_order(rule: type, cause: type[Exception]) -> None:
    with pytest.raises(RuleFailedError) as refusal:
        built(odd=rule).apply(read_order(BODY, None), None)
    assert str(refusal.value) == (
        f"The rule odd failed on this order ({cause.__name__}), so it was not sent; "
        "report it to whoever maintains tests."
    )
    assert isinstance(refusal.value.__cause__, cause)


def test_the_version_changes_with_anything_that_may_change_a_verdict() -> None:
    sets = [
        built(),
        built(a=Upper),
        built(b=Upper),
        built(a=Upper, b=Upper),
        built({"a": {"times": 2}}, a=Upper),
        built({"a": {"only": ["c", "d"]}}, a=Upper),
        built({"a": {"severity": "warn"}}, a=Upper),
        built({}, {"42": {"a": {"times": 2}}}, a=Upper),
        built({}, {"43": {"a": {"times": 2}}}, a=Upper),
        build_rules({}, {}, {"a": Registered("a", Upper, "tests", "2")}),
        build_rules({}, {}, {"a": Registered("a", Upper, "others", "1")}),
    ]
    versions = [rules.version for rules in sets]
    assert len(set(versions)) == len(sets)
    assert built({"a": {"only": ["d", "c"]}}, a=Upper).version == versions[5]
    assert all(len(version) == 12 for version in versions)


def test_an_order_that_needs_nothing_is_not_changed() -> None:
    body = CLIENTS["node"].replace(b"\n</Order>", b"\n  <PartialAllowed/>\n</Order>")
    order = read_order(body, None)
    build_rules({}, {}).apply(order, None)
    assert not order.changed
