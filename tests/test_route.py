"""Which requests are orders, and which only try to become one."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ordertape.errors import BadPathError
from ordertape.model import Kind
from ordertape.route import accounts_named, classify

ORDERS = [
    ("/accounts/9900012/orders", "9900012"),
    ("/api/accounts/9900012/orders", "9900012"),
    ("/api/v1/accounts/a_B-9/orders?x=1&y=/../z", "a_B-9"),
    ("/v1.0/accounts/1/orders", "1"),
    ("/accounts/1/accounts/2/orders", "2"),
]

TRICKS = [
    "/accounts/1/orders/",
    "/accounts/1//orders",
    "//accounts/1/orders",
    "/api//accounts/1/orders",
    "/accounts/1/./orders",
    "/accounts/1/x/../orders",
    "/x/../accounts/1/orders",
    "/api/v2/./accounts/1/orders",
    "/accounts/1/orders;jsessionid=1",
    "/accounts;a=b/1/orders",
    "/accounts/1;v=2/orders",
    "/accounts/1/order%73",
    "/accounts/%31/orders",
    "/accounts/1%2Forders",
    "/accounts/1%252Forders",
    "/%61ccounts/1/orders",
    "/Accounts/1/orders",
    "/accounts/1/ORDERS",
    "/accounts/1/orders%20",
    "/accounts/1/orders%2f",
    "/accounts/1\\orders",
    "/accounts/1/%2e/orders",
    "/accounts/1.2/orders",
    "/accounts/1/orders/x/..",
    "/accounts/1/orders/%2e",
    "/accounts/1/orders%3Fx",
    "/accounts/1/orders%23x",
    "/accounts/1/orders%00",
    "/accounts/1/orders%253Fx",
    "/a%3F/accounts/1/orders",
    "/a%23/Accounts/1/orders",
    "/a%00/accounts/1/orders",
    "/a%253Fb/accounts/1/orders",
    "/a#/accounts/1/orders",
]

OTHERS = [
    "/accounts/1/orders/5",
    "/accounts/1/sites/2/orders",
    "/accounts/1/ordersx",
    "/accounts/orders",
    "/accounts//orders",
    "/",
    "*",
    "",
]


@pytest.mark.parametrize(("target", "account"), ORDERS)
def test_a_post_to_the_orders_path_under_any_prefix_is_an_order(target: str, account: str) -> None:
    route = classify("POST", target)
    assert (route.kind, route.account, route.xml, route.error) == (Kind.ORDER, account, True, None)


@pytest.mark.parametrize("target", ["/api/v2/accounts/1/orders", "/v2/accounts/1/orders?a=b"])
def test_v2_is_told_by_the_segment_just_before_accounts(target: str) -> None:
    assert classify("POST", target).kind is Kind.ORDER_V2


def test_v2_elsewhere_in_the_prefix_does_not_make_it_v2() -> None:
    assert classify("POST", "/v2/api/accounts/1/orders").kind is Kind.ORDER


@pytest.mark.parametrize("target", TRICKS)
def test_a_path_that_only_becomes_the_orders_path_is_refused(target: str) -> None:
    route = classify("POST", target)
    assert route.kind is Kind.ORDER
    assert route.error is not None
    assert (route.error.status, route.error.code) == (400, "94003")


@pytest.mark.parametrize("target", OTHERS)
def test_other_paths_pass(target: str) -> None:
    route = classify("POST", target)
    assert (route.kind, route.error) == (Kind.OTHER, None)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "HEAD"])
def test_only_a_post_is_an_order(method: str) -> None:
    route = classify(method, "/accounts/1/orders")
    assert (route.kind, route.account, route.xml) == (Kind.OTHER, "1", True)


def test_reading_an_order_back_has_the_apis_form_too() -> None:
    assert classify("GET", "/api/accounts/1/orders/34adcd9f").xml
    assert not classify("GET", "/api/accounts/1/sites").xml


@given(st.text(max_size=60))
def test_classifying_is_total_and_an_order_is_exactly_as_written(target: str) -> None:
    route = classify("POST", target)
    if route.kind is Kind.ORDER and route.error is None:
        assert target.partition("?")[0].endswith(f"/accounts/{route.account}/orders")


@pytest.mark.parametrize("path", ["/accounts/007/orders", "/v2/accounts/00/orders"])
def test_an_account_with_leading_zeros_is_refused(path: str) -> None:
    found = classify("POST", path)
    assert isinstance(found.error, BadPathError)
    assert "leading zeros" in str(found.error)
    assert classify("POST", "/accounts/0/orders").error is None


def test_every_account_that_a_server_might_see_in_a_path_is_named() -> None:
    assert accounts_named("/accounts/007/x?accounts/8") == {"007", "7"}
    assert accounts_named("/accounts/%37/../8/a/accounts/9") == {"8", "9"}
