"""The vendor's own Python SDK orders through a gateway process in front of a sandbox process.

It is told another base URL and nothing else. Every test has an account of its own, so that what
the gateway recorded of it is what `audit list --account` lists.
"""

import json
import time
from base64 import b64decode
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from bandwidth_numbers import Account, Client, RestError

from gateways import as_json
from ordertape.testing import refused_port
from processes import ordertape_here, running

FREE = ("--listen", "127.0.0.1:0")
QUIET = ("--admin", "off")


@dataclass(frozen=True)
class Service:
    """A gateway that clients order through, and the folder of its store."""

    url: str
    folder: Path

    def account(self, number: str) -> Account:
        """The SDK's account, as its own manual makes one."""
        client = Client(
            url=f"{self.url}/api", account_id=number, username="user", password="canary-password"
        )
        return Account(client=client)

    def command(self, *arguments: str) -> str:
        code, printed, errors = ordertape_here(*arguments, cwd=self.folder)
        assert (code, errors) == (0, "")
        return printed

    def recorded(self, account: str, count: int) -> list[dict[str, Any]]:
        """What `audit list` says of the account once it is so many exchanges, oldest first.

        The answer to a safe method does not wait for its record.
        """
        arguments = ("audit", "list", "--account", account, "--json")
        deadline = time.monotonic() + 20
        while len(rows := as_json(self.command(*arguments))) < count:
            assert time.monotonic() < deadline, rows
        assert len(rows) == count
        return rows[::-1]

    def shown(self, ident: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.command("audit", "show", ident, "--json"))
        return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("gateway")
    (folder / "ordertape.toml").write_text("accounts.116.rules.area-code.severity = 'warn'\n")
    with (
        running("sandbox", *FREE, cwd=folder) as sandbox,
        running("serve", "--upstream", sandbox.url, *FREE, *QUIET, cwd=folder) as gateway,
    ):
        yield Service(gateway.url, folder)


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """The SDK's HTTP client obeys the proxy of whoever runs the tests."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")


@dataclass(frozen=True)
class Kind:
    """An order type in the SDK's words, the element it sends, and the defaults it leaves out."""

    account: str
    name: str
    criteria: dict[str, str]
    element: str
    defaults: tuple[str, ...] = ()


KINDS = (
    Kind("101", "area_code", {"area_code": "617"}, "AreaCodeSearchAndOrderType"),
    Kind("102", "npanxx", {"npa_nxx": "919439"}, "NpanxxSearchAndOrderType", ("EnableLCA",)),
    Kind(
        "103",
        "rate_center",
        {"rate_center": "RALEIGH", "state": "NC"},
        "RateCenterSearchAndOrderType",
        ("EnableLCA",),
    ),
    Kind("104", "city", {"city": "RALEIGH", "state": "NC"}, "CitySearchAndOrderType"),
    Kind("105", "state", {"state": "NC"}, "StateSearchAndOrderType"),
    Kind("106", "zip", {"zip": "27606"}, "ZipSearchAndOrderType"),
    Kind("107", "lata", {"lata": "426"}, "LataSearchAndOrderType"),
    Kind(
        "108",
        "toll_free_vanity",
        {"toll_free_vanity": "CARS"},
        "TollFreeVanitySearchAndOrderType",
    ),
    Kind(
        "109",
        "toll_free_wild_char",
        {"toll_free_wild_card_pattern": "8**"},
        "TollFreeWildCharSearchAndOrderType",
    ),
)


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_an_order_of_each_type_is_received_and_completes(service: Service, kind: Kind) -> None:
    account = service.account(kind.account)
    placed = account.orders.create(
        {
            "site_id": "743",
            "name": f"Order of {kind.name}",
            "customer_order_id": "sdk-1",
            f"{kind.name}_search_and_order_type": {**kind.criteria, "quantity": "2"},
        }
    )
    assert (placed.order_status, placed.customer_order_id) == ("RECEIVED", "sdk-1")
    assert placed.partial_allowed == "true"
    assert account.orders.get(placed.id).order_status == "RECEIVED"
    complete = account.orders.get(placed.id)
    assert (complete.order_status, complete.completed_quantity) == ("COMPLETE", "2")
    assert len(set(complete.completed_numbers.items)) == 2
    assert complete.order.id == placed.id

    rows = service.recorded(kind.account, 3)
    path = f"/api/accounts/{kind.account}/orders"
    assert [(r["method"], r["target"], r["state"], r["status"]) for r in rows] == [
        ("POST", path, "COMPLETED", 201),
        ("GET", f"{path}/{placed.id}", "COMPLETED", 200),
        ("GET", f"{path}/{placed.id}", "COMPLETED", 200),
    ]
    order = rows[0]
    assert (order["order_type"], order["order_id"]) == (kind.element, placed.id)
    assert (order["customer_order_id"], order["charge"]) == ("sdk-1", "kept")
    assert (order["quantity"], order["cost"]) == (2, 2)
    edited = [edit["xpath"].rpartition("/")[2] for edit in order["edits"]]
    assert edited == [*kind.defaults, "PartialAllowed"]


def test_an_order_of_listed_numbers_completes_with_them(service: Service) -> None:
    account = service.account("110")
    wanted = ["9193752369", "9193752720"]
    placed = account.orders.create(
        {
            "site_id": "743",
            "existing_telephone_number_order_type": {
                "telephone_number_list": {"telephone_number": wanted}
            },
        }
    )
    account.orders.get(placed.id)
    assert account.orders.get(placed.id).completed_numbers.items == wanted
    order = service.recorded("110", 3)[0]
    assert (order["order_type"], order["cost"]) == ("ExistingTelephoneNumberOrderType", 2)


def test_an_order_that_needs_nothing_is_sent_as_the_sdk_wrote_it(service: Service) -> None:
    service.account("111").orders.create(
        {
            "site_id": "743",
            "partial_allowed": "false",
            "name": "Zoë",
            "area_code_search_and_order_type": {"area_code": "617", "quantity": "1"},
        }
    )
    [row] = service.recorded("111", 1)
    messages = service.shown(row["id"])["messages"]
    assert sorted(messages) == ["answered", "received"]
    assert b64decode(messages["received"]["body"]) == (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<Order>"
        b"<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>1</Quantity>"
        b"</AreaCodeSearchAndOrderType><Name>Zo\xc3\xab</Name>"
        b"<PartialAllowed>false</PartialAllowed><SiteId>743</SiteId></Order>"
    )


def test_blanks_around_values_are_trimmed_before_the_service_refuses_them(
    service: Service,
) -> None:
    account = service.account("112")
    placed = account.orders.create(
        {
            "site_id": " 743\n",
            "partial_allowed": "true",
            "area_code_search_and_order_type": {"area_code": "617", "quantity": "\t1 "},
        }
    )
    assert (placed.order_status, placed.site_id) == ("RECEIVED", "743")
    [row] = service.recorded("112", 1)
    trimmed = [(e["rule"], e["before"], e["after"]) for e in row["edits"]]
    assert trimmed == [("trim-whitespace", "\t1 ", "1"), ("trim-whitespace", " 743\n", "743")]


def test_a_quantity_that_the_sdk_drops_counts_as_5000(service: Service) -> None:
    """It drops what is no string without a word; the service then takes the largest order."""
    service.account("113").orders.create(
        {"site_id": "743", "area_code_search_and_order_type": {"area_code": "617", "quantity": 1}}
    )
    [row] = service.recorded("113", 1)
    assert (row["quantity"], row["cost"]) == (None, 5000)


def test_orders_are_listed_and_an_order_that_waits_is_closed(service: Service) -> None:
    account = service.account("114")
    first = account.orders.create(
        {"site_id": "743", "area_code_search_and_order_type": {"area_code": "617", "quantity": "1"}}
    )
    waiting = account.orders.create(
        {
            "site_id": "743",
            "back_order_requested": "true",
            "area_code_search_and_order_type": {"area_code": "999", "quantity": "1"},
        }
    )
    for _ in range(2):
        status = account.orders.get(waiting.id).order_status
    assert status == "BACKORDERED"
    assert [(one.order_id, one.order_status) for one in _list(account)] == [
        (waiting.id, "BACKORDERED"),
        (first.id, "RECEIVED"),
    ]
    waiting.close_order = "true"
    waiting.save()
    assert account.orders.get(waiting.id).order_status == "FAILED"
    put = next(row for row in service.recorded("114", 7) if row["method"] == "PUT")
    assert (put["state"], put["status"], put["kind"]) == ("COMPLETED", 200, "other")


def _list(account: Account) -> list[Any]:
    found: list[Any] = account.orders.list({"page": "1", "size": "10"}).items
    return found


def test_available_numbers_are_searched_with_and_without_detail(service: Service) -> None:
    account = service.account("115")
    wanted = {"areaCode": "617", "quantity": "3"}
    numbers = list(account.available_numbers.list(wanted).items)
    detailed = account.available_numbers.list({**wanted, "enableTNDetail": "true"}).items
    assert len(numbers) == 3
    assert [one.full_number for one in detailed] == numbers
    assert [row["target"] for row in service.recorded("115", 2)] == [
        "/api/accounts/115/availableNumbers?areaCode=617&quantity=3",
        "/api/accounts/115/availableNumbers?areaCode=617&quantity=3&enableTNDetail=true",
    ]


AREA_CODE = {"area_code": "617", "quantity": "1"}


def test_a_400_of_the_service_is_the_sdks_error_with_code_and_description(
    service: Service,
) -> None:
    """The gateway is told to warn of this account's area codes only."""
    with pytest.raises(RestError) as refused:
        service.account("116").orders.create(
            {
                "site_id": "743",
                "area_code_search_and_order_type": {"area_code": "1", "quantity": "1"},
            }
        )
    assert str(refused.value) == "5002 Iris error: The AreaCode is not three digits from 200."
    [row] = service.recorded("116", 1)
    assert (row["state"], row["status"], row["charge"]) == ("COMPLETED", 400, "refunded")


def test_a_400_of_a_rule_is_the_sdks_error_with_the_services_code(service: Service) -> None:
    with pytest.raises(RestError) as refused:
        service.account("122").orders.create(
            {
                "site_id": "743",
                "area_code_search_and_order_type": {"area_code": "1", "quantity": "1"},
            }
        )
    [row] = service.recorded("122", 1)
    assert str(refused.value) == f"5002 Iris error: {row['reason']}"
    assert row["reason"] == "AreaCode is '1'; send three digits, the first from 2 to 9."
    assert (row["state"], row["status"], row["charge"]) == ("REFUSED", 400, None)


def test_a_400_of_the_gateway_is_the_sdks_error_with_code_and_description(
    service: Service,
) -> None:
    """The SDK writes a character that XML 1.0 has no place for."""
    with pytest.raises(RestError) as refused:
        service.account("117").orders.create({"site_id": "743", "name": "\x01"})
    [row] = service.recorded("117", 1)
    assert str(refused.value) == f"94000 Iris error: {row['reason']}"
    assert row["reason"].startswith("The body is not well-formed XML (")
    assert (row["state"], row["status"], row["charge"]) == ("REFUSED", 400, None)
    assert service.shown(row["id"])["messages"].keys() == {"received"}


def test_an_unknown_order_is_the_sdks_error(service: Service) -> None:
    with pytest.raises(RestError) as refused:
        service.account("118").orders.get("no-such-order")
    assert str(refused.value) == (
        "404 Iris error: There is no order no-such-order of this account."
    )


def test_paused_orders_are_the_sdks_error_and_resumed_ones_go_through(service: Service) -> None:
    account = service.account("119")
    order = {"site_id": "743", "area_code_search_and_order_type": AREA_CODE}
    service.command("orders", "pause", "--account", "119", "--reason", "a runaway script")
    with pytest.raises(RestError, match=r"^95030 Iris error: .*a runaway script"):
        account.orders.create(order)
    service.command("orders", "resume", "--account", "119", "--reason", "mended")
    assert account.orders.create(order).order_status == "RECEIVED"
    assert [row["state"] for row in service.recorded("119", 2)] == ["REFUSED", "COMPLETED"]


def test_a_service_that_is_gone_is_the_sdks_error(tmp_path: Path) -> None:
    nowhere = f"http://127.0.0.1:{refused_port()}"
    with running("serve", "--upstream", nowhere, *FREE, *QUIET, cwd=tmp_path) as gateway:
        service = Service(gateway.url, tmp_path)
        with pytest.raises(RestError, match=r"^95020 Iris error: "):
            service.account("120").orders.create(
                {"site_id": "743", "area_code_search_and_order_type": AREA_CODE}
            )
        [row] = service.recorded("120", 1)
    assert (row["state"], row["status"]) == ("FAILED", 502)


def test_the_sdks_password_is_in_no_file(service: Service) -> None:
    service.account("121").available_numbers.list({"areaCode": "617", "quantity": "1"})
    service.recorded("121", 1)
    for file in service.folder.iterdir():
        if file.is_file():
            held = file.read_bytes()
            assert b"canary-password" not in held
            assert b"dXNlcjpjYW5hcnktcGFzc3dvcmQ=" not in held
