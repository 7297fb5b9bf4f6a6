"""States: two letters of any case."""

import pytest

from judged import agreed, searched, told
from ordertape_rules.state import State


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("NC", None),
        ("nc", None),
        ("Nc", None),
        ("PR", None),
        ("ON", None),
        ("zz", None),
        (" NC ", None),
        ("", "5002"),
        ("N", "5002"),
        ("NCC", "5002"),
        ("N1", "5002"),
        ("N.", "5002"),
        ("ÑC", "5002"),
        ("N C", "5002"),
        ("\uff2e\uff23", "5002"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    assert agreed(
        searched("StateSearchAndOrderType", f"<State>{value}</State><Quantity>1</Quantity>")
    ) == ([code] if code else [])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(State.example) == [
        (
            "state",
            "enforce",
            "5002",
            "/Order/StateSearchAndOrderType/State",
            "State is 'Ohio'; send two letters.",
        )
    ]
