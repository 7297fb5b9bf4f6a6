"""`ordertape audit recheck`: orders that a real gateway recorded, under other rules."""

import asyncio
import hashlib
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from audited import ended, fill, numbered
from documents import documented
from gateways import ORDER, as_json, ask, gateway, order_request
from ordertape.model import Origin, State
from processes import running
from recorded import message
from terminals import on_terminal

ROOT = Path(__file__).parent.parent.parent
Asked = Callable[..., tuple[int, str, str]]

HOUSE = '''
from dataclasses import dataclass


@dataclass(frozen=True)
class Most:
    """At most so many numbers an order."""

    numbers: int = 10

    def validate(self, order):
        for element in order.fields("Quantity"):
            if int(order.value(element)) > self.numbers:
                yield order.violation(element, "5999", f"Send at most {self.numbers}.")


@dataclass(frozen=True)
class Named:
    """Gives an order without a Name this one; "" gives it none."""

    name: str = ""

    def normalize(self, order):
        if self.name and order.child(order.root, "Name") is None:
            order.add(order.root, "Name", self.name)
'''
RECORDED = {"files": ["house.py"], "most": {"severity": "enforce"}, "named": {"name": "house"}}
SENT: tuple[tuple[str, str, bytes], ...] = (
    ("small", "14", b"<Name>x</Name>"),
    ("middling", "14", b"<Name>x</Name>"),
    ("sibling", "15", b"<Name>x</Name>"),
    ("unnamed", "14", b""),
    ("large", "14", b"<Name>x</Name>"),
)
"""Their customer order ids, accounts, and names, in the order of sending."""
QUANTITIES = {"small": b"1", "middling": b"5", "sibling": b"5", "unnamed": b"1", "large": b"11"}


async def _record(folder: Path) -> None:
    rules = {**RECORDED, "files": [str(folder / "house.py")]}
    async with gateway(folder, sandbox=True, rules=rules) as running_one:
        statuses = [
            (await ask(running_one.port, order_request(body, path=path))).status
            for body, path in _requests()
        ]
        listing = order_request(b"").replace(b"POST", b"GET", 1)  # recorded, and no order
        await ask(running_one.port, listing)
    assert statuses == [201, 201, 201, 201, 400, 400, 400]


def _requests() -> Iterable[tuple[bytes, bytes]]:
    for customer_order_id, account, name in SENT:
        first = b"<Order><CustomerOrderId>%b</CustomerOrderId>%b" % (
            customer_order_id.encode(),
            name,
        )
        quantity = b"<Quantity>%b</Quantity>" % QUANTITIES[customer_order_id]
        body = ORDER.replace(b"<Order>", first).replace(b"<Quantity>1</Quantity>", quantity)
        yield body, b"/accounts/%b/orders" % account.encode()
    yield b"<Order>", b"/accounts/14/orders"
    yield ORDER, b"/accounts/14//orders"  # never came before the rules


@pytest.fixture(scope="module")
def orders(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an `ordertape.db` of these orders lies, and the rule file; they are only read."""
    found = tmp_path_factory.mktemp("rechecked")
    (found / "house.py").write_text(HOUSE, encoding="utf-8")
    asyncio.run(_record(found))
    return found


@pytest.fixture
def tried(orders: Path, here: Asked, tmp_path: Path) -> Callable[..., tuple[int, str, str]]:
    """Run recheck with this configuration: `[rules]` and its file are there already."""

    def run(toml: str, *arguments: str) -> tuple[int, str, str]:
        new = tmp_path / "new.toml"
        rules = f"[rules]\nfiles = ['{orders / 'house.py'}']\n"
        new.write_text(rules + toml, encoding="utf-8")
        return here("audit", "recheck", "--config", str(new), *arguments, cwd=orders)

    return run


UNCHANGED = "[rules.named]\nname = 'house'\n"
OTHERS = "1 never came before the rules"


@pytest.mark.parametrize(
    ("toml", "arguments", "found", "summary"),
    [
        (UNCHANGED, "", {}, f"None of 7 orders would change; {OTHERS}."),
        (
            UNCHANGED + "[rules.most]\nnumbers = 4\n",
            "",
            {"sibling": "newly-refused", "middling": "newly-refused"},
            f"2 of 7 orders would change: 2 newly refused; {OTHERS}.",
        ),
        (
            UNCHANGED + "[rules.most]\nnumbers = 11\n",
            "",
            {"large": "newly-admitted"},
            f"1 of 7 orders would change: 1 newly admitted; {OTHERS}.",
        ),
        (
            "[rules.named]\nname = 'another'\n[rules.most]\nnumbers = 4",
            "",
            {"unnamed": "normal-form", "sibling": "newly-refused", "middling": "newly-refused"},
            f"3 of 7 orders would change: 2 newly refused, 1 with another normal form; {OTHERS}.",
        ),
        (
            UNCHANGED + "[accounts.15.rules.most]\nnumbers = 4\n",
            "",
            {"sibling": "newly-refused"},
            f"1 of 7 orders would change: 1 newly refused; {OTHERS}.",
        ),
        (
            UNCHANGED + "[rules.most]\nnumbers = 4\nseverity = 'warn'\n",
            "",
            {"large": "newly-admitted"},
            f"1 of 7 orders would change: 1 newly admitted; {OTHERS}.",
        ),
        (
            UNCHANGED + "[rules.most]\nnumbers = 4\nseverity = 'warn'\n",
            "--warnings",
            {"large": "newly-admitted", "sibling": "warnings", "middling": "warnings"},
            f"3 of 7 orders would change: 1 newly admitted, 2 with new warnings; {OTHERS}.",
        ),
        (
            UNCHANGED + "[rules.most]\nnumbers = 4\n",
            "--account 15",
            {"sibling": "newly-refused"},
            "1 of 1 order would change: 1 newly refused.",
        ),
        (
            UNCHANGED + "[rules.most]\nnumbers = 4\n",
            "--customer-order-id middling --state completed --status 201 --since 1d",
            {"middling": "newly-refused"},
            "1 of 1 order would change: 1 newly refused.",
        ),
        (
            UNCHANGED + "[rules.most]\nnumbers = 4\n",
            "--limit 5",
            {"sibling": "newly-refused"},
            f"1 of 5 orders would change: 1 newly refused; {OTHERS}.",
        ),
        (UNCHANGED, "--origin live", {}, "No order matches."),
        (UNCHANGED, "--until 2026-01-01", {}, "No order matches."),
    ],
)
def test_the_right_orders_are_listed_the_newest_first(
    tried: Asked, toml: str, arguments: str, found: dict[str, str], summary: str
) -> None:
    code, printed, errors = tried(toml, "--json", *arguments.split())
    changes = [(row["customer_order_id"], row["change"]) for row in as_json(printed)]
    assert (changes, errors) == (list(found.items()), f"{summary}\n")
    assert code == (1 if found else 0)


def recorded_row(here: Asked, orders: Path, customer_order_id: str) -> dict[str, Any]:
    _, printed, _ = here(
        "audit", "list", "--json", "--customer-order-id", customer_order_id, cwd=orders
    )
    [row] = as_json(printed)
    return row


def test_json_lines_hold_the_documented_fields(tried: Asked, here: Asked, orders: Path) -> None:
    toml = "[rules.named]\nname = 'another'\n[rules.most]\nnumbers = 4\n"
    _, printed, _ = tried(toml, "--json", "--account", "14")
    edit = {"rule": "named", "xpath": "/Order/Name", "before": None}
    expected = []
    for customer_order_id, own in (
        (
            "unnamed",
            {
                "change": "normal-form",
                "before": "admitted",
                "after": "admitted",
                "violations": [],
                "edits_added": [{**edit, "after": "another"}],
                "edits_removed": [{**edit, "after": "house"}],
            },
        ),
        (
            "middling",
            {
                "change": "newly-refused",
                "before": "admitted",
                "after": "refused",
                "violations": [
                    {
                        "rule": "most",
                        "code": "5999",
                        "xpath": "/Order/AreaCodeSearchAndOrderType/Quantity",
                        "line": 1,
                        "message": "Send at most 4.",
                        "severity": "enforce",
                    }
                ],
                "edits_added": [],
                "edits_removed": [],
            },
        ),
    ):
        row = recorded_row(here, orders, customer_order_id)
        same = ("id", "received_at", "account", "customer_order_id", "order_id")
        expected.append({name: row[name] for name in same} | own)
    assert as_json(printed) == expected
    assert all(row["order_id"] for row in expected)
    assert documented("audit recheck --json") == list(expected[0])


def test_the_table_says_why(tried: Asked, here: Asked, orders: Path) -> None:
    toml = "[rules.named]\nname = 'another'\n[accounts.15.rules.most]\nnumbers = 4\n"
    code, printed, _ = tried(f"{toml}[accounts.14.rules.most]\nnumbers = 11\n")
    rows = {name: recorded_row(here, orders, name) for name in ("large", "unnamed", "sibling")}
    no_longer = "no longer most (5999): Send at most 10."
    edits = "+named: /Order/Name: absent -> 'another'; -named: /Order/Name: absent -> 'house'"
    at = [f"{row['received_at']}  {row['id']}  {row['account']}      " for row in rows.values()]
    assert (code, printed.splitlines()) == (
        1,
        [
            f"received{'':18}id{'':36}account  customer order id  before    after     why",
            f"{at[0]} large              refused   admitted  {no_longer}",
            f"{at[1]} unnamed            admitted  admitted  {edits}",
            f"{at[2]} sibling            admitted  refused   most (5999): Send at most 4.",
        ],
    )


def test_nothing_is_written(tried: Asked, orders: Path) -> None:
    def everything() -> dict[str, str]:
        files = (path for path in orders.iterdir() if path.is_file())
        return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in files}

    before = everything()
    assert tried("[rules.most]\nnumbers = 0\n")[0] == 1
    assert everything() == before


def test_the_store_is_the_one_that_is_named_or_that_the_new_configuration_names(
    orders: Path, here: Asked, tmp_path: Path
) -> None:
    new, house, db = tmp_path / "new.toml", orders / "house.py", orders / "ordertape.db"
    new.write_text(f"rules = ['{house}']\n", encoding="utf-8")
    recheck = ("audit", "recheck", "--config", "new.toml", "--account", "15")
    assert here(*recheck, cwd=tmp_path) == (
        2,
        "",
        "ordertape: There is no store ordertape.db; name it with --db.\n",
    )
    summary = "None of 1 order would change.\n"
    assert here(*recheck, "--db", str(db), cwd=tmp_path) == (0, "", summary)
    new.write_text(f"db = '{db}'\nrules = ['{house}']\n", encoding="utf-8")
    assert here(*recheck, cwd=tmp_path) == (0, "", summary)


@pytest.mark.parametrize(
    ("toml", "sentence"),
    [
        ("rules = [", "not TOML"),
        ("[rules.mots]\nnumbers = 4\n", "There is no rule mots ([rules.mots]); did you mean most?"),
        ("[rules.most]\nnumbers = '4'\n", "rules.most.numbers is wrong: "),
        ("[acounts]\n", "There is no setting acounts"),
    ],
)
def test_a_broken_configuration_is_one_sentence(tried: Asked, toml: str, sentence: str) -> None:
    code, printed, errors = tried(toml)
    assert (code, printed, errors.count("\n")) == (2, "", 1)
    assert errors.startswith("ordertape: ")
    assert sentence in errors


def test_rules_to_try_have_to_be_named(orders: Path, here: Asked) -> None:
    code, _, errors = here("audit", "recheck", cwd=orders)
    assert (code, errors) == (
        2,
        "ordertape: Missing option '--config'. See `ordertape audit recheck --help`.\n",
    )


def test_live_orders_are_the_default_and_what_is_not_whole_is_counted(
    tmp_path: Path, here: Asked
) -> None:
    whole = message(b"POST /accounts/14/orders HTTP/1.1", ORDER)
    unedited = {"received": whole, "sent": None, "edits": (), "violations": ()}
    asyncio.run(
        fill(
            tmp_path / "ordertape.db",
            (numbered(1, **unedited), ended(1, State.COMPLETED)),
            (
                numbered(2, **{**unedited, "received": replace(whole, truncated=True)}),
                ended(2, State.COMPLETED),
            ),
            (numbered(3, **unedited, origin=Origin.SANDBOX), ended(3, State.COMPLETED)),
        )
    )
    (tmp_path / "new.toml").touch()
    recheck = ("audit", "recheck", "--config", "new.toml")
    assert here(*recheck, cwd=tmp_path) == (
        0,
        "",
        "None of 2 orders would change; 1 could not be read.\n",
    )
    every = here(*recheck, "--origin", "all", cwd=tmp_path)
    assert every == (0, "", "None of 3 orders would change; 1 could not be read.\n")


def test_it_runs_beside_a_gateway_with_rule_files_beside_the_new_configuration(
    tmp_path: Path, here: Asked
) -> None:
    tried = tmp_path / "tried"
    tried.mkdir()
    (tried / "house.py").write_text(HOUSE, encoding="utf-8")
    new = "[rules]\nfiles = ['house.py']\n[rules.most]\nnumbers = 0\n"
    (tried / "new.toml").write_text(new, encoding="utf-8")
    free = ("--listen", "127.0.0.1:0", "--admin", "off")
    recheck = ("audit", "recheck", "--config", "tried/new.toml", "--json")
    with running("serve", "--sandbox", *free, cwd=tmp_path) as serving:
        for count in (1, 2):
            assert asyncio.run(ask(serving.port, order_request())).status == 201
            code, printed, _ = here(*recheck, cwd=tmp_path)
            assert [row["change"] for row in as_json(printed)] == ["newly-refused"] * count
            assert code == 1
        assert serving.stop() == 0


def test_on_a_terminal_it_shows_how_far_it_is_and_takes_that_away(tmp_path: Path) -> None:
    whole = message(b"POST /accounts/14/orders HTTP/1.1", ORDER)
    unedited = {"received": whole, "sent": None, "edits": (), "violations": ()}
    made = [numbered(1, **unedited) for _ in range(60)]
    asyncio.run(
        fill(
            tmp_path / "ordertape.db",
            *(
                (replace(one, id=f"{number:08d}-0000"), ended(1, State.COMPLETED))
                for number, one in enumerate(made)
            ),
        )
    )
    (tmp_path / "new.toml").touch()
    recheck = ("audit", "recheck", "--config", "new.toml")
    shown = on_terminal(*recheck, cwd=tmp_path, columns=80)
    assert shown == "\r50 of 60 orders\r\x1b[KNone of 60 orders would change.\n"
    shown = on_terminal(*recheck, "--json", cwd=tmp_path, columns=80)
    assert shown == "None of 60 orders would change.\n"
