"""Which recordings are worth comparing with a request that found none, however many there are.

An index holds, for each recording, the digests of its fields, and of all its fields but one: what
differs from a request in one field is found at once, and of the rest what shares the most. It is
filled in a thread of its own, and can be asked before it is complete.
"""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path

from ordertape.explaining import Seen, features, path_distance
from ordertape.matching import Matching
from ordertape.store.connection import sqlite3

__all__ = ["Near"]

_TABLES = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768;
CREATE TABLE feature(digest INTEGER, turn INTEGER, PRIMARY KEY (digest, turn)) WITHOUT ROWID;
CREATE TABLE line(
    path TEXT, method TEXT, segments INTEGER NOT NULL, PRIMARY KEY (path, method)
) WITHOUT ROWID;
CREATE INDEX alike ON line(segments);
"""
_HOLDING = "SELECT turn FROM feature WHERE digest = ? ORDER BY turn LIMIT ?"
_HOLDING_OF = """SELECT turn FROM feature
    WHERE digest = ? AND turn IN (SELECT value FROM json_each(?))"""
_ALIKE = "SELECT method, path FROM line WHERE segments = ? LIMIT ?"

_AT_ONCE = 20  # recordings that are put in while nobody can ask
_MOST_NEAR = 4
_MOST_HOLDING = 512
_MOST_TOLD_APART = 128
_MOST_COMPARED = 8
_MOST_PATHS = 256
_MOST_LINES = 3


class Near:
    """Recordings by their fields. Any thread may call, one at a time has the file."""

    def __init__(self, path: Path, matching: Matching) -> None:
        """Begin an index in a new file."""
        self.count = 0
        self._matching = matching
        self._lock = threading.Lock()
        self._index = sqlite3.connect(path, isolation_level=None, check_same_thread=False)
        self._index.executescript(_TABLES)

    def close(self) -> None:
        """Let go of the file."""
        with self._lock:
            self._index.close()

    def fill(self, recordings: Iterator[tuple[int, Seen]]) -> None:
        """Put in every recording, by its turn; as far as the iterator goes."""
        planned = map(self._planned, recordings)
        while some := list(islice(planned, _AT_ONCE)):
            lines = dict.fromkeys(line for line, _ in some)
            rows = [row for _, of_one in some for row in of_one]
            with self._lock:
                self._index.execute("BEGIN")
                self._index.executemany("INSERT OR IGNORE INTO line VALUES (?, ?, ?)", lines)
                self._index.executemany("INSERT INTO feature VALUES (?, ?)", rows)
                self._index.execute("COMMIT")
                self.count += len(some)

    def _planned(
        self, recording: tuple[int, Seen]
    ) -> tuple[tuple[str, str, int], list[tuple[int, int]]]:
        """The rows of one recording."""
        turn, seen = recording
        found = features(seen, self._matching)
        digests = {found.scope, *found.near, *found.leaves}
        line = _text(seen.path), seen.method, seen.path.count("/")
        return line, [(digest, turn) for digest in digests]

    def worth_comparing(self, asked: Seen) -> Iterator[int]:
        """The turns of a few recordings, the likeliest first; the nearest one is among them.

        As far as can be told: of thousands that share only what thousands share, it may not be.
        They have the method and path of the request where there are any such, else that path, else
        a path that differs in few segments.
        """
        for method, path in self._lines(asked):
            target = path + asked.target[len(asked.path) :]
            alike = Seen(method, target, asked.headers, asked.body, asked.order)
            yield from self._within(alike)

    def _lines(self, asked: Seen) -> Sequence[tuple[str, str]]:
        """The methods and paths whose recordings come into question."""
        path = _text(asked.path)
        with self._lock:
            same: list[tuple[str, str]] = self._index.execute(
                "SELECT method, path FROM line WHERE path = ?", (path,)
            ).fetchall()
            if (asked.method, path) in same:
                return [(asked.method, path)]
            if same:
                return same[:_MOST_LINES]
            others: list[tuple[str, str]] = []
            for segments in (path.count("/") + more for more in (0, -1, 1)):
                others += self._index.execute(_ALIKE, (segments, _MOST_PATHS)).fetchall()
        others.sort(key=lambda line: (line[0] != asked.method, path_distance(line[1], path)))
        return others[:_MOST_LINES]

    def _within(self, asked: Seen) -> Iterator[int]:
        """Of one method and path: what differs in one field, then what shares the most."""
        known = features(asked, self._matching)
        for digest in known.near:
            yield from self._holding(digest, _MOST_NEAR)
        shared, crowd = Counter[int](), Counter[int]()
        held_by_many: list[int] = []
        for digest in known.leaves:
            turns = self._holding(digest, _MOST_HOLDING)
            if len(turns) < _MOST_HOLDING:
                shared.update(turns)
            else:
                crowd.update(turns)
                held_by_many.append(digest)
        best = [turn for turn, _ in shared.most_common(_MOST_TOLD_APART)]
        best += [turn for turn, _ in crowd.most_common(_MOST_TOLD_APART - len(best))]
        known_best = Counter({turn: shared[turn] for turn in best})
        known_best.update(self._held(best, held_by_many))
        yield from (turn for turn, _ in known_best.most_common(_MOST_COMPARED))
        yield from self._holding(known.scope, _MOST_COMPARED)

    def _held(self, turns: Sequence[int], digests: Sequence[int]) -> Iterator[int]:
        """Those of these recordings that have a field, for each of these fields."""
        wanted = json.dumps(turns)
        for digest in digests:
            with self._lock:
                rows = self._index.execute(_HOLDING_OF, (digest, wanted)).fetchall()
            yield from (turn for (turn,) in rows)

    def _holding(self, digest: int, most: int) -> list[int]:
        with self._lock:
            found = self._index.execute(_HOLDING, (digest, most)).fetchall()
        return [turn for (turn,) in found]


def _text(path: str) -> str:
    """A path as SQLite takes it: a raw one may have bytes that are no UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
