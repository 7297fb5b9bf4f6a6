"""The ordertape command: one file a subcommand, each thin, imported only when it is asked for."""

from __future__ import annotations

import difflib
import importlib
import os
import sys
import traceback
from collections.abc import Mapping
from io import TextIOWrapper

import click
from click.exceptions import NoArgsIsHelpError

from ordertape.errors import GatewayError, StartUpError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "account": ("account", "Print the digest that ties an account to its credentials."),
    "audit": ("audit", "Ask what passed: list, show and recheck exchanges."),
    "cassette": ("cassette", "Export, import, list, show and reindex recordings."),
    "check": ("check", "Say what the gateway would make of orders in files."),
    "config": ("config", "Check the configuration, or show what is in force and whence."),
    "demo": ("demo", "See the whole story in one terminal."),
    "explain": ("explain", "Say which recording a request finds, or why none."),
    "orders": ("orders", "Stop and resume new orders."),
    "quota": ("quota", "See and change what accounts may order."),
    "replay": ("replay", "Answer from recordings; nothing is ever called."),
    "rules": ("rules", "List the rules in force, or document one."),
    "sandbox": ("sandbox", "Run the stand-in of the orders service alone."),
    "serve": ("serve", "Run the gateway in front of the service or the sandbox."),
    "verify": ("verify", "Say whether a service still answers as it was recorded."),
}
"""Name → (module beside this file, the line that --help shows)."""

_WRONG = 2
_INTERRUPTED = 130


class _Lazy(click.Group):
    """A group whose commands are imported when they run, so that --help starts at once."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            near = difflib.get_close_matches(cmd_name, COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else ""
            ctx.fail(f"No such command {cmd_name!r}.{hint}")
        module = importlib.import_module(f"ordertape.cli.{COMMANDS[cmd_name][0]}")
        command: click.Command = module.command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, line) for name, (_, line) in COMMANDS.items()])


@click.group(cls=_Lazy, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="ordertape")
def ordertape() -> None:
    """A record/replay gateway for the telephone-number orders endpoint."""


def main(arguments: list[str] | None = None) -> None:
    """Run the command and leave with its exit code; whatever goes wrong is one sentence."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # no locale makes a listing fail
    try:
        code = ordertape.main(arguments, prog_name="ordertape", standalone_mode=False)
    except NoArgsIsHelpError as asked:
        asked.show()
        code = _WRONG
    except click.ClickException as error:
        code = _told(_usage(error), _WRONG)
    except click.Abort:
        code = _INTERRUPTED
    except (GatewayError, StartUpError) as error:
        code = _told(str(error), _WRONG)
    except OSError as error:
        code = _told(_failure(error), _WRONG)
    except Exception as error:
        # A mistake of the program's own is a sentence too, but in development mode.
        if sys.flags.dev_mode:
            raise
        code = _told(_bug(error), _WRONG)
    sys.exit(code)


def _told(sentence: str, code: int) -> int:
    from ordertape.cli.terminal import printable  # noqa: PLC0415 - --help needs none of it

    click.echo(f"ordertape: {printable(sentence)}", err=True)
    return code


def _usage(error: click.ClickException) -> str:
    said = " ".join(error.format_message().split())
    if not said.endswith((".", "?")):
        said += "."
    context = error.ctx if isinstance(error, click.UsageError) else None
    return said if context is None else f"{said} See `{context.command_path} --help`."


def _failure(error: OSError) -> str:
    if error.filename is not None:
        return f"{os.fsdecode(error.filename)} cannot be used ({error.strerror}); name another."
    if sys.stdout is not None and not sys.stdout.closed:
        # What is still buffered for an output that failed would fail once more at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return f"It could not be done ({error.strerror or error}); mend that, and ask again."


def _bug(error: Exception) -> str:
    place = traceback.extract_tb(error.__traceback__)[-1]
    return (
        f"This is a mistake in ordertape ({type(error).__name__}: {error}, {place.filename} line "
        f"{place.lineno}); report it, with what `python -X dev -m ordertape` prints."
    )
