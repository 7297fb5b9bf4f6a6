"""However many recordings there are, a look-up is a probe, and few are compared with a miss."""

import contextlib
import itertools
import random
import tempfile
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from ordertape.admission import Policy
from ordertape.build import recorded
from ordertape.config import Settings
from ordertape.explaining import Comparison, Seen
from ordertape.matching import DEFAULT
from ordertape.model import Headers
from ordertape.order import read_order
from ordertape.rule import RuleSet
from ordertape.store.connection import sqlite3
from ordertape.testing import reply
from ordertape.upstream.replay import Playback, Recordings
from ordertape.upstream.replay.keys import INDEX, Keys
from ordertape.upstream.replay.likeness import Likeness
from ordertape.upstream.replay.nearest import Near
from replayed import get, record
from storable import POLICY, REDACTION

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


async def test_a_store_whose_keys_hold_is_searched_in_place(tmp_path: Path) -> None:
    """Nothing of it is taken into the index that other stores are put into."""
    db = await record(tmp_path, (get(), reply(200, b"found")))
    multiply(db, 500)
    assert await taken_in(db, tmp_path / "in place", POLICY) == (500, 0)
    assert await taken_in(db, tmp_path / "made anew", Policy(RuleSet(()))) == (500, 500)


async def taken_in(db: Path, folder: Path, policy: Policy) -> tuple[int, int]:
    """How many recordings there are, and how many of them were read before any was asked for."""
    folder.mkdir()  # noqa: ASYNC240 - of a test
    recordings = Recordings([db], policy=policy, redaction=REDACTION, folder=folder)
    with contextlib.closing(sqlite3.connect(folder / "index.db")) as index:
        [read] = index.execute("SELECT count(*) FROM exchange").fetchone()
    await recordings.close()
    return recordings.count, read


def test_whatever_is_looked_up_is_searched_for_in_an_index(tmp_path: Path) -> None:
    asked: list[tuple[str, Sequence[object]]] = []
    with contextlib.closing(sqlite3.connect(tmp_path / "keys.db")) as connection:
        connection.executescript(INDEX)

        def rows(statement: str, values: Sequence[object]) -> Sequence[tuple[object, ...]]:
            asked.append((statement, values))
            return connection.execute(statement, values).fetchall()

        keys = Keys(rows, base=10, last=90)
        keys.after("key", 20)
        keys.recorded("key")
        keys.of_turn(20)
        keys.of_path("/a", 5)
        keys.method_of_path("/a")
        list(keys.paths_beside("/a"))
        assert len({statement for statement, _ in asked}) >= 8
        for statement, values in asked:
            plan = connection.execute(f"EXPLAIN QUERY PLAN {statement}", values).fetchall()
            assert [step[3] for step in plan if step[3].startswith("SCAN")] == [], statement


async def test_a_miss_has_as_few_recordings_read_among_thousands(tmp_path: Path) -> None:
    few, many = [await read_for_a_miss(tmp_path, count) for count in (50, 3000)]
    assert few == many
    assert 0 < many <= 4


async def read_for_a_miss(folder: Path, count: int) -> int:
    """How many recordings are read for a second miss: the first has had all of them looked at."""
    with contextlib.closing(sqlite3.connect(":memory:", check_same_thread=False)) as made:
        made.executescript(INDEX)
        made.executemany(
            "INSERT INTO exchange (seq, id, upstream, method, target, match_key)"
            " VALUES (?, ?, 'http://service.example', 'POST', '/accounts/1/orders', ?)",
            ((seq, f"id-{seq}", f"key-{seq}") for seq in range(1, count + 1)),
        )
        reads: list[int] = []

        def one(turn: int) -> Seen:
            reads.append(turn)
            return seen([turn, turn % 7, 1])

        keys = Keys(lambda *asked: made.execute(*asked).fetchall(), base=0, last=count)
        likeness = Likeness([keys], one, DEFAULT, Path(tempfile.mkdtemp(dir=folder)))
        while (first := await likeness.likest(seen([count + 1, 3, 2]))) and first.unread:
            pass
        reads.clear()
        second = await likeness.likest(seen([count + 2, 4, 2]))
        assert second is not None
        await likeness.close()
    return len(reads)
