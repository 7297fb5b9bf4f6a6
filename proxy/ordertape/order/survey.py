"""What is where in an order: the elements that the specification has, by their names."""

from __future__ import annotations

from dataclasses import dataclass, field

from lxml import etree

from ordertape.order.names import CONTAINERS, ORDER_TYPES, REPEATABLE, SPECIFIED
from ordertape.order.parsing import XML_BLANKS

_ORDER_TYPES = frozenset(ORDER_TYPES)


@dataclass(slots=True)
class Survey:
    """What is where in an order; reading it notes this on its way.

    `stated`: the root, its order types, and what stands in each under the specification's names.
    `types`: the order types. `padded`: the leaves with blanks around their values.
    `paths`: those of elements, as far as they are known.
    """

    stated: dict[etree._Element, dict[str, etree._Element]] = field(default_factory=dict)
    types: list[etree._Element] = field(default_factory=list)
    padded: list[etree._Element] = field(default_factory=list)
    paths: dict[etree._Element, str] = field(default_factory=dict, compare=False)


def survey(root: etree._Element) -> Survey:
    """A survey of an order of which nothing is known, or no longer."""
    children = _children(root)
    types = [child for name, child in children.items() if name in _ORDER_TYPES]
    return Survey(
        {root: children, **{order_type: _children(order_type) for order_type in types}},
        types,
        [leaf for leaf in root.iter(etree.Element) if not len(leaf) and is_padded(leaf)],
    )


def is_padded(leaf: etree._Element) -> bool:
    """Whether there are blanks around its value; what is there to hold others has none."""
    value = leaf.text
    padded = value is not None and value.strip(XML_BLANKS) != value
    return padded and SPECIFIED.get(str(leaf.tag)) not in CONTAINERS


def _children(parent: etree._Element) -> dict[str, etree._Element]:
    named = ((SPECIFIED.get(str(child.tag)), child) for child in parent.iterchildren(etree.Element))
    return {name: child for name, child in named if name is not None and name not in REPEATABLE}
