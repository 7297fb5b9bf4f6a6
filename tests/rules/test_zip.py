"""ZIP codes: five digits, or nine with a dash."""

import pytest

from judged import agreed, searched, told
from ordertape_rules.zip import Zip


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("27606", None),
        ("00000", None),
        ("27606-0000", None),
        ("27606-9999", None),
        ("\n27606\t", None),
        ("2760", "5002"),
        ("276060", "5002"),
        ("27606-", "5002"),
        ("27606-123", "5002"),
        ("27606-12345", "5002"),
        ("276061234", "5002"),
        ("27606 1234", "5002"),
        ("2760A", "5002"),
        ("-27606", "5002"),
        ("", "5002"),
        ("٢٧٦٠٦", "5002"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    assert agreed(
        searched("ZIPSearchAndOrderType", f"<Zip>{value}</Zip><Quantity>1</Quantity>")
    ) == ([code] if code else [])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(Zip.example) == [
        (
            "zip",
            "enforce",
            "5002",
            "/Order/ZIPSearchAndOrderType/Zip",
            "Zip is '2760'; send five digits, or five, a dash and four.",
        )
    ]
