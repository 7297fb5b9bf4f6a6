"""The recordings of all sources, found by match key; built once, and then only read."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import structlog

from ordertape import canonical
from ordertape.admission import Policy
from ordertape.explaining import Comparison, Seen
from ordertape.model import Message, Request
from ordertape.redaction import Redaction
from ordertape.store.connection import sqlite3
from ordertape.upstream.replay import reading
from ordertape.upstream.replay.nearest import Near
from ordertape.upstream.replay.sources import Source, opened

__all__ = ["Found", "Recordings", "Slot"]

_INDEX = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768;
CREATE TABLE recording(
    turn INTEGER PRIMARY KEY, key TEXT NOT NULL, source INTEGER NOT NULL, seq INTEGER NOT NULL,
    id TEXT NOT NULL, upstream TEXT NOT NULL
);
CREATE TABLE path(path TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_NEXT = """SELECT turn, source, seq, id, upstream FROM recording
    WHERE key = ? AND turn > ? ORDER BY turn LIMIT 1"""
_OF_TURN = "SELECT turn, source, seq, id, upstream, key FROM recording WHERE turn = ?"
_PAGE = 500
_PATIENCE = 1.0  # seconds
_PAUSE, _WHILE_ASKED = 0.00005, 0.002  # seconds
_MOST_COMPARED = 8
_AT_HAND = 256
_AS_NEAR_AS_CAN_BE = (0, 0, 0, 1)  # what differs in nothing is no miss

_log = structlog.get_logger("ordertape.replay")


class Slot(NamedTuple):
    """Where one recording lies. `turn` counts from 1 over all sources."""

    turn: int
    source: int
    seq: int
    id: str
    upstream: str


class Found(NamedTuple):
    """The recording that is nearest to a request: how it compares, its name, and its key.

    `unread` recordings have not been looked at.
    """

    comparison: Comparison
    name: str
    key: str
    unread: int


class Recordings:
    """An index over sources, which several playbacks may share.

    `policy` says how requests are recognised, `redaction` what is told of none of them.
    """

    def __init__(
        self, sources: Sequence[Path], *, policy: Policy, redaction: Redaction, folder: Path
    ) -> None:
        """Open the sources and index them in `folder`, which is theirs. Errors: StartUpError."""
        self._policy = policy
        self._redaction = redaction
        self._folder = folder
        self._near: Near | None = None
        self._filling: asyncio.Task[None] | None = None
        self._patient_until = 0.0
        self._at_hand: dict[int, Seen | None] = {}
        self._comparing = asyncio.Lock()
        self._closing = threading.Event()
        with ExitStack() as undo:
            self._index = sqlite3.connect(
                folder / "index.db", isolation_level=None, check_same_thread=False
            )
            undo.callback(self._index.close)
            self._index.executescript(_INDEX)
            self._sources = opened(sources, policy, redaction, folder, undo)
            self._index.execute("BEGIN")
            for number, source in enumerate(self._sources):
                self._take_in(number, source)
            self._index.execute("CREATE INDEX found ON recording(key)")
            self._index.execute("COMMIT")
            [self.count] = self._index.execute("SELECT count(*) FROM recording").fetchone()
            self._opened = undo.pop_all()

    def __repr__(self) -> str:
        return f"<Recordings {self.count} of {len(self._sources)} sources>"

    async def close(self) -> None:
        """Let go of the files."""
        self._closing.set()
        if self._filling is not None:
            [failure] = await asyncio.gather(self._filling, return_exceptions=True)
            if failure is not None:
                _log.error("recordings-not-compared", exc_info=failure)
        if self._near is not None:
            self._near.close()
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
        """The first recording with this key whose turn comes after that one; one index probe."""
        found = self._index.execute(_NEXT, (key, turn)).fetchone()
        return None if found is None else Slot(*found)

    def answered(self, slot: Slot) -> Message | None:
        """What was answered; None where it is not kept any more."""
        return self._sources[slot.source].reader.message(slot.seq, "answered")

    def name(self, slot: Slot) -> str:
        """Which recording this is, for people."""
        return self._sources[slot.source].name(slot.seq, slot.id)

    def recorded(self, key: str) -> int:
        """How many recordings have this key."""
        statement = "SELECT count(*) FROM recording WHERE key = ?"
        return int(self._index.execute(statement, (key,)).fetchone()[0])

    def knows(self, path: str) -> bool:
        """Whether anything was recorded of this path, raw."""
        statement = "SELECT 1 FROM path WHERE path = ?"
        return self._index.execute(statement, (_text(path),)).fetchone() is not None

    def unused(self, given: Mapping[str, int]) -> Iterator[str]:
        """The names of the recordings whose turn has not come; `given` is the last one by key."""
        for turn, source, seq, ident, upstream, key in self._index.execute(
            "SELECT turn, source, seq, id, upstream, key FROM recording ORDER BY turn"
        ):
            if turn > given.get(key, 0):
                yield self.name(Slot(turn, source, seq, ident, upstream))

    async def nearest(self, request: Request) -> Found | None:
        """The recording that differs from a request in the fewest fields, if there is any.

        The first question has every recording read, in a thread. It waits for `_PATIENCE`, and
        later ones for no more than that: what is told then is told of those that have been read.
        """
        if not self.count:
            return None
        now = asyncio.get_running_loop().time()
        if self._near is None:
            self._near = Near(self._folder / "near.db", self._policy.matching)
            self._filling = asyncio.create_task(asyncio.to_thread(self._near.fill, self._every()))
            self._patient_until = now + _PATIENCE
        if self._filling is not None and now < self._patient_until:
            await asyncio.wait([self._filling], timeout=self._patient_until - now)
        async with self._comparing:
            return await asyncio.to_thread(self._compared, self._near, request)

    def _take_in(self, number: int, source: Source) -> None:
        paths: set[str] = set()
        for exchange, key in reading.keyed(source.reader, self._policy, self._redaction):
            self._index.execute(
                "INSERT INTO recording(key, source, seq, id, upstream) VALUES (?, ?, ?, ?, ?)",
                (key, number, exchange.seq, exchange.id, exchange.upstream),
            )
            path = exchange.target.partition("?")[0]
            if path not in paths:
                paths.add(path)
                self._index.execute("INSERT OR IGNORE INTO path VALUES (?)", (_text(path),))

    def _asked(self, request: Request) -> Seen:
        return reading.asked(request, self._policy, self._redaction)

    def _every(self) -> Iterator[tuple[int, Seen]]:
        """Every recorded request, until the recordings are closed."""
        after = 0
        while rows := self._index.execute(
            "SELECT turn, source, seq FROM recording WHERE turn > ? ORDER BY turn LIMIT ?",
            (after, _PAGE),
        ).fetchall():
            for turn, source, seq in rows:
                if self._closing.is_set():
                    return
                seen = self._recorded(source, seq)
                if seen is not None:
                    yield turn, seen
                after = turn
                # Whoever is answered meanwhile has the interpreter, and a miss before anyone.
                time.sleep(_WHILE_ASKED if self._comparing.locked() else _PAUSE)

    def _compared(self, near: Near, request: Request) -> Found | None:
        asked = self._asked(request)
        ranked: list[tuple[tuple[int, ...], int, Comparison]] = []
        for turn in islice(_once(near.worth_comparing(asked)), _MOST_COMPARED):
            seen = self._of_turn(turn)
            if seen is None:
                continue
            comparison = Comparison(seen, asked, self._policy.matching)
            ranked.append((comparison.distance, turn, comparison))
            if comparison.distance <= _AS_NEAR_AS_CAN_BE:
                break
        if not ranked:
            return None
        _, turn, comparison = min(ranked, key=lambda one: one[:2])
        *where, key = self._index.execute(_OF_TURN, (turn,)).fetchone()
        name = f"{comparison.line} ({self.name(Slot(*where))})"
        return Found(comparison, name, key, unread=self.count - near.count)

    def _of_turn(self, turn: int) -> Seen | None:
        """A recorded request; those that were compared last are at hand."""
        if turn in self._at_hand:
            self._at_hand[turn] = seen = self._at_hand.pop(turn)
            return seen
        _, source, seq, *_ = self._index.execute(_OF_TURN, (turn,)).fetchone()
        self._at_hand[turn] = seen = self._recorded(source, seq)
        if len(self._at_hand) > _AT_HAND:
            del self._at_hand[next(iter(self._at_hand))]
        return seen

    def _recorded(self, source: int, seq: int) -> Seen | None:
        reader = self._sources[source].reader
        return reading.recorded(reader, seq, self._policy, self._redaction)


def _once(turns: Iterable[int]) -> Iterator[int]:
    seen: set[int] = set()
    for turn in turns:
        if turn not in seen:
            seen.add(turn)
            yield turn


def _text(path: str) -> str:
    """A path as SQLite takes it: a raw one may have bytes that are no UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
