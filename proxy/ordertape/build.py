"""From the configuration to a gateway: the only place that knows every concrete class."""

from __future__ import annotations

import asyncio
import importlib
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager, closing
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any, Literal

import structlog

from ordertape import quota_control
from ordertape.admission import Policy
from ordertape.cassette import reindexing
from ordertape.cassette.interaction import Interaction
from ordertape.cassette.storing import into_store
from ordertape.config import Settings, policies, rows
from ordertape.config.policies import credential_problems, quota_problems
from ordertape.direct import Direct
from ordertape.drift import Terms
from ordertape.errors import ConfigurationError, Problem, StartUpError, StoreHeldError
from ordertape.gateway import Gateway, Limits
from ordertape.matching import Matching
from ordertape.model import Origin
from ordertape.quota import Quotas
from ordertape.redaction import Redaction
from ordertape.rule import Fields, RuleSet, build_rules, discover, find
from ordertape.store import Pause, control
from ordertape.store.connection import companion
from ordertape.store.key import load_key
from ordertape.store.settings import SCRATCH
from ordertape.store.sqlite import SqliteStore, StoreSettings
from ordertape.transcript import moment
from ordertape.upstream import Answering, Upstream
from ordertape.upstream.live import Live, LiveSettings, tls_context
from ordertape.upstream.replay import Playback, Recordings, Sessions
from ordertape.upstream.replay.sources import files, opened
from ordertape.upstream.sandbox import Sandbox
from ordertape.upstream.spy import spying
from ordertape.verifying import Authorization, Bounds, Reading, Verification

_RELOADED = frozenset(
    ["rules", "accounts", "orders", "quotas", "quota_headers", "quota_refunds", "v2_orders"]
)
"""The tables and settings of the configuration that SIGHUP has read anew."""

_PATIENCE = 5.0
_PAUSE = 0.05
"""Seconds that a store which is held by another process is waited for, and between two trials."""

_log = structlog.get_logger("ordertape.build")


@dataclass(frozen=True, slots=True)
class Parts:
    """What was put together: the gateway, and the store that the process around it asks.

    `key_id` names the key that the digests of both are made with. `recordings` is how many there
    are to answer from before the upstream is asked.
    """

    gateway: Gateway
    store: SqliteStore
    key_id: str
    recordings: int = 0


@asynccontextmanager
async def recording(settings: Settings) -> AsyncIterator[Parts]:
    """A gateway in front of the service or the sandbox that records into `settings.db`.

    What `settings.spy` has recordings of is answered from those. Changes asked for over the control
    socket are taken as long as it is open. Errors: StartUpError.
    """
    redaction, key_id, via = _redaction(settings, settings.db)
    policy = admission_policy(settings, key_id)
    upstream = _upstream(settings, via)
    async with _spied(settings, policy, redaction) as recordings:
        store = await SqliteStore.start(settings.db, settings=_store_settings(settings))
        try:
            answering = None if recordings is None else _spying(settings, recordings, upstream)
            gateway = _gateway(
                settings, upstream, store, policy, redaction, via, answering=answering
            )
            with closing(gateway):
                handlers = {
                    **_handlers(store, settings.db, lambda: gateway.policy.quotas),
                    **reindexing.handlers(store, settings.db, lambda: (gateway.policy, redaction)),
                }
                async with control.serve_control(settings.db, handlers):
                    yield Parts(gateway, store, key_id, recordings.count if recordings else 0)
        finally:
            await upstream.close()
            await store.close()


@asynccontextmanager
async def _spied(
    settings: Settings, policy: Policy, redaction: Redaction
) -> AsyncIterator[Recordings | None]:
    """The recordings of `settings.spy`; None where it names none. Errors: StartUpError."""
    if not settings.spy:
        yield None
        return
    recorded_into = settings.db.resolve()
    if any(path.resolve() == recorded_into for path in files(settings.spy)):
        raise StartUpError(
            f"The store {settings.db} cannot be answered from and recorded into; name another "
            "with --db, or other recordings with --spy."
        )
    with tempfile.TemporaryDirectory(prefix="ordertape-spy-") as folder:
        recordings = Recordings(
            settings.spy,
            policy=replace(policy, matching=settings.matching.options),
            redaction=redaction,
            folder=Path(folder),
        )
        try:
            yield recordings
        finally:
            await recordings.close()


@asynccontextmanager
async def replaying(
    settings: Settings, sources: Sequence[Path]
) -> AsyncIterator[tuple[Gateway, Sessions]]:
    """A gateway that answers from recordings; what it answers is recorded in a scratch store only.

    Sources are stores, cassettes, and folders of them; there may be none, for sessions that bring
    their own. No client is built: there is nothing to call out with. Errors: StartUpError.
    """
    with tempfile.TemporaryDirectory(prefix="ordertape-replay-") as folder:
        scratch = Path(folder) / "scratch.db"
        policy, redaction, via = _replayed(settings, scratch)
        # First: who breaks off the reading of the sources leaves no thread that still writes here.
        store = await SqliteStore.start(scratch, settings=SCRATCH)
        try:
            sessions = Sessions(
                sources,
                policy=policy,
                redaction=redaction,
                folder=Path(folder),
                repeat=settings.repeat,
            )
            try:
                with closing(
                    _gateway(settings, sessions, store, policy, redaction, via)
                ) as gateway:
                    yield gateway, sessions
            finally:
                await sessions.close()
        finally:
            await store.close()


@asynccontextmanager
async def recorded(settings: Settings, sources: Sequence[Path]) -> AsyncIterator[Recordings]:
    """What `replaying` would answer from, to look things up in. Errors: StartUpError."""
    with tempfile.TemporaryDirectory(prefix="ordertape-explain-") as name:
        folder = Path(name)
        policy, redaction, _ = _replayed(settings, folder / "scratch.db")
        recordings = Recordings(sources, policy=policy, redaction=redaction, folder=folder)
        try:
            yield recordings
        finally:
            await recordings.close()


@asynccontextmanager
async def verifying(
    settings: Settings,
    sources: Sequence[Path],
    against: str,
    *,
    ignore: Sequence[str] = (),
    upstreams: Sequence[str] = (),
    authorization: Authorization | None = None,
) -> AsyncIterator[Verification]:
    """What was recorded, to be held against the service at this URL.

    In answers the places of `ignore` do not count. `upstreams` are base URLs that clients used,
    beside `against`. Errors: StartUpError.
    """
    with tempfile.TemporaryDirectory(prefix="ordertape-verify-") as name, ExitStack() as stack:
        folder = Path(name)
        policy, redaction, _ = _replayed(settings, folder / "scratch.db")
        live = _live(settings, against, via=None)
        bases = (*upstreams, live.url)
        try:
            yield Verification(
                opened(sources, policy, redaction, folder, stack),
                live,
                reading=Reading(
                    policy, redaction, bases, authorization.value if authorization else None
                ),
                terms=Terms(
                    Matching(ignore=tuple(ignore)),
                    redaction,
                    authorization.secrets if authorization else (),
                ),
                bounds=Bounds(settings.timeouts.order_total, settings.limits.order_answer),
            )
        finally:
            await live.close()


def standing_alone(settings: Settings) -> Direct:
    """The sandbox with nothing in front of it."""
    return Direct(Sandbox(seed=settings.seed))


def rule_set(settings: Settings) -> RuleSet:
    """The rules in force, with every account's overrides.

    Errors: ConfigurationError, its problems with file and line.
    """
    try:
        return build_rules(
            settings.rules.fields, _overrides(settings), discover(files=settings.rules.files)
        )
    except ConfigurationError as error:
        raise ConfigurationError(settings.sources.located(error.problems)) from error


def rule_problems(settings: Settings, *, complete: bool) -> tuple[Problem, ...]:
    """Everything that is wrong with the rules, with file and line.

    `complete` is whether these settings are all that was written. Where they are not, or a rule
    cannot be had, one that is not there is no problem of its own.
    """
    rules, problems = find(files=settings.rules.files)

    def known(fields: Mapping[str, Fields]) -> Mapping[str, Fields]:
        if complete and not problems:
            return fields
        return {name: fields[name] for name in fields if name in rules}

    overrides = {name: known(fields) for name, fields in _overrides(settings).items()}
    try:
        build_rules(known(settings.rules.fields), overrides, rules)
    except ConfigurationError as error:
        problems += error.problems
    return settings.sources.located(problems)


def quotas(settings: Settings) -> Quotas:
    """The quotas of every account. Errors: ConfigurationError, its problems with file and line."""
    _check(settings, quota_problems(settings, [section.name for section in settings.quotas]))
    return policies.quotas(settings)


def credentials(settings: Settings, key_id: str) -> Mapping[str, frozenset[str]]:
    """The digests of every account that is tied to its credentials.

    Errors: ConfigurationError, for digests of another key than the store's.
    """
    _check(settings, credential_problems(settings, key_id))
    tied = {name: account.credentials for name, account in settings.accounts.items()}
    return {name: frozenset(digests) for name, digests in tied.items() if digests}


def key_problems(settings: Settings) -> tuple[Problem, ...]:
    """The credentials that the store's key did not make, where the store has a key already."""
    path = settings.key_file or companion(settings.db, "key")
    if not path.exists():
        return ()
    try:
        _, key_id = load_key(settings.db, path)
    except StartUpError as error:
        return settings.sources.located([Problem("key_file", str(error))])
    return settings.sources.located(credential_problems(settings, key_id))


def fingerprint(settings: Settings, authorization: bytes) -> str:
    """The digest of the credentials in this value of Authorization. Errors: StartUpError."""
    redaction, _, _ = _redaction(settings, settings.db)
    return redaction.fingerprint(authorization)


def admission_policy(settings: Settings, key_id: str | None = None) -> Policy:
    """How orders are read and judged, and with the id of the store's key who may have how many.

    Without it nothing is counted and nobody asked who he is: that concerns what is sent.
    Errors: ConfigurationError, as `rule_set`, `quotas` and `credentials`.
    """
    policy = Policy(rule_set(settings), settings.limits.order, settings.orders.fallback_charset)
    if key_id is None:
        return policy
    return replace(policy, quotas=quotas(settings), credentials=credentials(settings, key_id))


def _check(settings: Settings, problems: Iterable[Problem]) -> None:
    located = settings.sources.located(problems)
    if located:
        raise ConfigurationError(located)


def importing(
    settings: Settings, cassettes: Iterable[Interaction], upstreams: Sequence[str]
) -> int:
    """Add these to the store that is configured, all or none; how many there were.

    What an interaction's URL has behind the one of `upstreams` that it begins with is its path.
    Errors: StartUpError, also while a gateway writes the store.
    """
    policy, redaction = _recognition(settings)
    stays = replace(_store_settings(settings), ballast=0)  # no order waits for its outcome here
    return into_store(
        settings.db, cassettes, policy, redaction, settings=stays, upstreams=upstreams
    )


async def reload(parts: Parts, started: Settings, again: Callable[[], Settings]) -> None:
    """Read the configuration again, and let `_RELOADED` hold for requests that come after.

    What was wrong is logged, and all of the old stays. Other settings stay as they were when the
    gateway was `started`: the log names those that a restart would change.
    """
    gateway = parts.gateway
    before = gateway.policy.rules.version

    def read() -> tuple[Settings, Policy]:
        importlib.invalidate_caches()  # a package may have been installed since
        found = again()
        # The listener's limit stays, and so must that of what it takes in.
        return found, admission_policy(
            found.model_copy(update={"limits": started.limits}), parts.key_id
        )

    try:
        found, policy = await asyncio.to_thread(read)
    except StartUpError as error:
        _log.error("reload-refused", reason=str(error), rules_version=before)
        return
    except Exception:  # noqa: BLE001 - logged: whatever a stranger's rule does, the gateway serves on
        _log.exception("reload-failed", rules_version=before)
        return
    if started.spy and _recognised_otherwise(gateway.policy, policy):
        reason = (
            "The recordings of spy are found by the rules of the start; restart to have others."
        )
        _log.error("reload-refused", reason=reason, rules_version=before)
        return
    gateway.policy = policy
    _log.info("reloaded", rules_version=policy.rules.version, before=before)
    if waiting := _need_restart(started, found):
        _log.warning("restart-needed", settings=waiting)


def _recognised_otherwise(before: Policy, after: Policy) -> bool:
    """Whether an order may have another match key than before."""
    return (before.rules.version, before.fallback_charset) != (
        after.rules.version,
        after.fallback_charset,
    )


def _need_restart(started: Settings, found: Settings) -> list[str]:
    """The settings that were changed since, but are not reloaded."""
    before, after = dict(rows(started)), dict(rows(found))
    return [
        key
        for key in after
        if key.partition(".")[0] not in _RELOADED and after[key] != before.get(key)
    ]


def _overrides(settings: Settings) -> Mapping[str, Mapping[str, Fields]]:
    return {name: account.rules for name, account in settings.accounts.items() if account.rules}


def change(
    db: Path, configured: Callable[[], Settings], command: str, **arguments: str | int | None
) -> Mapping[str, Any]:
    """Have the running gateway change its store, or change it here when none runs.

    `configured` is asked only in the second case: a broken configuration must not stand in the way
    of an emergency stop. Errors: StartUpError when there is no such store, or it is refused.
    """
    patience = time.monotonic() + _PATIENCE
    while True:
        answer = control.ask(db, command, **arguments)
        if answer is not None:
            return answer
        if not db.exists():
            raise StartUpError(f"There is no store {db}; name it with --db.")
        try:
            return asyncio.run(_change_here(configured(), command, arguments))
        except StoreHeldError:
            # By another such command, or by a gateway that is about to listen to this one.
            if time.monotonic() > patience:
                raise
            time.sleep(_PAUSE)


def usage(
    db: Path, configured: Callable[[], Settings], account: str | None, limit: int
) -> Mapping[str, Any]:
    """How accounts stand towards their quotas, as `quota_control.shown` has it.

    The quotas are those of the running gateway, else those that are configured. Errors: as
    `change`.
    """
    answer = control.ask(db, quota_control.SHOW, account=account, limit=limit)
    if answer is not None:
        return answer
    if not db.exists():
        raise StartUpError(f"There is no store {db}; name it with --db.")
    return quota_control.shown(db, quotas(configured()), account, limit, moment())


async def _change_here(
    settings: Settings, command: str, arguments: Mapping[str, Any]
) -> Mapping[str, Any]:
    store = await SqliteStore.start(settings.db, settings=_store_settings(settings))
    try:
        handlers = {
            **_handlers(store, settings.db, lambda: quotas(settings)),
            **reindexing.handlers(store, settings.db, cache(lambda: _recognition(settings))),
        }
        return await handlers[command](dict(arguments))
    finally:
        await store.close()


def _replayed(settings: Settings, scratch: Path) -> tuple[Policy, Redaction, str]:
    """How requests are recognised that are answered from recordings; and what stands in Via."""
    redaction, _, via = _redaction(settings, scratch)
    policy = replace(admission_policy(settings), matching=settings.matching.options)
    return policy, redaction, via


def _recognition(settings: Settings) -> tuple[Policy, Redaction]:
    """What match keys are made with."""
    return admission_policy(settings), _redaction(settings, settings.db)[0]


def _handlers(
    store: SqliteStore, db: Path, in_force: Callable[[], Quotas]
) -> Mapping[str, control.Handler]:
    async def pause(asked: Mapping[str, Any]) -> dict[str, Any]:
        await store.pause(Pause(asked["account"], asked["reason"], asked["operator"], moment()))
        return {"paused": True}

    async def resume(asked: Mapping[str, Any]) -> dict[str, Any]:
        lifted = await store.resume(asked["account"], asked["reason"], asked["operator"], moment())
        return {"lifted": lifted}

    return {"pause": pause, "resume": resume, **quota_control.handlers(store, db, in_force)}


def _spying(settings: Settings, recordings: Recordings, behind: Upstream) -> Answering:
    playback = Playback(recordings, repeat=settings.repeat)
    return spying(playback, behind, send_orders=settings.spy_send_orders)


def _gateway(
    settings: Settings,
    upstream: Upstream,
    store: SqliteStore,
    policy: Policy,
    redaction: Redaction,
    via: str,
    *,
    answering: Answering | None = None,
) -> Gateway:
    limits = Limits(
        order_answer=settings.limits.order_answer,
        order_total=settings.timeouts.order_total,
        record=settings.limits.record,
    )
    return Gateway(
        upstream=upstream,
        store=store,
        policy=policy,
        redaction=redaction,
        limits=limits,
        via=via,
        answering=answering,
    )


def _redaction(settings: Settings, db: Path) -> tuple[Redaction, str, str]:
    """What is kept as a digest, the key's id, and the pseudonym in Via, which is made from it."""
    key, key_id = load_key(db, settings.key_file)
    redaction = Redaction(
        headers=settings.redact.headers, query_keys=settings.redact.query, key=key, key_id=key_id
    )
    return redaction, key_id, settings.via or f"ordertape-{key_id}"


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
    host: Literal["preserve", "upstream"] = "preserve" if settings.preserve_host else "upstream"
    return _live(settings, settings.upstream, via=via, host=host)


def _live(
    settings: Settings,
    url: str,
    *,
    via: str | None,
    host: Literal["preserve", "upstream"] = "upstream",
) -> Live:
    tls = settings.upstream_tls
    return Live(
        url,
        settings=LiveSettings(
            connect_timeout=settings.timeouts.connect,
            read_timeout=settings.timeouts.read,
            idle=settings.timeouts.upstream_idle,
            pool_size=settings.limits.upstream_connections,
            host=host,
            via=via,
            ssl=tls_context(tls.ca, tls.certificate, tls.key),
            server_hostname=tls.server_name,
        ),
        origin=Origin.LIVE,
    )
