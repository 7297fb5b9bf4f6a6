"""Peers: digits, or nothing."""

import pytest

from judged import agreed, area, told
from ordertape_rules.peer_id import PeerId


@pytest.mark.parametrize(
    ("value", "code"),
    [
        ("", None),
        ("  ", None),
        ("1", None),
        ("0", None),
        ("500709", None),
        (" 7 ", None),
        ("999999999999999999999999999999999999999999999999999999999999", None),
        ("peer-1", "5023"),
        ("1.0", "5023"),
        ("-1", "5023"),
        ("1 2", "5023"),
        ("٣", "5023"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(value: str, code: str | None) -> None:
    assert agreed(area(f"<PeerId>{value}</PeerId>")) == ([code] if code else [])


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(PeerId.example) == [
        (
            "peer-id",
            "enforce",
            "5023",
            "/Order/PeerId",
            "PeerId is 'peer-1'; send digits, or leave it out.",
        )
    ]
