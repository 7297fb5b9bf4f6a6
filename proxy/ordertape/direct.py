"""An upstream behind a listener with nothing between: how the sandbox runs alone."""

from __future__ import annotations

from dataclasses import replace

from ordertape import answers
from ordertape.errors import GatewayError, RefusedError
from ordertape.model import Answer, Kind, Request
from ordertape.route import classify
from ordertape.upstream import Upstream


class Direct:
    """Hands each request to the upstream; nothing is judged, and nothing is recorded."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream

    def route(self, method: str, target: str) -> Kind:
        """Which limits the listener holds a body to."""
        return classify(method, target).kind

    async def handle(self, request: Request) -> Answer:
        """The upstream's answer."""
        try:
            return Answer(await self._upstream.send(request))
        except GatewayError as error:
            return _own(request, error)

    async def refuse(self, request: Request, error: RefusedError) -> Answer:
        """Answer a request that the listener could not take in."""
        return _own(request, error)


def _own(request: Request, error: GatewayError) -> Answer:
    response = answers.render(
        error,
        exchange_id="",
        order=None,
        xml=classify(request.method, request.target).xml,
        accept=request.headers.get(b"accept"),
    )
    unrecorded = response.headers.without([b"ordertape-exchange"])
    return Answer(replace(response, headers=unrecorded))
