"""Patterns of toll-free prefixes: 8**, 8d* or 8dd."""

import pytest

from judged import agreed, searched, told
from ordertape_rules.toll_free_wild_card import TollFreeWildCard


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("8**", None),
        ("80*", None),
        ("89*", None),
        ("800", None),
        ("888", None),
        ("899", None),
        (" 8** ", None),
        ("", "5002"),
        ("8", "5002"),
        ("8*", "5002"),
        ("8***", "5002"),
        ("8*7", "5002"),
        ("***", "5002"),
        ("7**", "5002"),
        ("780", "5002"),
        ("8000", "5002"),
        ("8a*", "5002"),
        ("8* *", "5002"),
        ("8٣*", "5002"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    assert agreed(
        searched(
            "TollFreeWildCharSearchAndOrderType",
            f"<TollFreeWildCardPattern>{value}</TollFreeWildCardPattern><Quantity>1</Quantity>",
        )
    ) == ([code] if code else [])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(TollFreeWildCard.example) == [
        (
            "toll-free-wild-card",
            "enforce",
            "5002",
            "/Order/TollFreeWildCharSearchAndOrderType/TollFreeWildCardPattern",
            (
                "TollFreeWildCardPattern is '8*7'; send 8**, 8 with a digit and a star, "
                "or 8 with two digits."
            ),
        )
    ]
