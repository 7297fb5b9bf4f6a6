"""NpaNxx and NpaNxxX: six and seven digits, the first and the fourth from 2 to 9."""

import pytest

from judged import agreed, searched, told
from ordertape_rules.npa_nxx import NpaNxx


@pytest.mark.parametrize(
    ("name", "value", "code"),
    [
        ("NpaNxx", "200200", None),
        ("NpaNxx", "999999", None),
        ("NpaNxx", " 919439\n", None),
        ("NpaNxx", "199439", "5002"),
        ("NpaNxx", "919199", "5002"),
        ("NpaNxx", "91943", "5002"),
        ("NpaNxx", "9194391", "5002"),
        ("NpaNxx", "919-439", "5002"),
        ("NpaNxx", "", "5002"),
        ("NpaNxx", "٩١٩٤٣٩", "5002"),
        ("NpaNxxX", "2002000", None),
        ("NpaNxxX", "9999999", None),
        ("NpaNxxX", "1994391", "5002"),
        ("NpaNxxX", "9191991", "5002"),
        ("NpaNxxX", "919439", "5002"),
        ("NpaNxxX", "91943912", "5002"),
        ("NpaNxxX", "919439x", "5002"),
        ("NpaNxxX", " ", "5002"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(
    name: str, value: str, code: str | None
) -> None:
    criteria = f"<{name}>{value}</{name}><EnableLCA>true</EnableLCA><Quantity>1</Quantity>"
    assert agreed(searched("NPANXXSearchAndOrderType", criteria)) == ([code] if code else [])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(NpaNxx.example) == [
        (
            "npa-nxx",
            "enforce",
            "5002",
            "/Order/NPANXXSearchAndOrderType/NpaNxx",
            "NpaNxx is '919139'; send six digits, the first and the fourth from 2 to 9.",
        )
    ]
