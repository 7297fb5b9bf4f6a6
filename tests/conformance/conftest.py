"""A real listener on both event loops: uvloop, which serves, and asyncio's own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest
import uvloop

from ordertape.server import Listener, ListenerSettings
from raw_http import Serve, Served, Stub

QUICK = ListenerSettings(
    listen="127.0.0.1:0", header_timeout=5, body_timeout=5, lingering_timeout=1, write_timeout=5
)


def pytest_asyncio_loop_factories(
    config: pytest.Config,  # noqa: ARG001 - the hook's signature
    item: pytest.Item,  # noqa: ARG001
) -> Mapping[str, Callable[[], asyncio.AbstractEventLoop]]:
    return {"uvloop": uvloop.new_event_loop, "asyncio": asyncio.new_event_loop}


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Start listeners; keywords are settings, the first argument a stub of one's own."""
    started: list[Served] = []

    async def start(stub: Stub | None = None, **settings: Any) -> Served:
        stub = stub or Stub()
        listener = Listener(stub, settings=replace(QUICK, **settings))
        await listener.start()
        started.append(Served(listener, stub))
        return started[-1]

    yield start
    for served in started:
        served.stub.go.set()
        for client in served.clients:
            await client.close()
        await served.listener.stop(5)


@pytest.fixture
async def served(serve: Serve) -> Served:
    return await serve()
