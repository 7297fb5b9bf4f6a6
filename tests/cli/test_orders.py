"""`ordertape orders pause|resume`: nothing is sent, with a gateway or without, across restarts."""

import asyncio
import json
import os
import pwd
import sqlite3
from pathlib import Path
from typing import Any

from gateways import Reply, ask, order_request
from ordertape.model import State
from ordertape.store.reading import Filter, Reader
from ordertape.testing import Respond, Scripted, order_created
from processes import Running, ordertape_here, running

CREATED = order_created("o-1")
FREE = ("--listen", "127.0.0.1:0", "--admin", "off")
OPERATOR = pwd.getpwuid(os.getuid()).pw_name
LOOK = b"GET /accounts/9900012/orders HTTP/1.1\r\nHost: g\r\nConnection: close\r\n\r\n"


def asked(gateway: Running, request: bytes | None = None) -> Reply:
    return asyncio.run(ask(gateway.port, request or order_request()))


def of_account(account: bytes) -> bytes:
    return order_request(path=b"/accounts/%b/orders" % account)


def orders(folder: Path, *arguments: str) -> tuple[int, str, str]:
    return ordertape_here("orders", *arguments, cwd=folder)


def events(folder: Path) -> list[tuple[str, dict[str, Any]]]:
    """What was noted of pauses, in order; without its time, which is asserted to be there."""
    connection = sqlite3.connect(folder / "ordertape.db")
    try:
        rows = connection.execute(
            "SELECT kind, payload FROM event WHERE kind IN ('paused', 'resumed') ORDER BY seq"
        ).fetchall()
    finally:
        connection.close()
    found = [(kind, json.loads(payload)) for kind, payload in rows]
    assert all(facts.pop("at") > 1_700_000_000_000_000 for _, facts in found)
    return found


def facts(account: str, reason: str) -> dict[str, str]:
    return {"account": account, "reason": reason, "operator": OPERATOR}


def test_a_running_gateway_sends_nothing_while_orders_are_paused(tmp_path: Path) -> None:
    with (
        Scripted([Respond(CREATED)]).in_thread() as service,
        running("serve", "--upstream", service.url, *FREE, cwd=tmp_path) as gateway,
    ):
        assert orders(tmp_path, "pause", "--reason", "a bad batch") == (
            0,
            "Orders are paused for every account.\n",
            "",
        )
        refused = asked(gateway)
        assert (refused.status, refused.code) == (503, "95030")
        assert refused.headers["ordertape-state"] == "refused"
        assert b"Orders are paused (a bad batch); nothing was sent" in refused.body
        assert service.attempts == []
        assert asked(gateway, LOOK).status == 201  # only new orders are stopped
        assert orders(tmp_path, "resume", "--reason", "mended") == (
            0,
            "The pause of every account is lifted.\n",
            "",
        )
        assert asked(gateway).status == 201
        assert [attempt.split(b" ")[0] for attempt in service.attempts] == [b"GET", b"POST"]
    with Reader(tmp_path / "ordertape.db") as reader:
        states = [row.state for row in reader.list(Filter(newest_first=False)) if row.cost]
    assert states == [State.REFUSED, State.COMPLETED]
    assert events(tmp_path) == [
        ("paused", facts("*", "a bad batch")),
        ("resumed", facts("*", "mended")),
    ]


def test_a_pause_is_in_force_across_restarts_and_can_be_made_while_nothing_runs(
    tmp_path: Path,
) -> None:
    with Scripted([Respond(CREATED)]).in_thread() as service:
        start = ("serve", "--upstream", service.url, *FREE)
        with running(*start, cwd=tmp_path) as gateway:
            orders(tmp_path, "pause", "--account", "9900012", "--reason", "one")
            gateway.kill()
        with running(*start, cwd=tmp_path) as gateway:
            assert asked(gateway).status == 503
            assert asked(gateway, of_account(b"7")).status == 201
            assert gateway.stop() == 0
        assert orders(tmp_path, "pause", "--account", "7", "--reason", "two") == (
            0,
            "Orders are paused for account 7.\n",
            "",
        )
        with running(*start, cwd=tmp_path) as gateway:
            assert [asked(gateway, of_account(one)).status for one in (b"7", b"8")] == [503, 201]
            assert gateway.stop() == 0
        assert orders(tmp_path, "resume", "--account", "9900012", "--reason", "done") == (
            0,
            (
                "The pause of account 9900012 is lifted.\n"
                f"Orders are still paused for account 7 (two, by {OPERATOR}).\n"
            ),
            "",
        )
        with running(*start, cwd=tmp_path) as gateway:
            assert [asked(gateway).status, asked(gateway, of_account(b"7")).status] == [201, 503]
        assert [b"/7/" in attempt for attempt in service.attempts] == [True, False, False]
    assert events(tmp_path) == [
        ("paused", facts("9900012", "one")),
        ("paused", facts("7", "two")),
        ("resumed", facts("9900012", "done")),
    ]


def test_lifting_what_is_not_in_force_is_an_answer_of_no(tmp_path: Path) -> None:
    with running("serve", "--sandbox", *FREE, cwd=tmp_path):
        orders(tmp_path, "pause", "--reason", "all of them")
        assert orders(tmp_path, "resume", "--account", "7", "--reason", "r") == (
            1,
            f"Orders are still paused for every account (all of them, by {OPERATOR}).\n",
            "ordertape: No pause was in force for account 7.\n",
        )
        assert [kind for kind, _ in events(tmp_path)] == ["paused"]


def test_nothing_is_made_where_there_is_no_store(tmp_path: Path) -> None:
    for verb in ("pause", "resume"):
        assert orders(tmp_path, verb, "--reason", "r") == (
            2,
            "",
            "ordertape: There is no store ordertape.db; name it with --db.\n",
        )
    assert list(tmp_path.iterdir()) == []


def test_the_store_that_is_configured_is_the_one_that_is_paused(tmp_path: Path) -> None:
    (tmp_path / "ordertape.toml").write_text("db = 'mine.db'\nsandbox = true\n", encoding="utf-8")
    with running("serve", *FREE, cwd=tmp_path) as gateway:
        assert orders(tmp_path, "pause", "--reason", "r")[0] == 0
        assert asked(gateway).status == 503


def test_a_broken_configuration_does_not_stand_in_the_way_of_the_stop(tmp_path: Path) -> None:
    with running("serve", "--sandbox", "--listen", "127.0.0.1:0", "--admin", "off", cwd=tmp_path):
        (tmp_path / "ordertape.toml").write_text("broken = [", encoding="utf-8")
        code, _, errors = orders(tmp_path, "pause", "--db", "ordertape.db", "--reason", "x")
    assert (code, errors) == (0, "")
