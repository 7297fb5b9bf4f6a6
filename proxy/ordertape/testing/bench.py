"""Gateways for tests, in a thread with a loop of its own beside whatever the tests run in.

A process has one bench: one thread, one scratch store, the rules built once. What a test is given
on it costs a port and an index of its cassette. Each has its own port rather than a path of one
that all share: clients put paths together in ways that lose a prefix, and what a test has left
running finds its port closed instead of the next test's recordings.
"""

from __future__ import annotations

import asyncio
import atexit
import functools
import os
import shutil
import tempfile
import threading
from collections.abc import Coroutine, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar
from urllib.parse import urlsplit

import uvloop

from ordertape import build
from ordertape.admission import Policy
from ordertape.cassette import Interaction, load
from ordertape.cassette.ordinals import Secrets
from ordertape.cassette.storing import recognised
from ordertape.config import Settings
from ordertape.config import load as configured
from ordertape.gateway import Gateway, Limits
from ordertape.matching import Matching
from ordertape.model import Body, Origin, Request
from ordertape.redaction import Redaction
from ordertape.server import Listener, check_parser
from ordertape.service import listener_settings
from ordertape.store.key import load_key
from ordertape.store.settings import SCRATCH
from ordertape.store.sqlite import SqliteStore
from ordertape.testing.playing import Playing
from ordertape.testing.quiet import quieten
from ordertape.testing.taping import Episodes, Kept, Tape, Taping
from ordertape.upstream import Upstream
from ordertape.upstream.live import Live, LiveSettings, tls_context
from ordertape.upstream.replay import Playback, Recordings, Repeat
from ordertape.upstream.sandbox import Sandbox

__all__ = ["Bench", "Mode", "Wanted", "shared"]

Mode = Literal["none", "once", "new_episodes", "all", "rewrite"]
"""What is recorded, with the meaning that pytest-recording gives these names."""

_Result = TypeVar("_Result")

_GRACE = 2.0
"""Seconds that a request which a test has left running may take until its gateway stops."""

_BODIES = 64 << 20
"""Bytes of a body that are kept whole: more than any test sends."""


@dataclass(frozen=True, slots=True)
class Wanted:
    """What a test asks for; None is as configured.

    `sources` are answered from. With a `mode` other than `none` there is one, the cassette, which
    need not be there and is recorded from `upstream`, where None is the sandbox.
    """

    sources: tuple[Path, ...]
    mode: Mode = "none"
    upstream: str | None = None
    ignore: tuple[str, ...] | None = None
    headers: tuple[str, ...] | None = None
    element_order: Literal["any", "significant"] | None = None
    repeat: Repeat | None = None
    config: Path | None = None


@dataclass(frozen=True, slots=True)
class _Plan:
    replays: bool
    records: bool
    kept: Kept = "nothing"


_PLANS: Mapping[tuple[Mode, bool], _Plan] = {
    ("none", False): _Plan(replays=False, records=False),
    ("none", True): _Plan(replays=True, records=False),
    ("once", False): _Plan(replays=False, records=True),
    ("once", True): _Plan(replays=True, records=False),
    ("new_episodes", False): _Plan(replays=False, records=True),
    ("new_episodes", True): _Plan(replays=True, records=True, kept="all"),
    ("all", False): _Plan(replays=False, records=True),
    ("all", True): _Plan(replays=False, records=True, kept="others"),
    ("rewrite", False): _Plan(replays=False, records=True),
    ("rewrite", True): _Plan(replays=False, records=True, kept="nothing"),
}
"""What is done in each mode, without a cassette and with one."""


class Bench:
    """The thread in which gateways for tests run, and what they share."""

    def __init__(self) -> None:
        """Start the thread. Errors: StartUpError."""
        check_parser()
        quieten()
        self._folder = Path(tempfile.mkdtemp(prefix="ordertape-testing-"))
        self._process = os.getpid()
        self._loop = uvloop.new_event_loop()
        self._thread = threading.Thread(target=self._turn, name="ordertape", daemon=True)
        self._thread.start()
        self._scratch = self._folder / "scratch.db"
        self._key, self._key_id = load_key(self._scratch, None)
        self._store = self._done(SqliteStore.start(self._scratch, settings=SCRATCH))
        self._configured: dict[Path | None, tuple[Settings, Policy]] = {}

    def __repr__(self) -> str:
        return f"<Bench {self._folder.name} {'running' if self._thread.is_alive() else 'stopped'}>"

    def play(self, wanted: Wanted) -> Playing:
        """A gateway that does what is wanted until it is closed. Errors: StartUpError."""
        quieten()  # who has configured structlog since has undone it
        return self._done(self._play(wanted))

    def discard(self) -> None:
        """Stop the thread and clear away: when the process ends, for the store is scratch."""
        if os.getpid() != self._process:
            return  # a fork has inherited it: it is another's
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_GRACE)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _turn(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_forever()

    def _done(self, work: Coroutine[Any, Any, _Result]) -> _Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _play(self, wanted: Wanted) -> Playing:
        settings, policy = self._settings(wanted)
        redaction = Redaction(
            headers=settings.redact.headers,
            query_keys=settings.redact.query,
            key=self._key,
            key_id=self._key_id,
        )
        [exists] = {source.exists() for source in wanted.sources[:1]} or {False}
        plan = _PLANS[wanted.mode, exists]
        async with AsyncExitStack() as undo:
            playback = await self._playback(wanted, plan, policy, redaction, settings, undo)
            taping = _taping(wanted, plan, policy, redaction, settings)
            gateway = Gateway(
                upstream=_upstream(plan, playback, taping),
                store=self._store,
                policy=policy,
                redaction=redaction,
                limits=Limits(order_total=settings.timeouts.order_total, record=_BODIES),
                via=f"ordertape-{self._key_id}",
            )
            undo.callback(gateway.close)
            if taping is not None:
                undo.push_async_callback(taping.close)
            heard = replace(
                listener_settings(settings), certificate=None, key=None, record_limit=_BODIES
            )
            listener = Listener(gateway, settings=heard)
            await listener.start()
            undo.push_async_callback(listener.stop, _GRACE)
            opened = undo.pop_all()
        path = urlsplit(wanted.upstream or "").path.rstrip("/")
        return Playing(
            url=listener.url + path,
            sources=wanted.sources,
            found=exists,
            playback=playback if not plan.records else None,
            tape=None if taping is None else taping.tape,
            stop=lambda: self._done(opened.aclose()),
        )

    def _settings(self, wanted: Wanted) -> tuple[Settings, Policy]:
        """What is configured, with what is wanted over it. Errors: StartUpError."""
        if wanted.config not in self._configured:
            flags = {"listen": "127.0.0.1:0", "admin": "off", "db": self._scratch}
            found = configured(wanted.config, flags).settings
            self._configured[wanted.config] = found, build.admission_policy(found)
        settings, policy = self._configured[wanted.config]
        section = settings.matching
        matching = Matching(
            section.ignore if wanted.ignore is None else wanted.ignore,
            section.headers if wanted.headers is None else wanted.headers,
            wanted.element_order or section.element_order,
        )
        return settings, replace(policy, matching=matching)

    async def _playback(
        self,
        wanted: Wanted,
        plan: _Plan,
        policy: Policy,
        redaction: Redaction,
        settings: Settings,
        undo: AsyncExitStack,
    ) -> Playback:
        folder = Path(tempfile.mkdtemp(dir=self._folder))
        undo.callback(shutil.rmtree, folder, ignore_errors=True)
        recordings = Recordings(
            wanted.sources if plan.replays else (),
            policy=policy,
            redaction=redaction,
            folder=folder,
        )
        undo.push_async_callback(recordings.close)
        return Playback(recordings, repeat=wanted.repeat or settings.repeat)


def _upstream(plan: _Plan, playback: Playback, taping: Taping | None) -> Upstream:
    if taping is None:
        return playback
    return Episodes(playback, taping) if plan.replays else taping


def _taping(
    wanted: Wanted, plan: _Plan, policy: Policy, redaction: Redaction, settings: Settings
) -> Taping | None:
    """What records, None where nothing is: nothing that could call out is made then."""
    if not plan.records:
        return None
    [path] = wanted.sources
    before = load(path) if path.exists() else []  # what is damaged is found here, in any mode
    secrets = Secrets(headers=settings.redact.headers, query_keys=settings.redact.query)

    def key(one: Interaction) -> str:
        parts = urlsplit(one.url)
        target = one.url.removeprefix(f"{parts.scheme}://{parts.netloc}") or "/"
        request = Request(one.method, target, one.request_headers, Body(one.request_body))
        return recognised(request, policy, redaction, policy.matching).key

    tape = Tape(path, secrets, key, plan.kept, before)
    if wanted.upstream is None:
        return Taping(Sandbox(seed=settings.seed), tape)
    # The whole path is the client's to send, so that the cassette's URLs are those of its requests.
    parts = urlsplit(wanted.upstream)
    tls = settings.upstream_tls
    live = LiveSettings(
        connect_timeout=settings.timeouts.connect,
        read_timeout=settings.timeouts.read,
        ssl=tls_context(tls.ca, tls.certificate, tls.key),
        server_hostname=tls.server_name,
    )
    return Taping(Live(f"{parts.scheme}://{parts.netloc}", settings=live, origin=Origin.LIVE), tape)


def shared() -> Bench:
    """The bench of this process, which lasts as long as it does. Errors: StartUpError."""
    return _of(os.getpid())


@functools.lru_cache(maxsize=1)
def _of(_: int) -> Bench:
    """One a process: what a fork has inherited has no thread behind it."""
    bench = Bench()
    atexit.register(bench.discard)
    return bench
