"""What several commands take: a store, text that can be stored, accounts, and moments."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import click

from ordertape.config import Settings, load
from ordertape.errors import StartUpError

__all__ = ["AccountId", "Duration", "Moment", "Word", "configured", "store_options"]

_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
_AGE = re.compile(r"(\d{1,9})([smhd])")
_FILE = "ordertape.config"
_ACCOUNT_ID = re.compile(r"[A-Za-z0-9_-]+")


class Word(click.ParamType[str]):
    """Text that is neither blank nor something else than UTF-8: either could match nothing."""

    name = "text"

    def convert(self, value: Any, param: Any, ctx: Any) -> str:  # noqa: ANN401 - click's signature
        """The text as it is."""
        word = str(value)
        if not word.strip():
            self.fail("it is empty", param, ctx)
        try:
            word.encode()
        except UnicodeEncodeError:
            self.fail("it is not UTF-8", param, ctx)
        return word


class AccountId(click.ParamType[str]):
    """What can stand in a path as an account, or one of the words that are `also` taken.

    Anything else would concern no order: an emergency stop of it would stop nothing.
    """

    name = "id"

    def __init__(self, *also: str) -> None:
        self._also = also

    def convert(self, value: Any, param: Any, ctx: Any) -> str:  # noqa: ANN401 - click's signature
        """The account as it is written."""
        if value not in self._also and not _ACCOUNT_ID.fullmatch(value):
            self.fail(f"{value!r} is no account id: letters, digits, - and _", param, ctx)
        return str(value)


class Moment(click.ParamType[int]):
    """A date or time of ISO 8601 (UTC where no zone is named), or an age such as 15m, 2h, 7d."""

    name = "time"

    def convert(self, value: Any, param: Any, ctx: Any) -> int:  # noqa: ANN401 - click's signature
        """Microseconds since 1970 UTC."""
        if isinstance(value, int):
            return value
        try:
            if age := _AGE.fullmatch(value):
                at = datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
            else:
                at = datetime.fromisoformat(value)
                at = at if at.tzinfo else at.replace(tzinfo=UTC)
            return round(at.timestamp() * 1_000_000)
        except OverflowError:
            self.fail(f"{value!r} is further back than the calendar goes", param, ctx)
        except ValueError:
            self.fail(f"{value!r} is neither ISO 8601 nor an age such as 15m or 7d", param, ctx)


class Duration(click.ParamType[timedelta]):
    """A length of time such as 15m, 2h, 7d."""

    name = "duration"

    def convert(self, value: Any, param: Any, ctx: Any) -> timedelta:  # noqa: ANN401 - click's signature
        """As it is written."""
        if isinstance(value, timedelta):
            return value
        length = _AGE.fullmatch(value)
        if length is None:
            self.fail(f"{value!r} is no length of time such as 15m, 2h or 7d", param, ctx)
        try:
            return timedelta(**{_UNITS[length[2]]: int(length[1])})
        except OverflowError:
            self.fail(f"{value!r} is longer than the calendar", param, ctx)


def store_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add --db and --config; the command is given `db`: as named, or else as configured."""
    for option in (
        click.option(
            "--config",
            type=click.Path(path_type=Path),
            is_eager=True,  # --db asks for it
            expose_value=False,
            callback=_remember,
            help="Where the store is named, if not by --db [ordertape.toml]",
        ),
        click.option(
            "--db",
            type=click.Path(path_type=Path),
            callback=_named,
            help="The store [as configured, else ordertape.db].",
        ),
    ):
        command = option(command)
    return command


def configured(db: Path) -> Settings:
    """The settings in force where a command was given this store."""
    return load(click.get_current_context().meta.get(_FILE), {"db": db}).settings


def _remember(ctx: click.Context, _: click.Parameter, file: Path | None) -> None:
    ctx.meta[_FILE] = file


def _named(ctx: click.Context, _: click.Parameter, db: Path | None) -> Path:
    if db is not None:
        return db
    try:
        return load(ctx.meta.get(_FILE), {}).settings.db
    except StartUpError as error:
        sentence = str(error).removesuffix(".")
        raise StartUpError(f"{sentence}, or name the store with --db.") from error
