"""Stores that were recorded from a scripted service, and replays of them on a port."""

import asyncio
import re
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gateways import ask, gateway
from ordertape.build import replaying
from ordertape.config import Settings
from ordertape.server import Listener
from ordertape.service import listener_settings
from ordertape.testing import Respond, Scripted, Step, order_created
from ordertape.upstream.replay import Sessions

FIRST, SECOND = order_created("order-1"), order_created("order-2")


def order(inner: str = "<Quantity>2</Quantity>", after: str = "") -> bytes:
    return (
        "<Order><SiteId>743</SiteId><NPANXXSearchAndOrderType><NpaNxx>919439</NpaNxx>"
        f"{inner}</NPANXXSearchAndOrderType>{after}</Order>"
    ).encode()


def get(target: str = "/numbers", *extra: str, method: str = "GET") -> bytes:
    lines = (f"{method} {target} HTTP/1.1", "Host: gateway.example", "Connection: close", *extra)
    return "\r\n".join((*lines, "", "")).encode()


async def raw(port: int, request: bytes) -> bytes:
    """The answer as it came, its Date (never the recorded one) taken out."""
    async with asyncio.timeout(20):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(request)
        answer = await reader.read()
        writer.close()
        await writer.wait_closed()
    return re.sub(rb"\r\nDate: [^\r]*", b"", answer, count=1)


def body_of(answer: bytes) -> bytes:
    return answer.partition(b"\r\n\r\n")[2]


async def record(
    folder: Path, *pairs: tuple[bytes, bytes | Sequence[Step]], **settings: Any
) -> Path:
    """A store of what a service answered to these requests, one after the other."""
    await asyncio.to_thread(folder.mkdir, exist_ok=True)
    scripts = [[Respond(what)] if isinstance(what, bytes) else what for _, what in pairs]
    async with (
        Scripted(*scripts, per="request") as service,
        gateway(folder, upstream=service.url, **settings) as recording,
    ):
        for request, _ in pairs:
            await raw(recording.port, request)
    return folder / "ordertape.db"


@dataclass
class Replaying:
    """A replay that listens."""

    port: int
    replay: Sessions

    async def status(self, request: bytes) -> int:
        return (await ask(self.port, request)).status


@asynccontextmanager
async def replaying_on_a_port(*sources: Path, **settings: Any) -> AsyncIterator[Replaying]:
    chosen = Settings.model_validate({"listen": "127.0.0.1:0", "admin": "off", **settings})
    async with replaying(chosen, sources) as (handler, replay):
        listener = Listener(handler, settings=listener_settings(chosen, sessions=True))
        await listener.start()
        try:
            yield Replaying(listener.port, replay)
        finally:
            await listener.stop(5)
