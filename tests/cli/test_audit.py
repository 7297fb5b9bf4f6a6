"""`ordertape audit list`: filters, forms, and what it does on terminals and pipes."""

import asyncio
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from audited import FIRST, ended, fill, numbered
from gateways import as_json, ask, order_request
from ordertape.model import Origin, State
from processes import ORDERTAPE, ordertape, running
from terminals import on_terminal

Asked = Callable[..., tuple[int, str, str]]


@pytest.fixture
def listed(folder: Path, here: Asked) -> Callable[..., list[str]]:
    """What `audit list` finds there: the numbers of the exchanges."""

    def found(*arguments: str, cwd: Path = folder) -> list[str]:
        code, printed, errors = here("audit", "list", "--json", *arguments, cwd=cwd)
        assert (code, errors) == (0, "")
        return [row["customer_order_id"].removeprefix("c-") for row in as_json(printed)]

    return found


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ("", "6 4 3 2 1"),
        ("--origin all", "6 5 4 3 2 1"),
        ("--origin sandbox", "5"),
        ("--origin recorded", ""),
        ("--account 15", "2"),
        ("--state in-doubt", ""),
        ("--state PENDING", "4"),
        ("--state refused", "3"),
        ("--since 2026-09-21T14:13:23.123456Z", "6 4 3"),
        ("--since 2026-09-21T16:13:23.123456+02:00", "6 4 3"),
        ("--until 2026-09-21T14:13:23.123456", "2 1"),
        ("--until 2026-09-21", ""),
        ("--since 2026-09-22", ""),
        ("--until 300000d", ""),
        ("--order-id o-1", "1"),
        ("--customer-order-id c-3", "3"),
        ("--status 502", "2"),
        ("--status 201 --account 14 --origin live", "1"),
        ("--db ordertape.db", "6 4 3 2 1"),
    ],
)
def test_filters_hold_together_and_live_ones_are_the_default(
    listed: Callable[..., list[str]], arguments: str, found: str
) -> None:
    assert listed(*arguments.split()) == found.split()


def test_a_limit_that_leaves_something_out_says_so(
    folder: Path, here: Asked, listed: Callable[..., list[str]]
) -> None:
    _, printed, errors = here("audit", "list", "--json", "--limit", "2", cwd=folder)
    assert [row["customer_order_id"] for row in as_json(printed)] == ["c-6", "c-4"]
    assert errors == "There are more than these 2; --limit N lists N.\n"
    assert len(listed("--limit", "5")) == 5


def test_without_a_live_exchange_all_are_listed(
    tmp_path: Path, listed: Callable[..., list[str]]
) -> None:
    db = tmp_path / "ordertape.db"
    asyncio.run(fill(db, (numbered(1, origin=Origin.SANDBOX), ended(1, State.COMPLETED))))
    assert listed("--db", str(db)) == ["1"]


@pytest.mark.parametrize("how", ["flag", "file", "environment"])
def test_the_store_is_the_configured_one_where_none_is_named(
    folder: Path,
    tmp_path: Path,
    listed: Callable[..., list[str]],
    monkeypatch: pytest.MonkeyPatch,
    how: str,
) -> None:
    db = folder / "ordertape.db"
    named = tmp_path / ("other.toml" if how == "flag" else "ordertape.toml")
    named.write_text(f"db = '{db if how != 'environment' else 'none.db'}'", encoding="utf-8")
    if how == "environment":
        monkeypatch.setenv("ORDERTAPE_DB", str(db))
    arguments = ["--config", str(named)] if how == "flag" else []
    assert listed("--status", "502", *arguments, cwd=tmp_path) == ["2"]


def test_json_lines_hold_the_documented_fields(folder: Path, here: Asked) -> None:
    _, printed, _ = here("audit", "list", "--json", "--customer-order-id", "c-1", cwd=folder)
    assert as_json(printed) == [FIRST]
    assert printed.count("\n") == 1


def test_on_a_pipe_the_table_is_as_wide_as_it_needs_to_be(folder: Path) -> None:
    done = ordertape("audit", "list", "--account", "14", "--origin", "all", cwd=folder)
    assert done.stdout.splitlines() == [
        (
            "received                  id                                    state      account  "
            "request                         order  cost  status   ms"
        ),
        line(6, "COMPLETED", "GET /accounts/14/orders?a=%41 ", "   2     200  1.5"),
        line(5, "COMPLETED", "POST /accounts/14/orders?a=%41", "   2     201  1.5"),
        line(4, "PENDING  ", "POST /accounts/14/orders?a=%41", "   2"),
        line(3, "REFUSED  ", "POST /accounts/14/orders?a=%41", "         400  1.5"),
        line(1, "COMPLETED", "POST /accounts/14/orders?a=%41", "   2     201  1.5"),
    ]


def line(number: int, state: str, request: str, figures: str) -> str:
    return (
        f"2026-09-21T14:13:2{number}.123Z  0192f00{number}-0000-7000-8000-000000000000  {state}  "
        f"14       {request}  c-{number}    {figures}"
    )


def test_on_a_terminal_of_80_columns_an_exchange_has_two_lines_and_its_whole_id(
    folder: Path, here: Asked
) -> None:
    arguments = ("audit", "list", "--customer-order-id", "c-1")
    narrow = on_terminal(*arguments, cwd=folder, columns=80)
    assert narrow.splitlines() == [
        "2026-09-21T14:13:21.123Z  COMPLETED  201  POST /accounts/14/orders?a=%41",
        "  0192f001-0000-7000-8000-000000000000  c-1  cost 2",
    ]
    wide = on_terminal(*arguments, cwd=folder, columns=160)
    _, piped, _ = here(*arguments, cwd=folder)
    assert wide.replace("\x1b[1m", "").replace("\x1b[0m", "") == piped


def test_what_matches_nothing_is_said_to(folder: Path, here: Asked) -> None:
    asked = here("audit", "list", "--account", "99", cwd=folder)
    assert asked == (0, "No exchange matches.\n", "")


def test_reading_works_beside_a_running_gateway(tmp_path: Path, here: Asked) -> None:
    free = ("--listen", "127.0.0.1:0", "--admin", "off")
    with running("serve", "--sandbox", *free, cwd=tmp_path) as gateway:
        for count in (1, 2):
            assert asyncio.run(ask(gateway.port, order_request())).status == 201
            [newest, *_] = rows = as_json(here("audit", "list", "--json", cwd=tmp_path)[1])
            assert [row["state"] for row in rows] == ["COMPLETED"] * count
            _, shown, _ = here("audit", "show", newest["id"], cwd=tmp_path)
            assert f"  order id: {newest['order_id']}\n" in shown
        assert gateway.stop() == 0
    here("audit", "list", cwd=tmp_path)
    assert list(tmp_path.glob("*-wal")) + list(tmp_path.glob("*-shm")) == []


def test_a_reader_that_goes_away_ends_the_listing_quietly(folder: Path) -> None:
    """As `ordertape audit list | head -1` does."""
    reading, writing = os.pipe()
    os.close(reading)
    try:
        for as_what in ((), ("--json",)):
            done = subprocess.run(
                [ORDERTAPE, "audit", "list", *as_what],
                cwd=folder,
                stdout=writing,
                stderr=subprocess.PIPE,
                timeout=60,
                check=False,
            )
            assert (done.returncode, done.stderr) == (1, b"")
    finally:
        os.close(writing)


def test_an_output_that_cannot_be_written_is_one_sentence(folder: Path) -> None:
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(
            [ORDERTAPE, "audit", "list"],
            cwd=folder,
            stdout=full,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    sentence = "It could not be done (No space left on device); mend that, and ask again."
    assert (done.returncode, done.stderr.decode()) == (2, f"ordertape: {sentence}\n")


def test_without_an_output_at_all_nothing_fails(folder: Path) -> None:
    shell = f"exec {ORDERTAPE} audit list >&-"
    done = subprocess.run(
        ["sh", "-c", shell], cwd=folder, capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
