"""Which recordings are worth comparing with a request that found none, however many there are.

An index holds, for each recording, the digests of its fields, and of all its fields but one: what
differs from a request in one field is found at once, and of the rest what shares the most. It can
be asked before it is complete. What a question costs has a bound: so many digests are looked for,
of each the first so many recordings are read, and so many of those are told apart.
"""

from __future__ import annotations

import json
import threading
from array import array
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

from ordertape.explaining import Seen, features
from ordertape.matching import Matching
from ordertape.store.connection import sqlite3

__all__ = ["Near"]

_TABLES = """
PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; PRAGMA cache_size=-32768;
CREATE TABLE feature(digest INTEGER, turn INTEGER, PRIMARY KEY (digest, turn)) WITHOUT ROWID;
CREATE TABLE recording(turn INTEGER PRIMARY KEY, leaves BLOB NOT NULL);
CREATE TABLE line(path TEXT, method TEXT, PRIMARY KEY (path, method)) WITHOUT ROWID;
"""
_HOLDING = "SELECT turn FROM feature WHERE digest = ? ORDER BY turn LIMIT ?"
_LEAVES = """SELECT turn, leaves FROM recording
    WHERE turn IN (SELECT value FROM json_each(?))"""

_MOST_NEAR = 4
_MOST_HOLDING = 256
_MOST_TOLD_APART = 96
_MOST_METHODS = 3


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

    def fill(self, recordings: Iterable[tuple[int, Seen]]) -> None:
        """Put in these recordings, by their turns."""
        lines: dict[tuple[str, str], None] = {}
        rows: list[tuple[int, bytes]] = []
        held: list[tuple[int, int]] = []
        for turn, seen in recordings:
            found = features(seen, self._matching)
            lines[_text(seen.path), seen.method] = None
            rows.append((turn, array("q", found.leaves).tobytes()))
            held += [(digest, turn) for digest in {*found.near, *found.leaves}]
        held.sort()
        with self._lock:
            self._index.execute("BEGIN")
            self._index.executemany("INSERT OR IGNORE INTO line VALUES (?, ?)", lines)
            self._index.executemany("INSERT INTO recording VALUES (?, ?)", rows)
            self._index.executemany("INSERT INTO feature VALUES (?, ?)", held)
            self._index.execute("COMMIT")
            self.count += len(rows)

    def worth_comparing(self, asked: Seen) -> Iterator[int]:
        """The turns of recordings of this path, the likeliest first: those of the request's method.

        Of other methods where there are none of that. All that differ in one field come first,
        then, the likest first, the 96 that share the most fields: of the recordings that have a
        field which fewer than 256 of this path have, and of the first 256 that have one which
        more have.
        """
        for method in self._methods(asked):
            yield from self._within(
                Seen(method, asked.target, asked.headers, asked.body, asked.order)
            )

    def _methods(self, asked: Seen) -> Sequence[str]:
        rows = self._all("SELECT method FROM line WHERE path = ?", _text(asked.path))
        found = [method for (method,) in rows]
        return [asked.method] if asked.method in found else found[:_MOST_METHODS]

    def _within(self, asked: Seen) -> Iterator[int]:
        """Of one method and path: what differs in one field, then what shares the most."""
        known = features(asked, self._matching)
        for digest in known.near:
            yield from self._holding(digest, _MOST_NEAR)
        shared, crowd = Counter[int](), Counter[int]()
        for digest in known.leaves:
            turns = self._holding(digest, _MOST_HOLDING)
            (shared if len(turns) < _MOST_HOLDING else crowd).update(turns)
        best = [turn for turn, _ in shared.most_common(_MOST_TOLD_APART)]
        best += [turn for turn, _ in crowd.most_common(_MOST_TOLD_APART - len(best))]
        leaves = frozenset(known.leaves)
        rows = self._all(_LEAVES, json.dumps(best))
        yield from (turn for _, _, turn in sorted((*_apart(leaves, of), turn) for turn, of in rows))

    def _holding(self, digest: int, most: int) -> list[int]:
        return [turn for (turn,) in self._all(_HOLDING, digest, most)]

    def _all(self, statement: str, *values: str | int) -> Sequence[tuple[Any, ...]]:
        with self._lock:
            found: Sequence[tuple[Any, ...]] = self._index.execute(statement, values).fetchall()
            return found


def _apart(leaves: frozenset[int], recorded: bytes) -> tuple[int, int]:
    """In how many fields two differ: a field with two values is one, whichever they are."""
    others = array("q")
    others.frombytes(recorded)
    gone, new = len(leaves.difference(others)), len(frozenset(others) - leaves)
    return max(gone, new), gone + new


def _text(path: str) -> str:
    """A path as SQLite takes it: a raw one may have bytes that are no UTF-8."""
    return path.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
