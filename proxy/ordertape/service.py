"""A gateway as a process: its listeners, its signals, and the order in which it stops."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import Callable, Coroutine
from typing import Any

import structlog
import uvloop

from ordertape.admin.health import Admin
from ordertape.config import Settings
from ordertape.server import Handler, Listener, ListenerSettings, check_parser
from ordertape.store import Health

_STOPPING = Health(ok=False, reason="The gateway is stopping.")

_log = structlog.get_logger("ordertape.service")


def run(main: Coroutine[Any, Any, None]) -> None:
    """Run the process's main coroutine on uvloop."""
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main)


async def serve(
    handler: Handler,
    settings: Settings,
    announce: Callable[[str, str | None], None],
    health: Callable[[], Health] | None = None,
) -> None:
    """Listen until SIGTERM or SIGINT, then let what is in flight end, and return.

    `announce` is called once with the URLs of both listeners when the ports are open; `health` is
    what the admin listener tells, None for no such listener. A second signal ends the process at
    once: what was in flight is IN_DOUBT at the next start. Errors: StartUpError.
    """
    check_parser()
    stop = _stop_signal()
    listener = Listener(handler, settings=listener_settings(settings))
    admin = None
    if health is not None and settings.admin != "off":
        names = frozenset(settings.admin_names)
        admin = Admin(settings.admin, lambda: _STOPPING if stop.is_set() else health(), names=names)
    try:
        await listener.start()
        if admin is not None:
            await admin.start()
        announce(listener.url, None if admin is None else admin.url)
        await stop.wait()
    finally:
        await listener.stop(settings.timeouts.shutdown)
        if admin is not None:
            await admin.stop()


def listener_settings(settings: Settings) -> ListenerSettings:
    """What the listener must know of the configuration."""
    return ListenerSettings(
        listen=settings.listen,
        public_url=settings.public_url,
        rewrite_location=settings.rewrite_location,
        certificate=settings.tls.certificate,
        key=settings.tls.key,
        header_timeout=settings.timeouts.header,
        body_timeout=settings.timeouts.body,
        keepalive_timeout=settings.timeouts.keepalive,
        order_limit=settings.limits.order,
        record_limit=settings.limits.record,
        max_connections=settings.limits.connections,
    )


def _stop_signal() -> asyncio.Event:
    """Set at the first SIGTERM or SIGINT; the second one ends the process."""
    stop = asyncio.Event()

    def received() -> None:
        if stop.is_set():
            _log.warning("stopped-at-once")
            os._exit(1)
        stop.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, received)
    return stop
