from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest

import recorded
from ordertape.store.sqlite import SqliteStore

Start = Callable[..., Awaitable[SqliteStore]]


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "tape.db"


@pytest.fixture
async def start(db: Path) -> AsyncIterator[Start]:
    """Starts stores on `db`, and closes them in the end; closing one before is no harm."""
    async with AsyncExitStack() as stack:

        async def started(**changes: Any) -> SqliteStore:
            store = await SqliteStore.start(db, settings=recorded.settings(**changes))
            stack.push_async_callback(store.close)
            return store

        yield started


@pytest.fixture
async def store(start: Start) -> SqliteStore:
    return await start()
