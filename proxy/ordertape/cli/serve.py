"""`ordertape serve`: the gateway in front of the service or the sandbox."""

from __future__ import annotations

import signal
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import click

from ordertape import logs, service
from ordertape.build import recording, reload
from ordertape.cli.signals import unwinding
from ordertape.config import Settings, load

# Not SIGHUP: what that does here depends on whether it was ignored before.
_ENDING = (signal.SIGINT, signal.SIGTERM)

_TRY = """\
curl -i -u user:password {url}/accounts/9900012/orders -H 'Content-Type: application/xml' \\
  -d '<Order><SiteId> 743 </SiteId><AreaCodeSearchAndOrderType><AreaCode>617</AreaCode>\
<Quantity>1</Quantity></AreaCodeSearchAndOrderType></Order>'"""


@click.command("serve")
@click.option("--upstream", metavar="URL", help="The service's base URL.")
@click.option("--sandbox", is_flag=True, help="Answer from the built-in sandbox instead.")
@click.option(
    "--spy",
    multiple=True,
    metavar="SOURCE",
    type=click.Path(path_type=Path),
    help="Answer from these recordings first; may be repeated.",
)
@click.option(
    "--spy-send-orders", is_flag=True, help="With --spy: send orders that were never recorded."
)
@click.option("--listen", metavar="HOST:PORT", help="Where clients connect [127.0.0.1:8080].")
@click.option("--admin", metavar="HOST:PORT|off", help="Health checks [127.0.0.1:8081].")
@click.option("--db", type=click.Path(path_type=Path), help="The store [ordertape.db].")
@click.option("--config", "file", type=click.Path(path_type=Path), help="[ordertape.toml]")
def command(
    *,
    upstream: str | None,
    sandbox: bool,
    spy: tuple[Path, ...],
    spy_send_orders: bool,
    listen: str | None,
    admin: str | None,
    db: Path | None,
    file: Path | None,
) -> None:
    """Run the gateway; clients change one base URL and nothing else.

    With --spy what is recorded in SOURCE (as `ordertape replay` takes it) is answered from there,
    and never sent. The rest is sent and recorded: GET, HEAD and OPTIONS, others only with
    --spy-send-orders; without it they are told the nearest recording.
    """
    if upstream is not None and sandbox:
        raise click.UsageError("Name either --upstream or --sandbox, not both.")
    chosen = {True: True, False: False if upstream is not None else None}[sandbox]
    flags = {
        "upstream": upstream,
        "sandbox": chosen,
        "spy": list(spy) or None,
        "spy_send_orders": spy_send_orders or None,
        "listen": listen,
        "admin": admin,
        "db": db,
    }
    with service.hangups_held():
        settings = load(file, flags).settings
        logs.configure(settings.log_level)
        # The same file again, even if it is the usual one and has gone: no file is no rules.
        with (
            unwinding(_ENDING) if settings.spy else nullcontext()
        ):  # scratch files are cleared away
            service.run(_main(settings, partial(_again, settings.sources.file or file, flags)))


def _again(file: Path | None, flags: Mapping[str, Any]) -> Settings:
    return load(file, flags).settings


async def _main(settings: Settings, again: Callable[[], Settings]) -> None:
    async with recording(settings) as parts:
        if parts.store.recovered:
            click.echo(
                f"{parts.store.recovered} exchanges of the last run are in doubt; "
                "`ordertape audit list --state in-doubt` lists them."
            )
        behind = "the sandbox" if settings.sandbox else settings.upstream

        def announce(url: str, admin: str | None) -> None:
            click.echo(f"ordertape is listening on {url} in front of {behind}.")
            if settings.spy:
                click.echo(_spying(settings, parts.recordings))
            click.echo(f"Recording to {settings.db}" + (f"; health on {admin}." if admin else "."))
            if settings.sandbox:
                click.echo("Try it from another terminal:\n\n" + _TRY.format(url=url) + "\n")

        await service.serve(
            parts.gateway,
            settings,
            announce,
            parts.store.health,
            partial(reload, parts, settings, again),
        )


def _spying(settings: Settings, count: int) -> str:
    names = ", ".join(map(str, settings.spy))
    rest = (
        "the rest is sent, orders too"
        if settings.spy_send_orders
        else "of the rest only GET, HEAD and OPTIONS are sent"
    )
    return f"Answering from {count} exchanges of {names}; {rest}."
