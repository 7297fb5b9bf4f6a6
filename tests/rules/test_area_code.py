"""Area codes: three digits, the first from 2 to 9."""

import pytest

from judged import agreed, searched, told
from ordertape_rules.area_code import AreaCode


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("200", None),
        ("999", None),
        ("617", None),
        (" 617\n", None),
        ("&#13;617", None),
        ("199", "5002"),
        ("117", "5002"),
        ("099", "5002"),
        ("1000", "5002"),
        ("61", "5002"),
        ("6175", "5002"),
        ("61a", "5002"),
        ("617 5", "5002"),
        ("", "5002"),
        (" ", "5002"),
        ("+61", "5002"),
        ("٦١٧", "5002"),
        ("\xa0617", "5002"),
        ("\uff16\uff11\uff17", "5002"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    assert agreed(
        searched(
            "AreaCodeSearchAndOrderType", f"<AreaCode>{value}</AreaCode><Quantity>1</Quantity>"
        )
    ) == ([code] if code else [])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(AreaCode.example) == [
        (
            "area-code",
            "enforce",
            "5002",
            "/Order/AreaCodeSearchAndOrderType/AreaCode",
            "AreaCode is '117'; send three digits, the first from 2 to 9.",
        )
    ]
