"""Recording a test's traffic: a tape in memory that is on disk after every whole answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from ordertape import cassette, hops
from ordertape.cassette import Interaction
from ordertape.cassette.files import write
from ordertape.cassette.ordinals import Secrets, numbered
from ordertape.cassette.taking_out import VOLATILE
from ordertape.errors import InDoubtError, NoRecordingError, StartUpError
from ordertape.model import Body, Origin, Request, Response
from ordertape.transcript import moment
from ordertape.upstream import Upstream
from ordertape.upstream.replay import Playback

__all__ = ["Episodes", "Kept", "Tape", "Taping", "format_of"]

Kept = Literal["all", "others", "nothing"]
"""What stays of a cassette that is recorded again; `others`: what was not asked for anew."""

_FORMATS = {".json": "vcr-json", ".har": "har"}
_LARGEST = 64 << 20
"""Bytes of a body that a cassette takes."""


def format_of(path: Path) -> str:
    """The format that a cassette of this name is written in; vcrpy's YAML unless it says else."""
    return _FORMATS.get(path.suffix.lower(), "vcr")


@dataclass(slots=True)
class Tape:
    """What a cassette holds, and holds once a test's requests have been answered.

    `before` is what stood in it, `key` what a request is recognised by. `failure` is why the
    cassette could not be written, None while it could.
    """

    path: Path
    secrets: Secrets
    key: Callable[[Interaction], str]
    kept: Kept = "nothing"
    before: Sequence[Interaction] = ()
    failure: str | None = None
    recorded: list[Interaction] = field(default_factory=list)

    def add(self, interaction: Interaction) -> None:
        """Take in one more interaction; the cassette is on disk with it on return."""
        self.recorded.append(interaction)
        try:
            held = numbered(self._whole(), self.secrets)
            write(self.path, cassette.dump(held, format_of(self.path)))
        except StartUpError as error:
            self.failure = str(error)

    def drop_what_is_left(self) -> None:
        """Remove the cassette of a test that was recorded anew and asks for nothing any more."""
        if self.kept == "nothing" and not self.recorded and self.failure is None:
            self.path.unlink(missing_ok=True)

    def _whole(self) -> list[Interaction]:
        if self.kept == "nothing":
            return self.recorded
        if self.kept == "all":
            return [*self.before, *self.recorded]
        return _replaced(
            [(self.key(one), one) for one in self.before],
            [(self.key(one), one) for one in self.recorded],
        )


def _replaced(
    before: Sequence[tuple[str, Interaction]], after: Sequence[tuple[str, Interaction]]
) -> list[Interaction]:
    """What was recorded anew stands where the same stood before, so that a diff shows only it.

    The first of a key replaces the first, and so on; of a key that was asked for less often than
    before the rest goes.
    """
    keys = {key for key, _ in after}
    seen: Counter[str] = Counter()
    places: list[Interaction | tuple[str, int]] = []
    for key, one in before:
        seen[key] += 1
        places.append((key, seen[key]) if key in keys else one)
    counted: Counter[str] = Counter()
    new: dict[tuple[str, int], Interaction] = {}
    for key, one in after:
        counted[key] += 1
        new[key, counted[key]] = one
    held: list[Interaction] = []
    for place in places:
        found = new.pop(place, None) if isinstance(place, tuple) else place
        held += [] if found is None else [found]
    return [*held, *new.values()]


class Taping:
    """An upstream whose whole answers go onto a tape before anyone is given them."""

    def __init__(self, upstream: Upstream, tape: Tape) -> None:
        self.tape = tape
        self._upstream = upstream

    def __repr__(self) -> str:
        return f"<Taping {self._upstream!r} to {self.tape.path}, {len(self.tape.recorded)} so far>"

    @property
    def origin(self) -> Origin:
        """As the upstream that is recorded."""
        return self._upstream.origin

    @property
    def url(self) -> str:
        """As the upstream that is recorded."""
        return self._upstream.url

    async def send(self, request: Request) -> Response:
        """The upstream's answer, once it is whole and on the tape. Errors: those of the upstream.

        InDoubtError also for a body that no cassette takes.
        """
        started = moment()
        sent = replace(request, body=await _whole(request.body, "request"))
        response = await self._upstream.send(sent)
        response = replace(response, body=await _whole(response.body, "answer"))
        self.tape.add(_interaction(sent, response, self.url, started, moment() - started))
        return response

    async def close(self) -> None:
        """Let go of the upstream."""
        await self._upstream.close()


class Episodes:
    """What was recorded is answered from the recordings; the rest is asked for, and recorded.

    Unlike a spy it sends orders too, and those that the recordings hold too seldom: whoever
    records wants that.
    """

    def __init__(self, playback: Playback, taping: Taping) -> None:
        self._playback = playback
        self._taping = taping

    @property
    def origin(self) -> Origin:
        """As the upstream that is recorded."""
        return self._taping.origin

    @property
    def url(self) -> str:
        """As the upstream that is recorded."""
        return self._taping.url

    async def send(self, request: Request) -> Response:
        """The recording whose turn it is, or the upstream's answer. Errors: as `Taping.send`."""
        try:
            return await self._playback.send(request)
        except NoRecordingError:
            return await self._taping.send(request)

    async def close(self) -> None:
        """Let go of the upstream."""
        await self._taping.close()


async def _whole(body: Body, what: str) -> Body:
    """The body with nothing still to come. Errors: InDoubtError past the limit."""
    if body.rest is None:
        return body
    pieces, length = [body.held], len(body.held)
    async with aclosing(body.rest) as rest:
        async for piece in rest:
            pieces.append(piece)
            length += len(piece)
            if length > _LARGEST:
                raise InDoubtError(
                    f"The body of the {what} passes {_LARGEST >> 20} MiB and is not recorded; "
                    "have the test ask for less."
                )
    return Body(b"".join(pieces))


def _interaction(
    request: Request, response: Response, upstream: str, started: int, duration: int
) -> Interaction:
    whole = "://" in request.target.partition("?")[0]  # a client may name the server itself
    return Interaction(
        method=request.method,
        url=request.target if whole else upstream.rstrip("/") + request.target,
        request_headers=hops.end_to_end(request.headers).without(VOLATILE | {b"host"}),
        request_body=request.body.held,
        status=response.status,
        reason=response.reason,
        headers=hops.end_to_end_response(response.headers).without(VOLATILE),
        body=response.body.held,
        started_at=started,
        duration=duration,
    )
