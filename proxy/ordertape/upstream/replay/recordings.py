"""The recordings of all sources, found by match key; opened once, and then only read."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from heapq import merge
from pathlib import Path
from typing import Any, NamedTuple

from ordertape import canonical
from ordertape.admission import Policy
from ordertape.explaining import Comparison, Seen
from ordertape.model import Message, Request
from ordertape.redaction import Redaction
from ordertape.store.connection import sqlite3
from ordertape.store.reading import Recorded
from ordertape.upstream.replay import reading
from ordertape.upstream.replay.keys import INDEX, Keyless, Keys
from ordertape.upstream.replay.likeness import Likeness
from ordertape.upstream.replay.sources import Source, opened

__all__ = ["Found", "Recordings", "Slot"]

_PRAGMAS = "PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768;"
_INSERT = """INSERT INTO exchange(seq, id, upstream, method, target, match_key)
    VALUES (?, ?, ?, ?, ?, ?)"""

_MOST_IN_PLACE = 16
"""Stores that are searched one after the other; the keys of more are put into one index."""


class Slot(NamedTuple):
    """Where one recording lies. `turn` grows over all sources, in the order of recording."""

    turn: int
    source: int
    seq: int
    id: str
    upstream: str


class Found(NamedTuple):
    """The recording that is nearest to a request: how it compares, its name, and its key.

    `unread` recordings have not been looked at yet, and `beyond` are too many to be looked at.
    """

    comparison: Comparison
    name: str
    key: str
    unread: int
    beyond: int


class Recordings:
    """What the sources hold, which several playbacks may share.

    `policy` says how requests are recognised, `redaction` what is told of none of them. A store
    whose keys are those of the policy is searched in place; of others the keys are made anew. What
    is recorded after they were opened is not there; what was on its way then may be.
    """

    def __init__(
        self, sources: Sequence[Path], *, policy: Policy, redaction: Redaction, folder: Path
    ) -> None:
        """Open the sources; what is made for them goes into `folder`. Errors: StartUpError."""
        self._policy = policy
        self._redaction = redaction
        self._keys: list[Keys] = []
        self.count = 0
        with ExitStack() as undo:
            self._index = sqlite3.connect(
                folder / "index.db", isolation_level=None, check_same_thread=False
            )
            undo.callback(self._index.close)
            self._index.executescript(_PRAGMAS + INDEX)
            self._sources = opened(sources, policy, redaction, folder, undo)
            self._bases = [source.base for source in self._sources]
            self._index.execute("BEGIN")
            for source in self._sources:
                self._take_in(source)
            self._index.execute("COMMIT")
            [[last]] = self._rows("SELECT max(seq) FROM exchange", ())
            if last is not None:
                self._keys.append(Keys(self._rows, 0, last))
                self.count += int(self._rows("SELECT count(*) FROM exchange", ())[0][0])
            self._opened = undo.pop_all()
        self._likeness = Likeness(self._keys, self._recorded, policy.matching, folder)

    def __repr__(self) -> str:
        return f"<Recordings {self.count} of {len(self._sources)} sources>"

    async def close(self) -> None:
        """Let go of the files."""
        await self._likeness.close()
        self._opened.close()

    def discard(self) -> None:
        """Let go of the files before anything was asked."""
        self._opened.close()

    def key(self, request: Request) -> str:
        """The key that a request is found by; the gateway's, where that is made as ours are."""
        known = request.match_key
        if known is not None and canonical.is_current(known, self._policy.matching):
            return known
        return self._asked(request).key(self._policy.matching)

    def admitted(self, request: Request) -> Request:
        """The request as the gateway would have it answered. Errors: RefusedError."""
        return reading.admitted(request, self._policy)

    def after(self, key: str, turn: int) -> Slot | None:
        """The first recording with this key whose turn comes after that one.

        One index probe of each store that is searched in place, and one for all others.
        """
        self._likeness.give_way()
        found = [one for keys in self._keys if (one := keys.after(key, turn)) is not None]
        if not found:
            return None
        return self._slot(*min(found))

    def answered(self, slot: Slot) -> Message | None:
        """What was answered; None where it is not kept any more."""
        return self._sources[slot.source].reader.message(slot.seq, "answered")

    def name(self, slot: Slot) -> str:
        """Which recording this is, for people."""
        return self._sources[slot.source].name(slot.seq, slot.id)

    def recorded(self, key: str) -> int:
        """How many recordings have this key."""
        return sum(keys.recorded(key) for keys in self._keys)

    def knows(self, path: str) -> bool:
        """Whether anything was recorded of this path, raw."""
        return self._likeness.knows(path)

    def unused(self, given: Mapping[str, int]) -> Iterator[str]:
        """The names of the recordings whose turn has not come; `given` is the last one by key."""
        for one in merge(*(keys.unused(given) for keys in self._keys)):
            yield self.name(self._slot(*one))

    async def nearest(self, request: Request) -> Found | None:
        """The recording that differs from a request in the fewest fields, if there is any.

        `likeness` has what is looked at for it, and how long that may take.
        """
        found = await self._likeness.likest(self._asked(request))
        if found is None:
            return None
        [(ident, upstream, key), *_] = filter(
            None, (keys.of_turn(found.turn) for keys in reversed(self._keys))
        )
        name = f"{found.comparison.line} ({self.name(self._slot(found.turn, ident, upstream))})"
        return Found(found.comparison, name, key or "", found.unread, found.beyond)

    def _take_in(self, source: Source) -> None:
        in_place = len(self._keys) < _MOST_IN_PLACE and source.reader.keys_hold(
            self._policy, self._redaction
        )
        rows: Iterable[tuple[Recorded | Keyless, str]]
        if in_place:
            self._keys.append(Keys(source.reader.rows, source.base, source.last))
            self.count += source.reader.keyed_up_to(source.last)
            rows = reading.keyless(source.reader, source.last, self._policy, self._redaction)
        else:
            rows = reading.keyed(source.reader, self._policy, self._redaction)
        for one, key in rows:
            turn = source.base + one.seq
            self._index.execute(_INSERT, (turn, one.id, one.upstream, one.method, one.target, key))

    def _rows(self, statement: str, values: Sequence[Any]) -> Sequence[tuple[Any, ...]]:
        found: Sequence[tuple[Any, ...]] = self._index.execute(statement, values).fetchall()
        return found

    def _asked(self, request: Request) -> Seen:
        return reading.asked(request, self._policy, self._redaction)

    def _recorded(self, turn: int) -> Seen | None:
        source = self._sources[self._source(turn)]
        seq = turn - source.base
        return reading.recorded(source.reader, seq, self._policy, self._redaction)

    def _source(self, turn: int) -> int:
        return bisect_left(self._bases, turn) - 1

    def _slot(self, turn: int, ident: str, upstream: str) -> Slot:
        number = self._source(turn)
        return Slot(turn, number, turn - self._bases[number], ident, upstream)
