"""Answers from recordings. There is no client in here: nothing to call out with.

The sources are only read. A scratch index holds each recording's match key, its turn, and whether
it was used; a look-up is one probe of it, however many there are.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from email.utils import formatdate
from pathlib import Path

from ordertape import admission, canonical
from ordertape.admission import Policy
from ordertape.errors import NoRecordingError, RefusedError, StartUpError, UnknownPathError
from ordertape.model import SAFE_METHODS, Body, Headers, Kind, Message, Origin, Request, Response
from ordertape.order import Order
from ordertape.redaction import Redaction
from ordertape.store.connection import sqlite3
from ordertape.store.reading import Reader, Recorded

_INDEX = """
CREATE TABLE recording(
    turn INTEGER PRIMARY KEY, key TEXT NOT NULL, source INTEGER NOT NULL, seq INTEGER NOT NULL,
    upstream TEXT NOT NULL, used INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE path(path TEXT PRIMARY KEY) WITHOUT ROWID;
"""
_FIRST_UNUSED = """
UPDATE recording SET used = 1
WHERE turn = (SELECT min(turn) FROM recording WHERE key = ? AND used = 0)
RETURNING source, seq, upstream
"""
_LAST = "SELECT source, seq, upstream FROM recording WHERE key = ? ORDER BY turn DESC LIMIT 1"

_DIGEST = re.compile(r"ordertape:[0-9a-f]{8}:[0-9a-f]{16}")  # what redaction leaves of a secret


class Replay:
    """The recordings of one or several stores, as an upstream.

    The first request with a key gets its first recording, and so on in turn; then safe methods get
    the last one again, and others nothing. `misses` counts those that got none, by their sentence.
    """

    origin = Origin.RECORDED
    url = ""

    def __init__(
        self, sources: Sequence[Path], *, policy: Policy, redaction: Redaction, index: Path
    ) -> None:
        """Open the stores and index them into `index`, a new file. Errors: StartUpError."""
        self.misses: Counter[str] = Counter()
        with ExitStack() as opened:
            self._readers = [opened.enter_context(_reader(source)) for source in sources]
            self._index = sqlite3.connect(index, isolation_level=None)
            opened.callback(self._index.close)
            self._index.executescript(f"PRAGMA journal_mode=OFF; PRAGMA synchronous=OFF; {_INDEX}")
            self._index.execute("BEGIN")
            for number, reader in enumerate(self._readers):
                self._take_in(number, _recordings(reader, policy, redaction))
            self._index.execute("CREATE INDEX turn ON recording(key, used, turn)")
            self._index.execute("COMMIT")
            [self.count] = self._index.execute("SELECT count(*) FROM recording").fetchone()
            if not self.count:
                raise StartUpError(
                    "There is no completed exchange in the recordings, so nothing can be "
                    "answered; record some with `ordertape serve`."
                )
            self._opened = opened.pop_all()

    def _take_in(self, number: int, recordings: Iterator[tuple[Recorded, str]]) -> None:
        for recorded, key in recordings:
            self._index.execute(
                "INSERT INTO recording(key, source, seq, upstream) VALUES (?, ?, ?, ?)",
                (key, number, recorded.seq, recorded.upstream),
            )
            path = recorded.target.partition("?")[0]
            self._index.execute("INSERT OR IGNORE INTO path VALUES (?)", (path,))

    async def send(self, request: Request) -> Response:
        """The recording whose turn it is. Errors: NoRecordingError, UnknownPathError."""
        found = self._claim(request)
        answered = found and self._readers[found[0]].message(found[1], "answered")
        if found is None or answered is None or answered.truncated:
            miss = self._miss(request, claimed=found is not None, pruned=answered is None)
            self.misses[str(miss)] += 1
            raise miss
        return _response(answered, upstream=found[2])

    async def close(self) -> None:
        """Let go of the files."""
        self._opened.close()

    def _claim(self, request: Request) -> tuple[int, int, str] | None:
        for key in canonical.matched_by(request.match_key or ""):
            found: tuple[int, int, str] | None = self._index.execute(
                _FIRST_UNUSED, (key,)
            ).fetchone()
            if found is None and request.method in SAFE_METHODS:
                found = self._index.execute(_LAST, (key,)).fetchone()
            if found is not None:
                return found
        return None

    def _miss(self, request: Request, *, claimed: bool, pruned: bool) -> NoRecordingError:
        what = f"{request.method} {request.path}"
        if claimed and pruned:
            return NoRecordingError(
                f"The answer to {what} is no longer in the recordings; record it anew."
            )
        if claimed:
            return NoRecordingError(
                f"The answer to {what} was recorded only in part, because it was too large; "
                "record it anew with a higher limits.record."
            )
        if not self._index.execute("SELECT 1 FROM path WHERE path = ?", (request.path,)).fetchone():
            return UnknownPathError(
                f"There is no recording of any request to {request.path}; "
                "correct the path, or record one."
            )
        keys = list(canonical.matched_by(request.match_key or ""))
        marks = ", ".join("?" * len(keys))
        [used] = self._index.execute(
            f"SELECT count(*) FROM recording WHERE key IN ({marks})",  # noqa: S608 - marks only
            keys,
        ).fetchone()
        if used:
            return NoRecordingError(
                f"Every recording of this {what} has been used ({used} of {used}); "
                "record as many as the client sends."
            )
        return NoRecordingError(
            f"There is no recording of {what} with this query, body and credentials; "
            "send what was recorded, or record this."
        )


def _reader(source: Path) -> Reader:
    if not source.is_file():
        raise StartUpError(
            f"There is no recording {source}; name a store that `ordertape serve` has written."
        )
    return Reader(source)


def _recordings(
    reader: Reader, policy: Policy, redaction: Redaction
) -> Iterator[tuple[Recorded, str]]:
    """Each completed exchange with its key by the rules in force.

    The key that was stored is that key where rules, redaction and key version are the same.
    """
    for recorded in reader.completed():
        stored = recorded.match_key
        target = recorded.target
        if (
            stored
            and canonical.is_current(stored)
            and recorded.rules_version == policy.rules.version
            and _DIGEST.sub("redacted", target) == redaction.constant_target(target)
        ):
            yield recorded, stored
        elif (received := reader.message(recorded.seq, "received")) is not None and (
            not received.truncated
        ):
            yield recorded, _key(recorded, received, policy, redaction)


def _key(recorded: Recorded, received: Message, policy: Policy, redaction: Redaction) -> str:
    request = Request(recorded.method, recorded.target, received.headers, Body(received.body))
    order: Order | None = None
    if recorded.kind is Kind.ORDER:
        try:
            order = admission.read(request, policy)
            policy.rules.apply(order, recorded.account)
        except RefusedError:
            order = None  # the rules in force refuse it: it will never be asked for
    return admission.match_key(request, order, redaction)


def _response(answered: Message, *, upstream: str) -> Response:
    """What was recorded, with today's Date."""
    _, status, reason = (*answered.line.split(b" ", 2), b"")[:3]
    today = formatdate(usegmt=True).encode()
    headers = Headers.of(
        (name, today if name.lower() == b"date" else value) for name, value in answered.headers
    )
    return Response(int(status), reason, headers, Body(answered.body), upstream)
