"""What reading and judging an order costs beside a bare parse of the same bytes.

Every case takes its turn in every round, so that the figures are ratios in one run: `x bare` is the
median of its rounds over the median of the bare parse, `least` and `greatest` are its extremes over
the same. Time is the processor's: what else the machine does is not in it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from collections.abc import Callable, Mapping

from lxml import etree

from ordertape.build import rule_set
from ordertape.config import Settings
from ordertape.order import Order, read_order

ORDERS: Mapping[str, bytes] = {
    "needs nothing": (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<Order><BackOrderRequested>false"
        b"</BackOrderRequested><CustomerOrderId>123456789</CustomerOrderId><Name>An order of the "
        b"size that most have</Name><NPANXXSearchAndOrderType><EnableLCA>false</EnableLCA>"
        b"<EnableTNDetail>true</EnableTNDetail><NpaNxx>919439</NpaNxx><Quantity>10</Quantity>"
        b"</NPANXXSearchAndOrderType><PartialAllowed>true</PartialAllowed><PeerId>500001</PeerId>"
        b"<SiteId>743</SiteId></Order>"
    ),
    "is changed": (
        b"<?xml version='1.0' encoding='UTF-8'?>\n<Order>\n  <Name>\n    An order of the size that "
        b"most have\n  </Name>\n  <CustomerOrderId> 123456789 </CustomerOrderId>\n"
        b"  <SiteId>\n    743\n  </SiteId>\n  <PeerId>500001</PeerId>\n"
        b"  <NPANXXSearchAndOrderType>\n    <NpaNxx> 919439 </NpaNxx>\n"
        b"    <EnableTNDetail>true</EnableTNDetail>\n    <Quantity>\n      10\n    </Quantity>\n"
        b"  </NPANXXSearchAndOrderType>\n</Order>\n"
    ),
    "as from C#": (
        b'<?xml version="1.0" encoding="utf-8"?>\r\n'
        b'<Order xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
        b' xmlns:xsd="http://www.w3.org/2001/XMLSchema">\r\n  <Name>An order</Name>\r\n'
        b"  <SiteId>743</SiteId>\r\n  <RateCenterSearchAndOrderType>\r\n"
        b"    <RateCenter>RALEIGH</RateCenter>\r\n    <State>NC</State>\r\n"
        b"    <Quantity>10</Quantity>\r\n    <EnableLCA>true</EnableLCA>\r\n"
        b"  </RateCenterSearchAndOrderType>\r\n  <PartialAllowed>true</PartialAllowed>\r\n</Order>"
    ),
}
RULES = rule_set(Settings.model_validate({"sandbox": True}))


def read(body: bytes) -> Order:
    return read_order(body, b"application/xml")


def judged(body: bytes) -> Order:
    order = read(body)
    verdict = RULES.apply(order, "9900012")
    assert not verdict.violations, verdict.violations
    return order


CASES: Mapping[str, Callable[[bytes], object]] = {
    "bare": etree.fromstring,
    "read": read,
    "read, rules": judged,
    "read, rules, serialise": lambda body: judged(body).serialize(),
}


def microseconds(case: Callable[[bytes], object], body: bytes, calls: int) -> float:
    began = time.thread_time()
    for _ in range(calls):
        case(body)
    return (time.thread_time() - began) / calls * 1e6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--calls", type=int, default=50, help="of each case in each round")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    took: dict[tuple[str, str], list[float]] = {(o, c): [] for o in ORDERS for c in CASES}
    for number in range(asked.rounds + 1):
        for order, body in ORDERS.items():
            for name in list(CASES)[:: 1 if number % 2 else -1]:
                spent = microseconds(CASES[name], body, asked.calls)
                if number:  # the first round warms up
                    took[order, name].append(spent)
    rows = []
    for (order, name), spent in took.items():
        bare = statistics.median(took[order, "bare"])
        rows.append(
            {
                "order": order,
                "bytes": len(ORDERS[order]),
                "case": name,
                "us": round(statistics.median(spent), 1),
                "x bare": round(statistics.median(spent) / bare, 2),
                "least": round(min(spent) / bare, 2),
                "greatest": round(max(spent) / bare, 2),
            }
        )
    if asked.json:
        print(json.dumps({"rules": len(RULES.rules), "rows": rows}))
        return
    print(f"{len(RULES.rules)} rules")
    for row in rows:
        print("  ".join(f"{key} {value}" for key, value in row.items()))


main()
