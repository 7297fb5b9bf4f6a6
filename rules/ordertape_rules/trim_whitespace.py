"""Blanks around values."""

from __future__ import annotations

from dataclasses import dataclass

from ordertape.order import XML_BLANKS, Order


@dataclass(frozen=True)
class TrimWhitespace:
    """Strip the blanks around every value; a value of nothing but blanks becomes empty.

    Blanks are what XML calls so: space, tab, CR, LF. A no-break space is part of the value.
    Elements that hold others, comments and attributes stay as they are.
    Source: orders API, whose own examples have values on lines of their own.
    """

    def normalize(self, order: Order) -> None:
        """Trim every leaf."""
        for leaf in order.leaves():
            value = order.text(leaf)
            if value and (value[0] in XML_BLANKS or value[-1] in XML_BLANKS):
                order.set_text(leaf, value.strip(XML_BLANKS))
