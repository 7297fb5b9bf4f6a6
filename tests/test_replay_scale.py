"""However many recordings there are, a look-up is a probe, and few are compared with a miss."""

import contextlib
import itertools
import random
import sqlite3
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ordertape.build import recorded
from ordertape.config import Settings
from ordertape.explaining import Comparison, Seen
from ordertape.matching import DEFAULT
from ordertape.model import Headers
from ordertape.order import read_order
from ordertape.testing import reply
from ordertape.upstream.replay import Playback
from ordertape.upstream.replay.nearest import Near
from replayed import get, record

XML = (b"Content-Type", b"application/xml")
_MANY = """
WITH RECURSIVE n(n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM n WHERE n < {count})
INSERT INTO {table} SELECT {columns} FROM {table} t, n WHERE {first} = 1
"""


def multiply(db: Path, count: int) -> None:
    """Make so many of the one recording there, each with a key of its own."""
    made = {"seq": "n", "id": "'copy-' || n", "exchange": "n", "match_key": "'2:anonymous:' || n"}
    with contextlib.closing(sqlite3.connect(db)) as connection, connection:
        for table, first in (("exchange", "seq"), ("message", "exchange")):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            columns = ", ".join(made.get(name, name) for name in names)
            statement = _MANY.format(count=count, table=table, columns=columns, first=first)
            connection.execute(statement)


def fastest(look_ups: Sequence[Callable[[], object]]) -> list[float]:
    """Seconds that each of these takes where nothing else holds it up; they take turns."""
    times: list[list[float]] = [[] for _ in look_ups]
    for _ in range(40):
        for look_up, taken in zip(look_ups, times, strict=True):
            started = time.perf_counter()
            look_up()
            taken.append(time.perf_counter() - started)
    return [min(taken) for taken in times]


async def test_a_hit_and_a_miss_take_as_long_among_thousands_as_among_a_hundred(
    tmp_path: Path, *, long: bool
) -> None:
    look_ups: list[Callable[[], object]] = []
    async with contextlib.AsyncExitStack() as opened:
        for count in (100, 100_000 if long else 20_000):
            db = await record(tmp_path / str(count), (get(), reply(200, b"found")))
            multiply(db, count)
            recordings = await opened.enter_async_context(recorded(Settings(), [db]))
            assert recordings.count == count
            numbers = random.Random(count).choices(range(2, count + 1), k=200)  # noqa: S311
            for beyond in ("", "x"):
                keys = [f"2:anonymous:{number}{beyond}" for number in numbers]
                look_ups.append(partial(look_all_up, Playback(recordings, repeat="last"), keys))
        few_hits, few_misses, hits, misses = fastest(look_ups)
    assert hits < 2 * few_hits
    assert misses < 2 * few_misses


def look_all_up(playback: Playback, keys: Sequence[str]) -> None:
    found = [playback.take(key, safe=True) is not None for key in keys]
    assert set(found) == {not keys[0].endswith("x")}


def seen(values: Sequence[int]) -> Seen:
    fields = "".join(f"<F{at}>{value}</F{at}>" for at, value in enumerate(values))
    body = f"<Order>{fields}</Order>".encode()
    return Seen("POST", "/accounts/1/orders", Headers((XML,)), body, read_order(body, XML[1]))


def test_the_nearest_of_thousands_is_among_the_few_that_are_compared(tmp_path: Path) -> None:
    """Also where every single field is shared by hundreds, and no two share all."""
    recordings = [
        (values[0] * 10_000 + number, seen(values))
        for number, values in enumerate(itertools.product(range(8), range(9), range(7), range(6)))
    ]
    near = Near(tmp_path / "near.db", DEFAULT)
    near.fill(iter(recordings))
    assert near.count == len(recordings) == 3024
    by_turn = dict(recordings)
    dice = random.Random(7)  # noqa: S311
    for changed in (1, 1, 2, 2, 2, 3):
        values = [dice.randrange(6) for _ in range(4)]
        for at in dice.sample(range(4), changed):
            values[at] = 99
        asked = seen(values)
        compared = list(itertools.islice(dict.fromkeys(near.worth_comparing(asked)), 8))
        best = min(Comparison(by_turn[turn], asked, DEFAULT).distance for turn in compared)
        assert best == (0, 0, 0, changed)
    near.close()


def test_what_differs_in_one_field_is_compared_first(tmp_path: Path) -> None:
    near = Near(tmp_path / "near.db", DEFAULT)
    near.fill((turn, seen([turn, turn % 2, 1])) for turn in range(1, 3000))
    for asked, turn in (([2000, 7, 1], 2000), ([1501, 1], 1501), ([1501, 1, 1, 5], 1501)):
        assert next(near.worth_comparing(seen(asked))) == turn
    near.close()
