"""`ordertape sandbox`: the stand-in of the orders service as a server of its own."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from dataclasses import dataclass

import click

from ordertape import service
from ordertape.errors import RefusedError
from ordertape.model import Body, Headers, Kind, Request, Response
from ordertape.route import classify
from ordertape.server import Listener, ListenerSettings, check_parser
from ordertape.upstream import Upstream
from ordertape.upstream.sandbox import Sandbox

_GRACE = 10.0  # seconds in which requests in progress end


@click.command("sandbox")
@click.option("--listen", metavar="HOST:PORT", default="127.0.0.1:8090", show_default=True)
@click.option("--seed", type=int, default=0, show_default=True, help="What order ids come from.")
def command(listen: str, seed: int) -> None:
    """Run the stand-in of the orders service alone; its orders are gone when it ends.

    Put a gateway in front of it with `ordertape serve --upstream`. Any credentials will do.
    """
    service.run(_main(listen, seed))


@dataclass(frozen=True, slots=True)
class _Answer:
    """A response; whether it arrived is nobody's business here."""

    response: Response
    delivered: Callable[[bool], None] = lambda _: None


@dataclass(frozen=True, slots=True)
class _Alone:
    """An upstream as what stands behind the listener."""

    upstream: Upstream

    def route(self, method: str, target: str) -> Kind:
        return classify(method, target).kind

    async def handle(self, request: Request) -> _Answer:
        return _Answer(await self.upstream.send(request))

    async def refuse(self, request: Request, error: RefusedError) -> _Answer:  # noqa: ARG002 - the protocol's
        headers = Headers.of([(b"Content-Type", b"text/plain; charset=utf-8")])
        return _Answer(Response(error.status, b"", headers, Body(f"{error}\n".encode())))


async def _main(listen: str, seed: int) -> None:
    check_parser()
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    listener = Listener(_Alone(Sandbox(seed=seed)), settings=ListenerSettings(listen=listen))
    await listener.start()
    try:
        click.echo(f"The sandbox is listening on {listener.url}.")
        await stop.wait()
    finally:
        await listener.stop(_GRACE)
