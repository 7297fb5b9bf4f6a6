"""A whole gateway in the test's own loop: listener, pipeline, SQLite file, and any upstream."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ordertape.build import Parts, recording
from ordertape.config import Settings
from ordertape.server import Listener
from ordertape.service import listener_settings
from ordertape.store.reading import Filter, Full, Reader

ORDER = (
    b"<Order><SiteId>743</SiteId><AreaCodeSearchAndOrderType><AreaCode>617</AreaCode>"
    b"<Quantity>1</Quantity></AreaCodeSearchAndOrderType>"
    b"<PartialAllowed>true</PartialAllowed></Order>"
)
"""An order that needs nothing."""


@dataclass
class Gateway:
    """A running gateway: its port, its parts and its store."""

    port: int
    parts: Parts
    db: Path
    listener: Listener

    def recorded(self) -> list[Full]:
        """Every exchange so far, oldest first, with its messages."""
        with Reader(self.db) as reader:
            rows = reader.list(Filter(newest_first=False))
            return [full for row in rows if (full := reader.show(row.id)) is not None]

    async def recorded_when(self, holds: Callable[[Full], bool], within: float = 20) -> list[Full]:
        """What is recorded once it holds for every exchange: files have no event to wait on."""
        async with asyncio.timeout(within):
            while not (found := self.recorded()) or not all(map(holds, found)):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        return found


@asynccontextmanager
async def gateway(folder: Path, **settings: Any) -> AsyncIterator[Gateway]:
    """Run a gateway with these settings on a free port, recording into `folder`."""
    db = folder / "ordertape.db"
    wanted = {"listen": "127.0.0.1:0", "admin": "off", "db": db, **settings}
    chosen = Settings.model_validate(wanted)
    async with recording(chosen) as parts:
        listener = Listener(parts.gateway, settings=listener_settings(chosen))
        await listener.start()
        try:
            yield Gateway(listener.port, parts, db, listener)
        finally:
            await listener.stop(chosen.timeouts.shutdown)


def order_request(
    body: bytes = ORDER, *extra: bytes, path: bytes = b"/accounts/9900012/orders"
) -> bytes:
    """A POST of `body` as clients send it; the connection closes after the answer."""
    lines = (
        b"POST %b HTTP/1.1" % path,
        b"Host: gateway.example",
        b"Authorization: Basic dXNlcjpwYXNzd29yZA==",
        b"Content-Type: application/xml",
        b"Connection: close",
        *extra,
        b"Content-Length: %d" % len(body),
    )
    return b"\r\n".join((*lines, b"", body))


@dataclass
class Reply:
    """A response as it came over the wire, taken apart."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """The first Code of an ErrorList, where it stands as every SDK expects it."""
        found = re.match(
            rb'<\?xml version="1.0" encoding="UTF-8" standalone="yes"\?><OrderResponse>'
            rb"<ErrorList><Error><Code>([0-9]+)</Code><Description>",
            self.body,
        )
        assert found, self.body
        return found[1].decode()


async def ask(port: int, request: bytes, within: float = 20) -> Reply:
    """Send raw bytes, read the answer to the end of the connection."""
    async with asyncio.timeout(within):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        try:
            writer.write(request)
            return parse(await reader.read())
        finally:
            writer.close()
            await writer.wait_closed()


def parse(raw: bytes) -> Reply:
    """One response with a body up to the end of the bytes."""
    head, _, body = raw.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines[1:])}
    assert lines[0].startswith("HTTP/1.1 "), raw
    return Reply(int(lines[0].split(" ")[1]), headers, body)


def as_json(text: str) -> list[dict[str, Any]]:
    """JSON Lines as a command prints them."""
    return [json.loads(line) for line in text.splitlines()]
