"""`ordertape check`: the gateway's verdict on orders in files, and nothing sent."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import click

from ordertape.build import admission_policy
from ordertape.cli.findings import Examined, as_json, examined, finding_lines
from ordertape.cli.options import AccountId
from ordertape.cli.places import visible
from ordertape.cli.terminal import printable
from ordertape.config import load

_STDIN = "-"
_ADMITTED, _REFUSED, _UNREAD = 0, 1, 2


@click.command("check")
@click.argument("files", nargs=-1, required=True, metavar="ORDER.xml...")
@click.option("--account", type=AccountId(), help="Whose rules; those of every account without it.")
@click.option("--config", "config", type=click.Path(path_type=Path), help="[ordertape.toml]")
@click.option("--json", "as_lines", is_flag=True, help="JSON Lines, one object a file.")
def command(
    files: tuple[str, ...], account: str | None, config: Path | None, *, as_lines: bool
) -> None:
    """Read, normalise and validate orders as the gateway does, offline; - reads stdin.

    What would be sent of an admitted order is printed: byte for byte as it came where no rule
    changed it. Of a refused one nothing is, and what was found goes to stderr. Exit code 0: all
    are admitted; 1: one or more are refused; 2: one or more cannot be read.
    """
    policy = admission_policy(load(config, {}).settings)
    code = _ADMITTED
    for file in files:
        try:
            body = _read(file, policy.limit + 1)
        except OSError as error:
            sentence = f"{file} cannot be read ({error.strerror}); name another."
            click.echo(f"ordertape: {printable(sentence)}", err=True)
            code = _UNREAD
            continue
        found = examined(body, policy, account)
        if as_lines:
            click.echo(json.dumps({"file": file, "account": account, **as_json(found)}))
        else:
            _print(file, found)
        if found.refusal is not None:
            code = max(code, _REFUSED)
    sys.exit(code)


def _read(file: str, most: int) -> bytes:
    """At most so many bytes: a file may have no end. Errors: OSError."""
    opened = open(0, "rb", closefd=False) if file == _STDIN else Path(file).open("rb")  # noqa: SIM115 - closed below
    with opened as stream:
        return stream.read(most)


def _print(file: str, found: Examined) -> None:
    for finding in found.findings:
        for line in finding_lines(file, finding, found.places):
            click.echo(line, err=True)
    if found.body is None or found.text is None or sys.stdout is None:
        return
    if not sys.stdout.isatty():
        click.echo(found.body, nl=False)
        return
    for line in found.text.removesuffix("\n").split("\n"):
        click.echo(visible(line.removesuffix("\r")))
