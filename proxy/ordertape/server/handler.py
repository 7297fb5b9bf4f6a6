"""What stands behind the listener."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from ordertape.errors import RefusedError
from ordertape.model import Kind, Request, Response


class Answer(Protocol):
    """A response, and what to call once it is known whether the client was given all of it."""

    @property
    def response(self) -> Response:
        """Its body may still be streaming; the stream raises when the whole will not come."""

    @property
    def delivered(self) -> Callable[[bool], None]:
        """Called exactly once."""


class Handler(Protocol):
    """Answers requests; the gateway is one."""

    def route(self, method: str, target: str) -> Kind:
        """Which limits hold for the body; pure, from the raw request line alone."""

    async def handle(self, request: Request) -> Answer:
        """Answer a request that was taken in. Its errors come as answers; it is never cancelled."""

    async def refuse(self, request: Request, error: RefusedError) -> Answer:
        """Record and answer a request that was not taken in; its body is always empty.

        `method` and `target` are "" where the request line could not be read.
        """
