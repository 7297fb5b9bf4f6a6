"""What a rule is."""

from __future__ import annotations

import typing
from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal, Protocol, TypeAlias

from ordertape.model import Violation
from ordertape.order import Formats, Order

Severity = Literal["enforce", "warn", "off"]
"""enforce: violations refuse the order. warn: they are recorded; the rule normalises all the same.
off: the rule neither normalises nor validates."""

SEVERITIES: tuple[Severity, ...] = typing.get_args(Severity)


class Normalizes(Protocol):
    """A rule that changes orders.

    It may say `structural: ClassVar[bool] = True`: whether its methods change anything, or find
    fault with anything, and what they add, depends on which elements stand where and never on what
    they hold. An order of the same structure as one with which it had nothing to do, or to which it
    only added elements, is then not shown to it: it gets the same elements.
    """

    def normalize(self, order: Order) -> None:
        """Edit the order through its own methods; what needs nothing is left alone.

        Doing it twice must be the same as doing it once.
        """


class Validates(Protocol):
    """A rule that finds fault with orders, after every rule has normalised.

    It may have `concerns: ClassVar[tuple[str, ...]]`, elements under the specification's names:
    it is then asked only about orders that have one of them among their `fields`. It may be
    `structural`, as one that normalises.
    """

    def validate(self, order: Order) -> Iterable[Violation]:
        """Every violation, best made with `order.violation`; the order is not changed."""


class HasFormats(Protocol):
    """A rule that says what values look like, by the specification's name of their element.

    Every one that is otherwise is a violation; nothing need be called to find it. Of several
    formats, a value breaks the first that it is not like.
    """

    formats: ClassVar[Formats]


Rule: TypeAlias = Normalizes | Validates | HasFormats

ABILITIES = ("normalize", "validate", "formats")
"""What a rule has at least one of."""


@dataclass(frozen=True, slots=True)
class Registered:
    """A rule as it was found: its class, and the package and version that brought it.

    Of a rule file these are its path and the beginning of its SHA-256.
    """

    name: str
    rule: type[Rule]
    package: str
    package_version: str


@dataclass(frozen=True, slots=True)
class Configured:
    """A rule with its configuration, ready to be applied."""

    registered: Registered
    rule: Rule
    severity: Severity

    @property
    def name(self) -> str:
        """The rule's name."""
        return self.registered.name
