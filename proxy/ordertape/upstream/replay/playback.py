"""Whose turn it is: first in, first out, and what then; one request after the other.

Many playbacks share the recordings; each keeps its own place in every sequence, its misses, and
what it has used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from email.utils import formatdate
from typing import Literal, TypeAlias

import structlog

from ordertape import canonical
from ordertape.errors import NoRecordingError, UnknownPathError
from ordertape.explaining import Nearest
from ordertape.model import SAFE_METHODS, Body, Headers, Message, Origin, Request, Response
from ordertape.upstream.replay.recordings import Recordings, Slot

__all__ = ["MOST_MISSES", "Playback", "Repeat"]

Repeat: TypeAlias = Literal["last", "loop", "error"]
"""What becomes of a sequence at its end: its last answer again, the first again, or a miss."""

MOST_MISSES = 1000
"""Different misses that are told apart; further ones are counted together."""

_OTHERS = "Other requests had no recording either; the log names them."

_log = structlog.get_logger("ordertape.replay")


class Playback:
    """The recordings of some sources, as an upstream.

    The first request with a key gets its first recording, and so on in turn; then `repeat` says
    what: None is `last` for safe methods and `error` for others. `misses` counts those that got
    none, by what was told of them: a sentence, and its explanation on further lines.
    """

    origin = Origin.RECORDED
    url = ""

    def __init__(self, recordings: Recordings, *, repeat: Repeat | None = None) -> None:
        self.misses: Counter[str] = Counter()
        self._recordings = recordings
        self._repeat = repeat
        self._turns: dict[str, int] = {}  # by key, that of the recording that was given last
        self._furthest: dict[str, int] = {}  # by key, the last one that was ever given
        self._given: Counter[str] = Counter()

    def __repr__(self) -> str:
        given, missed = self._given.total(), self.misses.total()
        return f"<Playback of {self._recordings}, {given} answers given, {missed} missed>"

    def holds(self, request: Request) -> bool:
        """Whether this request was ever recorded, however often it has been answered since."""
        known = canonical.matched_by(self._recordings.key(request))
        return any(self._recordings.after(key, 0) is not None for key in known)

    async def send(self, request: Request) -> Response:
        """The recording whose turn it is. Errors: NoRecordingError, UnknownPathError."""
        key = self._recordings.key(request)
        slot = self.take(key, safe=request.method in SAFE_METHODS)
        if slot is None:
            raise self._counted(await self.miss(request, key), request)
        answered = self._recordings.answered(slot)
        if answered is None or answered.truncated:
            raise self._counted(_not_kept(request, answered), request)
        return _response(answered, upstream=slot.upstream)

    async def close(self) -> None:
        """Nothing: the recordings are not ours."""

    def take(self, key: str, *, safe: bool) -> Slot | None:
        """The recording that a request with this key is answered from; its turn is then over."""
        for known in canonical.matched_by(key):
            slot = self._recordings.after(known, self._turns.get(known, 0))
            if slot is None and known in self._turns:
                slot = self._again(known, safe=safe)
            if slot is not None:
                self._turns[known] = slot.turn
                self._furthest[known] = max(slot.turn, self._furthest.get(known, 0))
                self._given[known] += 1
                return slot
        return None

    def unused(self) -> Iterator[str]:
        """The names of the recordings that no request has asked for, in turn."""
        return self._recordings.unused(self._furthest)

    @staticmethod
    def furthest(playbacks: Iterable[Playback]) -> Mapping[str, int]:
        """By key the last turn that any of these has given."""
        found: dict[str, int] = {}
        for playback in playbacks:
            for key, turn in playback._furthest.items():  # noqa: SLF001 - one of our own kind
                found[key] = max(turn, found.get(key, 0))
        return found

    def _again(self, key: str, *, safe: bool) -> Slot | None:
        """What comes behind the end of a sequence."""
        repeat = self._repeat or ("last" if safe else "error")
        if repeat == "error":
            return None
        return self._recordings.after(key, self._turns[key] - 1 if repeat == "last" else 0)

    async def miss(self, request: Request, key: str) -> NoRecordingError:
        """Why there is nothing to take for this request, which has this key."""
        what = f"{request.method} {request.path}"
        keys = [known for known in canonical.matched_by(key) if known in self._turns]
        if keys:
            used = sum(map(self._recordings.recorded, keys))
            return NoRecordingError(
                f"Every recording of this {what} has been used ({used} of {used}); "
                "record as many as the client sends.",
                told=("With --repeat last or --repeat loop it would be answered again.",),
                exhausted=True,
            )
        nearest = await self._nearest(request)
        told = () if nearest is None else nearest.sentences()
        facts = None if nearest is None else nearest.facts()
        if not self._recordings.knows(request.path):
            return UnknownPathError(
                f"There is no recording of any request to {request.path}; "
                "correct the path, or record one.",
                told=told,
                facts=facts,
            )
        return NoRecordingError(
            f"There is no recording of {what} with this query, body and credentials; "
            "send what was recorded, or record this.",
            told=told,
            facts=facts,
        )

    async def _nearest(self, request: Request) -> Nearest | None:
        found = await self._recordings.nearest(request)
        if found is None:
            return None
        recorded = self._recordings.recorded(found.key)
        used = min(self._given[found.key], recorded)
        unlooked = max(0, found.unread), found.beyond
        return found.comparison.nearest(found.name, used, recorded, *unlooked)

    def _counted(self, miss: NoRecordingError, request: Request) -> NoRecordingError:
        """The miss, noted and logged."""
        text = "\n".join((str(miss), *miss.told))
        if text not in self.misses and len(self.misses) >= MOST_MISSES:
            text = _OTHERS
        self.misses[text] += 1
        session = {"session": request.session} if request.session else {}
        _log.warning("missed", reason=str(miss), explanation=list(miss.told), **session)
        return miss


def _not_kept(request: Request, answered: Message | None) -> NoRecordingError:
    what = f"{request.method} {request.path}"
    if answered is None:
        return NoRecordingError(
            f"The answer to {what} is no longer in the recordings; record it anew."
        )
    return NoRecordingError(
        f"The answer to {what} was recorded only in part, because it was too large; "
        "record it anew with a higher limits.record."
    )


def _response(answered: Message, *, upstream: str) -> Response:
    """What was recorded, with today's Date."""
    _, status, reason = (*answered.line.split(b" ", 2), b"")[:3]
    today = formatdate(usegmt=True).encode()
    headers = Headers.of(
        (name, today if name.lower() == b"date" else value) for name, value in answered.headers
    )
    return Response(int(status), reason, headers, Body(answered.body), upstream)
