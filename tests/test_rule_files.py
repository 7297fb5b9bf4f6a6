"""Rules in files that the configuration names by their path."""

import sys
from pathlib import Path
from typing import Any

import pytest

from ordertape.build import rule_set
from ordertape.config import Settings
from ordertape.errors import StartUpError
from ordertape.order import read_order
from ordertape.rule import RuleSet, discover

HEAD = "from __future__ import annotations\n\nfrom dataclasses import dataclass\n"
RULES = (
    HEAD
    + '''
from collections.abc import Iterator
from typing import Literal

from ordertape.model import Violation
from ordertape.order import Order

CASES = ("upper", "lower")


@dataclass(frozen=True)
class _Named:
    """What the rules of this file share, and no rule."""

    element: str = "Name"

    def validate(self, order: Order) -> Iterator[Violation]:
        for found in order.elements(self.element):
            yield from self.judge(order, found, order.text(found))


@dataclass(frozen=True)
class NameCase(_Named):
    """Names are written in capitals, or without."""

    case: Literal["upper", "lower"] = "upper"
    except_for: tuple[str, ...] = ()

    def judge(self, order, found, text):
        if text != getattr(text, self.case)() and text not in self.except_for:
            yield order.violation(found, "5901", f"Name is not in {self.case} case.")


@dataclass(frozen=True)
class XMLName2:
    """A second rule in the same file."""

    def normalize(self, order: Order) -> None:
        for found in order.elements("Name2"):
            order.set_text(found, "two")


class Helper:
    """No rule: it neither normalises nor validates."""


Alias = NameCase
'''
)


def rules_of(folder: Path, text: str, **configured: Any) -> RuleSet:
    """The rules with a file of this text, in force as a file named to the gateway would be."""
    file = folder / "house_rules.py"
    file.write_text(text, encoding="utf-8")
    rules = {"files": [str(file)], **configured.pop("rules", {})}
    return rule_set(Settings.model_validate({"rules": rules, **configured}))


def refusal(folder: Path, text: str) -> str:
    with pytest.raises(StartUpError) as error:
        rules_of(folder, text)
    return str(error.value).replace(str(folder / "house_rules.py"), "FILE")


def codes(rules: RuleSet, account: str | None = None) -> list[str]:
    order = read_order(b"<Order><Name>x</Name><Name2>y</Name2></Order>", None)
    found = rules.apply(order, account).violations
    return [violation.code for violation in found if violation.code.startswith("59")]


def test_a_file_s_rules_are_found_named_and_listed_with_their_path(tmp_path: Path) -> None:
    found = rules_of(tmp_path, RULES)
    path = str(tmp_path / "house_rules.py")
    own = [rule for rule in found.rules if rule.registered.package == path]
    assert [(rule.name, type(rule.rule).__name__) for rule in own] == [
        ("name-case", "NameCase"),
        ("xml-name2", "XMLName2"),
    ]
    assert {rule.name for rule in found.rules} == {"name-case", "xml-name2", *discover()}
    assert codes(found) == ["5901"]


def test_they_are_configured_and_overridden_like_any_other(tmp_path: Path) -> None:
    found = rules_of(
        tmp_path,
        RULES,
        rules={"name-case": {"except_for": ["x"], "element": "Name2"}},
        accounts={"7": {"rules": {"name-case": {"except_for": ["y", "two"]}}}},
    )
    assert (codes(found), codes(found, "7")) == (["5901"], [])
    off = rules_of(tmp_path, RULES, rules={"name-case": {"severity": "off"}})
    assert codes(off) == []


def test_the_version_changes_with_what_the_file_says(tmp_path: Path) -> None:
    first, same = rules_of(tmp_path, RULES), rules_of(tmp_path, RULES)
    other = rules_of(tmp_path, RULES.replace("is not in", "must be in"))
    assert first.version == same.version != other.version
    assert codes(first) == codes(other) == ["5901"]


RULE = """
@dataclass(frozen=True)
class House:
    limit: int = 3

    def validate(self, order):
        return []
"""


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (
            "x = [",
            (
                "The rule file FILE cannot be imported (SyntaxError: '[' was never closed "
                "(house_rules.py, line 1)); mend it."
            ),
        ),
        (
            "import no_such_module",
            (
                "The rule file FILE cannot be imported (ModuleNotFoundError: No module named "
                "'no_such_module'); mend it."
            ),
        ),
        (
            "import sys\nsys.exit('done')",
            "The rule file FILE cannot be imported (SystemExit: done); mend it.",
        ),
        (
            HEAD + RULE.replace("House", "_House"),
            (
                "The rule file FILE defines no rule; a rule is a frozen dataclass with normalize, "
                "validate or formats."
            ),
        ),
        (
            "from ordertape_rules.trim_whitespace import TrimWhitespace",
            (
                "The rule file FILE defines no rule; a rule is a frozen dataclass with normalize, "
                "validate or formats."
            ),
        ),
        (
            HEAD + RULE.replace("House", "TrimWhitespace"),
            (
                "There are two rules named trim-whitespace, of ordertape and of FILE; uninstall or "
                "rename one."
            ),
        ),
        (
            HEAD + RULE.replace("House", "Files"),
            (
                "The rule files of FILE has the name that rule files have in the configuration; "
                "rename it."
            ),
        ),
        (
            HEAD + RULE.replace("(frozen=True)", ""),
            "The rule house of FILE is not a frozen dataclass; make it one.",
        ),
        (
            HEAD + RULE.replace("@dataclass(frozen=True)\n", ""),
            "The rule house of FILE is not a frozen dataclass; make it one.",
        ),
        (
            HEAD + RULE.replace("int", "Limit"),
            (
                "The rule house of FILE has a field whose type cannot be found (name 'Limit' is "
                "not defined); import it at run time too."
            ),
        ),
    ],
)
def test_what_is_wrong_with_a_rule_file_is_one_sentence(
    tmp_path: Path, text: str, sentence: str
) -> None:
    assert refusal(tmp_path, text) == sentence


SHAPED = """
import re
from collections.abc import Mapping
from dataclasses import field
from typing import ClassVar

from ordertape.order import Format


@dataclass(frozen=True)
class House:
    @@

    def normalize(self, order):
        return None
"""
FORMATS = "`formats`; write it as Format(pattern, code, allowed)."
NO_MAPPING = (
    "has `formats` that are no mapping; write them as a class attribute, like "
    '{"SiteId": Format(pattern, code, allowed)}.'
)
NO_TUPLE = 'has `concerns` that are no tuple of elements\' names; write them like ("Zip",).'
NOT_MADE = "correct [rules.house], or have the rule mended."


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (
            "formats = {'Name': 'x+'}",
            f"has something else than a Format of three texts for Name in {FORMATS}",
        ),
        (
            "formats = {'Name': Format('x+', 5002, 'x')}",
            f"has something else than a Format of three texts for Name in {FORMATS}",
        ),
        (
            "formats = {'Name': Format('(x', '5002', 'x')}",
            (
                "has a pattern for Name in `formats` that is no regular expression (missing ), "
                "unterminated subpattern at position 0); mend it."
            ),
        ),
        (
            "formats = {'Nome': Format('x', '5002', 'x')}",
            (
                "has Nome in `formats`, which is no element of the specification that stands "
                "alone; correct it, or judge it in `validate`."
            ),
        ),
        ("formats = [Format('x', '5002', 'x')]", NO_MAPPING),
        ("formats = property(lambda self: {})", NO_MAPPING),
        ("formats: Mapping[str, str] = field(default_factory=lambda: {'Name': 'x'})", FORMATS),
        ("concerns = None", NO_TUPLE),
        ("concerns = 'Zip'", NO_TUPLE),
        (
            "concerns = ()",
            (
                "has `concerns` that are empty, so that it would never be asked; name an element, "
                "or leave them out."
            ),
        ),
        (
            "concerns = (['Zip'],)",
            (
                "has ['Zip'] in `concerns`, which is no element of the specification that stands "
                "alone; correct it, or judge it in `validate`."
            ),
        ),
        ("validate = 3", "has a `validate` that is no method; make it one."),
        (
            "def validate(order): return []",
            (
                "has a `validate` that does not take an order; write "
                "`def validate(self, order: Order)`."
            ),
        ),
        (
            "only: range",
            (
                "has the field only, whose type no configuration can hold; make it of numbers, "
                "texts, tuples and the like."
            ),
        ),
        (
            "most: int = '3'",
            (
                "has the field most, whose default is not of its type (Input should be a valid "
                "integer); correct either."
            ),
        ),
        (
            "most: int = field(default_factory=lambda: {}['most'])",
            f"cannot be made (KeyError: 'most'); {NOT_MADE}",
        ),
        (
            "def __post_init__(self): re.compile('(')",
            (
                "cannot be made (error: missing ), unterminated subpattern at position 0); "
                f"{NOT_MADE}"
            ),
        ),
        (
            "def __post_init__(self): raise SystemExit",
            f"cannot be made (SystemExit); {NOT_MADE}",
        ),
        (
            "seen: dict[str, int] = field(default_factory=lambda: {(1,): 2})",
            (
                "cannot be made (TypeError: keys must be str, int, float, bool or None, not "
                f"tuple); {NOT_MADE}"
            ),
        ),
    ],
)
def test_a_class_that_would_fail_on_orders_is_one_sentence(
    tmp_path: Path, body: str, sentence: str
) -> None:
    told = refusal(tmp_path, HEAD + SHAPED.replace("@@", body))
    assert told.startswith("The rule house of FILE ")
    assert told.endswith(sentence)
    assert told.count("\n") == 0


def test_two_files_of_one_content_are_two_modules_of_one_version(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.py", "b.py")]
    for file in files:
        file.write_text(HEAD + RULE, encoding="utf-8")
    found = [discover(files=[file])["house"] for file in files]
    assert [sys.modules[rule.rule.__module__].__file__ for rule in found] == list(map(str, files))
    assert len({rule.package_version for rule in found}) == 1


def test_a_file_that_fails_the_second_time_leaves_the_first_in_place(tmp_path: Path) -> None:
    file, gate = tmp_path / "house.py", tmp_path / "gate"
    gate.touch()
    file.write_text(f"{HEAD}open({str(gate)!r}).close()\n{RULE}", encoding="utf-8")
    module = discover(files=[file])["house"].rule.__module__
    standing = sys.modules[module]
    gate.unlink()
    with pytest.raises(StartUpError, match="cannot be imported"):
        discover(files=[file])
    assert sys.modules[module] is standing


def test_a_file_that_is_not_there_is_one_sentence(tmp_path: Path) -> None:
    file = tmp_path / "none.py"
    with pytest.raises(StartUpError) as error:
        discover(files=[file])
    assert str(error.value) == (
        f"The rule file {file} cannot be read (No such file or directory); correct its path."
    )


def test_two_files_may_not_bring_one_name(tmp_path: Path) -> None:
    files = [tmp_path / name for name in ("a.py", "b.py")]
    for file in files:
        file.write_text(HEAD + RULE, encoding="utf-8")
    with pytest.raises(StartUpError) as error:
        discover(files=files)
    assert str(error.value) == (
        f"There are two rules named house, of {files[0]} and of {files[1]}; "
        "uninstall or rename one."
    )
