"""An order's tree: what it says, what it costs, and the edits that rules make to it."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping, Sequence
from itertools import chain
from typing import NamedTuple

from lxml import etree

from ordertape.model import Edit, Violation
from ordertape.order.cost import NUMBER, cost
from ordertape.order.formats import Formats, missed
from ordertape.order.names import (
    ORDER_TYPES,
    REPEATABLE,
    SPECIFIED,
    VALUES,
    case_variant_of,
    specified,
    spellings,
)
from ordertape.order.parsing import XML_BLANKS
from ordertape.order.structure import Filled
from ordertape.order.survey import Survey, is_padded, survey
from ordertape.order.telling import shown

_ORDER_TYPES = frozenset(ORDER_TYPES)
_STATED = frozenset(SPECIFIED.values()).difference(REPEATABLE)
_NOTHING: dict[str, etree._Element] = {}


class Addition(NamedTuple):
    """An element that was added to an order, and may be to others of the same structure.

    `within` is the place of the order type that holds it among the root's children, None where the
    root does; `path` is where it came to stand.
    """

    within: int | None
    name: str
    value: str
    path: str


class Order:
    """An order's tree. Rules read it through `root` and the methods, and edit it only by these.

    `rule` is the name that edits are noted under and violations are made with.
    """

    __slots__ = (
        "_filled",
        "_names",
        "_noted",
        "_numbered",
        "_padded",
        "_paths",
        "_repeated",
        "_root",
        "_set",
        "_structure",
        "_survey",
        "_values",
        "rule",
    )

    def __init__(self, root: etree._Element, found: Survey | Filled | None = None) -> None:
        self._root = root
        self.rule = ""
        # Rule, element, before and after: later edits may still move the path of an element that
        # is there, and one that was removed has none any more but that which it had.
        self._noted: list[tuple[str, etree._Element | str, str | None, str | None]] = []
        self._filled = found if isinstance(found, Filled) else None
        self._survey = None if isinstance(found, Filled) else found
        self._structure: Hashable | None = None
        self._set = False
        self._names: Sequence[str] = ()
        self._values: Sequence[str] | None = None
        self._padded: Sequence[etree._Element] | None = None
        self._repeated: list[tuple[etree._Element, str, etree._Element]] = []
        if self._filled is not None:
            self._structure, self._values, _ = self._filled
            self._names = self._filled.structure.names
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
        return int(stated[0]) if len(stated) == 1 and NUMBER.fullmatch(stated[0]) else None

    @property
    def cost(self) -> int:
        """The order's cost in telephone numbers: never a guess, and never too low.

        A search costs its Quantity, or 5000 without one; existing numbers cost one each; several
        order types cost their sum, an order without any 5000. Errors: ViolatedError for a Quantity
        that is no number (5009), or stands anywhere but inside an order type (94002).
        """
        return cost(self)

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
        if not self._set:
            if self._padded is not None:
                return self._padded
            return () if self._filled and not self._filled.padded else self._surveyed().padded
        return [leaf for leaf in self._surveyed().padded if is_padded(leaf)]

    @property
    def structure(self) -> Hashable | None:
        """Which elements stand where: equal for orders that are alike in this; None if unknown.

        It is known only of orders that hold what the specification names and nothing else, and not
        of all of them.
        """
        return self._structure

    def held(self) -> tuple[Sequence[str], Sequence[str]]:
        """The names of those of `every` that may hold a value, and the values without blanks.

        Orders of one `structure` have the same names, and most in the same sequence.
        """
        if self._values is None:
            named = [(name, element) for name, element in self.every() if name in VALUES]
            self._filled = None
            self._names = tuple([name for name, _ in named])
            self._values = tuple([self.value(element) for _, element in named])
        return self._names, self._values

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
        known = self._paths.get(element)
        if known is not None:
            return known
        parent, name = element.getparent(), str(element.tag)
        if parent is None:
            return f"/{name}"
        above = self._paths.get(parent)
        if above is None:
            above = self._paths[parent] = self.xpath(parent)
        path = f"{above}/{name}"
        if self._stated(parent).get(specified(name)) is element:
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
        paths = self._paths
        return tuple(
            [
                Edit(
                    rule,
                    at if isinstance(at, str) else paths.get(at) or self.xpath(at),
                    before,
                    after,
                )
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
        self._set = True
        self._noted.append((self.rule, element, before, value))
        if before.strip(XML_BLANKS) == value:
            return
        if value.strip(XML_BLANKS) != value:
            self._forget()
        elif self._values is not None:
            self._values = None
            self._structure = self._structure and (self._structure, "in another sequence")

    def add(self, parent: etree._Element, name: str, value: str) -> etree._Element:
        """Append a child, indented as its siblings are, and note it.

        Errors: ValueError for a name or a value that XML cannot hold, a parent that holds a value,
        a case variant of a specified name, or an element of the specification that is there
        already: nobody knows which of two counts.
        """
        siblings = self._stated(parent)
        if not siblings and self._holds_value(parent):
            raise ValueError(f"{self.xpath(parent)} holds a value; it can hold no element.")
        meant = SPECIFIED.get(name)
        if meant is None:
            _check_spelling(name)
        elif meant in siblings:
            raise _taken(self.xpath(parent), name)
        added = _appended(parent, name, value)
        if meant in _ORDER_TYPES or value.strip(XML_BLANKS) != value:
            self._forget()
            self._renumber(parent, name)
        elif meant in _STATED and siblings is not _NOTHING:
            # Less work than another survey; and there is no second one that would be numbered.
            siblings[meant] = added
            self._stand(parent, added, name, meant, value, f"{self.xpath(parent)}/{name}")
        else:
            self._structure = None
            self._renumber(parent, name)
        self._noted.append((self.rule, added, None, value))
        return added

    def additions(self, since: int) -> Sequence[Addition] | None:
        """The edits since so many were made, if all are such as `repeat` can make elsewhere.

        These are additions of single values to the order or its type, in a known structure.
        """
        found = []
        for _, at, before, after in self._noted[since:]:
            if isinstance(at, str) or before is not None or after is None or len(at):
                return None
            parent, path = at.getparent(), self._paths.get(at)
            if parent is None or path is None or self._structure is None:
                return None
            if SPECIFIED.get(str(at.tag)) not in VALUES or after.strip(XML_BLANKS) != after:
                return None
            within = None if parent is self._root else self._root.index(parent)
            found.append(Addition(within, str(at.tag), after, path))
        return found

    def repeat(self, additions: Sequence[Addition]) -> None:
        """Add what was added to another order of this very structure.

        What `add` checks depends on the structure only, and was checked there.
        """
        if self._survey is None and self._filled is not None and self._filled.padded:
            self._find_padded(self._filled)
        for within, name, value, path in additions:
            parent = self._root if within is None else self._root[within]
            added = _appended(parent, name, value)
            meant = SPECIFIED[name]
            if self._survey is None:
                self._repeated.append((parent, meant, added))
            else:
                self._survey.stated[parent][meant] = added
            self._stand(parent, added, name, meant, value, path)
            self._noted.append((self.rule, added, None, value))

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
        self._forget()
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
            (rule, at if isinstance(at, str) or at not in gone else self.xpath(at), before, after)
            for rule, at, before, after in self._noted
        ]
        self._note(self.xpath(element), held if len(element) else self.text(element), None)
        previous = element.getprevious()
        if element.getnext() is None:
            if previous is None:
                parent.text = None
            else:
                previous.tail = element.tail
        parent.remove(element)
        self._forget()
        self._renumber(parent, str(element.tag))

    def note_charset(self, claimed: str, read_as: str) -> None:
        """Note that the bytes were not of the charset that they claim: they leave as UTF-8."""
        self._noted.append(("fallback-charset", self._root, claimed, read_as))

    def violation(
        self, element: etree._Element, code: str, message: str, severity: str = "enforce"
    ) -> Violation:
        """A violation at this element, by the rule that is being applied.

        What is absent is missed at the element that should hold it.
        """
        line = element.sourceline or 0
        return Violation(self.rule, code, self.xpath(element), line, message, severity)

    def misshapen(self, formats: Formats) -> Sequence[Violation]:
        """A violation for each of the `fields` that is not as the formats of its name say."""
        return [
            self.violation(element, broken.code, self.unlike(element, broken.allowed))
            for name, wanted in formats.items()
            for element in self.fields(name)
            if (broken := missed(wanted, self.value(element))) is not None
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
        known = self._survey or self._surveyed()
        return known.stated.get(parent, _NOTHING)

    def _surveyed(self) -> Survey:
        if self._survey is None:
            filled, root = self._filled, self._root
            if filled is None:
                self._survey = survey(root)
            else:
                repeated = {added for _, _, added in self._repeated}
                elements = [element for element in root.iter() if element not in repeated]
                self._survey = filled.survey(elements)
                for parent, name, added in self._repeated:
                    self._survey.stated[parent][name] = added
            self._paths = self._survey.paths | self._paths
        return self._survey

    def _find_padded(self, filled: Filled) -> None:
        """Find the leaves with blanks around them while the numbers of elements are as read."""
        if self._padded is None:
            elements, paths = list(self._root.iter()), filled.structure.paths
            if len(elements) == len(paths):
                self._padded = [elements[leaf] for leaf in filled.padded]
                self._paths |= {elements[leaf]: paths[leaf] for leaf in filled.padded}

    def _stand(
        self,
        parent: etree._Element,
        added: etree._Element,
        name: str,
        meant: str,
        value: str,
        path: str,
    ) -> None:
        """Note where an element stands that is the only one of its name there."""
        self._paths[added] = path
        self._structure = self._structure and (self._structure, parent.tag, name)
        if self._values is not None and meant in VALUES:
            self._names, self._values = (*self._names, meant), (*self._values, value)

    def _forget(self) -> None:
        self._survey = self._filled = self._structure = self._values = self._padded = None

    def _holds_value(self, parent: etree._Element) -> bool:
        if specified(str(parent.tag)) in VALUES:
            return True
        return not len(parent) and self.value(parent) != ""

    def _note(self, at: etree._Element | str, before: str | None, after: str | None) -> None:
        self._noted.append((self.rule, at, before, after))

    def _renumber(self, parent: etree._Element | None, *names: str) -> None:
        """Forget the numbers of children of these names, and the paths that may hold them."""
        if self._paths or self._numbered:
            self._paths.clear()
            for name in names:
                self._numbered.pop((parent, name), None)

    def _value(self, name: str) -> str | None:
        if self._filled is not None and self._values is not None:
            place = self._filled.structure.common.get(name)
            if place is not None:
                return self._values[place] or None
        element = self.child(self._root, name)
        return None if element is None else self.value(element) or None


def _appended(parent: etree._Element, name: str, value: str) -> etree._Element:
    """A new last child, indented as its siblings are. Errors: ValueError, and there is none."""
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
    return added


def _check_spelling(name: str) -> None:
    meant = case_variant_of(name)
    if meant is not None:
        raise ValueError(f"The element {name} is written {meant}.")


def _taken(parent: str, name: str) -> ValueError:
    return ValueError(f"There is a {name} in {parent} already.")
