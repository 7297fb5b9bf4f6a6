"""`ordertape config`: the effective configuration, where each value came from, what is wrong."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

import click

from ordertape.build import key_problems, rule_problems, rule_set
from ordertape.cli.terminal import columns, printable
from ordertape.config import Settings, examine, load
from ordertape.errors import Problem, StartUpError
from ordertape.quota import Mode
from ordertape.server.address import parse_address
from ordertape.store.reading import Filter, Reader
from ordertape.upstream.live import Live, tls_context

_WRONG = 2


@click.group("config")
def command() -> None:
    """Show the configuration in force, or check it."""


@command.command("show")
@click.option("--config", "file", type=click.Path(path_type=Path), help="[ordertape.toml]")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, one object a setting.")
def show(file: Path | None, *, as_json: bool) -> None:
    """Print every setting, its value, and the place that set it; secrets as ***."""
    rows = list(load(file, {}).rows())
    if as_json:
        for key, value, place in rows:
            click.echo(json.dumps({"key": key, "value": value, "from": place}))
        return
    shown = [(key, "" if value is None else _as_toml(value), place) for key, value, place in rows]
    for line in columns(("setting", "value", "from"), shown):
        click.echo(line)


@command.command("check")
@click.option("--config", "file", type=click.Path(path_type=Path), help="[ordertape.toml]")
@click.option("--json", "as_json", is_flag=True, help="JSON Lines, one object a problem or note.")
@click.pass_context
def check(ctx: click.Context, file: Path | None, *, as_json: bool) -> None:
    """Name everything that is wrong with the configuration, each with its place and line.

    Exits 2 where anything is; what may be meant so is a note only.
    """
    loaded = examine(file, {})
    settings = loaded.settings
    # Where the file or the list of rule files is not read, a rule's name proves nothing.
    complete = not any(
        problem.key.partition(".")[0] in {"", "rules"} for problem in loaded.problems
    )
    wrong = {
        **dict.fromkeys(loaded.problems),
        **dict.fromkeys(rule_problems(settings, complete=complete)),
        **dict.fromkeys(key_problems(settings)),
        **dict.fromkeys(settings.sources.located(_unusable(settings))),
    }
    problems = sorted(wrong, key=lambda problem: problem.line or 0)
    notes = settings.sources.located(_unrecorded(settings))
    _tell(problems, "error", as_json=as_json)
    _tell(notes, "note", as_json=as_json)
    if problems:
        ctx.exit(_WRONG)
    if not as_json:
        click.echo(printable(_in_force(settings)))


def _unusable(settings: Settings) -> Iterator[Problem]:
    """What has the right form for a setting, but not for the part that it is meant for."""
    upstream, tls = settings.upstream, settings.upstream_tls
    attempts: dict[str, Callable[[], object]] = {
        "listen": lambda: parse_address(settings.listen, "listen"),
        "admin": lambda: settings.admin == "off" or parse_address(settings.admin, "admin"),
        "upstream": lambda: upstream is None or Live(upstream),
        "upstream_tls": lambda: tls_context(tls.ca, tls.certificate, tls.key),
    }
    for key, attempt in attempts.items():
        try:
            attempt()
        except StartUpError as error:
            yield Problem(key, str(error))


def _unrecorded(settings: Settings) -> Iterator[Problem]:
    """The accounts that are named, and of which the store, where there is one, has nothing."""
    named = {account: f"accounts.{account}" for account in settings.accounts}
    for number, quota in enumerate(settings.quotas):
        if quota.accounts != "*":
            named = dict.fromkeys(quota.accounts, f"quotas.{number}.accounts") | named
    if not named or not settings.db.is_file():
        return
    with Reader(settings.db) as reader:
        for account, key in named.items():
            if not any(reader.list(Filter(account=account, limit=1))):
                sentence = (
                    f"Nothing is recorded of account {account} in {settings.db}; is it misspelt?"
                )
                yield Problem(key, sentence)


def _tell(problems: Iterable[Problem], severity: str, *, as_json: bool) -> None:
    for problem in problems:
        if as_json:
            fields = {
                "severity": severity,
                "key": problem.key or None,
                "from": problem.place,
                "line": problem.line,
                "message": problem.sentence,
            }
            click.echo(json.dumps(fields))
        else:
            click.echo(printable(str(problem)), err=True)


def _in_force(settings: Settings) -> str:
    """What the gateway would run on."""
    rules = rule_set(settings)
    off = sum(rule.severity == "off" for rule in rules.rules)
    file = settings.sources.file
    name = "The configuration" if file is None else str(file)
    without = f" ({off} of them off)" if off else ""
    said = [
        f"{name} is right: {_count(len(rules.rules), 'rule')}{without}",
        f"other rules for {_count(len(rules.accounts), 'account')}",
    ]
    if settings.quotas:
        shadows = sum(quota.mode is Mode.SHADOW for quota in settings.quotas)
        only = f" ({shadows} of them in shadow)" if shadows else ""
        said.append(_count(len(settings.quotas), "quota") + only)
    tied = sum(bool(account.credentials) for account in settings.accounts.values())
    if tied:
        said.append(f"credentials for {_count(tied, 'account')}")
    return ", ".join(said) + "."


def _count(number: int, what: str) -> str:
    return f"{number or 'no'} {what}{'' if number == 1 else 's'}"


def _as_toml(value: object) -> str:
    """Near to what is written in the file: true, not True."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
