"""From the configuration to a gateway: the only place that knows every concrete class."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ordertape.admission import Policy
from ordertape.config import Settings
from ordertape.direct import Direct
from ordertape.errors import StartUpError
from ordertape.gateway import Gateway, Limits
from ordertape.model import Origin
from ordertape.redaction import Redaction
from ordertape.rule import RuleSet, build_rules, discover
from ordertape.store import Pause, control
from ordertape.store.key import load_key
from ordertape.store.sqlite import SqliteStore, StoreSettings
from ordertape.transcript import moment
from ordertape.upstream import Upstream
from ordertape.upstream.live import Live, LiveSettings, tls_context
from ordertape.upstream.replay import Replay
from ordertape.upstream.sandbox import Sandbox


@dataclass(frozen=True, slots=True)
class Parts:
    """What was put together: the gateway, and the store that the process around it asks."""

    gateway: Gateway
    store: SqliteStore


@asynccontextmanager
async def recording(settings: Settings) -> AsyncIterator[Parts]:
    """A gateway in front of the service or the sandbox that records into `settings.db`.

    Changes asked for over the control socket are taken as long as it is open.
    Errors: StartUpError.
    """
    redaction, via = _redaction(settings, settings.db)
    policy = admission_policy(settings)
    upstream = _upstream(settings, via)
    store = await SqliteStore.start(settings.db, settings=_store_settings(settings))
    try:
        async with control.serve_control(settings.db, _handlers(store)):
            yield Parts(_gateway(settings, upstream, store, policy, redaction, via), store)
    finally:
        await upstream.close()
        await store.close()


@asynccontextmanager
async def replaying(
    settings: Settings, sources: Sequence[Path]
) -> AsyncIterator[tuple[Gateway, Replay]]:
    """A gateway that answers from recordings; what it answers is recorded in a scratch store only.

    No client is built: there is nothing to call out with. Errors: StartUpError.
    """
    with tempfile.TemporaryDirectory(prefix="ordertape-replay-") as folder:
        scratch = Path(folder) / "scratch.db"
        redaction, via = _redaction(settings, scratch)
        policy = admission_policy(settings)
        index = Path(folder) / "index.db"
        unsynchronised = StoreSettings(synchronous="OFF", ballast=0, min_free=0)
        # First: who breaks off the reading of the sources leaves no thread that still writes here.
        store = await SqliteStore.start(scratch, settings=unsynchronised)
        try:
            replay = Replay(sources, policy=policy, redaction=redaction, index=index)
            try:
                yield _gateway(settings, replay, store, policy, redaction, via), replay
            finally:
                await replay.close()
        finally:
            await store.close()


def standing_alone(settings: Settings) -> Direct:
    """The sandbox with nothing in front of it."""
    return Direct(Sandbox(seed=settings.seed))


def rule_set(settings: Settings) -> RuleSet:
    """The rules in force, with every account's overrides. Errors: StartUpError."""
    overrides = {name: account.rules for name, account in settings.accounts.items()}
    found = discover(files=settings.rules.files)
    return build_rules(settings.rules.fields, overrides, found)


def admission_policy(settings: Settings) -> Policy:
    """How orders are read and judged. Errors: StartUpError."""
    return Policy(rule_set(settings), settings.limits.order, settings.orders.fallback_charset)


def change(
    db: Path, configured: Callable[[], Settings], command: str, **arguments: str
) -> Mapping[str, Any]:
    """Have the running gateway change its store, or change it here when none runs.

    `configured` is asked only in the second case: a broken configuration must not stand in the way
    of an emergency stop. Errors: StartUpError when there is no such store, or it is refused.
    """
    answer = control.ask(db, command, **arguments)
    if answer is not None:
        return answer
    if not db.exists():
        raise StartUpError(f"There is no store {db}; name it with --db.")
    return asyncio.run(_change_here(configured(), command, arguments))


async def _change_here(
    settings: Settings, command: str, arguments: Mapping[str, Any]
) -> Mapping[str, Any]:
    store = await SqliteStore.start(settings.db, settings=_store_settings(settings))
    try:
        return await _handlers(store)[command](dict(arguments))
    finally:
        await store.close()


def _handlers(store: SqliteStore) -> Mapping[str, control.Handler]:
    async def pause(asked: Mapping[str, Any]) -> dict[str, Any]:
        await store.pause(Pause(asked["account"], asked["reason"], asked["operator"], moment()))
        return {"paused": True}

    async def resume(asked: Mapping[str, Any]) -> dict[str, Any]:
        lifted = await store.resume(asked["account"], asked["reason"], asked["operator"], moment())
        return {"lifted": lifted}

    return {"pause": pause, "resume": resume}


def _gateway(
    settings: Settings,
    upstream: Upstream,
    store: SqliteStore,
    policy: Policy,
    redaction: Redaction,
    via: str,
) -> Gateway:
    limits = Limits(
        order_answer=settings.limits.order_answer,
        order_total=settings.timeouts.order_total,
        record=settings.limits.record,
    )
    return Gateway(
        upstream=upstream, store=store, policy=policy, redaction=redaction, limits=limits, via=via
    )


def _redaction(settings: Settings, db: Path) -> tuple[Redaction, str]:
    """What is kept as a digest, and the pseudonym in Via, which is made from the same key."""
    key, key_id = load_key(db, settings.key_file)
    redaction = Redaction(
        headers=settings.redact.headers, query_keys=settings.redact.query, key=key, key_id=key_id
    )
    return redaction, settings.via or f"ordertape-{key_id}"


def _store_settings(settings: Settings) -> StoreSettings:
    return StoreSettings(
        durability=settings.store.durability,
        queue_limit=settings.store.queue,
        commit_deadline=settings.store.commit_deadline,
        emergency_path=settings.store.emergency,
        ballast=settings.store.ballast,
        min_free=settings.store.min_free,
    )


def _upstream(settings: Settings, via: str) -> Upstream:
    if settings.sandbox:
        return Sandbox(seed=settings.seed)
    if settings.upstream is None:
        raise StartUpError(
            "There is nothing to stand in front of; name the service with --upstream URL, "
            "or try --sandbox."
        )
    tls = settings.upstream_tls
    return Live(
        settings.upstream,
        settings=LiveSettings(
            connect_timeout=settings.timeouts.connect,
            read_timeout=settings.timeouts.read,
            idle=settings.timeouts.upstream_idle,
            pool_size=settings.limits.upstream_connections,
            host="preserve" if settings.preserve_host else "upstream",
            via=via,
            ssl=tls_context(tls.ca, tls.certificate, tls.key),
            server_hostname=tls.server_name,
        ),
        origin=Origin.LIVE,
    )
