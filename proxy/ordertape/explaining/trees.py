"""In which places two XML bodies, or two JSON values, differ."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import zip_longest

from lxml import etree

from ordertape import canonical
from ordertape.canonical import Json
from ordertape.matching import LeftOut, Matching
from ordertape.order import XML_BLANKS

__all__ = ["Place", "XmlBodies", "in_json", "xpath"]


@dataclass(frozen=True, slots=True)
class Place:
    """Where two bodies differ, and what stands there: None where nothing does.

    `ignored_by` is what `Matching.ignore` may name it by, the narrowest first.
    `order`: only the order of the siblings in it differs.
    """

    path: str
    recorded: str | None
    asked: str | None
    ignored_by: tuple[str, ...] = ()
    order: bool = False


@dataclass(frozen=True, slots=True)
class _Found:
    """One difference, not yet said: XPaths take time, and only the nearest recording's are."""

    recorded: etree._Element | None
    asked: etree._Element | None
    what: str = ""  # "" the element, "." its text, "<" the order of its children, else an attribute
    size: int = 1


class XmlBodies:
    """Two trees, recorded and asked, and how they differ."""

    def __init__(
        self,
        recorded: etree._Element,
        asked: etree._Element,
        matching: Matching,
        *,
        order: bool,
    ) -> None:
        self._matching = matching
        self._order = order
        self._free = order and matching.element_order == "any"
        self._out = {
            True: matching.left_out(recorded),
            False: matching.left_out(asked),
        }
        self._found: list[_Found] = []
        if recorded.tag != asked.tag:
            self._found.append(_Found(recorded, asked, size=_leaves(recorded) + _leaves(asked)))
        elif recorded not in self._out[True].elements:
            self._compare(recorded, asked)

    @property
    def size(self) -> int:
        """How many leaves differ."""
        return sum(found.size for found in self._found)

    def places(self) -> Iterator[Place]:
        """Where they differ, elements in the order of what was asked."""
        return map(self._place, self._found)

    def _compare(self, recorded: etree._Element, asked: etree._Element) -> None:
        before, after = self._out[True], self._out[False]
        attributes = dict(before.of(recorded)), dict(after.of(asked))
        for name in sorted({*attributes[0], *attributes[1]}):
            if attributes[0].get(name) != attributes[1].get(name):
                self._found.append(_Found(recorded, asked, name))
        if _text(recorded, before) != _text(asked, after):
            self._found.append(_Found(recorded, asked, "."))
        children = _children(recorded, before), _children(asked, after)
        pairs = self._pairs(*children)
        for one, other in pairs:
            if one is None or other is None:
                there = other if one is None else one
                self._found.append(_Found(one, other, size=0 if there is None else _leaves(there)))
            else:
                self._compare(one, other)
        if not self._free and _crossed(pairs, *children):
            self._found.append(_Found(recorded, asked, "<"))

    def _pairs(
        self, recorded: Sequence[etree._Element], asked: Sequence[etree._Element]
    ) -> list[tuple[etree._Element | None, etree._Element | None]]:
        """The children that are compared, of each name those that are equal left out."""
        groups: dict[str, tuple[list[etree._Element], list[etree._Element]]] = defaultdict(
            lambda: ([], [])
        )
        for element in asked:
            groups[str(element.tag)][1].append(element)
        for element in recorded:
            groups[str(element.tag)][0].append(element)
        pairs: list[tuple[etree._Element | None, etree._Element | None]] = []
        for one, other in groups.values():
            if len(one) == len(other) == 1:
                pairs.append((one[0], other[0]))
                continue
            forms = [self._form(element, recorded=True) for element in one]
            others = [self._form(element, recorded=False) for element in other]
            unlike = _unequal if self._free else _middle
            left, right = unlike(forms, others)
            pairs += zip_longest((one[at] for at in left), (other[at] for at in right))
        return pairs

    def _form(self, element: etree._Element, *, recorded: bool) -> str:
        return canonical.written(element, self._matching, self._out[recorded], order=self._order)

    def _place(self, found: _Found) -> Place:
        there = found.recorded if found.asked is None else found.asked
        if there is None:  # there is always one of the two
            return Place("/", None, None)
        path, broad = xpath(there), xpath(there, numbered=False)
        names = tuple(dict.fromkeys((path, broad)))
        if found.what == "":
            return Place(path, _said(found.recorded), _said(found.asked), names)
        before, after = (found.recorded, self._out[True]), (found.asked, self._out[False])
        if found.what == "<":
            return Place(path, _order(*before), _order(*after), order=True)
        if found.what == ".":
            return Place(path, _text(*before), _text(*after), names)
        step = f"/@{_step(found.what)}"
        one, other = (
            None if element is None else element.get(found.what)
            for element in (found.recorded, found.asked)
        )
        return Place(path + step, one, other, tuple(name + step for name in names))


def in_json(recorded: Json, asked: Json, path: str = "$") -> Iterator[Place]:
    """Where two JSON values differ, by JSONPath. Errors: RecursionError."""
    if isinstance(recorded, dict) and isinstance(asked, dict):
        for name in dict.fromkeys([*asked, *recorded]):
            step = f"{path}.{name}"
            if name not in recorded:
                yield Place(step, None, canonical.said_json(asked[name]))
            elif name not in asked:
                yield Place(step, canonical.said_json(recorded[name]), None)
            else:
                yield from in_json(recorded[name], asked[name], step)
    elif isinstance(recorded, list) and isinstance(asked, list):
        forms = [[canonical.written_json(one) for one in values] for values in (recorded, asked)]
        for one, other in zip_longest(*_middle(*forms)):
            step = f"{path}[{other if one is None else one}]"
            if one is None:
                yield Place(step, None, canonical.said_json(asked[other]))
            elif other is None:
                yield Place(step, canonical.said_json(recorded[one]), None)
            else:
                yield from in_json(recorded[one], asked[other], step)
    elif canonical.written_json(recorded) != canonical.written_json(asked):
        yield Place(path, canonical.said_json(recorded), canonical.said_json(asked))


def xpath(element: etree._Element, *, numbered: bool = True) -> str:
    """The element's path, with numbers only where siblings share its name."""
    steps: list[str] = []
    at: etree._Element | None = element
    while at is not None:
        step, parent = _step(str(at.tag)), at.getparent()
        if numbered and parent is not None:
            same = list(parent.iterchildren(str(at.tag)))
            step += f"[{same.index(at) + 1}]" if len(same) > 1 else ""
        steps.append(step)
        at = parent
    return "/" + "/".join(reversed(steps))


def _step(name: str) -> str:
    """A name as it stands in an XPath without prefixes."""
    if not name.startswith("{"):
        return name
    uri, _, local = name[1:].partition("}")
    return f"*[local-name()='{local}' and namespace-uri()='{uri}']"


def _children(element: etree._Element, out: LeftOut) -> list[etree._Element]:
    return [child for child in element.iterchildren(etree.Element) if child not in out.elements]


def _text(element: etree._Element | None, out: LeftOut) -> str:
    if element is None:
        return ""
    pieces = [out.text(element), *(out.tail(child) for child in element)]
    return " ".join(piece.strip(XML_BLANKS) for piece in pieces if piece.strip(XML_BLANKS))


def _leaves(element: etree._Element) -> int:
    return max(1, sum(not len(one) for one in element.iter(etree.Element)))


def _said(element: etree._Element | None) -> str | None:
    """What stands in a place: a value, or how many there are."""
    if element is None:
        return None
    if not len(element):
        return (element.text or "").strip(XML_BLANKS)
    count = _leaves(element)
    name = etree.QName(element).localname
    return f"<{name}> with {count} value{'' if count == 1 else 's'}"


def _order(element: etree._Element | None, out: LeftOut) -> str:
    children = [] if element is None else _children(element, out)
    return ", ".join(etree.QName(child).localname for child in children)


def _unequal(one: Sequence[str], other: Sequence[str]) -> tuple[list[int], list[int]]:
    """The positions of what is not on the other side as well, whatever its place there."""
    return _beyond(one, Counter(other)), _beyond(other, Counter(one))


def _beyond(forms: Sequence[str], there: Counter[str]) -> list[int]:
    found: list[int] = []
    for at, form in enumerate(forms):
        if there[form]:
            there[form] -= 1
        else:
            found.append(at)
    return found


def _middle(one: Sequence[str], other: Sequence[str]) -> tuple[list[int], list[int]]:
    """The positions between an equal beginning and an equal end."""
    shorter = min(len(one), len(other))
    start = next((at for at in range(shorter) if one[at] != other[at]), shorter)
    most = shorter - start
    end = next((at for at in range(most) if one[-1 - at] != other[-1 - at]), most)
    return list(range(start, len(one) - end)), list(range(start, len(other) - end))


def _crossed(
    pairs: Sequence[tuple[etree._Element | None, etree._Element | None]],
    recorded: Sequence[etree._Element],
    asked: Sequence[etree._Element],
) -> bool:
    """Whether the names of the children that both sides have stand in another order."""
    gone = {one for one, other in pairs if other is None}
    new = {other for one, other in pairs if one is None}
    return [one.tag for one in recorded if one not in gone] != [
        other.tag for other in asked if other not in new
    ]
