"""`ordertape demo`: the whole story in one terminal, with real processes over HTTP."""

from __future__ import annotations

import http.client
import os
import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import click
from lxml import etree
from rich.console import Console
from rich.table import Table
from rich.text import Text

from ordertape.cli.signals import unwinding
from ordertape.cli.terminal import quoted
from ordertape.errors import StartUpError
from ordertape.store.reading import Filter, Reader

_PATH = "/accounts/9900012/orders"
_NEEDS_CARE = (
    "<Order><SiteId> 743 </SiteId><CustomerOrderId>demo-1</CustomerOrderId>"
    "<NPANXXSearchAndOrderType><NpaNxx>919439</NpaNxx><Quantity>\n 2 </Quantity>"
    "</NPANXXSearchAndOrderType></Order>"
)
_REFUSED = "<Order><SiteId>743</SiteId><Name>never closed</Order>"
_ADDRESS = re.compile(r"http://\S+:\d+")
_PATIENCE = 30.0
"""Seconds that a process of the demo has to start, to answer, or to stop."""


@click.command("demo")
def command() -> None:
    """Order through a gateway, look into the audit, then replay without the service."""
    with unwinding(), tempfile.TemporaryDirectory(prefix="ordertape-demo-") as name:
        folder = Path(name)
        _recorded(folder)
        _audited(folder)
        _replayed(folder)
    click.secho(
        "\nThat is ordertape: recorded before it was sent, and answered without it.", bold=True
    )


def _recorded(folder: Path) -> None:
    _say("A sandbox of the orders service starts, and a gateway in front of it")
    with (
        _started(folder, "sandbox", "--listen", "127.0.0.1:0") as sandbox,
        _started(
            folder, "serve", "--upstream", sandbox, "--listen", "127.0.0.1:0", "--admin", "off"
        ) as gateway,
    ):
        click.echo(f"  sandbox {sandbox}, gateway {gateway}")
        _say("A client orders through the gateway: blanks around values, defaults left out")
        click.echo(f"  POST {_PATH}")
        _show(_NEEDS_CARE)
        status, body = _post(gateway, _NEEDS_CARE)
        _say(f"The service answers {status}")
        _show(body)
        _say("An order that is not well-formed is refused, and nothing is sent")
        status, body = _post(gateway, _REFUSED)
        click.echo(f"  {status}")
        _show(body)


def _audited(folder: Path) -> None:
    with Reader(folder / "ordertape.db") as reader:
        row = next(iter(reader.list(Filter(customer_order_id="demo-1"))))
        full = reader.show(row.id)
    if full is None:
        raise StartUpError("The demo's order is not in its store; report this as a bug.")
    _say("What the client sent beside what the service saw, and which rule changed it")
    _beside(full.messages["received"].body, full.messages["sent"].body)
    for edit in row.edits:
        click.echo(f"  {edit.rule}: {edit.xpath}: {quoted(edit.before)} -> {quoted(edit.after)}")
    _say("The audit: ordertape audit list")
    _run(folder, "audit", "list")


def _replayed(folder: Path) -> None:
    _say("Sandbox and gateway are gone. ordertape replay ordertape.db answers the same order")
    with _started(folder, "replay", "ordertape.db", "--listen", "127.0.0.1:0") as replay:
        status, body = _post(replay, _NEEDS_CARE)
        click.echo(f"  {status}, as recorded")
        _show(body)
        _say("It has one recording of it: asked again, it says so and calls nobody")
        status, body = _post(replay, _NEEDS_CARE)
        click.echo(f"  {status}")
        _show(body)


def _post(base: str, body: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection(urlsplit(base).netloc, timeout=_PATIENCE)
    try:
        headers = {"Content-Type": "application/xml", "Authorization": "Basic ZGVtbzpkZW1v"}
        connection.request("POST", _PATH, body=body.encode(), headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode()
    finally:
        connection.close()


@contextmanager
def _started(folder: Path, *arguments: str) -> Iterator[str]:
    """The URL of an ordertape process that runs until the block ends."""
    with (folder / f"{arguments[0]}.log").open("w") as log:
        process = subprocess.Popen(  # noqa: S603 - this very program
            _command(arguments),
            cwd=folder,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
        )
    overdue = threading.Timer(_PATIENCE, process.kill)
    try:
        overdue.start()
        for line in process.stdout or ():
            if found := _ADDRESS.search(line):
                overdue.cancel()
                yield found[0].rstrip(".;,")
                return
        raise StartUpError(f"The demo's {arguments[0]} did not start: {_last_words(log.name)}")
    finally:
        overdue.cancel()
        _end(process)


def _end(process: subprocess.Popen[str]) -> None:
    process.terminate()
    try:
        process.communicate(timeout=_PATIENCE)
    except BaseException:
        process.kill()
        process.communicate()
        raise


def _command(arguments: tuple[str, ...]) -> list[str]:
    return [sys.executable, "-m", "ordertape", *arguments]


def _environment() -> dict[str, str]:
    """Without the settings of a real gateway: the demo must not write into its store."""
    return {
        name: value
        for name, value in os.environ.items()
        if not name.upper().startswith("ORDERTAPE_")
    }


def _last_words(log: str) -> str:
    return Path(log).read_text(encoding="utf-8").strip() or "it said nothing."


def _run(folder: Path, *arguments: str) -> None:
    """Run a command whose output belongs on this terminal, as wide as it is."""
    subprocess.run(  # noqa: S603 - this very program
        _command(arguments),
        cwd=folder,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        timeout=_PATIENCE,
        check=True,
    )


def _beside(client: bytes, service: bytes) -> None:
    table = Table("the client sent", "the service saw", box=None)
    table.add_row(_indented(client), _indented(service))
    Console(width=max(100, Console().width), markup=False, highlight=False).print(table)


def _indented(xml: bytes) -> Text:
    """An element a line; blanks within values stay."""
    root = etree.fromstring(xml, etree.XMLParser(resolve_entities=False, no_network=True))
    etree.indent(root)
    return Text(etree.tostring(root, encoding="unicode"))


def _say(text: str) -> None:
    click.secho(f"\n{text}.", bold=True)


def _show(xml: str) -> None:
    click.echo("  " + xml.strip().replace("\n", "\n  "))
