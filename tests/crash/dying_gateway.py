"""`ordertape serve` that kills itself at a point of the pipeline, or sends too early.

Run as `python dying_gateway.py POINT SERVE-ARGUMENTS…`. Everything is the real thing; only the
call at the point is followed, or preceded, by SIGKILL.
"""

import os
import signal
import sys
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from ordertape.cli import main
from ordertape.model import Exchange
from ordertape.quota import Quota
from ordertape.store import Intent
from ordertape.store.sqlite import SqliteStore
from ordertape.upstream.live import Live

Method = Callable[..., Awaitable[Any]]


def die() -> None:
    """As a power cut for the process: nothing is flushed, nothing is closed."""
    os.kill(os.getpid(), signal.SIGKILL)


def then_die(method: Method) -> Method:
    """Do it, then die before anybody hears of it."""

    async def dying(*arguments: Any, **named: Any) -> Any:
        await method(*arguments, **named)
        die()

    return dying


def die_first(method: Method) -> Method:
    """Die where it would have been done."""

    async def dying(*_arguments: Any, **_named: Any) -> Any:
        die()
        await method()

    return dying


async def send_before_the_commit(
    _store: SqliteStore, _exchange: Exchange, _quotas: Sequence[Quota]
) -> Intent:
    """Return as if the intent were on disk: the fault that the crash test must be able to see."""
    return Intent(1)


POINTS: dict[str, tuple[type, str, Any]] = {
    "after-intent": (SqliteStore, "open", then_die(SqliteStore.open)),
    "after-response": (Live, "send", then_die(Live.send)),
    "before-completion": (SqliteStore, "settle", die_first(SqliteStore.settle)),
    "after-completion": (SqliteStore, "settle", then_die(SqliteStore.settle)),
    "sends-too-early": (SqliteStore, "open", send_before_the_commit),
}

if __name__ == "__main__":
    owner, name, replacement = POINTS[sys.argv[1]]
    setattr(owner, name, replacement)
    main(sys.argv[2:])
