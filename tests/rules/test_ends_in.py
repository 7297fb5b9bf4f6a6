"""EndsIn goes only beside LocalVanity."""

import pytest

from judged import agreed, area, codes, combined, told
from ordertape_rules.ends_in import EndsIn

VANITY = "<AreaCode>617</AreaCode><LocalVanity>newcars</LocalVanity>"


@pytest.mark.parametrize("value", ["true", "false"])
def test_what_is_refused_is_what_the_service_refuses(value: str) -> None:
    ends_in = f"<EndsIn>{value}</EndsIn>"
    assert agreed(combined(VANITY + ends_in)) == []
    assert agreed(combined(ends_in + VANITY)) == []
    assert agreed(combined(f"<AreaCode>617</AreaCode>{ends_in}")) == ["5002"]
    assert agreed(area(beside=f"{ends_in}<Quantity>1</Quantity>")) == ["5002"]


def test_one_in_the_order_itself_is_beside_nothing() -> None:
    assert codes(combined(VANITY, "<EndsIn>true</EndsIn>")) == ["5002"]


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(EndsIn.example) == [
        (
            "ends-in",
            "enforce",
            "5002",
            "/Order/AreaCodeSearchAndOrderType/EndsIn",
            "EndsIn is 'false'; send it only beside a LocalVanity.",
        )
    ]
