"""`ordertape account fingerprint`: what ties an account to its credentials."""

from __future__ import annotations

import base64
import re
import sys
from pathlib import Path

import click

from ordertape.build import fingerprint as fingerprint_of
from ordertape.cli.options import configured, store_options
from ordertape.errors import StartUpError

_TOKEN = re.compile(rb"[\x21-\x7e]+")
_HEADER = re.compile(rb"(authorization:|(basic|bearer) )", re.IGNORECASE)


@click.group("account")
def command() -> None:
    """Say which credentials are an account's own."""


@command.command()
@store_options
@click.option("--token", "is_token", is_flag=True, help="It is a token, though it has a colon.")
def fingerprint(db: Path, *, is_token: bool) -> None:
    """Print the digest of a user:password or a token, read as one line from standard input.

    It goes into `credentials` of [accounts.ID]; the audit shows the same one. It is made with the
    key beside the store, and holds for no other. A line without a colon is a token.
    """
    line = _line()
    if _HEADER.match(line):
        raise StartUpError("Write user:password or the token alone, without what precedes it.")
    if b":" in line and not is_token:
        authorization = b"Basic " + base64.b64encode(line)
    elif _TOKEN.fullmatch(line):
        authorization = b"Bearer " + line
    else:
        raise StartUpError("A token has no blanks; write that, or user:password.")
    click.echo(fingerprint_of(configured(db), authorization))


def _line() -> bytes:
    """The line that was given, which a terminal does not show."""
    if sys.stdin.isatty():
        said: str = click.prompt("user:password or token", hide_input=True, err=True)
        return said.encode(errors="surrogateescape")
    line, *others = sys.stdin.buffer.read().splitlines() or [b""]
    if not line or any(others):
        raise StartUpError("Write user:password or a token on standard input, as one line.")
    return line
