"""Whatever answers a request: the live service, the sandbox, or recordings."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeAlias

from ordertape.model import Origin, Request, Response


class Upstream(Protocol):
    """Answers requests. There is one verb."""

    @property
    def origin(self) -> Origin:
        """What kind of evidence its answers are."""

    @property
    def url(self) -> str:
        """Its base URL, recorded with every exchange; "" where there is none."""

    async def send(self, request: Request) -> Response:
        """Send the request once and return the response, its body perhaps still streaming.

        The request is as it should leave: end-to-end headers only, its target still the client's
        (a base path is the upstream's own matter). Errors: NotSentError when provably no byte was
        taken; InDoubtError in any other case, also from the response body's stream.
        """

    async def close(self) -> None:
        """Let go of connections and files."""


Answering: TypeAlias = Callable[[Request], Upstream]
"""Who is to answer a request, where not all are answered by one.

Asked before the intent is recorded, which says who it is meant for. Nothing is sent by asking, and
nothing is used up.
"""
