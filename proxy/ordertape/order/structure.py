"""The structures of orders that were read before: what was found right once need not be checked.

Most clients send orders of few structures, which differ in their values only. Whether elements are
known, nested and repeated as they may be is told by the tags alone; so a text whose tags are those
of an order that was read and found right needs no check but of what stands between them. It is
parsed all the same: a text that is not well-formed has no elements to begin with.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import itemgetter
from typing import Any, NamedTuple, TypeAlias

from lxml import etree

from ordertape.order.names import SPECIFIED, VALUES
from ordertape.order.parsing import LONGEST_FAMILIAR, MOST_BLANKS, XML_BLANKS
from ordertape.order.survey import Survey, survey

_MOST_STRUCTURES = 256
_MOST_TAGS = 64
_TAG = re.compile("<([^>]*)>")

Outline: TypeAlias = tuple[str, Sequence[str]]
"""A text as its tags, each but the last up to its `>`, and what stands before, between and behind
them."""

_Taking: TypeAlias = Callable[[Sequence[Any]], tuple[Any, ...]]


@dataclass(frozen=True, slots=True, eq=False)
class Structure:
    """Which elements stand where in an order.

    `names`: of what holds a value in `Order` or in an order type, in the order of `Survey.stated`.
    `values` and `gaps` take from an outline's texts what elements hold, those of the `names`
    first, and what stands between elements: `layout` in the first order of this structure.
    `common` has the places of the values of the root's own children, by their specified names.
    `leaves` has the elements of the values, and `stated` the parents, names and elements of
    a survey, by their numbers in document order, in which `paths` has the paths of all.
    """

    names: tuple[str, ...]
    values: _Taking
    gaps: _Taking
    layout: tuple[str, ...]
    common: Mapping[str, int]
    leaves: tuple[int, ...]
    stated: tuple[tuple[int, tuple[str, ...], _Taking], ...]
    paths: tuple[str, ...]

    def filled(self, texts: Sequence[str]) -> Filled | None:
        """An order of this structure; None if there may be something between its elements."""
        if texts[0].strip(XML_BLANKS) or texts[-1].strip(XML_BLANKS):
            return None
        gaps = self.gaps(texts)
        if gaps != self.layout and not _are_blank(gaps):
            return None
        held = self.values(texts)
        values = tuple(map(str.strip, held, repeat(XML_BLANKS)))
        if values == held:
            return Filled(self, values[: len(self.names)], ())
        padded = []
        for leaf, text, value in zip(self.leaves, held, values, strict=True):
            if text != value:
                if len(text) > MOST_BLANKS and text[: MOST_BLANKS + 1].isspace():
                    return None
                padded.append(leaf)
        return Filled(self, values[: len(self.names)], sorted(padded))


class Filled(NamedTuple):
    """An order of a known structure: the values of its `names` without the blanks around them.

    `padded` are the numbers of the leaves that have such blanks.
    """

    structure: Structure
    values: Sequence[str]
    padded: Sequence[int]

    def survey(self, elements: Sequence[etree._Element]) -> Survey:
        """The survey of its tree, as it was read; these are the elements of it."""
        paths = self.structure.paths
        if len(elements) != len(paths):
            return survey(elements[0])  # a rule has changed the tree by itself
        stated = {}
        for parent, names, children in self.structure.stated:
            stated[elements[parent]] = dict(zip(names, children(elements), strict=True))
        return Survey(
            stated,
            list(stated)[1:],
            [elements[leaf] for leaf in self.padded],
            dict(zip(elements, paths, strict=True)),
        )


_known: dict[str, Structure] = {}


def outlined(text: str) -> Outline | None:
    """The outline of a text that is short and has no references, and few tags."""
    if len(text) > LONGEST_FAMILIAR or "&" in text:
        return None
    if "\r" in text:
        # As parsers do (XML 1.0 section 2.11).
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    parts = _TAG.split(text)
    return None if len(parts) > 2 * _MOST_TAGS else (">".join(parts[1::2]), parts[::2])


def recognised(outline: Outline) -> Filled | None:
    """The order of this outline, if one of its structure was remembered and it is right too."""
    tags, texts = outline
    structure = _known.get(tags)
    return None if structure is None else structure.filled(texts)


def remembered(outline: Outline, root: etree._Element, found: Survey) -> Filled | None:
    """The order of this outline, whose structure is remembered: it was read and found right.

    None for one that has an empty-element tag. The text is one that `is_familiar`.
    """
    tags, texts = outline
    if "/>" in tags or tags.endswith("/"):
        return None
    if len(_known) >= _MOST_STRUCTURES:
        _known.clear()  # clients choose what is remembered, but not how much
    structure = _known[tags] = _structure(outline, root, found)
    return structure.filled(texts)


def _structure(outline: Outline, root: etree._Element, found: Survey) -> Structure:
    joined, texts = outline
    tags = joined.split(">")
    elements = list(root.iter())
    number = {element: place for place, element in enumerate(elements)}
    every = [(name, child) for at in found.stated.values() for name, child in at.items()]
    named = [(name, number[child]) for name, child in every if name in VALUES]
    surveyed = {leaf for _, leaf in named}
    listed = [
        place
        for element, place in number.items()
        if SPECIFIED[str(element.tag)] in VALUES and place not in surveyed
    ]
    leaves = (*(leaf for _, leaf in named), *listed)
    # Behind the start tag of a leaf is its value.
    starts = [place for place, tag in enumerate(tags, 1) if not tag.startswith("/")]
    held = [starts[leaf] for leaf in leaves]
    gaps = _taking([place for place in range(1, len(tags)) if place not in held])
    return Structure(
        names=tuple(name for name, _ in named),
        values=_taking(held),
        gaps=gaps,
        layout=gaps(texts),
        common={
            name: place
            for place, (name, leaf) in enumerate(named)
            if elements[leaf].getparent() is root
        },
        leaves=leaves,
        stated=tuple(
            (number[parent], tuple(at), _taking([number[child] for child in at.values()]))
            for parent, at in found.stated.items()
        ),
        paths=tuple(map(root.getroottree().getpath, elements)),
    )


def _are_blank(gaps: Sequence[str]) -> bool:
    """Whether there is nothing but blanks, few enough to leave nothing behind in a parser."""
    return not "".join(gaps).strip(XML_BLANKS) and max(map(len, gaps)) <= MOST_BLANKS


def _taking(places: Sequence[int]) -> _Taking:
    """What takes the items of these places; of one place alone, `itemgetter` makes no tuple."""
    if len(places) > 1:
        return itemgetter(*places)
    return lambda items: tuple([items[place] for place in places])
