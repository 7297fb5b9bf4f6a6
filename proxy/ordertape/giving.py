"""What became of an order's numbers, by the service's answer.

Source: the design's Quotas; clients-and-orders.md, what the service answers.
"""

from __future__ import annotations

import re
from collections.abc import Container
from typing import TYPE_CHECKING

from ordertape import coding
from ordertape.errors import RefusedError
from ordertape.model import Charge, Response
from ordertape.order import XML_BLANKS, read_tree

if TYPE_CHECKING:
    from lxml import etree

__all__ = ["charge", "kept"]

_DONE = frozenset({"COMPLETE", "PARTIAL", "FAILED"})
"""Every OrderStatus after which the service gives no more."""

_NOT_LATER = frozenset({"", "false"})
"""Every BackOrderRequested after which it does not give the rest later either."""

_COUNT = re.compile("[0-9]{1,7}")

_LARGEST = 1 << 20
"""Bytes of an answer that are read."""


def charge(status: int, refunded: Container[int] = ()) -> Charge:
    """The design's table: 2xx keeps the cost, 4xx refunds it, 3xx and 5xx leave it unknown.

    `refunded` are statuses that an operator knows to have cost nothing.
    """
    if status in refunded:
        return Charge.REFUNDED
    return {2: Charge.KEPT, 4: Charge.REFUNDED}.get(status // 100, Charge.UNKNOWN)


def kept(response: Response, ordered: int, *, back_ordered: bool) -> int | None:
    """How many numbers the service gave, where it says that it is done with the order.

    None where it does not, or says it in doubt: then all that was ordered counts. `back_ordered`:
    the order asks for the rest to be delivered later.
    """
    body = response.body.held
    packed = response.headers.get(b"content-encoding") is not None
    if back_ordered or not (packed or b"CompletedQuantity" in body):
        return None
    try:
        body = coding.decoded(body, response.headers, _LARGEST)
        root = read_tree(body, response.headers.get(b"content-type"))
    except RefusedError:
        return None
    later = {_text(element) for element in root.iter("BackOrderRequested")}
    if _of_its_own(root, "OrderStatus") not in _DONE or not later <= _NOT_LATER:
        return None
    count = _of_its_own(root, "CompletedQuantity") or ""
    return int(count) if _COUNT.fullmatch(count) and int(count) <= ordered else None


def _of_its_own(root: etree._Element, name: str) -> str | None:
    """What the answer says under this name, if it does so once, in the place that is its own.

    One inside the order's echo may be the client's.
    """
    found = list(root.iter(name))
    return _text(found[0]) if len(found) == 1 and found[0].getparent() is root else None


def _text(element: etree._Element) -> str | None:
    """The element's value; None where it holds more than text, or a comment divides it."""
    return None if len(element) else (element.text or "").strip(XML_BLANKS)
