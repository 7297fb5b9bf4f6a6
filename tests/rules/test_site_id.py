"""The site: required, digits."""

import pytest

from judged import agreed, area, told
from ordertape_rules.site_id import SiteId


@pytest.mark.parametrize(
    ("stated", "code"),
    [
        ("<SiteId>743</SiteId>", None),
        ("<SiteId>0</SiteId>", None),
        ("<SiteId>\n  743\n</SiteId>", None),
        (f"<SiteId>{'9' * 60}</SiteId>", None),
        ("", "5022"),
        ("<SiteId/>", "5022"),
        ("<SiteId>  </SiteId>", "5022"),
        ("<SiteId>seven</SiteId>", "5016"),
        ("<SiteId>7 43</SiteId>", "5016"),
        ("<SiteId>-7</SiteId>", "5016"),
        ("<SiteId>\xa0743</SiteId>", "5016"),
        ("<SiteId>٧٤٣</SiteId>", "5016"),
        ("<Extra><SiteId>743</SiteId></Extra>", "5022"),
    ],
)
def test_what_is_refused_is_what_the_service_refuses(stated: str, code: str | None) -> None:
    body = area().replace("<SiteId>743</SiteId>", stated)
    assert agreed(body) == ([code] if code else [])


def test_a_site_in_the_order_type_is_none() -> None:
    body = area(beside="<Quantity>1</Quantity><SiteId>743</SiteId>")
    assert agreed(body.replace("<SiteId>743</SiteId>", "", 1)) == ["5022"]


def test_a_refusal_names_the_element_what_came_and_what_is_allowed() -> None:
    assert told(SiteId.example) == [
        ("site-id", "enforce", "5016", "/Order/SiteId", "SiteId is 'site-1'; send digits.")
    ]
    assert told(area().replace("<SiteId>743</SiteId>", "<SiteId/>")) == [
        ("site-id", "enforce", "5022", "/Order/SiteId", "SiteId is empty; send digits.")
    ]
    assert told(area().replace("<SiteId>743</SiteId>", "")) == [
        (
            "site-id",
            "enforce",
            "5022",
            "/Order",
            "Order has no SiteId; send the digits of the site that the numbers go to.",
        )
    ]
