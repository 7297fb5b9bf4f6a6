"""A live upstream in front of a scripted service, and requests to hand it."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

from ordertape.model import Body, Headers, Request, Response
from ordertape.testing import Scripted, reply
from ordertape.upstream.live import Live, LiveSettings

OK = reply(200, b"ok")


@asynccontextmanager
async def live(service: Scripted, prefix: str = "", **settings: object) -> AsyncIterator[Live]:
    client = Live(service.url + prefix, settings=LiveSettings(**{"idle": 60.0, **settings}))
    try:
        yield client
    finally:
        await client.close()


def asked(
    method: str = "GET",
    target: str = "/a",
    headers: tuple[tuple[bytes, bytes], ...] = (),
    body: Body | bytes = b"",
) -> Request:
    body = body if isinstance(body, Body) else Body(body)
    return Request(method, target, Headers(headers), body)


async def read(response: Response) -> bytes:
    if response.body.rest is None:
        return response.body.held
    return response.body.held + b"".join([piece async for piece in response.body.rest])


async def pieces(*parts: bytes) -> AsyncGenerator[bytes, None]:
    for part in parts:
        await asyncio.sleep(0)
        yield part
