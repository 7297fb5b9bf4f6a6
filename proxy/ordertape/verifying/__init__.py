"""Recorded requests, sent once more to a service, and what became of its answers.

`task` says what goes out of a recording, `drift` what its answer is held against. One request
after the other is sent, each at most once.
"""

from __future__ import annotations

import asyncio
import enum
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace

from ordertape import drift
from ordertape.drift import Change, Terms
from ordertape.errors import InDoubtError
from ordertape.model import Body, Kind, Request, Response
from ordertape.transcript import order_id
from ordertape.upstream import Upstream
from ordertape.upstream.replay.sources import Source
from ordertape.verifying.authorization import Authorization
from ordertape.verifying.task import Reading, Survey, Task, task_of

__all__ = [
    "Authorization",
    "Bounds",
    "Reading",
    "Result",
    "Survey",
    "Task",
    "Verification",
    "Verified",
]


class Result(enum.StrEnum):
    """What became of a recording; the value is what JSON shows."""

    SAME = "same"
    """The answer is the recorded one, but for what varies."""
    DRIFTED = "drifted"
    UNANSWERED = "unanswered"
    """It was sent, and no whole answer came: that is drift too."""
    SKIPPED = "skipped"
    """It was not sent, or could not be compared."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """How long an exchange may take in all (seconds), and how long an answer may be (bytes)."""

    total: float
    answer: int


@dataclass(frozen=True, slots=True)
class Verified:
    """A recording and what became of it; `order_id` is the new id of an order that was sent."""

    task: Task
    result: Result
    reason: str | None = None
    status: int | None = None
    order_id: str | None = None
    changes: tuple[Change, ...] = ()

    @property
    def sent(self) -> bool:
        """Whether the request went out."""
        return self.result is not Result.SKIPPED

    @property
    def drifted(self) -> bool:
        """Whether the service has changed, as far as this recording tells."""
        return self.result in {Result.DRIFTED, Result.UNANSWERED}


class Verification:
    """The recordings of some sources, and the service that they are held against."""

    def __init__(
        self,
        sources: Sequence[Source],
        upstream: Upstream,
        *,
        reading: Reading,
        terms: Terms,
        bounds: Bounds,
    ) -> None:
        self._sources = sources
        self._upstream = upstream
        self._reading = reading
        self._terms = terms
        self._bounds = bounds

    @property
    def url(self) -> str:
        """The base URL of the service."""
        return self._upstream.url

    def survey(self) -> Survey:
        """What there is to send; nothing is sent. Errors: StartUpError."""
        found = Survey()
        for task in self.tasks():
            found = found.plus(task)
        return found

    def tasks(self) -> Iterator[Task]:
        """Every recording, in the order in which it was recorded. Errors: StartUpError."""
        for source in self._sources:
            for exchange in source.reader.completed():
                if exchange.seq > source.last:  # the very gateway that is asked may record it
                    break
                yield task_of(source, exchange, self._reading)

    async def run(self, *, send_orders: bool) -> AsyncIterator[Verified]:
        """Send them, one after the other, and compare; without `send_orders` only safe ones.

        Errors: NotSentError where the service cannot be reached, StartUpError.
        """
        for task in self.tasks():
            if task.request is None or task.recorded is None:
                yield Verified(task, Result.SKIPPED, task.reason)
            elif not (task.safe or send_orders):
                what = "is an order" if task.kind is not Kind.OTHER else "can change something"
                reason = f"it {what}; --send-orders sends it"
                yield Verified(task, Result.SKIPPED, reason)
            else:
                yield await self._verified(task, task.request, task.recorded)

    async def _verified(self, task: Task, request: Request, recorded: Response) -> Verified:
        try:
            async with asyncio.timeout(self._bounds.total):
                now = await self._answer(request)
        except InDoubtError as error:
            return Verified(task, Result.UNANSWERED, str(error))
        except TimeoutError:
            reason = f"The answer was not whole within {self._bounds.total:g} s."
            return Verified(task, Result.UNANSWERED, reason)
        changes = tuple(drift.compare(recorded, now, self._terms))
        drifted = any(change.varies is None for change in changes)
        return Verified(
            task,
            Result.DRIFTED if drifted else Result.SAME,
            status=now.status,
            order_id=None if task.safe or task.kind is Kind.OTHER else order_id(now),
            changes=changes,
        )

    async def _answer(self, request: Request) -> Response:
        """The whole answer. Errors: NotSentError, InDoubtError."""
        response = await self._upstream.send(request)
        held = [response.body.held]
        length = len(response.body.held)
        if response.body.rest is not None:
            async with aclosing(response.body.rest) as rest:
                async for piece in rest:
                    held.append(piece)
                    length += len(piece)
                    if length > self._bounds.answer:
                        break
        if length > self._bounds.answer:
            raise InDoubtError(f"The answer passes {self._bounds.answer} bytes, and was not read.")
        return replace(response, body=Body(b"".join(held)))
