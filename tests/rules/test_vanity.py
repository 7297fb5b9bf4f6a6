"""Words: 4 to 7 letters or digits."""

import pytest

from judged import agreed, combined, searched, told
from ordertape_rules.vanity import Vanity

TOLL_FREE = "TollFreeVanitySearchAndOrderType"


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("cars", None),
        ("newcars", None),
        ("CARS4U", None),
        ("1234", None),
        (" cars ", None),
        ("car", "5002"),
        ("newcars1", "5002"),
        ("new cars", "5002"),
        ("new-car", "5002"),
        ("autó", "5002"),
        ("", "5002"),
        ("    ", "5002"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    expected = [code] if code else []
    toll_free = f"<TollFreeVanity>{value}</TollFreeVanity><Quantity>1</Quantity>"
    assert agreed(searched(TOLL_FREE, toll_free)) == expected
    local = f"<AreaCode>617</AreaCode><LocalVanity>{value}</LocalVanity>"
    assert agreed(combined(local)) == expected


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(Vanity.example) == [
        (
            "vanity",
            "enforce",
            "5002",
            f"/Order/{TOLL_FREE}/TollFreeVanity",
            "TollFreeVanity is 'car'; send 4 to 7 letters or digits.",
        )
    ]
