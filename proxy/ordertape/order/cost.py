"""What an order costs in telephone numbers."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING

from ordertape.errors import AmbiguousElementError, ViolatedError

if TYPE_CHECKING:
    from lxml import etree

    from ordertape.model import Violation
    from ordertape.order.tree import Order

DEFAULT_QUANTITY = 5000
"""What a search without a Quantity costs, in telephone numbers (orders-api.md, Quantity)."""

NUMBER = re.compile(r"[0-9]{1,7}")
"""What is read as a number, without the blanks around it."""


def cost(order: Order) -> int:
    """As `Order.cost`, which says what is raised."""
    types = order.types
    stray = [element for element in order.elements("Quantity") if element.getparent() not in types]
    if stray:
        raise ViolatedError(tuple(_stray(order, element) for element in stray))
    return sum(_of_type(order, element) for element in types) if types else DEFAULT_QUANTITY


def _of_type(order: Order, order_type: etree._Element) -> int:
    numbers = [_number(order, element) for element in order_type.findall("Quantity")]
    if order_type.tag != "ExistingTelephoneNumberOrderType":
        return numbers[0] if numbers else DEFAULT_QUANTITY
    # A reservation stands for a number, and may come without it.
    listed = (order_type.iter(name) for name in ("TelephoneNumber", "ReservationId"))
    return max(numbers + [len({order.value(one) for one in ones} - {""}) for ones in listed])


def _number(order: Order, quantity: etree._Element) -> int:
    value = order.value(quantity)
    if NUMBER.fullmatch(value) is not None:
        return int(value)
    allowed = "how many telephone numbers to order, one to seven digits"
    raise ViolatedError((_violation(order, quantity, "5009", order.unlike(quantity, allowed)),))


def _stray(order: Order, quantity: etree._Element) -> Violation:
    message = (
        "Quantity stands outside the order type, where it may count or not; move it into the "
        "order-type element."
    )
    return _violation(order, quantity, AmbiguousElementError.code, message)


def _violation(order: Order, quantity: etree._Element, code: str, message: str) -> Violation:
    return replace(order.violation(quantity, code, message), rule="cost")
