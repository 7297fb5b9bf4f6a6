"""`ordertape rules`: every rule in force, and the page of one, a stranger's like our own."""

import json
from collections.abc import Callable
from importlib.metadata import entry_points, version
from pathlib import Path

import pytest

from documents import documented
from gateways import as_json
from ordertape.rule import GROUP

Asked = Callable[..., tuple[int, str, str]]

RULES = '''
from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from ordertape.model import Violation
from ordertape.order import Order


@dataclass(frozen=True)
class HouseSite:
    """Refuse sites that are not the house's.

    Units: digits.
    """

    site: str
    """The digits of the one site
    that is taken."""

    api_token: str = "canary-default"
    """What the register of sites is asked with."""

    others: frozenset[str] = field(default_factory=frozenset)
    mode: bool | Literal["fast", "slow"] | None = None

    example: ClassVar[str] = "<Order>\\n\\t<SiteId>7</SiteId>\\n</Order>"

    def validate(self, order: Order) -> Iterable[Violation]:
        for found in order.fields("SiteId"):
            if order.value(found) != self.site:
                yield order.violation(found, "5016", f"SiteId is not {self.site}; send that.")


@dataclass(frozen=True)
class HouseName:
    example = "<Order><SiteId>743</SiteId></Order>"

    def normalize(self, order: Order) -> None:
        if order.child(order.root, "Name") is None:
            order.add(order.root, "Name", "house")


@dataclass(frozen=True)
class HouseBare:
    depth: int = 3

    def validate(self, order):
        return ()


exec("""
@dataclass(frozen=True)
class HouseWithoutSource:
    depth: int = 3

    def validate(self, order):
        return ()
""")
'''
TOML = """
[rules]
files = ["house_rules.py"]

[rules.house-site]
site = "743"
api_token = "canary-set"
others = ["b", "a"]

[rules.house-name]
severity = "off"

[accounts.7.rules.house-site]
severity = "warn"
site = "9"
"""
BUILT_IN = {entry.name for entry in entry_points(group=GROUP)}


@pytest.fixture
def rules(tmp_path: Path, here: Asked) -> Asked:
    """Run it where the house has its own rules."""
    (tmp_path / "house_rules.py").write_text(RULES, encoding="utf-8")
    (tmp_path / "ordertape.toml").write_text(TOML, encoding="utf-8")

    def run(*arguments: str) -> tuple[int, str, str]:
        return here("rules", *arguments, cwd=tmp_path)

    return run


def page(rules: Asked, *arguments: str) -> list[str]:
    code, printed, said = rules(*arguments)
    assert (code, said) == (0, "")
    return printed.splitlines()


def masked(lines: list[str]) -> list[str]:
    """Without the version of the rule file, which is a hash."""
    return [lines[0], lines[1].rpartition(" ")[0], *lines[2:]]


def test_the_table_names_every_rule_with_severity_and_package(rules: Asked, tmp_path: Path) -> None:
    heading, *rows = page(rules)
    assert heading.split() == ["rule", "severity", "package", "what", "it", "does"]
    named = {row.split()[0]: row.split()[1:] for row in rows}
    house = {"house-site", "house-name", "house-bare", "house-without-source"}
    assert set(named) == BUILT_IN | house
    assert {name: named[name][:3] for name in BUILT_IN} == {
        name: ["enforce", "ordertape", version("ordertape")] for name in BUILT_IN
    }
    assert all(len(named[name]) > 3 for name in BUILT_IN)
    severity, package, _, *summary = named["house-site"]
    assert (severity, package) == ("enforce", "house_rules.py")
    assert " ".join(summary) == "Refuse sites that are not the house's."
    assert named["house-name"][0] == "off"
    assert named["house-bare"][3:] == []
    (tmp_path / "other.toml").write_text("", encoding="utf-8")
    assert {row.split()[0] for row in page(rules, "--config", "other.toml")[1:]} == BUILT_IN


def test_a_page_has_all_that_is_to_be_known_of_a_rule(rules: Asked) -> None:
    assert masked(page(rules, "house-site")) == [
        "house-site",
        "severity enforce, from house_rules.py",
        "",
        "Refuse sites that are not the house's.",
        "",
        "Units: digits.",
        "",
        "Fields, set in [rules.house-site]",
        '  site: str = "743" (it has no default)',
        "      The digits of the one site",
        "      that is taken.",
        '  api_token: str = "***"',
        "      What the register of sites is asked with.",
        '  others: frozenset[str] = ["a", "b"] (default [])',
        '  mode: bool | "fast" | "slow" | None = null',
        "",
        "Example",
        "  <Order>",
        "      <SiteId>7</SiteId>",
        "  </Order>",
        "",
        "  It is refused with 5016:",
        "  example:2:2: error 5016: SiteId is not 743; send that. (house-site)",
        "        <SiteId>7</SiteId>",
        "        ^",
    ]


def test_a_page_is_an_accounts_where_one_is_named(rules: Asked) -> None:
    lines = page(rules, "house-site", "--account", "7")
    assert lines[1].startswith("severity warn, from house_rules.py ")
    assert '  site: str = "9" (it has no default)' in lines
    assert lines[-4:] == [
        "  It is admitted:",
        "  example:2:2: warning 5016: SiteId is not 9; send that. (house-site)",
        "        <SiteId>7</SiteId>",
        "        ^",
    ]


def test_a_rule_that_is_off_is_tried_all_the_same(rules: Asked) -> None:
    assert masked(page(rules, "house-name")) == [
        "house-name",
        "severity off, from house_rules.py",
        "",
        "Example",
        "  <Order><SiteId>743</SiteId></Order>",
        "",
        "  The rule is off; this is what it says when it is enforced.",
        "  It is admitted:",
        "  example: note: /Order/Name: absent -> 'house' (house-name)",
    ]


@pytest.mark.parametrize("name", ["house-bare", "house-without-source"])
def test_what_a_rule_lacks_is_left_out(rules: Asked, name: str) -> None:
    assert masked(page(rules, name)) == [
        name,
        "severity enforce, from house_rules.py",
        "",
        f"Fields, set in [rules.{name}]",
        "  depth: int = 3",
    ]


def test_every_built_in_rule_documents_itself_and_its_example_shows_what_it_does(
    rules: Asked,
) -> None:
    code, printed, said = rules("--json")
    assert (code, said) == (0, "")
    found = {rule["name"]: rule for rule in as_json(printed)}
    for name in BUILT_IN:
        rule = found[name]
        assert rule["summary"], name
        assert all(field["documentation"] for field in rule["fields"]), name
        if rule["example"] is not None:
            assert rule["example"]["edits"] or rule["example"]["violations"], name


def test_as_json_a_rule_is_one_object_of_documented_fields(rules: Asked) -> None:
    code, printed, said = rules("house-site", "--json")
    assert (code, said) == (0, "")
    [found] = as_json(printed)
    assert documented("rules --json") == list(found)
    digest = found.pop("version")
    assert (len(digest), found.pop("package")) == (12, "house_rules.py")
    assert found == {
        "name": "house-site",
        "severity": "enforce",
        "summary": "Refuse sites that are not the house's.",
        "documentation": "Refuse sites that are not the house's.\n\nUnits: digits.",
        "fields": [
            {
                "name": "site",
                "type": "str",
                "required": True,
                "default": None,
                "value": "743",
                "documentation": "The digits of the one site\nthat is taken.",
            },
            {
                "name": "api_token",
                "type": "str",
                "required": False,
                "default": "***",
                "value": "***",
                "documentation": "What the register of sites is asked with.",
            },
            {
                "name": "others",
                "type": "frozenset[str]",
                "required": False,
                "default": [],
                "value": ["a", "b"],
                "documentation": "",
            },
            {
                "name": "mode",
                "type": 'bool | "fast" | "slow" | None',
                "required": False,
                "default": None,
                "value": None,
                "documentation": "",
            },
        ],
        "example": {
            "order": "<Order>\n\t<SiteId>7</SiteId>\n</Order>",
            "verdict": "refused",
            "status": 400,
            "codes": ["5016"],
            "reason": "SiteId is not 743; send that.",
            "line": None,
            "column": None,
            "order_type": None,
            "cost": None,
            "edits": [],
            "violations": [
                {
                    "rule": "house-site",
                    "code": "5016",
                    "xpath": "/Order/SiteId",
                    "line": 2,
                    "message": "SiteId is not 743; send that.",
                    "severity": "enforce",
                    "column": 2,
                }
            ],
            "normalized": None,
        },
    }
    every = [json.loads(line) for line in rules("--json")[1].splitlines()]
    assert "canary" not in json.dumps(every)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("trim-whitespaces", "There is no rule trim-whitespaces; did you mean trim-whitespace?"),
        ("\x1b[2J", "There is no rule \\x1b[2J; `ordertape rules` lists them all."),
    ],
)
def test_an_unknown_name_is_one_sentence_with_the_nearest(
    rules: Asked, name: str, said: str
) -> None:
    assert rules(name) == (2, "", f"ordertape: {said}\n")
