"""A process whose file sizes are limited, then not; says on stdout what its store made of that.

Run by test_failing: the limit must not be the test's own. Python ignores SIGXFSZ, so a write past
the limit fails with EFBIG, which SQLite reports as an I/O error. The log is such a file too.
"""

import asyncio
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any

import structlog

from ordertape.errors import UnavailableError
from ordertape.model import State
from ordertape.store.sqlite import SqliteStore
from recorded import intent, outcome, settings, until


async def main(db: Path) -> dict[str, Any]:
    store = await SqliteStore.start(db, settings=settings(commit_deadline=1.0))
    emergency = db.with_name(f"{db.name}.emergency")
    sent = [intent(customer_order_id=f"sent-{number}") for number in range(3)]
    handles = [(await store.open(exchange)).handle for exchange in sent]
    said: dict[str, Any] = {}

    async def settle(number: int) -> str:
        try:
            exchange = sent[number]
            await store.settle(handles[number], exchange.id, outcome(State.COMPLETED))
        except UnavailableError:
            return "UnavailableError"
        return "taken"

    # Room for a few lines, not for one page of the database.
    _limit(4000)
    said["intent"] = await _refused(store)
    said["health"] = store.health().reason
    said["intent at once"] = await _refused(store)
    started = time.monotonic()
    said["settled"] = await asyncio.gather(settle(0), settle(1))
    said["in time"] = time.monotonic() - started < 4
    said["emergency lines"] = len(emergency.read_bytes().splitlines())
    await store.record(intent(), outcome(State.COMPLETED))
    said["lost"] = store.lost
    # No room for anything.
    _limit(0)
    said["settled without room"] = await settle(2)
    # Room again: nobody touches the store.
    _limit(resource.RLIM_INFINITY)
    await until(lambda: store.health().ok and not emergency.exists())
    await store.open(intent(customer_order_id="after"))
    await store.close()
    return said


async def _refused(store: SqliteStore) -> str:
    try:
        await store.open(intent(customer_order_id="refused"))
    except UnavailableError as error:
        return str(error)
    return "taken"


def _limit(size: int) -> None:
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))


if __name__ == "__main__":
    path = Path(sys.argv[1])
    with path.with_name("log").open("w", buffering=1) as log:
        log.write("x" * 5000)
        structlog.configure(logger_factory=structlog.WriteLoggerFactory(log))
        print(json.dumps(asyncio.run(main(path))))  # noqa: T201 - what the test reads
