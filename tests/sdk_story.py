"""What the vendor's own SDK does in a day, and the cassettes of this repository made of it.

As a program it records `cassettes/` anew, through the gateway and from its sandbox.
"""

import os
import re
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

from bandwidth_numbers import Account, Client, RestError

from processes import ordertape_here, running

ROOT = Path(__file__).parent.parent
CASSETTES = ROOT / "cassettes"
ACCOUNT = "9900013"
CRITERIA = {
    "area_code": {"area_code": "617"},
    "npanxx": {"npa_nxx": "919439"},
    "rate_center": {"rate_center": "RALEIGH", "state": "NC"},
    "city": {"city": "RALEIGH", "state": "NC"},
    "state": {"state": "NC"},
    "zip": {"zip": "27606"},
    "lata": {"lata": "426"},
    "toll_free_vanity": {"toll_free_vanity": "CARS"},
    "toll_free_wild_char": {"toll_free_wild_card_pattern": "8**"},
}


def story(url: str) -> list[str]:
    """Orders of every kind, followed until they are complete; a search; two refusals."""
    client = Client(
        url=f"{url}/api", account_id=ACCOUNT, username="user", password="canary-password"
    )
    account = Account(client=client)
    told = [line for kind in CRITERIA for line in _ordered(account, kind)]
    listed = account.orders.list({"page": "1", "size": "3"}).items
    told += [f"listed {one.order_id}: {one.order_status}" for one in listed]
    found = account.available_numbers.list({"areaCode": "617", "quantity": "3"}).items
    told.append(f"available: {', '.join(found)}")
    told.append(_refusal(lambda: account.orders.get("no-such-order")))
    wrong = {"area_code": "1", "quantity": "1"}
    order = {"site_id": "743", "area_code_search_and_order_type": wrong}
    told.append(_refusal(lambda: account.orders.create(order)))
    return told


def _ordered(account: Account, kind: str) -> list[str]:
    placed = account.orders.create(
        {
            "site_id": " 743 ",
            "name": f"Order of {kind}",
            "customer_order_id": f"sdk-{kind.replace('_', '-')}",
            f"{kind}_search_and_order_type": {**CRITERIA[kind], "quantity": "2"},
        }
    )
    seen = [placed, account.orders.get(placed.id), account.orders.get(placed.id)]
    numbers = ", ".join(seen[-1].completed_numbers.items)
    return [f"{kind} {placed.id}: {one.order_status}" for one in seen] + [f"gave {numbers}"]


def _refusal(call: Callable[[], object]) -> str:
    try:
        call()
    except RestError as refused:
        return str(refused)
    raise AssertionError("It was not refused.")


def readme_test(base: str) -> None:
    """The test that the README shows, against this URL."""
    text = (ROOT / "README.md").read_text("utf-8")
    [source] = re.findall(
        r"^```python file=test_orders.py\n(.*?)^```$", text, re.MULTILINE | re.DOTALL
    )
    names: dict[str, Callable[..., None]] = {}
    exec(compile(source, "test_orders.py", "exec"), names)  # noqa: S102 - the README's own code
    names["test_the_order_is_received"](base=base)


def record(folder: Path) -> list[str]:
    """Record both cassettes into `folder`, and what the SDK was told."""
    accounts = {"readme": "9900012", "sdk": ACCOUNT}
    with tempfile.TemporaryDirectory() as scratch:
        db = Path(scratch)
        free = ("--listen", "127.0.0.1:0", "--admin", "off")
        with running("serve", "--sandbox", *free, cwd=db) as gateway:
            readme_test(gateway.url)
            told = story(gateway.url)
        for name, account in accounts.items():
            output = str(folder / f"{name}.yaml")
            done = ordertape_here("cassette", "export", "--account", account, "-o", output, cwd=db)
            assert done[0] == 0, done
    return told


if __name__ == "__main__":
    os.environ["NO_PROXY"] = "127.0.0.1"
    CASSETTES.mkdir(exist_ok=True)
    record(CASSETTES)
    sys.exit()
