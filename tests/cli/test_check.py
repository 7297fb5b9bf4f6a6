"""`ordertape check`: the gateway's own verdict, offline, pointed at as compilers do."""

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from documents import documented
from gateways import as_json, ask, gateway, order_request
from order_shapes import CLIENTS
from ordertape.testing import Respond, Scripted, order_created
from processes import ORDERTAPE
from terminals import on_terminal

Asked = Callable[..., tuple[int, str, str]]

READY = (
    b'\xef\xbb\xbf<?xml version="1.0" encoding="UTF-8"?>\r\n<Order>\r\n'
    b"\t<!-- kept --><SiteId>743</SiteId><PartialAllowed>true</PartialAllowed>\r\n"
    b"  <AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>2</Quantity>\r\n"
    b"  </AreaCodeSearchAndOrderType><Name>Caf\xc3\xa9</Name></Order>"
)
"""An order that needs nothing."""

RULES = """
from dataclasses import dataclass


@dataclass(frozen=True)
class HouseSite:
    site: str = "743"

    def validate(self, order):
        return [
            order.violation(found, "5016", f"SiteId is {order.value(found)}; send {self.site}.")
            for found in order.fields("SiteId")
            if order.value(found) != self.site
        ]


@dataclass(frozen=True)
class HouseFails:
    def validate(self, order):
        if any(order.value(found) == "fail" for found in order.fields("Name")):
            raise KeyError("Name")
        return ()
"""


@pytest.fixture
def check(tmp_path: Path, here: Asked) -> Asked:
    """Run it in a folder that holds the rule file, on bodies written to files by name."""
    (tmp_path / "house_rules.py").write_text(RULES, encoding="utf-8")

    def run(*options: str, **bodies: bytes) -> tuple[int, str, str]:
        for name, body in bodies.items():
            (tmp_path / f"{name}.xml").write_bytes(body)
        return here("check", *(f"{name}.xml" for name in bodies), *options, cwd=tmp_path)

    return run


def configured(folder: Path, more: str = "") -> None:
    text = f'rules.files = ["house_rules.py"]\n{more}'
    (folder / "ordertape.toml").write_text(text, encoding="utf-8")


def test_an_order_that_needs_nothing_is_printed_byte_for_byte(check: Asked) -> None:
    assert check(order=READY) == (0, READY.decode(), "")


def test_an_order_that_rules_change_is_printed_as_it_would_be_sent(check: Asked) -> None:
    body = READY.replace(b">743<", b"> 743\n<").replace(
        b"<PartialAllowed>true</PartialAllowed>", b""
    )
    sent = (
        "<?xml version='1.0' encoding='UTF-8'?>\n<Order>\n\t<!-- kept --><SiteId>743</SiteId>\n"
        "  <AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>2</Quantity>\n"
        "  </AreaCodeSearchAndOrderType><Name>Café</Name>"
        "<PartialAllowed>true</PartialAllowed></Order>"
    )
    assert check(order=body) == (
        0,
        sent,
        (
            "order.xml:3:15: note: /Order/SiteId: ' 743\\n' -> '743' (trim-whitespace)\n"
            "      <!-- kept --><SiteId> 743\n"
            "                   ^\n"
            "order.xml: note: /Order/PartialAllowed: absent -> 'true' (order-defaults)\n"
        ),
    )


def test_of_a_refused_order_nothing_is_printed_and_each_fault_is_pointed_at(
    tmp_path: Path, check: Asked
) -> None:
    configured(tmp_path)
    assert check(order=READY.replace(b"743", b"7").replace(b"617", b"61x")) == (
        1,
        "",
        (
            "order.xml:3:15: error 5016: SiteId is 7; send 743. (house-site)\n"
            "      <!-- kept --><SiteId>7</SiteId><PartialAllowed>true</PartialAllowed>\n"
            "                   ^\n"
            "order.xml:4:31: error 5002: AreaCode is '61x'; send three digits, the first from 2 "
            "to 9. (area-code)\n"
            "  …aCodeSearchAndOrderType><AreaCode>61x</AreaCode><Quantity>2</Quantity>\n"
            "                           ^\n"
        ),
    )


def test_what_a_rule_only_warns_of_is_a_warning(tmp_path: Path, check: Asked) -> None:
    configured(tmp_path, '[rules.house-site]\nseverity = "warn"\n')
    code, printed, said = check(order=READY.replace(b"743", b"7"))
    assert (code, printed) == (0, READY.replace(b"743", b"7").decode())
    assert said.startswith("order.xml:3:15: warning 5016: SiteId is 7; send 743. (house-site)\n")


def test_an_account_is_judged_by_its_own_rules(tmp_path: Path, check: Asked) -> None:
    configured(tmp_path, '[accounts.9900012.rules.house-site]\nsite = "9"\n')
    assert check(order=READY)[0] == 0
    assert check("--account", "1", order=READY)[0] == 0
    code, printed, said = check("--account", "9900012", order=READY)
    assert (code, printed) == (1, "")
    assert "error 5016: SiteId is 743; send 9. (house-site)" in said
    for wrong in ("*", "a/b"):
        assert check("--account", wrong, order=READY)[2] == (
            f"ordertape: Invalid value for '--account': {wrong!r} is no account id: letters, "
            "digits, - and _. See `ordertape check --help`.\n"
        )


def test_a_rule_that_raises_refuses_in_one_sentence(tmp_path: Path, check: Asked) -> None:
    configured(tmp_path)
    assert check(order=READY.replace(b"Caf\xc3\xa9", b"fail")) == (
        1,
        "",
        (
            "order.xml: error 95000: The rule house-fails failed on this order (KeyError), so it "
            "was not sent; report it to whoever maintains house_rules.py.\n"
        ),
    )


def test_what_a_file_holds_cannot_steer_the_terminal(tmp_path: Path, here: Asked) -> None:
    name = "\x1b[2J\u202e.xml"
    body = READY.replace(b">743<", ">\x9b2J\u202e<".encode())
    (tmp_path / name).write_bytes(body)
    code, printed, said = here("check", name, cwd=tmp_path)
    assert (code, printed) == (1, "")
    assert all(line.isprintable() for line in said.splitlines())
    assert len(said.splitlines()) == 3


def test_the_worst_of_several_files_decides_the_exit_code(tmp_path: Path, here: Asked) -> None:
    (tmp_path / "good.xml").write_bytes(READY)
    (tmp_path / "bad.xml").write_bytes(b"<Order>")
    code, printed, said = here("check", "good.xml", "bad.xml", "good.xml", cwd=tmp_path)
    assert (code, printed) == (1, READY.decode() * 2)
    assert [line.partition(" ")[0] for line in said.splitlines()] == ["bad.xml:1:8:", "", ""]
    code, printed, said = here("check", "none.xml", ".", "bad.xml", "good.xml", cwd=tmp_path)
    assert (code, printed) == (2, READY.decode())
    assert [line for line in said.splitlines() if line.startswith("ordertape")] == [
        "ordertape: none.xml cannot be read (No such file or directory); name another.",
        "ordertape: . cannot be read (Is a directory); name another.",
    ]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[rules.site-ids]\n", "site-ids"),
        ("[rules]\nfiles = ['none.py']\n", "none.py"),
        ("sede = 1\n", "sede"),
    ],
)
def test_a_wrong_configuration_is_told_and_no_order_is_judged(
    tmp_path: Path, check: Asked, toml: str, said: str
) -> None:
    (tmp_path / "mine.toml").write_text(toml, encoding="utf-8")
    code, printed, errors = check("--config", "mine.toml", order=READY)
    assert (code, printed) == (2, "")
    assert said in errors


def test_an_order_is_read_as_configured(tmp_path: Path, check: Asked) -> None:
    (tmp_path / "ordertape.toml").write_text(
        "limits.order = 400\norders.fallback_charset = 'iso-8859-1'\n", encoding="utf-8"
    )
    latin = READY.removeprefix(b"\xef\xbb\xbf").replace(b"Caf\xc3\xa9", b"Caf\xe9")
    code, printed, said = check(order=latin)
    assert (code, printed.partition("<Name>")[2]) == (0, "Café</Name></Order>")
    assert said.startswith(
        "order.xml:2:1: note: /Order: 'utf-8' -> 'iso-8859-1' (fallback-charset)\n  <Order>\n  ^\n"
    )
    assert check(order=READY.replace(b"kept", b"kept" * 50)) == (
        1,
        "",
        "order.xml: error 94130: The body passes 400 bytes; split the order.\n",
    )


def test_as_json_every_file_is_one_object_of_documented_fields(
    tmp_path: Path, check: Asked
) -> None:
    configured(tmp_path, '[accounts.7.rules.house-site]\nseverity = "warn"\n')
    untrimmed = READY.replace(b"743", b" 7 ").replace(b"<!-- kept -->", b"")
    unread = b"<Order>\n<Name>x</Name>\n<Name>x</Name></Order>"
    (tmp_path / "c.xml").write_bytes(untrimmed)
    code, printed, said = check("c.xml", "--json", a=READY, b=unread)
    assert (code, said) == (1, "")
    edit = {
        "rule": "trim-whitespace",
        "xpath": "/Order/SiteId",
        "before": " 7 ",
        "after": "7",
        "line": 3,
        "column": 2,
    }
    violation = {
        "rule": "house-site",
        "code": "5016",
        "severity": "enforce",
        "xpath": "/Order/SiteId",
        "line": 3,
        "column": 2,
        "message": "SiteId is 7; send 743.",
    }
    admitted: dict[str, Any] = {
        "file": "a.xml",
        "account": None,
        "verdict": "admitted",
        "status": None,
        "codes": [],
        "reason": None,
        "line": None,
        "column": None,
        "order_type": "AreaCodeSearchAndOrderType",
        "cost": 2,
        "edits": [],
        "violations": [],
        "normalized": READY.decode("utf-8-sig"),
    }
    refused: dict[str, Any] = {
        **admitted,
        "verdict": "refused",
        "status": 400,
        "cost": None,
        "normalized": None,
    }
    assert as_json(printed) == [
        admitted,
        {
            **refused,
            "file": "b.xml",
            "codes": ["94002"],
            "reason": "<Name> in line 3 is there already; send it once.",
            "line": 3,
            "column": 1,
            "order_type": None,
        },
        {
            **refused,
            "file": "c.xml",
            "codes": ["5016"],
            "reason": "SiteId is 7; send 743.",
            "edits": [edit],
            "violations": [violation],
        },
    ]
    code, printed, said = check("--account", "7", "--json", c=untrimmed)
    [found] = as_json(printed)
    assert (code, found["account"], found["verdict"]) == (0, "7", "admitted")
    assert found["violations"] == [{**violation, "severity": "warn"}]
    assert documented("check --json") == list(admitted)


def test_stdin_is_a_file_too_and_bytes_stay_bytes(tmp_path: Path) -> None:
    done = subprocess.run(
        [ORDERTAPE, "check", "-"],
        cwd=tmp_path,
        input=READY,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, READY, b"")


def test_on_a_terminal_an_order_is_printed_as_lines_that_cannot_steer_it(tmp_path: Path) -> None:
    (tmp_path / "order.xml").write_bytes(READY.replace(b"\xc3\xa9", b"\xc2\x9b"))
    printed = on_terminal("check", "order.xml", cwd=tmp_path, columns=80)
    text = READY.decode("utf-8-sig").replace("\r\n", "\n").replace("é", "\\x9b")
    assert printed == f"{text}\n".replace("\t", "    ")


WRONG = (
    b"<Order><Name>x</Order>",
    b"<Order><SiteId>743</SiteId><siteId>743</siteId></Order>",
    b"<Order><SiteId>743</SiteId></Order><!-- \xe9 -->",
    b"<!DOCTYPE Order><Order/>",
    b"",
    READY.replace(b">2<", b">two<"),
    READY.replace(b">743<", b"><").replace(b">617<", b">117<"),
    READY.replace(b"<SiteId>", b"<Quantity>2</Quantity><SiteId>"),
    READY.replace(b"Caf\xc3\xa9", b"x" * 51),
)


async def test_the_verdict_is_the_gateways(tmp_path: Path, here: Asked) -> None:
    bodies = {
        f"{number}.xml": body for number, body in enumerate((READY, *CLIENTS.values(), *WRONG))
    }
    for name, body in bodies.items():
        (tmp_path / name).write_bytes(body)
    code, printed, _ = here("check", "--json", *bodies, cwd=tmp_path)
    found = as_json(printed)
    assert code == 1
    told, given = [], []
    async with Scripted([Respond(order_created("1"))]) as service:
        async with gateway(tmp_path, upstream=service.url) as running:
            for body in bodies.values():
                await ask(running.port, order_request(body))
            for row in (full.row for full in running.recorded()):
                admitted = row.state.value == "COMPLETED"
                told.append((admitted, row.cost, None if admitted else row.status, row.edits))
        sent = [attempt.partition(b"\r\n\r\n")[2] for attempt in service.attempts]
    for one in found:
        edits = [
            (edit["rule"], edit["xpath"], edit["before"], edit["after"]) for edit in one["edits"]
        ]
        given.append((one["verdict"] == "admitted", one["cost"], one["status"], edits))
    assert given == [
        (admitted, cost, status, [(e.rule, e.xpath, e.before, e.after) for e in edits])
        for admitted, cost, status, edits in told
    ]
    assert [one["normalized"] for one in found if one["normalized"] is not None] == [
        body.decode("utf-8-sig") for body in sent
    ]
    assert [one["verdict"] for one in found] == ["admitted"] * (1 + len(CLIENTS)) + [
        "refused"
    ] * len(WRONG)
    assert json.loads(printed.splitlines()[0])["file"] == "0.xml"
