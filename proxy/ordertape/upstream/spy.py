"""Recordings first, and the service for what was never recorded.

What was recorded is answered from there, also when all its recordings are used: the client is then
told so, as replay tells it. Asking for it again would be to order again.
"""

from __future__ import annotations

from ordertape.model import SAFE_METHODS, Request
from ordertape.upstream import Answering, Upstream
from ordertape.upstream.replay import Playback

__all__ = ["spying"]


def spying(playback: Playback, behind: Upstream, *, send_orders: bool) -> Answering:
    """Who answers: `playback` what was recorded, `behind` other requests with safe methods.

    With `send_orders` those with unsafe methods too, orders among them; else the playback has them,
    and says what is nearest. A request whose body is still coming is recognised by nobody.
    """

    def answering(request: Request) -> Upstream:
        may_leave = send_orders or request.method in SAFE_METHODS
        whole = request.body.rest is None
        return behind if may_leave and not (whole and playback.holds(request)) else playback

    return answering
