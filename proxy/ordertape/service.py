"""A gateway as a process: its listeners, its signals, and the order in which it stops."""

from __future__ import annotations

import asyncio
import ctypes
import gc
import os
import signal
from collections.abc import Awaitable, Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
import uvloop

from ordertape.admin.health import Admin
from ordertape.config import Settings
from ordertape.server import Handler, Listener, ListenerSettings, check_parser
from ordertape.store import Health

_TRIM_THRESHOLD = -1  # M_TRIM_THRESHOLD of <malloc.h>
_TRIMMED_FROM = 128 << 10  # bytes

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
    reload: Callable[[], Awaitable[None]] | None = None,
    *,
    sessions: bool = False,
) -> None:
    """Listen until SIGTERM or SIGINT, then let what is in flight end, and return.

    `announce` is called once with the URLs of both listeners when the ports are open; `health` is
    what the admin listener tells, None for no such listener. `reload` is called at every SIGHUP,
    one after another, None to leave that signal alone. `sessions`: clients may name one. A second
    signal ends the process at once: what was in flight is IN_DOUBT at the next start. Errors:
    StartUpError.
    """
    check_parser()
    stop = _stop_signal()
    reloading = None if reload is None else asyncio.create_task(_reloading(reload, stop))
    listener = Listener(handler, settings=listener_settings(settings, sessions=sessions))
    admin = None
    if health is not None and settings.admin != "off":
        names = frozenset(settings.admin_names)
        admin = Admin(settings.admin, lambda: _STOPPING if stop.is_set() else health(), names=names)
    try:
        await listener.start()
        if admin is not None:
            await admin.start()
        _settle_memory()
        announce(listener.url, None if admin is None else admin.url)
        await stop.wait()
    finally:
        if reloading is not None:
            reloading.cancel()
        await listener.stop(settings.timeouts.shutdown)
        if admin is not None:
            await admin.stop()


def listener_settings(settings: Settings, *, sessions: bool = False) -> ListenerSettings:
    """What the listener must know of the configuration; `sessions`: clients may name one."""
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
        sessions=sessions,
    )


@contextmanager
def hangups_held() -> Iterator[None]:
    """Let SIGHUP wait until `serve` takes it: it must not kill a gateway that is starting."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


async def _reloading(reload: Callable[[], Awaitable[None]], stop: asyncio.Event) -> None:
    """Reload once for each SIGHUP. One because the terminal has gone is the end, as ever."""
    asked = asyncio.Queue[None]()
    on_terminal = signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN and _has_terminal()

    def received() -> None:
        if on_terminal and not _has_terminal():
            stop.set()
        else:
            asked.put_nowait(None)

    asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, received)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGHUP})
    while True:
        await asked.get()
        await reload()


def _has_terminal() -> bool:
    try:
        os.close(os.open(os.ctermid(), os.O_RDONLY | os.O_NOCTTY))
    except OSError:
        return False
    return True


def _settle_memory() -> None:
    """Have no collection look at what the start has left, and freed memory given back.

    A collection of everything holds up every request, by 0.1 s where one order has made thousands
    of objects. glibc keeps up to twice the largest block that was ever freed, in each thread's
    arena, unless it is told a fixed threshold.
    """
    gc.collect()
    gc.freeze()
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_TRIM_THRESHOLD, _TRIMMED_FROM)


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
