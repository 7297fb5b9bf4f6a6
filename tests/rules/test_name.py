"""The order's name: at most 50 characters."""

import pytest

from judged import agreed, area, told
from ordertape_rules.name import Name


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", None),
        ("  ", None),
        ("x", None),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", None),
        ("\n  xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx  ", None),
        ("éééééééééééééééééééééééééééééééééééééééééééééééééé", None),
        (
            "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀",
            None,
        ),
        ("a\nb", None),
        ("xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "1011"),
        ("ééééééééééééééééééééééééééééééééééééééééééééééééééé", "1011"),
        (
            "😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀😀",
            "1011",
        ),
        ("\xa0xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx", "1011"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    assert agreed(area(f"<Name>{value}</Name>")) == ([code] if code else [])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(Name.example) == [
        (
            "name",
            "enforce",
            "1011",
            "/Order/Name",
            (
                "Name is 'All the numbers that the new office in Raleigh needs'; "
                "send at most 50 characters."
            ),
        )
    ]
