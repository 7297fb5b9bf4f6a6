"""A process that records intents, says so, and waits to be killed. Run by test_startup."""

import asyncio
import sys
from pathlib import Path

from ordertape.model import State
from ordertape.store.sqlite import SqliteStore
from recorded import intent, outcome, settings


async def main(db: Path) -> None:
    store = await SqliteStore.start(db, settings=settings())
    done = intent(customer_order_id="done")
    await store.settle((await store.open(done)).handle, done.id, outcome(State.COMPLETED))
    await asyncio.gather(*(store.open(intent(customer_order_id=f"open-{n}")) for n in range(5)))
    print("recorded", flush=True)  # noqa: T201 - what the test waits for
    await asyncio.Event().wait()


asyncio.run(main(Path(sys.argv[1])))
