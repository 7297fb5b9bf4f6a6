"""Exactly one order type."""

import pytest

from judged import agreed, area, told
from ordertape.order import ORDER_TYPES
from ordertape_rules.order_type import OrderType

ANOTHER = (
    "<StateSearchAndOrderType><State>NC</State><Quantity>1</Quantity></StateSearchAndOrderType>"
)


def with_types(*types: str) -> str:
    return OrderType.example.replace("</Order>", f"{''.join(types)}</Order>")


def test_none_and_several_are_refused_as_by_the_service() -> None:
    assert agreed(with_types()) == ["5087"]
    assert agreed(with_types("<Extra/>")) == ["5087"]
    assert agreed(area()) == []
    assert agreed(area().replace("</Order>", f"{ANOTHER}</Order>")) == ["5087"]


@pytest.mark.parametrize("name", [*ORDER_TYPES, "ZipSearchAndOrderType", "LataSearchAndOrderType"])
def test_every_type_is_one_under_every_spelling(name: str) -> None:
    assert "order-type" not in {found[0] for found in told(with_types(f"<{name}/>"))}


def test_each_type_after_the_first_is_told_where_it_is() -> None:
    body = with_types(
        ANOTHER,
        "<ZipSearchAndOrderType><Zip>27606</Zip><Quantity>1</Quantity></ZipSearchAndOrderType>",
        "<LATASearchAndOrderType><Lata>2</Lata><Quantity>1</Quantity></LATASearchAndOrderType>",
    )
    assert [found for found in told(body) if found[1] == "enforce"] == [
        (
            "order-type",
            "enforce",
            "5087",
            "/Order/ZipSearchAndOrderType",
            "ZipSearchAndOrderType comes beside StateSearchAndOrderType; send one order type.",
        ),
        (
            "order-type",
            "enforce",
            "5087",
            "/Order/LATASearchAndOrderType",
            "LATASearchAndOrderType comes beside StateSearchAndOrderType; send one order type.",
        ),
    ]


def test_an_order_without_any_is_told_so() -> None:
    assert told(OrderType.example) == [
        (
            "order-type",
            "enforce",
            "5087",
            "/Order",
            "Order has no order type; send one, such as AreaCodeSearchAndOrderType.",
        )
    ]
