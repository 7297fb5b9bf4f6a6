"""SIGHUP: other rules for the orders that come after, or the old ones and the reason why."""

import asyncio
import gzip
import os
import pty
import signal
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from gateways import ask, order_request
from ordertape.model import State
from ordertape.store.reading import Filter, Reader, Row
from ordertape.testing import HoldOn, ReadRequest, Scripted, Send, order_created
from processes import ORDERTAPE, Running, running

CREATED = order_created("34adcd9f-2c4a-4631-9dae-d1f318ed57bc")
FREE = ("--listen", "127.0.0.1:0", "--admin", "off")
RULE = """
from dataclasses import dataclass


@dataclass(frozen=True)
class Most:
    numbers: int = {numbers}

    def validate(self, order):
        if order.quantity > self.numbers:
            yield order.violation(order.root, "5999", f"At most {{self.numbers}}.")
"""


def order(name: str, quantity: int = 3, account: int = 9900012) -> bytes:
    body = (
        f"<Order><CustomerOrderId>{name}</CustomerOrderId><SiteId>743</SiteId>"
        "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode>"
        f"<Quantity>{quantity}</Quantity></AreaCodeSearchAndOrderType></Order>"
    )
    return order_request(body.encode(), path=b"/accounts/%d/orders" % account)


def asked(gateway: Running, request: bytes) -> int:
    return asyncio.run(ask(gateway.port, request)).status


def configure(folder: Path, text: str) -> None:
    (folder / "ordertape.toml").write_text(text, encoding="utf-8")


def hang_up(gateway: Running) -> None:
    gateway.process.send_signal(signal.SIGHUP)


def reloaded(gateway: Running, count: int = 1) -> dict[str, Any]:
    """Reload, as the `count`-th time that it works, and what is logged of it."""
    hang_up(gateway)
    return gateway.logged("reloaded", count)


def rows(folder: Path) -> dict[str | None, Row]:
    with Reader(folder / "ordertape.db") as reader:
        return {row.customer_order_id: row for row in reader.list(Filter())}


def test_rules_and_accounts_and_rule_files_are_read_anew(tmp_path: Path) -> None:
    (tmp_path / "house.py").write_text(RULE.format(numbers=9), encoding="utf-8")
    rules = "rules.files = ['house.py']\n"
    configure(tmp_path, rules)
    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as gateway:
        assert asked(gateway, order("before")) == 201

        configure(tmp_path, rules + "rules.most.numbers = 2\n")
        first = reloaded(gateway)
        assert (asked(gateway, order("tight")), asked(gateway, order("small", 2))) == (400, 201)

        configure(tmp_path, rules + "accounts.7.rules.most.numbers = 2\n")
        second = reloaded(gateway, 2)
        assert asked(gateway, order("others")) == 201
        assert asked(gateway, order("own", account=7)) == 400

        (tmp_path / "house.py").write_text(RULE.format(numbers=1), encoding="utf-8")
        third = reloaded(gateway, 3)
        assert asked(gateway, order("file")) == 400
    versions = [first["before"], *(log["rules_version"] for log in (first, second, third))]
    assert [log["before"] for log in (first, second, third)] == versions[:3]
    assert len(set(versions)) == 4
    found = {name: row.rules_version for name, row in rows(tmp_path).items()}
    assert found == {
        "before": versions[0],
        "tight": versions[1],
        "small": versions[1],
        "others": versions[2],
        "own": versions[2],
        "file": versions[3],
    }


def test_a_wrong_configuration_is_refused_with_its_reason_and_the_old_rules_stay(
    tmp_path: Path,
) -> None:
    file, house = tmp_path / "ordertape.toml", tmp_path / "house.py"
    house.write_text(RULE.format(numbers=2), encoding="utf-8")
    right = "rules.files = ['house.py']\n"
    configure(tmp_path, right)
    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as gateway:
        configure(tmp_path, right + "\nrules.most.number = 9\n")
        hang_up(gateway)
        refused = gateway.logged("reload-refused")
        assert refused["reason"] == (
            "ordertape.toml:3: The rule most has no field number (rules.most.number); "
            "did you mean numbers?"
        )
        assert asked(gateway, order("wrong-field")) == 400

        configure(tmp_path, right)
        house.write_text("raise SystemExit('canary')", encoding="utf-8")
        hang_up(gateway)
        reason = gateway.logged("reload-refused", 2)["reason"]
        assert reason.startswith("ordertape.toml:1: The rule file house.py cannot be imported")
        assert asked(gateway, order("broken-file")) == 400

        file.unlink()
        hang_up(gateway)
        reason = gateway.logged("reload-refused", 3)["reason"]
        assert reason.startswith("The configuration ordertape.toml cannot be read")
        assert asked(gateway, order("no-file")) == 400

        configure(tmp_path, "")
        mended = reloaded(gateway)
        assert asked(gateway, order("mended")) == 201
        assert gateway.stop() == 0
    versions = {name: row.rules_version for name, row in rows(tmp_path).items()}
    assert versions.pop("mended") == mended["rules_version"]
    assert set(versions.values()) == {refused["rules_version"]} == {mended["before"]}


def test_an_order_in_flight_ends_under_the_rules_that_it_came_under(tmp_path: Path) -> None:
    configure(tmp_path, "")
    script = [ReadRequest(), HoldOn(), Send(CREATED)]
    with (
        Scripted(script).in_thread() as service,
        ThreadPoolExecutor() as threads,
        running("serve", "--upstream", service.url, *FREE, cwd=tmp_path) as gateway,
    ):
        in_flight = threads.submit(asked, gateway, order("in-flight"))
        service.run(service.wait_for_attempts(1))
        (tmp_path / "house.py").write_text(RULE.format(numbers=2), encoding="utf-8")
        configure(tmp_path, "rules = ['house.py']")
        log = reloaded(gateway)
        assert asked(gateway, order("after")) == 400
        service.proceed()
        assert in_flight.result(30) == 201
    found = rows(tmp_path)
    assert (found["in-flight"].state, found["after"].state) == (State.COMPLETED, State.REFUSED)
    assert found["in-flight"].rules_version == log["before"]
    assert found["after"].rules_version == log["rules_version"]


def test_under_load_every_order_is_judged_by_the_rules_that_it_records(tmp_path: Path) -> None:
    (tmp_path / "house.py").write_text(RULE.format(numbers=9), encoding="utf-8")
    configure(tmp_path, "rules = ['house.py']")
    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as gateway:
        enough = threading.Event()

        def client(number: int) -> dict[str, int]:
            answers: dict[str, int] = {}
            while not enough.is_set() or not answers:
                name = f"o-{number}-{len(answers)}"
                answers[name] = asked(gateway, order(name))
            return answers

        with ThreadPoolExecutor() as threads:
            clients = [threads.submit(client, number) for number in range(3)]
            try:
                logs = []
                for count in range(1, 5):
                    text = RULE.format(numbers=9 if count % 2 == 0 else 2)
                    (tmp_path / "house.py").write_text(text, encoding="utf-8")
                    logs.append(reloaded(gateway, count))
            finally:
                enough.set()
            answers = {k: v for one in clients for k, v in one.result(60).items()}
        assert gateway.stop() == 0
    loose, tight = logs[0]["before"], logs[0]["rules_version"]
    assert [log["rules_version"] for log in logs] == [tight, loose, tight, loose]
    status = {loose: 201, tight: 400}
    found = rows(tmp_path)
    assert {name: status[row.rules_version] for name, row in found.items()} == answers


def test_other_settings_wait_for_a_restart_and_are_named(tmp_path: Path) -> None:
    configure(tmp_path, "limits.order = 1000\n")
    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as gateway:
        configure(
            tmp_path,
            "limits.order = 10\nlisten = '127.0.0.1:1'\n[timeouts]\nread = 7\n"
            "[orders]\nfallback_charset = 'iso-8859-1'\n",
        )
        reloaded(gateway)
        log = gateway.logged("restart-needed")
        assert log["settings"] == ["timeouts.read", "limits.order"]
        latin = order("x").replace(b"</Order>", "<Note>caf\xe9</Note></Order>".encode("latin-1"))
        body = latin.partition(b"\r\n\r\n")[2]
        assert asked(gateway, order_request(body)) == 201
        packed = gzip.compress(order("packed").partition(b"\r\n\r\n")[2])
        assert asked(gateway, order_request(packed, b"Content-Encoding: gzip")) == 201


def test_a_package_that_was_installed_since_is_found(tmp_path: Path) -> None:
    packages = tmp_path / "packages"
    packages.mkdir()
    environment = {"PYTHONPATH": str(packages)}
    with running("serve", "--sandbox", *FREE, cwd=tmp_path, environment=environment) as gateway:
        (packages / "house_rules.py").write_text(RULE.format(numbers=2), encoding="utf-8")
        about = packages / "house_rules-2.1.dist-info"
        about.mkdir()
        (about / "METADATA").write_text("Metadata-Version: 2.1\nName: house-rules\nVersion: 2.1\n")
        (about / "entry_points.txt").write_text("[ordertape.rules]\nhouse = house_rules:Most\n")
        reloaded(gateway)
        assert (asked(gateway, order("large")), asked(gateway, order("small", 2))) == (400, 201)


def test_a_hangup_before_the_port_is_open_is_taken_when_it_is(tmp_path: Path) -> None:
    """The rule file waits for the test: so it knows that the gateway is only starting."""
    for name in ("pid", "numbers"):
        os.mkfifo(tmp_path / name)
    (tmp_path / "house.py").write_text(
        "import os\nprint(os.getpid(), file=open('pid', 'w'))\n"
        "numbers = int(open('numbers').read())\n" + RULE.format(numbers="numbers"),
        encoding="utf-8",
    )
    configure(tmp_path, "rules = ['house.py']")

    def load_twice() -> None:
        os.kill(int((tmp_path / "pid").read_text(encoding="ascii")), signal.SIGHUP)
        (tmp_path / "numbers").write_text("9", encoding="ascii")
        (tmp_path / "pid").read_text(encoding="ascii")
        (tmp_path / "numbers").write_text("2", encoding="ascii")

    threading.Thread(target=load_twice, daemon=True).start()
    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as gateway:
        gateway.logged("reloaded")
        assert asked(gateway, order("large")) == 400
        assert gateway.stop() == 0


def test_a_hangup_while_it_stops_breaks_no_order_off(tmp_path: Path) -> None:
    script = [ReadRequest(), HoldOn(), Send(CREATED)]
    with (
        Scripted(script).in_thread() as service,
        ThreadPoolExecutor() as threads,
        running("serve", "--upstream", service.url, *FREE, cwd=tmp_path) as gateway,
    ):
        in_flight = threads.submit(asked, gateway, order("in-flight"))
        service.run(service.wait_for_attempts(1))
        gateway.process.terminate()
        hang_up(gateway)
        service.proceed()
        assert in_flight.result(30) == 201
        assert gateway.process.wait(30) == 0
    assert rows(tmp_path)["in-flight"].state is State.COMPLETED


def test_two_hangups_in_a_row_leave_the_last_configuration_in_force(tmp_path: Path) -> None:
    (tmp_path / "house.py").write_text(RULE.format(numbers=9), encoding="utf-8")
    configure(tmp_path, "rules = ['house.py']")
    with running("serve", "--sandbox", *FREE, cwd=tmp_path) as gateway:
        hang_up(gateway)
        gateway.logged("reloaded")
        for numbers in (8, 7, 2):
            (tmp_path / "house.py").write_text(RULE.format(numbers=numbers), encoding="utf-8")
            hang_up(gateway)
        version = gateway.logged("reloaded", 2)["rules_version"]
        count = 2
        while asked(gateway, order(f"o-{count}")) == 201:  # the kernel may have made two of three
            count += 1
            version = gateway.logged("reloaded", count)["rules_version"]
        assert asked(gateway, order("last")) == 400
    assert rows(tmp_path)["last"].rules_version == version


def test_when_its_terminal_goes_it_stops_in_good_order(tmp_path: Path) -> None:
    process, terminal = pty.fork()
    if process == 0:
        os.chdir(tmp_path)
        os.execv(ORDERTAPE, [ORDERTAPE, "serve", "--sandbox", *FREE])  # noqa: S606 - no shell wanted
    overdue = threading.Timer(30, os.kill, (process, signal.SIGKILL))
    overdue.start()
    printed = b""
    while b"Try it" not in printed:
        printed += os.read(terminal, 4096)
    os.close(terminal)
    assert os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]) == 0
    overdue.cancel()
