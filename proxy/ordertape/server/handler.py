"""What stands behind the listener."""

from __future__ import annotations

from typing import Protocol

from ordertape.errors import RefusedError
from ordertape.model import Answer, Kind, Request


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
