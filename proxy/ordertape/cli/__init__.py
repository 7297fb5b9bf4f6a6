"""The ordertape command: one file a subcommand, each thin, imported only when it is asked for."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Mapping
from typing import Any

import click

from ordertape.errors import StartUpError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "audit": ("audit", "Ask what passed: list and show recorded exchanges."),
    "config": ("config", "Show the configuration in force and where it comes from."),
    "demo": ("demo", "See the whole story in one terminal."),
    "orders": ("orders", "Stop and resume new orders."),
    "replay": ("replay", "Answer from recordings; nothing is ever called."),
    "sandbox": ("sandbox", "Run the stand-in of the orders service alone."),
    "serve": ("serve", "Run the gateway in front of the service or the sandbox."),
}
"""Name → (module beside this file, the line that --help shows)."""


class _Lazy(click.Group):
    """A group whose commands are imported when they run, so that --help starts at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in COMMANDS:
            return None
        module = importlib.import_module(f"ordertape.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        return super().resolve_command(ctx, args)


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ordertape")
def ordertape() -> None:
    """A record/replay gateway for the telephone-number orders endpoint."""


def main(arguments: list[str] | None = None) -> Any:  # noqa: ANN401 - what click returns
    """Run the command; an error is one sentence on stderr and exit code 2."""
    try:
        return ordertape.main(arguments)
    except StartUpError as error:
        click.echo(f"ordertape: {error}", err=True)
        sys.exit(2)
