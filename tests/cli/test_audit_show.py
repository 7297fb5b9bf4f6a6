"""`ordertape audit show`: one exchange, whole, and nothing that a terminal would obey."""

import asyncio
import base64
import gzip
import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from audited import FIRST, fill
from gateways import as_json
from ordertape.model import Edit, State, Violation
from recorded import ORDER, intent, message, outcome
from terminals import on_terminal

Asked = Callable[..., tuple[int, str, str]]
HOSTILE = "\x1b]0;owned\x07\x1b[2J\x9b31m\u202e\u2028\r"


SHOWN = """\
Exchange 0192f001-0000-7000-8000-000000000000
  state: COMPLETED
  status: 201
  origin: live https://service.example/v1.0
  account: 14
  order type: ExistingTelephoneNumberOrderType
  customer order id: c-1
  order id: o-1
  quantity: 2
  cost: 2
  counts: 2 numbers, from 2026-09-21T14:13:20.123Z on
  charge: kept
  peer: 127.0.0.1:50000
  rules: rules-1

Edits
  trim-whitespace: /Order/SiteId: ' 743 ' -> '743'

Violations
  names (warn, 5019): /Order/Name, line 1: Name is odd.

Request as received
  POST /accounts/14/orders?a=%41 HTTP/1.1
  Content-Type: application/xml
  X-Latin: caf\\xe9

  <Order><SiteId> 743 </SiteId></Order>

Request as sent
  POST /accounts/14/orders?a=%41 HTTP/1.1

  <Order><SiteId>743</SiteId></Order>

Response of the service
  HTTP/1.1 201 Created
  Location: /orders/o-1

  <OrderResponse/>

What the rules changed (received -, sent +)
  @@ -1,3 +1,3 @@
   <Order>
  -  <SiteId> 743 </SiteId>
  +  <SiteId>743</SiteId>
   </Order>

Timeline
  2026-09-21T14:13:21.123Z pending
  2026-09-21T14:13:21.124Z completed
"""


@pytest.mark.parametrize(
    "ident", ["0192f001-0000-7000-8000-000000000000", "0192f001", "o-1", "c-1"]
)
def test_an_exchange_is_shown_whole_by_any_of_its_names(
    here: Asked, folder: Path, ident: str
) -> None:
    code, printed, errors = here("audit", "show", ident, cwd=folder)
    assert (code, printed, errors) == (0, SHOWN, "")


def test_a_refused_exchange_is_shown_with_its_reason_and_nothing_sent(
    here: Asked, folder: Path
) -> None:
    _, printed, _ = here("audit", "show", "c-3", cwd=folder)
    assert "  reason: SiteId is missing; add it.\n" in printed
    assert "Request as sent" not in printed
    assert printed.endswith("Timeline\n  2026-09-21T14:13:23.124Z refused\n")


def test_a_body_that_no_rule_changed_is_said_to_have_left_as_it_came(
    here: Asked, folder: Path
) -> None:
    _, printed, _ = here("audit", "show", "c-6", cwd=folder)
    assert "\n\nRequest as sent: no rule changed it\n\n" in printed


def test_what_an_order_counts_for_is_said(tmp_path: Path, here: Asked) -> None:
    search = {"quantity": None, "order_type": "AreaCodeSearchAndOrderType"}
    exchanges = (
        (intent(customer_order_id="c-1", cost=5000, **search), outcome(State.IN_DOUBT)),
        (intent(customer_order_id="c-2", cost=1), outcome(State.FAILED)),
        (intent(customer_order_id="c-3", cost=1), outcome(State.COMPLETED)),
    )
    asyncio.run(fill(tmp_path / "ordertape.db", *exchanges))
    shown = [here("audit", "show", name, cwd=tmp_path)[1] for name in ("c-1", "c-2", "c-3")]
    assert [
        [line.strip() for line in one.splitlines() if line.startswith(("  cost", "  counts"))]
        for one in shown
    ] == [
        [
            "cost: 5000 (no Quantity: counted as 5000)",
            (
                "counts: 5000 numbers, from 2026-09-21T14:13:20.123Z on, "
                "held until it is known what became of it"
            ),
        ],
        ["cost: 1", "counts: nothing"],
        ["cost: 1", "counts: 1 number, from 2026-09-21T14:13:20.123Z on"],
    ]
    _, printed, _ = here("audit", "show", "c-1", "--json", cwd=tmp_path)
    counted = {"cost": 5000, "assumed": True, "used": 5000, "held": True}
    assert as_json(printed)[0].items() >= counted.items()


def test_show_as_json_holds_every_byte(here: Asked, folder: Path) -> None:
    _, printed, _ = here("audit", "show", "c-1", "--json", cwd=folder)
    [shown] = as_json(printed)
    received = ORDER.replace(b"743", b" 743 ")
    assert shown.items() >= FIRST.items()
    assert [event["kind"] for event in shown["events"]] == ["pending", "completed"]
    assert set(shown["messages"]) == {"received", "sent", "answered"}
    assert shown["messages"]["received"] == {
        "line": "POST /accounts/14/orders?a=%41 HTTP/1.1",
        "headers": [["Content-Type", "application/xml"], ["X-Latin", "caf\xe9"]],
        "body": base64.b64encode(received).decode(),
        "length": len(received),
        "sha256": hashlib.sha256(received).hexdigest(),
        "truncated": False,
    }


@pytest.mark.parametrize(
    ("ident", "left", "sentence"),
    [
        ("nothing", 1, "No exchange in ordertape.db has the id nothing; `audit list` names them."),
        ("0192f", 1, "No exchange in ordertape.db has the id 0192f; `audit list` names them."),
        ("0192f00", 1, "No exchange in ordertape.db has the id 0192f00; `audit list` names them."),
    ],
)
def test_an_id_that_names_none_is_an_answer_of_no(
    here: Asked, folder: Path, ident: str, left: int, sentence: str
) -> None:
    code, printed, errors = here("audit", "show", ident, cwd=folder)
    assert (code, printed, errors) == (left, "", f"ordertape: {sentence}\n")


def test_the_beginning_of_several_ids_is_not_enough(tmp_path: Path, here: Asked) -> None:
    twins = (intent(id=f"0192f001-0000-7000-8000-00000000000{last}") for last in "12")
    asyncio.run(fill(tmp_path / "ordertape.db", *((twin, None) for twin in twins)))
    sentence = "Several exchanges begin with 0192f001-0000; write more of the id."
    asked = here("audit", "show", "0192f001-0000", cwd=tmp_path)
    assert asked == (2, "", f"ordertape: {sentence}\n")


def test_no_byte_of_a_client_or_service_reaches_the_terminal_as_a_command(
    tmp_path: Path, here: Asked
) -> None:
    raw = HOSTILE.encode()
    request = message(b"POST /" + raw + b" HTTP/1.1", raw, (b"X-" + raw, raw + b"\xff\x9b"))
    exchange = intent(
        customer_order_id=f"c{HOSTILE}",
        account=f"14{HOSTILE}",
        order_type=HOSTILE,
        target=f"/{HOSTILE}",
        upstream=HOSTILE,
        received=request,
        sent=request,
        edits=(Edit(HOSTILE, HOSTILE, HOSTILE, HOSTILE),),
        violations=(Violation(HOSTILE, HOSTILE, HOSTILE, 1, HOSTILE),),
    )
    ending = outcome(State.COMPLETED, order_id=f"o{HOSTILE}", reason=HOSTILE, answered=request)
    asyncio.run(fill(tmp_path / "ordertape.db", (exchange, ending)))
    for columns, arguments in (
        (80, ("list",)),
        (400, ("list",)),
        (80, ("list", "--json")),
        (80, ("show", exchange.id)),
        (80, ("show", exchange.id, "--json")),
    ):
        printed = on_terminal("audit", *arguments, cwd=tmp_path, columns=columns)
        text = printed.replace("\x1b[1m", "").replace("\x1b[0m", "")  # our own headings
        assert {c for c in text if not c.isprintable()} == {"\n"}, arguments
    code, _, errors = here("audit", "show", HOSTILE, cwd=tmp_path)
    assert code == 1
    assert {c for c in errors if not c.isprintable()} == {"\n"}


def test_compressed_and_binary_bodies_are_shown_as_what_they_are(
    tmp_path: Path, here: Asked
) -> None:
    packed = message(b"POST / HTTP/1.1", gzip.compress(ORDER), (b"Content-Encoding", b"gzip"))
    binary = message(b"HTTP/1.1 200 OK", b"\x89PNG\0")
    cut = replace(message(b"HTTP/1.1 200 OK", b"caf\xc3"), length=5000, truncated=True)
    exchanges = [
        (intent(customer_order_id=f"c-{at}", received=packed), outcome(State.COMPLETED, answered=a))
        for at, a in enumerate((binary, cut))
    ]
    asyncio.run(fill(tmp_path / "ordertape.db", *exchanges))
    shown = [here("audit", "show", f"c-{at}", cwd=tmp_path)[1] for at in (0, 1)]
    assert (
        f"  ({len(packed.body)} compressed bytes, shown unpacked)\n  {ORDER.decode()}\n"
        in (shown[0])
    )
    assert "  (5 bytes that are no text; --json has them in base64)\n" in shown[0]
    assert "  caf\\xc3\n  (the first 4 of 5000 bytes)\n" in shown[1]
