"""Where recordings are found by match key and by path: in the indexes that a store has.

A store whose keys are those that would be made now is searched where it lies: nothing of it is read
before it is asked for, however much it holds. Every statement here is a search of an index.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from ordertape import canonical
from ordertape.admission import Policy
from ordertape.redaction import DIGEST, Redaction
from ordertape.store.reading import Reader

__all__ = ["INDEX", "Found", "Keyless", "Keys", "Rows", "Store", "stored"]

Rows = Callable[[str, Sequence[Any]], Sequence[tuple[Any, ...]]]
"""All that a statement finds with these values."""

INDEX = """
CREATE TABLE exchange(
    seq INTEGER PRIMARY KEY, state TEXT NOT NULL DEFAULT 'COMPLETED', id TEXT NOT NULL,
    upstream TEXT NOT NULL, method TEXT NOT NULL, target TEXT NOT NULL, match_key TEXT NOT NULL
);
CREATE INDEX exchange_match_key ON exchange(match_key, seq)
    WHERE state = 'COMPLETED' AND match_key IS NOT NULL;
CREATE INDEX exchange_target ON exchange(target) WHERE state = 'COMPLETED';
"""
"""What of a store is searched, for recordings that have to be given their keys anew."""

_PAGE = 500
_BESIDE = 32
_NEEDED = frozenset({"exchange_key_rules", "exchange_keyless", "exchange_target"})

_AFTER = """SELECT seq, id, upstream FROM exchange INDEXED BY exchange_match_key
    WHERE state = 'COMPLETED' AND match_key = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT 1"""
_COUNT = """SELECT count(*) FROM exchange INDEXED BY exchange_match_key
    WHERE state = 'COMPLETED' AND match_key = ? AND seq <= ?"""
_ONE = "SELECT id, upstream, match_key FROM exchange WHERE seq = ?"
_OF_TARGET = """SELECT {what} FROM exchange INDEXED BY exchange_target
    WHERE state = 'COMPLETED' AND target = ? AND seq <= ? ORDER BY seq LIMIT ?"""
_OF_QUERIES = """SELECT {what} FROM exchange INDEXED BY exchange_target
    WHERE state = 'COMPLETED' AND target >= ? AND target < ? AND seq <= ?
    ORDER BY target, seq LIMIT ?"""
_BEFORE = """SELECT max(target) FROM exchange INDEXED BY exchange_target
    WHERE state = 'COMPLETED' AND target < ?"""
_BEHIND = """SELECT min(target) FROM exchange INDEXED BY exchange_target
    WHERE state = 'COMPLETED' AND target >= ?"""
_EVERY = """SELECT seq, id, upstream, match_key FROM exchange
    WHERE state = 'COMPLETED' AND match_key IS NOT NULL AND seq > ? AND seq <= ?
    ORDER BY seq LIMIT ?"""

_LAST = "SELECT max(seq) FROM exchange INDEXED BY exchange_state WHERE state = 'COMPLETED'"
_COUNTS = (
    """SELECT count(*) FROM exchange INDEXED BY exchange_state
    WHERE state = 'COMPLETED' AND seq <= ?""",
    """SELECT count(*) FROM exchange INDEXED BY exchange_keyless
    WHERE state = 'COMPLETED' AND match_key IS NULL AND seq <= ?""",
)
_KEYLESS = """SELECT seq, id, upstream, method, target FROM exchange INDEXED BY exchange_keyless
    WHERE state = 'COMPLETED' AND match_key IS NULL AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?"""
_STALE = """SELECT 1 FROM exchange INDEXED BY {index}
    WHERE state = 'COMPLETED' AND match_key IS NOT NULL AND {what} LIMIT 1"""
_OTHERWISE_KEYED = (
    _STALE.format(index="exchange_match_key", what="match_key < ?"),
    _STALE.format(index="exchange_match_key", what="match_key >= ?"),
    _STALE.format(index="exchange_key_rules", what="coalesce(key_rules, rules_version) < ?"),
    _STALE.format(index="exchange_key_rules", what="coalesce(key_rules, rules_version) > ?"),
)
_QUERIES = """SELECT DISTINCT target FROM exchange INDEXED BY exchange_target
    WHERE state = 'COMPLETED' AND target > ? AND instr(target, '?') ORDER BY target LIMIT ?"""


class Found(NamedTuple):
    """One recording: its turn, its exchange's id, and the base URL that it was recorded from."""

    turn: int
    id: str
    upstream: str


class Keyless(NamedTuple):
    """A completed exchange without a key, by its number in its store."""

    seq: int
    id: str
    upstream: str
    method: str
    target: str


class Store(Reader):
    """A store to search. Errors of every method: StartUpError."""

    def rows(self, statement: str, values: Sequence[Any]) -> Sequence[tuple[Any, ...]]:
        """All that a statement finds."""
        return self._all(statement, values)

    def last(self) -> int:
        """The number of the last COMPLETED exchange; 0 where there is none."""
        return int(self.rows(_LAST, ())[0][0] or 0)

    def keyed_up_to(self, last: int) -> int:
        """How many exchanges are COMPLETED and have a key, up to that number."""
        completed, keyless = (self.rows(count, (last,))[0][0] for count in _COUNTS)
        return int(completed) - int(keyless)

    def keyless(self, last: int) -> Iterator[Keyless]:
        """Those that were recorded without a key, up to that number."""
        after = 0
        while rows := self.rows(_KEYLESS, (after, last, _PAGE)):
            for row in rows:
                yield (one := Keyless(*row))
                after = one.seq

    def keys_hold(self, policy: Policy, redaction: Redaction) -> bool:
        """Whether every key in it is as it would be made now.

        As `stored_key` has it of one. Targets are looked through only where query keys are secret.
        A store that an older ordertape has written lacks the indexes that tell.
        """
        names = {
            name for (name,) in self.rows("SELECT name FROM pragma_index_list('exchange')", ())
        }
        if not names >= _NEEDED:
            return False
        beginning, version = canonical.beginning(policy.matching), policy.rules.version
        bounds = beginning, f"{beginning[:-1]};", version, version
        if any(
            self.rows(statement, (bound,))
            for statement, bound in zip(_OTHERWISE_KEYED, bounds, strict=True)
        ):
            return False
        return not redaction.hides_in_queries or not any(
            DIGEST.sub("redacted", redaction.constant_target(target))
            != DIGEST.sub("redacted", target)
            for target in self._queries()
        )

    def _queries(self) -> Iterator[str]:
        """Every different target that has a query."""
        after = ""
        while rows := self.rows(_QUERIES, (after, _PAGE)):
            for (target,) in rows:
                yield target
                after = target


class Keys:
    """Recordings by key and by path, up to number `last` of what `rows` asks.

    Turns are their numbers there and `base` more.
    """

    def __init__(self, rows: Rows, base: int, last: int) -> None:
        self._rows = rows
        self._base = base
        self._last = last

    def after(self, key: str, turn: int) -> Found | None:
        """The first recording with this key whose turn comes after that one; one index probe."""
        seq = turn - self._base
        if seq >= self._last:
            return None
        rows = self._rows(_AFTER, (key, max(0, seq), self._last))
        return Found(self._base + rows[0][0], *rows[0][1:]) if rows else None

    def recorded(self, key: str) -> int:
        """How many recordings have this key."""
        return int(self._rows(_COUNT, (key, self._last))[0][0])

    def of_turn(self, turn: int) -> tuple[str, str, str | None] | None:
        """The id, upstream and key of a recording; None where it is not in here."""
        seq = turn - self._base
        rows = self._rows(_ONE, (seq,)) if 0 < seq <= self._last else ()
        return rows[0] if rows else None

    def of_path(self, path: str, most: int) -> list[int]:
        """The turns of so many recordings of this path; those without a query come first."""
        path = stored(path)
        found = [*self._rows(_OF_TARGET.format(what="seq"), (path, self._last, most))]
        values = f"{path}?", f"{path}@", self._last, most - len(found)
        found += self._rows(_OF_QUERIES.format(what="seq"), values)
        return [self._base + seq for (seq,) in found]

    def count_of_path(self, path: str) -> int:
        """How many recordings there are of this path: as many steps as there are."""
        path = stored(path)
        plain = self._rows(_OF_TARGET.format(what="count(*)"), (path, self._last, 1))
        values = f"{path}?", f"{path}@", self._last, 1
        return int(plain[0][0]) + int(self._rows(_OF_QUERIES.format(what="count(*)"), values)[0][0])

    def method_of_path(self, path: str) -> str | None:
        """The method of one recording of this path."""
        path = stored(path)
        rows = self._rows(_OF_TARGET.format(what="method"), (path, self._last, 1)) or self._rows(
            _OF_QUERIES.format(what="method"), (f"{path}?", f"{path}@", self._last, 1)
        )
        return str(rows[0][0]) if rows else None

    def paths_beside(self, path: str) -> Iterator[str]:
        """The paths that come next, in order of their bytes, before and behind a path."""
        at: str | None = stored(path)
        for _ in range(_BESIDE):
            at = self._rows(_BEFORE, (at,))[0][0]
            if at is None:
                break
            found, mark, _ = at.partition("?")
            yield found
            at = found + mark  # before every query of that path
        at = stored(path)
        for _ in range(_BESIDE):
            at = self._rows(_BEHIND, (at,))[0][0]
            if at is None:
                break
            found, mark, _ = at.partition("?")
            yield found
            at = f"{found}@" if mark else f"{found}\1"

    def unused(self, given: Mapping[str, int]) -> Iterator[Found]:
        """Those whose turn has not come, read page by page; `given` is the last one by key."""
        after = 0
        while rows := self._rows(_EVERY, (after, self._last, _PAGE)):
            for after, ident, upstream, key in rows:
                if (turn := self._base + after) > given.get(key, 0):
                    yield Found(turn, ident, upstream)


def stored(path: str) -> str:
    """A path as a store has it: a raw one may have bytes that are no UTF-8."""
    return path if path.isascii() else path.encode("utf-8", "backslashreplace").decode()
