"""Replay over stores of several sizes, and beside mitmproxy and WireMock, in one run.

All recordings are orders of one account, as a test suite's are. A hit is an order that was
recorded, each another one than the last; a miss has a CustomerOrderId that none has, as one that
is made anew for every test; a far miss has hardly a value that any recording has. ordertape
explains both kinds of miss, and so does WireMock; mitmproxy logs a line.

Every process answers the same bytes to the same client. They take turns (A B C, C B A), so that
every ratio is of neighbouring turns; a figure is the median of its rounds. A peer that takes
seconds for an answer is asked once a turn on each connection, and not on so many that this alone
would pass --patience.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from pathlib import Path

import uvloop
from asking import ANSWER_WITHIN, ASKS, Asked, answers, asking, recorded
from orders import cpu_seconds, peak_mib, percentile
from peers import PEERS, TARGET, UnavailableError, listening

from ordertape.build import importing
from ordertape.cassette.interaction import Interaction
from ordertape.config import Settings
from ordertape.model import Headers

IDLE_WITHIN = 900  # seconds, for comparing a million recordings
SLOW = 1.0  # seconds for an answer
CORES = os.cpu_count() or 1
BARS = {"mitmproxy": 5, "WireMock": 100}  # hits of ordertape over theirs
ORDERTAPE = str(Path(sys.executable).parent / "ordertape")


@dataclass
class Subject:
    """A process that answers from recordings, and what was measured of it."""

    case: str
    recordings: int
    missed: int
    port: int = 0
    pid: int = 0
    facts: dict[str, object] = field(default_factory=dict)
    figures: dict[tuple[int, str], dict[int, dict[str, float]]] = field(default_factory=dict)
    spent: dict[tuple[int, str], float] = field(default_factory=dict)
    latest: dict[str, float] = field(default_factory=dict)  # seconds that an answer took
    turns: Iterator[int] = field(default_factory=itertools.count)

    def asked(self, ask: str) -> Iterator[Asked]:
        return (ASKS[ask](turn, self.recordings) for turn in self.turns)

    def status(self, ask: str) -> int:
        return 201 if ask == "hit" else self.missed

    def say(self) -> dict[str, object]:
        return {"case": self.case, "recordings": self.recordings, **self.facts}


def fill(folder: Path, recordings: int) -> None:
    """A store of them, in the way that `ordertape cassette import` goes."""
    print(f"Writing {recordings} recordings…", file=sys.stderr)
    settings = Settings.model_validate({"sandbox": True, "db": folder / "ordertape.db"})
    importing(settings, map(interaction, range(recordings)), ())


def interaction(number: int) -> Interaction:
    one = recorded(number)
    sent, headers = (
        Headers.of((name.encode(), value.encode()) for name, value in pairs)
        for pairs in (one.sent, one.headers)
    )
    url = f"http://service.example{TARGET}"
    return Interaction("POST", url, sent, one.order, 201, b"Created", headers, one.answer)


def begun(subject: Subject, command: Callable[[int], Sequence[str]], folder: Path) -> ExitStack:
    """The process, once it has answered a hit and a miss and has nothing left to do.

    Errors: UnavailableError, RuntimeError, TimeoutError.
    """
    print(f"Starting {subject.case} with {subject.recordings} recordings…", file=sys.stderr)
    with ExitStack() as stack:
        since = time.perf_counter()
        subject.port, subject.pid = stack.enter_context(listening(command, folder))
        subject.facts["start s"] = round(time.perf_counter() - since, 2)
        for ask in ("hit", "miss"):
            _, [took] = measured(subject, 1, ask, 0)
            subject.latest[ask] = took
            subject.facts[f"first {ask} ms"] = round(took * 1000, 1)
        since = time.perf_counter()
        until_idle(subject.pid)
        subject.facts["at rest after s"] = round(time.perf_counter() - since, 1)
        return stack.pop_all()


def until_idle(pid: int) -> None:
    """What a first miss sets going, as comparing all recordings, goes on behind the answers."""
    until = time.monotonic() + IDLE_WITHIN
    before = -1.0
    while time.monotonic() < until and (now := cpu_seconds(pid)) - before > 0.05:
        before = now
        time.sleep(0.5)


def measured(
    subject: Subject, connections: int, ask: str, seconds: float
) -> tuple[float, list[float]]:
    """Answers per second and their latencies. Errors: RuntimeError, TimeoutError, OSError."""
    client = asking(subject.asked(ask), subject.status(ask))
    return uvloop.run(answers(subject.port, connections, seconds, client))


def one_turn(one: Subject, number: int, connections: int, asked: argparse.Namespace) -> None:
    """Every kind of request, but for those that one has no time for."""
    for ask in ASKS:
        if one.case != "ordertape" and not has_time(one, number, connections, ask, asked.patience):
            continue
        began, before = time.perf_counter(), cpu_seconds(one.pid)
        rate, took = measured(one, connections, ask, asked.seconds)
        spent = cpu_seconds(one.pid) - before
        of = connections, ask
        one.latest[ask] = connections / rate
        one.spent[of] = one.spent.get(of, 0.0) + time.perf_counter() - began
        if number:  # the first round warms up
            one.figures.setdefault(of, {})[number] = {
                "per second": rate,
                "p50 ms": percentile(took, 0.5) * 1000,
                "p99 ms": percentile(took, 0.99) * 1000,
                "cpu us": spent / len(took) * 1e6,
                "requests": len(took),
            }


def has_time(one: Subject, number: int, connections: int, ask: str, patience: float) -> bool:
    latest = one.latest.get(ask, one.latest["miss"])
    if not number:  # what takes seconds has been warmed up by its start
        return latest < SLOW
    needs = max(1, connections // CORES) * latest if latest > SLOW else 0.0
    return one.spent.get((connections, ask), 0.0) + needs < patience


def rounds_of(subjects: Sequence[Subject], asked: argparse.Namespace) -> None:
    for connections in asked.connections:
        for number in range(asked.rounds + 1):
            print(f"Round {number}, connections: {connections}…", file=sys.stderr)
            for one in subjects[:: 1 if number % 2 else -1]:
                if "not available" in one.facts:
                    continue
                try:
                    one_turn(one, number, connections, asked)
                except (RuntimeError, TimeoutError, OSError) as error:
                    if one.case == "ordertape":
                        raise
                    unavailable(one, error)


def unavailable(peer: Subject, error: Exception) -> None:
    reason = str(error) or f"no answer within {ANSWER_WITHIN} s"
    peer.facts["not available"] = reason
    print(f"{peer.case} is not available: {reason}.", file=sys.stderr)


def against(figure: str, over: Subject, under: Subject, of: tuple[int, str]) -> float:
    """The median of one's figure over another's, round by round."""
    rounds, others = over.figures.get(of, {}), under.figures.get(of, {})
    both = [number for number in rounds if number in others]
    if not both:
        return math.nan
    return statistics.median(rounds[n][figure] / others[n][figure] for n in both)


def rows_of(subjects: Sequence[Subject], sizes: Sequence[int], at: int) -> list[dict[str, object]]:
    """A row for each case, number of connections and kind of request.

    `time x` and `p50 x` are a size's over the smallest's; `ordertape x` is ordertape's answers per
    second over a peer's.
    """
    smallest = next(one for one in subjects if one.recordings == sizes[0])
    beside = next(one for one in subjects if (one.case, one.recordings) == ("ordertape", at))
    rows = []
    for of in dict.fromkeys(of for one in subjects for of in one.figures):
        for one in subjects:
            rounds = one.figures.get(of)
            row: dict[str, object] = {"connections": of[0], "ask": of[1], **_named(one)}
            if not rounds:
                row["left out"] = one.facts.get("not available", "passes --patience")
                rows.append(row)
                continue
            for figure in ("per second", "p50 ms", "p99 ms", "cpu us"):
                row[figure] = round(statistics.median(r[figure] for r in rounds.values()), 2)
            row["rounds"] = len(rounds)
            row["requests"] = round(sum(r["requests"] for r in rounds.values()))
            if one.case == "ordertape":
                row[f"time x {sizes[0]}"] = round(against("per second", smallest, one, of), 2)
                row[f"p50 x {sizes[0]}"] = round(against("p50 ms", one, smallest, of), 2)
            else:
                row["ordertape x"] = round(against("per second", beside, one, of), 1)
            rows.append(row)
    return rows


def _named(one: Subject) -> dict[str, object]:
    return {"case": one.case, "recordings": one.recordings}


def bars_of(subjects: Sequence[Subject], asked: argparse.Namespace) -> list[dict[str, object]]:
    """What is asked of replay, and what was seen; of several numbers of connections the worst."""
    sizes, at = asked.sizes, asked.peers_at
    ours = {one.recordings: one for one in subjects if one.case == "ordertape"}
    most = ours[sizes[-1]]
    bars: list[dict[str, object]] = []
    for ask in ("hit", "miss"):
        seen = (against("per second", ours[sizes[0]], most, (n, ask)) for n in asked.connections)
        what = f"time of a {ask} at {sizes[-1]}, x {sizes[0]}"
        bars.append({"what": what, "bar": "at most 2", "seen": round(max(seen), 2)})
    what = f"peak MiB at {sizes[-1]}"
    bars.append({"what": what, "bar": "under 200", "seen": most.facts["peak MiB"]})
    for one in subjects:
        if one.case not in BARS:
            continue
        for ask in ASKS:
            seen = [against("per second", ours[at], one, (n, ask)) for n in asked.connections]
            known = [value for value in seen if not math.isnan(value)]
            bar = f"at least {BARS[one.case]}" if ask == "hit" else ""
            shown = round(min(known), 1) if known else one.facts.get("not available", "")
            what = f"answers to a {ask} at {at}, x {one.case}"
            bars.append({"what": what, "bar": bar, "seen": shown})
    return bars


def table(rows: Sequence[Mapping[str, object]]) -> str:
    columns = list(dict.fromkeys(name for row in rows for name in row))
    lines = [columns, *([str(row.get(name, "")) for name in columns] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if re.match(r"[\d.]*$", cell) else cell.ljust(width)
            for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--seconds", type=float, default=1)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 8])
    parser.add_argument(
        "--sizes",
        type=int,
        nargs="+",
        default=[100, 10_000, 100_000],
        help="recordings; 1000000 takes a quarter of an hour to write",
    )
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--peers-at", type=int, default=10_000, help="recordings of the peers")
    parser.add_argument(
        "--patience",
        type=float,
        default=60,
        help="seconds for each kind of request and number of connections of a peer",
    )
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    asked.sizes = sorted({*asked.sizes, *([asked.peers_at] if asked.peers else [])})
    return asked


def run(asked: argparse.Namespace) -> list[Subject]:
    subjects = []
    with tempfile.TemporaryDirectory() as temporary, ExitStack() as stack:
        for size in asked.sizes:
            folder = Path(temporary) / str(size)
            folder.mkdir()
            fill(folder, size)
            subjects.append(ours := Subject("ordertape", size, 409))
            stack.enter_context(begun(ours, serve, folder))
        for name in asked.peers:
            folder = Path(temporary) / name
            folder.mkdir()
            subjects.append(peer := Subject(name, asked.peers_at, 404))
            try:
                program = PEERS[name]()
                peer.facts["version"] = program.version
                program.write(folder, map(recorded, range(asked.peers_at)))
                stack.enter_context(begun(peer, program.command, folder))
            except (UnavailableError, RuntimeError, TimeoutError, OSError) as error:
                unavailable(peer, error)
        rounds_of(subjects, asked)
        for one in subjects:
            if one.pid:
                with suppress(OSError):
                    one.facts["peak MiB"] = round(peak_mib(one.pid))
    return subjects


def serve(port: int) -> Sequence[str]:
    """POSTs repeat, since a small store is gone round many times."""
    listen = ("--listen", f"127.0.0.1:{port}", "--repeat", "loop")
    return (ORDERTAPE, "replay", "ordertape.db", *listen)


def main() -> None:
    asked = arguments()
    subjects = run(asked)
    rows = rows_of(subjects, asked.sizes, asked.peers_at if asked.peers else asked.sizes[0])
    processes = [one.say() for one in subjects]
    bars = bars_of(subjects, asked)
    if asked.json:
        print(json.dumps({"processes": processes, "rows": rows, "bars": bars}))
        return
    print(table(processes), table(rows), table(bars), sep="\n\n")


if __name__ == "__main__":
    main()
