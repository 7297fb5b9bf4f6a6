"""The client's own id: letters, digits, dashes and spaces, at most 40."""

import pytest

from judged import agreed, area, told
from ordertape_rules.customer_order_id import CustomerOrderId


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", None),
        ("  ", None),
        ("a", None),
        ("Order 7-b", None),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", None),
        (" AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\n", None),
        ("- -", None),
        ("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "5052"),
        ("order_1", "5052"),
        ("a.b", "5052"),
        ("a/b", "5052"),
        ("é", "5052"),
        ("a\tb", "5052"),
        ("a\xa0b", "5052"),
        ("٣", "5052"),
        ("[GUID]", "5052"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    assert agreed(area(f"<CustomerOrderId>{value}</CustomerOrderId>")) == ([code] if code else [])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(CustomerOrderId.example) == [
        (
            "customer-order-id",
            "enforce",
            "5052",
            "/Order/CustomerOrderId",
            "CustomerOrderId is 'order_1'; send at most 40 letters, digits, dashes and spaces.",
        )
    ]
