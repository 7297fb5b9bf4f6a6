"""A store's match keys made anew by the rules in force, so that no recording is orphaned.

Neither what was recorded nor the rules version that judged it changes: only the key that replay
looks for, and the version of the rules that the key goes by. Each change is an event of the chain.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from ordertape.admission import Policy
from ordertape.cassette.storing import recognised, stored_key
from ordertape.model import Body, Request
from ordertape.redaction import Redaction
from ordertape.store.batch import Rekeyed
from ordertape.store.control import Handler
from ordertape.store.reading import Reader, Recorded
from ordertape.store.sqlite import SqliteStore

__all__ = ["AT_ONCE", "COMMAND", "handlers"]

COMMAND = "reindex"
AT_ONCE = 500
"""Exchanges whose keys are made and written together."""


def handlers(
    store: SqliteStore, path: Path, in_force: Callable[[], tuple[Policy, Redaction]]
) -> Mapping[str, Handler]:
    """The command, for the control socket or a store that no gateway writes.

    It takes `after`, the number of the last exchange that is done, and `once`: stop after
    `AT_ONCE`. It answers with `last` (None: all are done), how many were `seen` and `changed`.
    """

    async def reindex(asked: dict[str, Any]) -> dict[str, Any]:
        seen = changed = 0
        last = int(asked["after"])
        while True:
            policy, redaction = in_force()
            found = await asyncio.to_thread(_found, path, last, policy, redaction)
            if found.stale:
                stale, version = found.stale, policy.rules.version
                await store.change(lambda batch: batch.rekey(stale, version))  # noqa: B023 - awaited
            seen += found.seen
            changed += len(found.stale)
            if found.last is None or asked["once"]:
                return {"last": found.last, "seen": seen, "changed": changed}
            last = found.last

    return {COMMAND: reindex}


@dataclass(frozen=True, slots=True)
class _Found:
    stale: Sequence[Rekeyed]
    seen: int
    last: int | None


def _found(path: Path, after: int, policy: Policy, redaction: Redaction) -> _Found:
    """The next keys that are not those of the rules in force."""
    with Reader(path) as reader:
        some = list(islice(reader.completed(after=after), AT_ONCE))
        made = [(one, _made(reader, one, policy, redaction)) for one in some]
    stale = [
        Rekeyed(one.seq, one.id, key)
        for one, key in made
        if key is not None and (one.match_key, one.rules_version) != (key, policy.rules.version)
    ]
    return _Found(stale, len(some), some[-1].seq if len(some) == AT_ONCE else None)


def _made(reader: Reader, one: Recorded, policy: Policy, redaction: Redaction) -> str | None:
    """The key; None where too little of the request was kept to make one."""
    stored = stored_key(one, policy, redaction)
    if stored is not None:
        return stored
    received = reader.message(one.seq, "received")
    if received is None or received.truncated:
        return None
    request = Request(one.method, one.target, received.headers, Body(received.body))
    return recognised(request, policy, redaction).key
