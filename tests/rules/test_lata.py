"""LATAs: one to five digits."""

import pytest

from judged import agreed, searched, told
from ordertape_rules.lata import Lata


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("0", None),
        ("2", None),
        ("224", None),
        ("99999", None),
        (" 224 ", None),
        ("", "5002"),
        ("224000", "5002"),
        ("22a", "5002"),
        ("-1", "5002"),
        ("2 4", "5002"),
        ("٢", "5002"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    assert agreed(
        searched("LATASearchAndOrderType", f"<LATA>{value}</LATA><Quantity>1</Quantity>")
    ) == ([code] if code else [])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(Lata.example) == [
        (
            "lata",
            "enforce",
            "5002",
            "/Order/LATASearchAndOrderType/Lata",
            "Lata is '224000'; send one to five digits.",
        )
    ]
