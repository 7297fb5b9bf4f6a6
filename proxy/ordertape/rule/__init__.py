"""Rules: what they are, where they are found, how they are configured, how they are applied.

A rule is a frozen dataclass. Its fields are its configuration, with defaults and types; its
docstring is its documentation; it has `normalize`, `validate` or `formats`, or several. Built-in
rules come through the same door as anyone's: the entry-point group "ordertape.rules".
"""

from __future__ import annotations

from ordertape.rule.applying import MOST_VIOLATIONS, RuleSet, Verdict, told
from ordertape.rule.building import Fields, build_rules, field_names
from ordertape.rule.finding import GROUP, discover, find
from ordertape.rule.protocol import (
    ABILITIES,
    Configured,
    HasFormats,
    Normalizes,
    Registered,
    Rule,
    Severity,
    Validates,
)

__all__ = [
    "ABILITIES",
    "GROUP",
    "MOST_VIOLATIONS",
    "Configured",
    "Fields",
    "HasFormats",
    "Normalizes",
    "Registered",
    "Rule",
    "RuleSet",
    "Severity",
    "Validates",
    "Verdict",
    "build_rules",
    "discover",
    "field_names",
    "find",
    "told",
]
