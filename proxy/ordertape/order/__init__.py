"""Orders: bytes read safely into a tree, and the tree as rules see and edit it."""

from __future__ import annotations

from ordertape.order.cost import DEFAULT_QUANTITY
from ordertape.order.formats import Format, Formats
from ordertape.order.names import ORDER_TYPES, SPELLINGS, is_specified, specified
from ordertape.order.parsing import XML_BLANKS
from ordertape.order.reading import media_type_ok, read_root, read_tree
from ordertape.order.telling import nearest, shown
from ordertape.order.tree import Addition, Order

__all__ = [
    "DEFAULT_QUANTITY",
    "ORDER_TYPES",
    "SPELLINGS",
    "XML_BLANKS",
    "Addition",
    "Format",
    "Formats",
    "Order",
    "is_specified",
    "media_type_ok",
    "nearest",
    "read_order",
    "read_tree",
    "shown",
    "specified",
]


def read_order(body: bytes, content_type: bytes | None, fallback: str | None = None) -> Order:
    """Read an order, or refuse it in a sentence that names line and element.

    `fallback` is the charset for bytes that are not in the one that they claim: such an order
    counts as edited, so that what leaves is what was judged. None refuses them.
    Errors: TooLargeError, UnsupportedTypeError (charset), MalformedError, ForbiddenXmlError,
    AmbiguousElementError. Source: xml-threats.md; clients-and-orders.md, java-bandwidth-iris.
    """
    root, found, claimed = read_root(body, content_type, fallback)
    order = Order(root, found)
    if fallback is not None and claimed is not None:
        order.note_charset(claimed, fallback)
    return order
