"""The recording that is nearest to a request which found none, in bounded time.

Only recordings of the request's own path are read, or of the nearest paths where nothing was
recorded of that one. They are put into an index of their fields when the first request of that
path misses, piece by piece, beside whatever is answered meanwhile.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice
from pathlib import Path

import structlog

from ordertape.errors import StartUpError
from ordertape.explaining import Comparison, Seen, path_distance
from ordertape.matching import Matching
from ordertape.store.connection import sqlite3
from ordertape.upstream.replay.keys import Keys, stored
from ordertape.upstream.replay.nearest import Near

__all__ = ["MOST_OF_A_PATH", "Likeness", "Likest"]

MOST_OF_A_PATH = 100_000
"""Recordings of one path that are looked at; the first ones."""

_MOST_HELD = 200_000
_AT_ONCE = 4  # recordings that are read while nobody can ask
_PATIENCE = 1.0  # seconds
_PAUSE = 0.005  # seconds
_MOST_COMPARED = 4
_MOST_PATHS = 3
_AS_NEAR_AS_CAN_BE = (0, 0, 0, 1)  # what differs in nothing is no miss

_log = structlog.get_logger("ordertape.replay")


@dataclass(frozen=True, slots=True)
class Likest:
    """The turn of the nearest recording, and how it compares.

    Of the paths in question `unread` recordings have not been looked at yet, and `beyond` will not.
    """

    turn: int
    comparison: Comparison
    unread: int
    beyond: int


@dataclass(slots=True)
class _Looked:
    """How far the recordings of one path have been looked at."""

    until: float
    total: int = 0
    most: int = 0
    done: int = 0
    first: list[int] = field(default_factory=list)
    task: asyncio.Task[None] | None = None


class Likeness:
    """What comes nearest, among recordings that `keys` knows of and `recorded` reads by turn."""

    def __init__(
        self,
        keys: Sequence[Keys],
        recorded: Callable[[int], Seen | None],
        matching: Matching,
        folder: Path,
    ) -> None:
        self._keys = keys
        self._recorded = recorded
        self._matching = matching
        self._folder = folder
        self._near: Near | None = None
        self._looked: dict[str, _Looked] = {}
        self._one_at_a_time = asyncio.Lock()
        self._closing = False
        self._busy = False

    async def close(self) -> None:
        """Stop looking."""
        self._closing = True
        tasks = [looked.task for looked in self._looked.values() if looked.task is not None]
        if tasks:
            await asyncio.wait(tasks)
        if self._near is not None:
            self._near.close()

    def give_way(self) -> None:
        """Note that somebody is being answered, who goes first."""
        self._busy = True

    async def likest(self, asked: Seen) -> Likest | None:
        """The recording that differs from a request in the fewest fields, if there is any.

        The first question about a path waits for a second, later ones for no more than that: what
        is told then is told of the recordings that have been looked at.
        """
        if self._near is None:
            self._near = Near(self._folder / "near.db", self._matching)
        path = stored(asked.path)
        paths = [path] if self.knows(path) else await asyncio.to_thread(self._beside, path, asked)
        looked = [self._begun(self._near, path) for path in paths]
        now = asyncio.get_running_loop().time()
        waited = max((one.until for one in looked), default=now) - now
        tasks = [one.task for one in looked if one.task is not None and not one.task.done()]
        if tasks and waited > 0:
            await asyncio.wait(tasks, timeout=waited)
        async with self._one_at_a_time:
            found = await asyncio.to_thread(self._compared, self._near, asked, paths, looked)
        for path, one in zip(paths, looked, strict=True):
            if one.task is None and one.most <= _MOST_COMPARED:
                self._looked.pop(path, None)  # as soon looked up as remembered
        if found is None:
            return None
        unread = sum(one.most - one.done for one in looked)
        return Likest(*found, unread, sum(one.total - one.most for one in looked))

    def knows(self, path: str) -> bool:
        """Whether anything was recorded of this path, raw."""
        return any(keys.of_path(path, 1) for keys in self._keys)

    def _beside(self, path: str, asked: Seen) -> Sequence[str]:
        """Of the paths that were recorded those that differ in the fewest segments, as stored."""
        found = dict.fromkeys(beside for keys in self._keys for beside in keys.paths_beside(path))
        found |= dict.fromkeys(
            other for other in dict.fromkeys(_spliced(found, path)) if self.knows(other)
        )
        nearest = sorted(found, key=lambda other: path_distance(other, path))[: 2 * _MOST_PATHS]
        return sorted(nearest, key=lambda other: asked.method != self._method(other))[:_MOST_PATHS]

    def _method(self, path: str) -> str | None:
        return next(filter(None, (keys.method_of_path(path) for keys in self._keys)), None)

    def _begun(self, near: Near, path: str) -> _Looked:
        """What is known of a path; where it is new, its recordings begin to be looked at."""
        looked = self._looked.get(path)
        if looked is None:
            until = asyncio.get_running_loop().time() + _PATIENCE
            self._looked[path] = looked = _Looked(until)
            looked.task = asyncio.create_task(self._fill(near, path, looked))
        return looked

    async def _fill(self, near: Near, path: str, looked: _Looked) -> None:
        try:
            turns = await asyncio.to_thread(self._turns, near, path, looked)
            for at in range(0, len(turns), _AT_ONCE):
                async with self._one_at_a_time:
                    if self._closing:
                        return
                    await asyncio.to_thread(self._put, near, turns[at : at + _AT_ONCE])
                looked.done = min(looked.most, at + _AT_ONCE)
                if self._busy:
                    self._busy = False
                    await asyncio.sleep(_PAUSE)
        except (StartUpError, sqlite3.Error) as error:
            looked.most = looked.done
            _log.error("recordings-not-compared", path=path, reason=str(error))
        finally:
            looked.task = None

    def _turns(self, near: Near, path: str, looked: _Looked) -> Sequence[int]:
        """Those that are to be put into the index; a few are compared without."""
        room = max(_MOST_COMPARED, min(MOST_OF_A_PATH, _MOST_HELD - near.count))
        found: dict[int, None] = {}
        for keys in self._keys:
            found |= dict.fromkeys(keys.of_path(path, room - len(found)))
        looked.first = list(islice(found, _MOST_COMPARED))
        looked.most = looked.total = len(found)
        if looked.most == room:
            looked.total = max(room, sum(keys.count_of_path(path) for keys in self._keys))
        if looked.most <= _MOST_COMPARED:
            looked.done = looked.most
            return ()
        return list(found)

    def _put(self, near: Near, turns: Sequence[int]) -> None:
        seen = ((turn, self._recorded(turn)) for turn in turns)
        near.fill((turn, one) for turn, one in seen if one is not None)

    def _compared(
        self, near: Near, asked: Seen, paths: Sequence[str], looked: Sequence[_Looked]
    ) -> tuple[int, Comparison] | None:
        ranked: list[tuple[tuple[int, ...], int, Comparison]] = []
        for turn in _worth_comparing(near, asked, paths, looked):
            seen = self._recorded(turn)
            if seen is None:
                continue
            comparison = Comparison(seen, asked, self._matching)
            ranked.append((comparison.distance, turn, comparison))
            if comparison.distance <= _AS_NEAR_AS_CAN_BE:
                break
        if not ranked:
            return None
        _, turn, comparison = min(ranked, key=lambda one: one[:2])
        return turn, comparison


def _worth_comparing(
    near: Near, asked: Seen, paths: Sequence[str], looked: Sequence[_Looked]
) -> Iterator[int]:
    """Of each path as many as of any other, the likeliest first."""
    for path, of_path in zip(paths, looked, strict=True):
        target = path + asked.target[len(asked.path) :]
        alike = Seen(asked.method, target, asked.headers, asked.body, asked.order)
        indexed = of_path.most > _MOST_COMPARED
        likely = chain(near.worth_comparing(alike) if indexed else (), of_path.first)
        yield from islice(_once(likely), _MOST_COMPARED // len(paths))


def _spliced(paths: Iterable[str], asked: str) -> Iterator[str]:
    """The path that was asked, with the first segment in which each of these differs from it."""
    wanted = asked.split("/")
    for path in paths:
        for at, (one, other) in enumerate(zip(path.split("/"), wanted, strict=False)):
            if one != other:
                yield "/".join((*wanted[:at], one, *wanted[at + 1 :]))
                break


def _once(turns: Iterable[int]) -> Iterator[int]:
    seen: set[int] = set()
    for turn in turns:
        if turn not in seen:
            seen.add(turn)
            yield turn
