"""An order's tree: what it says, what it costs, and the edits that rules make to it."""

from __future__ import annotations

import re
from collections.abc import Container, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import NamedTuple

from lxml import etree

from ordertape.errors import AmbiguousElementError, ViolatedError
from ordertape.model import Edit, Violation
from ordertape.order.names import (
    CONTAINERS,
    ORDER_TYPES,
    REPEATABLE,
    SPECIFIED,
    VALUES,
    case_variant_of,
    specified,
    spellings,
)

XML_BLANKS = " \t\r\n"
"""What XML calls white space (XML 1.0 section 2.3); U+00A0 and its kind are text."""

DEFAULT_QUANTITY = 5000
"""What a search without a Quantity costs, in telephone numbers (orders-api.md, Quantity)."""

_NUMBER = re.compile(r"[0-9]{1,7}")
_ORDER_TYPES = frozenset(ORDER_TYPES)
_STATED = frozenset(SPECIFIED.values()).difference(REPEATABLE)
_NOTHING: dict[str, etree._Element] = {}


@dataclass(slots=True)
class Survey:
    """What is where in an order; reading it notes this on its way.

    `stated`: the root, its order types, and what stands in each under the specification's names.
    `types`: the order types. `padded`: the leaves with blanks around their values.
    """

    stated: dict[etree._Element, dict[str, etree._Element]] = field(default_factory=dict)
    types: list[etree._Element] = field(default_factory=list)
    padded: list[etree._Element] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Format:
    """What an element's value looks like, without the blanks around it.

    `pattern` is a regular expression for the whole of it, `code` the service's for one that is
    otherwise, `allowed` says in words what to send: "three digits".
    """

    pattern: str
    code: str
    allowed: str


class _Noted(NamedTuple):
    """An edit; its path is told when it is asked for, because later edits may still move it."""

    rule: str
    at: etree._Element | str
    """The element, or the path that it had before it was removed."""
    before: str | None
    after: str | None


class Order:
    """An order's tree. Rules read it through `root` and the methods, and edit it only by these.

    `rule` is the name that edits are noted under and violations are made with.
    """

    __slots__ = ("_noted", "_numbered", "_paths", "_root", "_survey", "rule")

    def __init__(self, root: etree._Element, survey: Survey | None = None) -> None:
        self._root = root
        self.rule = ""
        self._noted: list[_Noted] = []
        self._survey = survey
        self._paths: dict[etree._Element, str] = {}
        self._numbered: dict[tuple[etree._Element | None, str], dict[etree._Element, int]] = {}

    def __repr__(self) -> str:
        return f"<Order {self.order_type}, {len(self._noted)} edits>"

    # What it says.

    @property
    def root(self) -> etree._Element:
        """The `Order` element."""
        return self._root

    @property
    def types(self) -> Sequence[etree._Element]:
        """The order-type elements, in document order; a valid order has one."""
        return self._surveyed().types

    @property
    def order_type(self) -> str | None:
        """The name of the order-type element as sent, the first of several; None without one."""
        return next((str(element.tag) for element in self.types), None)

    @property
    def customer_order_id(self) -> str | None:
        """The client's own id, trimmed; None where it is absent or empty."""
        return self._value("CustomerOrderId")

    @property
    def site_id(self) -> str | None:
        """The SiteId, trimmed; None where it is absent or empty."""
        return self._value("SiteId")

    @property
    def quantity(self) -> int | None:
        """The Quantity as stated; None where it is absent, unreadable or not alone."""
        stated = [self.value(element) for element in self.elements("Quantity")]
        return int(stated[0]) if len(stated) == 1 and _NUMBER.fullmatch(stated[0]) else None

    @property
    def cost(self) -> int:
        """The order's cost in telephone numbers: never a guess, and never too low.

        A search costs its Quantity, or 5000 without one; existing numbers cost one each; several
        order types cost their sum, an order without any 5000. Errors: ViolatedError for a Quantity
        that is no number (5009), or stands anywhere but inside an order type (94002).
        """
        types = self.types
        stray = [
            element for element in self.elements("Quantity") if element.getparent() not in types
        ]
        if stray:
            raise ViolatedError(tuple(map(self._stray, stray)))
        return sum(self._cost(element) for element in types) if types else DEFAULT_QUANTITY

    def fields(self, name: str) -> Sequence[etree._Element]:
        """The elements of this specified name where the specification has its elements.

        That is, whatever their spelling, the children of `Order` and of the order type; what lies
        deeper, in elements that are not the specification's, is nobody's business.
        """
        stated = self._surveyed().stated
        if name in _STATED:
            return [at[name] for at in stated.values() if name in at]
        return [child for parent in stated for child in parent.iterchildren(*spellings(name))]

    def stated(self, parent: etree._Element) -> Mapping[str, etree._Element]:
        """What the specification has in `Order` or in an order type, by name, as it is there."""
        return self._stated(parent)

    def every(self) -> Iterator[tuple[str, etree._Element]]:
        """All `fields` with their specified names, repeatable ones left out."""
        return chain.from_iterable(at.items() for at in self._surveyed().stated.values())

    def elements(self, name: str) -> Iterator[etree._Element]:
        """Every element of this specified name, whatever its spelling, in document order."""
        return self._root.iter(*spellings(name))

    def leaves(self) -> Iterator[etree._Element]:
        """Every element that holds a value or nothing, in document order."""
        return (element for element in self._root.iter(etree.Element) if not len(element))

    def padded(self) -> Sequence[etree._Element]:
        """The leaves with blanks around their values, in document order."""
        return [leaf for leaf in self._surveyed().padded if _is_padded(leaf)]

    def child(self, parent: etree._Element, name: str) -> etree._Element | None:
        """The first child of this specified name, whatever its spelling; None without one."""
        return next(parent.iterchildren(*spellings(name)), None)

    def text(self, element: etree._Element) -> str:
        """The element's value, blanks and all; "" for an empty one."""
        return element.text or ""

    def value(self, element: etree._Element) -> str:
        """The element's value without the XML blanks around it; "" for an empty one."""
        return (element.text or "").strip(XML_BLANKS)

    def xpath(self, element: etree._Element) -> str:
        """The element's path, `/Order/A/B[2]`.

        Siblings are numbered together and remembered: lxml's own `getpath` counts anew for each,
        which takes seconds where thousands of telephone numbers are edited.
        """
        parent = element.getparent()
        name = str(element.tag)
        if parent is None:
            return f"/{name}"
        above = self._paths.get(parent)
        if above is None:
            above = self._paths[parent] = self.xpath(parent)
        path = f"{above}/{name}"
        if self.stated(parent).get(specified(name)) is element:
            return path  # there is no second one
        numbered = self._numbered.get((parent, name))
        if numbered is None:
            alike = list(parent.iterchildren(name))
            if len(alike) == 1:
                return path
            numbered = {sibling: number for number, sibling in enumerate(alike, 1)}
            self._numbered[parent, name] = numbered
        return f"{path}[{numbered[element]}]"

    def positions(self) -> Mapping[str, int]:
        """The place of every element in document order, by its path."""
        elements = self._root.iter(etree.Element)
        return {self.xpath(element): index for index, element in enumerate(elements)}

    # What rules do with it.

    @property
    def edits(self) -> tuple[Edit, ...]:
        """Every change so far, in the order made; paths are those of the order as it is now."""
        if not self._noted:
            return ()
        return tuple(
            [
                Edit(rule, at if isinstance(at, str) else self.xpath(at), before, after)
                for rule, at, before, after in self._noted
            ]
        )

    @property
    def changed(self) -> bool:
        """Whether any rule changed anything; if not, the bytes as received are what is sent."""
        return bool(self._noted)

    @property
    def edited(self) -> int:
        """How many changes were made so far."""
        return len(self._noted)

    def set_text(self, element: etree._Element, value: str) -> None:
        """Give a leaf another value and note it; an equal value is no edit.

        Errors: ValueError for an element that has children, or a value that XML cannot hold.
        """
        before = element.text or ""
        if value == before:
            return
        if len(element):
            raise ValueError(f"{self.xpath(element)} has children; only a leaf has a value.")
        element.text = value or None
        if value.strip(XML_BLANKS) != value:
            self._survey = None
        self._note(element, before, value)

    def add(self, parent: etree._Element, name: str, value: str) -> etree._Element:
        """Append a child, indented as its siblings are, and note it.

        Errors: ValueError for a name or a value that XML cannot hold, a parent that holds a value,
        a case variant of a specified name, or an element of the specification that is there
        already: nobody knows which of two counts.
        """
        if specified(str(parent.tag)) in VALUES or (not len(parent) and self.value(parent)):
            raise ValueError(f"{self.xpath(parent)} holds a value; it can hold no element.")
        _check_spelling(name)
        meant = specified(name)
        siblings = self._stated(parent)
        if meant in siblings:
            raise _taken(self.xpath(parent), name)
        added = etree.SubElement(parent, name)
        try:
            added.text = value or None
        except ValueError:
            parent.remove(added)
            raise
        last = added.getprevious()
        if last is not None:
            added.tail = last.tail
            before = last.getprevious()
            last.tail = parent.text if before is None else before.tail
        if meant in _ORDER_TYPES or value.strip(XML_BLANKS) != value:
            self._survey = None
        elif meant in _STATED and siblings is not _NOTHING:
            siblings[meant] = added  # less work than another survey
        self._renumber(parent, name)
        self._note(added, None, value)
        return added

    def rename(self, element: etree._Element, name: str) -> None:
        """Give an element another name and note both, as tags; an equal name is no edit.

        Errors: ValueError for the root, and for names as in `add`.
        """
        before = str(element.tag)
        if name == before:
            return
        parent, meant = element.getparent(), specified(name)
        if parent is None:
            raise ValueError("The root cannot be renamed.")
        _check_spelling(name)
        if meant != specified(before) and meant in self.stated(parent):
            raise _taken(self.xpath(parent), name)
        element.tag = name
        self._survey = None
        self._renumber(parent, before, name)
        self._note(element, f"<{before}>", f"<{name}>")

    def remove(self, element: etree._Element) -> None:
        """Take an element out, with what it holds and its indentation, and note it.

        Errors: ValueError for the root.
        """
        parent = element.getparent()
        if parent is None:
            raise ValueError("The root cannot be removed.")
        held = etree.tostring(element, encoding="unicode", with_tail=False)
        gone = set(element.iter())
        self._noted = [
            noted if noted.at not in gone else noted._replace(at=self.xpath(noted.at))
            for noted in self._noted
        ]
        self._note(self.xpath(element), held if len(element) else self.text(element), None)
        previous = element.getprevious()
        if element.getnext() is None:
            if previous is None:
                parent.text = None
            else:
                previous.tail = element.tail
        parent.remove(element)
        self._survey = None
        self._renumber(parent, str(element.tag))

    def note_charset(self, claimed: str, read_as: str) -> None:
        """Note that the bytes were not of the charset that they claim: they leave as UTF-8."""
        self._noted.append(_Noted("fallback-charset", self._root, claimed, read_as))

    def violation(
        self, element: etree._Element, code: str, message: str, severity: str = "enforce"
    ) -> Violation:
        """A violation at this element, by the rule that is being applied.

        What is absent is missed at the element that should hold it.
        """
        line = element.sourceline or 0
        return Violation(self.rule, code, self.xpath(element), line, message, severity)

    def misshapen(self, formats: Mapping[str, Format]) -> Sequence[Violation]:
        """A violation for each of the `fields` that is not as the format of its name says."""
        return [
            self.violation(element, wanted.code, self.unlike(element, wanted.allowed))
            for name, wanted in formats.items()
            for element in self.fields(name)
            if re.fullmatch(wanted.pattern, self.value(element)) is None
        ]

    def unlike(self, element: etree._Element, allowed: str) -> str:
        """The sentence for a value that is not what is allowed: element, what came, what to send.

        "AreaCode is '117'; send three digits, the first from 2 to 9."
        """
        value = self.value(element)
        came = repr(shown(value)) if value else "empty"
        return f"{element.tag!s} is {came}; send {allowed}."

    def serialize(self) -> bytes:
        """The order as UTF-8 with a declaration; comments and unknown elements are kept."""
        return etree.tostring(self._root.getroottree(), encoding="UTF-8", xml_declaration=True)

    def _stated(self, parent: etree._Element) -> dict[str, etree._Element]:
        return self._surveyed().stated.get(parent, _NOTHING)

    def _surveyed(self) -> Survey:
        if self._survey is None:
            self._survey = survey(self._root)
        return self._survey

    def _note(self, at: etree._Element | str, before: str | None, after: str | None) -> None:
        self._noted.append(_Noted(self.rule, at, before, after))

    def _renumber(self, parent: etree._Element | None, *names: str) -> None:
        """Forget the numbers of children of these names, and the paths that may hold them."""
        if self._paths or self._numbered:
            self._paths.clear()
            for name in names:
                self._numbered.pop((parent, name), None)

    def _value(self, name: str) -> str | None:
        element = self.child(self._root, name)
        return None if element is None else self.value(element) or None

    def _cost(self, order_type: etree._Element) -> int:
        numbers = [self._number(element) for element in order_type.findall("Quantity")]
        if order_type.tag != "ExistingTelephoneNumberOrderType":
            return numbers[0] if numbers else DEFAULT_QUANTITY
        # A reservation stands for a number, and may come without it.
        named = [self._distinct(order_type, name) for name in ("TelephoneNumber", "ReservationId")]
        return max(numbers + named)

    def _distinct(self, order_type: etree._Element, name: str) -> int:
        return len({self.value(element) for element in order_type.iter(name)} - {""})

    def _number(self, quantity: etree._Element) -> int:
        value = self.value(quantity)
        if _NUMBER.fullmatch(value) is not None:
            return int(value)
        message = self.unlike(quantity, "how many telephone numbers to order, one to seven digits")
        raise ViolatedError((self._costless(quantity, "5009", message),))

    def _stray(self, quantity: etree._Element) -> Violation:
        message = (
            "Quantity stands outside the order type, where it may count or not; move it into the "
            "order-type element."
        )
        return self._costless(quantity, AmbiguousElementError.code, message)

    def _costless(self, quantity: etree._Element, code: str, message: str) -> Violation:
        return replace(self.violation(quantity, code, message), rule="cost")


def survey(root: etree._Element) -> Survey:
    """A survey of an order that was edited since it was read."""
    children = _children(root)
    types = [child for name, child in children.items() if name in _ORDER_TYPES]
    return Survey(
        {root: children, **{order_type: _children(order_type) for order_type in types}},
        types,
        [leaf for leaf in root.iter(etree.Element) if not len(leaf) and _is_padded(leaf)],
    )


def _is_padded(leaf: etree._Element) -> bool:
    """Whether there are blanks around its value; what is there to hold others has none."""
    value = leaf.text
    padded = value is not None and value.strip(XML_BLANKS) != value
    return padded and SPECIFIED.get(str(leaf.tag)) not in CONTAINERS


def _children(parent: etree._Element) -> dict[str, etree._Element]:
    named = ((SPECIFIED.get(str(child.tag)), child) for child in parent.iterchildren(etree.Element))
    return {name: child for name, child in named if name is not None and name not in REPEATABLE}


def _check_spelling(name: str) -> None:
    meant = case_variant_of(name)
    if meant is not None:
        raise ValueError(f"The element {name} is written {meant}.")


def _taken(parent: str, name: str) -> ValueError:
    return ValueError(f"There is a {name} in {parent} already.")


def nearest(xpath: str, known: Container[str]) -> str:
    """The path itself, or of an element that is absent its nearest known ancestor's; else ""."""
    while xpath and xpath not in known:
        xpath = xpath.rpartition("/")[0]
    return xpath


def line_of(node: etree._Element) -> str:
    """Where a node began, for a sentence."""
    return "no line" if node.sourceline is None else f"line {node.sourceline}"


def shown(value: object, limit: int = 60) -> str:
    """A client's words for a sentence of ours, at most `limit` characters of them."""
    words = str(value)
    return words if len(words) <= limit else f"{words[:limit]}…"
