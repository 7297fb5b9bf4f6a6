"""Names that official clients spell in their own way."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import ClassVar, Literal

from lxml import etree

from ordertape.model import Violation
from ordertape.order import Order, specified


@dataclass(frozen=True)
class Spelling:
    """Warn of elements under a spelling that official clients use and the specification has not.

    They mean, cost and are judged the same under either; whether the service takes these
    spellings is not known. `ZipSearchAndOrderType` is one, for `ZIPSearchAndOrderType`.
    Codes: 94002.
    Source: orders API, payload segments; the vendor's own client libraries.
    """

    action: Literal["forward", "rename", "refuse"] = "forward"
    """What becomes of such an element: it is forwarded as sent with a warning, renamed to the
    specification's name, or refused."""

    structural: ClassVar[bool] = True
    example: ClassVar[str] = (
        "<Order><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>"
        "<ZipSearchAndOrderType><Zip>27606</Zip><Quantity>1</Quantity></ZipSearchAndOrderType>"
        "</Order>"
    )

    def normalize(self, order: Order) -> None:
        """Rename what is misspelt, if told to."""
        if self.action == "rename":
            for element in _misspelt(order):
                order.rename(element, specified(str(element.tag)))

    def validate(self, order: Order) -> Iterable[Violation]:
        """One violation for each element that is misspelt."""
        severity = "enforce" if self.action == "refuse" else "warn"
        return [
            order.violation(element, "94002", _sentence(str(element.tag)), severity)
            for element in _misspelt(order)
        ]


def _misspelt(order: Order) -> list[etree._Element]:
    return [element for name, element in order.every() if element.tag != name]


def _sentence(tag: str) -> str:
    return f"{tag} is the specification's {specified(tag)} misspelt; send it so."
