"""Several playbacks side by side, told apart by the session that a request names.

So tests that run at once against one server do not use up each other's recordings.
"""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from ordertape.admission import Policy
from ordertape.errors import StartUpError
from ordertape.matching import Matching
from ordertape.model import Origin, Request, Response
from ordertape.redaction import Redaction
from ordertape.upstream.replay.playback import Playback, Repeat
from ordertape.upstream.replay.recordings import Recordings

__all__ = ["Sessions"]


class Sessions:
    """One playback a session, as an upstream; "" is the session of requests that name none.

    A session that was not opened has the recordings of all, and its own place in them.
    """

    origin = Origin.RECORDED
    url = ""

    def __init__(
        self,
        sources: Sequence[Path],
        *,
        policy: Policy,
        redaction: Redaction,
        folder: Path,
        repeat: Repeat | None = None,
    ) -> None:
        """Index the sources in `folder`, where sessions of their own get theirs too.

        Errors: StartUpError, also where there are sources and nothing in them can be answered.
        """
        self._policy = policy
        self._redaction = redaction
        self._folder = folder
        self._repeat = repeat
        self._recordings = Recordings(sources, policy=policy, redaction=redaction, folder=folder)
        self._playbacks: dict[str, Playback] = {}
        self._own: dict[str, Recordings] = {}
        if sources and not self.count:
            self._recordings.discard()
            raise StartUpError(
                "There is no completed exchange in the recordings, so nothing can be "
                "answered; record some with `ordertape serve`."
            )

    def __repr__(self) -> str:
        return f"<Sessions {sorted(self._playbacks)} over {self._recordings}>"

    @property
    def count(self) -> int:
        """How many recordings every session has."""
        count: int = self._recordings.count
        return count

    @property
    def misses(self) -> Counter[str]:
        """What was told of each miss of the sessions that are open, and how often."""
        return sum((playback.misses for playback in self._playbacks.values()), Counter())

    def unused(self) -> Iterator[str]:
        """The names of the recordings of all that no session has asked for."""
        shared = [one for name, one in self._playbacks.items() if name not in self._own]
        return self._recordings.unused(Playback.furthest(shared))

    async def send(self, request: Request) -> Response:
        """What the session has for the request. Errors: as `Playback.send`."""
        return await self.session(request.session).send(request)

    async def close(self) -> None:
        """Let go of the files."""
        for name in list(self._own):
            await self.end(name)
        await self._recordings.close()

    def session(self, name: str) -> Playback:
        """The playback of this session, begun where it is not there yet."""
        playback = self._playbacks.get(name)
        if playback is None:
            playback = self._playbacks[name] = Playback(self._recordings, repeat=self._repeat)
        return playback

    def open(
        self,
        name: str,
        sources: Sequence[Path],
        *,
        matching: Matching | None = None,
        repeat: Repeat | None = None,
    ) -> Playback:
        """Begin a session over recordings of its own, matched in its own way.

        `matching` and `repeat` are those of all where they are None. Sources may be empty.
        Errors: StartUpError, also where the session is open already.
        """
        if name in self._playbacks:
            raise StartUpError(f"The session {name} is open already; end it, or name another.")
        policy = self._policy
        if matching is not None:
            policy = replace(policy, matching=matching)
        folder = Path(tempfile.mkdtemp(prefix="session-", dir=self._folder))
        own = Recordings(sources, policy=policy, redaction=self._redaction, folder=folder)
        self._own[name] = own
        self._playbacks[name] = playback = Playback(own, repeat=repeat or self._repeat)
        return playback

    async def end(self, name: str) -> None:
        """Forget a session and what it missed; its playback can still be asked for its misses."""
        self._playbacks.pop(name, None)
        own = self._own.pop(name, None)
        if own is not None:
            await own.close()
