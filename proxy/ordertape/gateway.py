"""The pipeline: every request takes it, whatever answers in the end.

    read → normalise → validate → match key → intent on disk → send → outcome on disk → answer

Nothing here asks whether it records, replays or plays the sandbox: that is what was put together.
A request that can change something is on disk before its first byte leaves, and an order is never
sent twice.
"""

from __future__ import annotations

import asyncio
import functools
from collections.abc import AsyncGenerator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing, suppress
from dataclasses import dataclass, replace
from typing import TypeVar, TypeVarTuple

import structlog

from ordertape import admission, answers, giving, hops, quota, transcript
from ordertape.admission import Policy
from ordertape.errors import (
    AnswerTimeoutError,
    GatewayError,
    GatewayFailedError,
    InDoubtError,
    LoopError,
    OverQuotaError,
    RefusedError,
    RuleFailedError,
    UnavailableError,
)
from ordertape.model import (
    SAFE_METHODS,
    Answer,
    Body,
    Charge,
    Exchange,
    Headers,
    Kind,
    Message,
    Outcome,
    Request,
    Response,
    State,
    Tally,
)
from ordertape.order import Order
from ordertape.quota import Reservation
from ordertape.redaction import Redaction
from ordertape.route import Route, classify
from ordertape.store import Store
from ordertape.upstream import Answering, Upstream

_log = structlog.get_logger("ordertape.exchange")


_Arguments = TypeVarTuple("_Arguments")
_Result = TypeVar("_Result")

_LARGE = 8 << 10
"""Bytes of a body past which working it out would hold up everyone else (at this: 20 ms)."""

_CLOCK_BACK = 60_000_000
"""Microseconds by which an account's time may be ahead of the clock without a warning."""

_PATIENCE = 30.0
"""Seconds that a large order waits for others."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Sizes in bytes, times in seconds.

    `order_total` bounds an order's exchange with the service from the connection to the last byte
    of its answer. `record` is how much of a body on other paths is kept.
    """

    order_answer: int = 8 << 20
    order_total: float = 120.0
    record: int = 1 << 20


@dataclass(frozen=True, slots=True)
class _Coming:
    """An answer whose head is there, and the tally of as much of its body as has come."""

    response: Response
    seen: Tally


@dataclass(slots=True)
class _Passage:
    """One request on its way through: each step fills in what it finds out.

    So a refusal records what was known by then, and an answer that broke off what had come.
    """

    request: Request
    route: Route
    policy: Policy
    exchange: Exchange
    forward: Request
    upstream: Upstream
    large: bool
    order: Order | None = None
    back_ordered: bool = False
    kept: int | None = None
    handle: int | None = None
    reservation: Reservation | None = None
    sent: Tally | None = None
    coming: _Coming | None = None
    relayed: bool = False
    outcome: Outcome | None = None


class Gateway:
    """The pipeline over its parts; put together in `build`, called by the listener."""

    def __init__(
        self,
        *,
        upstream: Upstream,
        store: Store,
        policy: Policy,
        redaction: Redaction,
        limits: Limits,
        via: str,
        answering: Answering | None = None,
    ) -> None:
        """Take the parts. All is answered by `upstream`, unless `answering` chooses another."""
        self.policy = policy
        """How orders are read and judged; another one holds for requests that come after."""
        self._upstream = upstream
        self._answering = answering
        self._store = store
        self._turn = asyncio.Lock()
        self._beside = ThreadPoolExecutor(1, thread_name_prefix="large-orders")
        self._redaction = redaction
        self._limits = limits
        self._via = via.lower().encode()

    def route(self, method: str, target: str) -> Kind:
        """Which steps concern this request; the listener's limits depend on it."""
        return classify(method, target).kind

    async def handle(self, request: Request) -> Answer:
        """Take one request through the pipeline; every error comes back as an answer."""
        passage = self._begin(request)
        in_turn = passage.large and passage.route.kind is Kind.ORDER
        refusal = await (self._in_turn(passage) if in_turn else self._opened(passage))
        return await self._exchange(passage) if refusal is None else refusal

    async def refuse(self, request: Request, error: RefusedError) -> Answer:
        """Record and answer a request that the listener could not take in."""
        return await self._refused(self._begin(request), error)

    def close(self) -> None:
        """Let go of the thread that large orders are worked out in."""
        self._beside.shutdown(wait=False, cancel_futures=True)

    # Before anything is sent.

    async def _in_turn(self, passage: _Passage) -> Answer | None:
        """`_opened` for large orders, one after the other: each takes memory and time."""
        try:
            async with asyncio.timeout(_PATIENCE):
                await self._turn.acquire()
        except TimeoutError:
            crowded = "Too many large orders are being read; nothing was sent, try again later."
            return await self._refused(passage, UnavailableError(crowded))
        try:
            return await self._opened(passage)
        finally:
            self._turn.release()

    async def _opened(self, passage: _Passage) -> Answer | None:
        """Record the intent; or record that it is refused, and return the answer to that."""
        try:
            await self._admit(passage)
            self._choose(passage)
            if passage.request.method not in SAFE_METHODS:
                await self._open(passage)
                # They are on disk, and there may be thousands of them.
                passage.exchange = replace(passage.exchange, edits=(), violations=())
                passage.order = None if passage.large else passage.order
        except RefusedError as error:
            return await self._refused(passage, error)
        except Exception:  # noqa: BLE001 - answered and recorded: it must not pass as if unseen
            _log.exception("gateway-failed", id=passage.exchange.id)
            return await self._refused(passage, _failed())
        return None

    def _begin(self, request: Request) -> _Passage:
        route = classify(request.method, request.target)
        target = self._redaction.target(request.target)
        body = request.body
        received = transcript.request_message(request, target, self._redaction)
        if body.rest is not None:
            received = replace(received, length=None, sha256=None, truncated=True)
        exchange = Exchange(
            id=transcript.exchange_id(),
            received_at=transcript.moment(),
            kind=route.kind,
            origin=self._upstream.origin,
            upstream=self._upstream.url,
            method=request.method,
            target=target,
            peer=request.peer,
            received=received,
            account=route.account,
            rules_version=self.policy.rules.version,
        )
        forward = replace(request, headers=hops.end_to_end(request.headers))
        passage = _Passage(
            request,
            route,
            self.policy,
            exchange,
            forward,
            self._upstream,
            large=_is_large(request),
        )
        if body.rest is not None:
            passage.sent = Tally(len(body.held))
            passage.sent.add(body.held)
            passage.forward = replace(
                forward, body=Body(body.held, _tallied(body.rest, passage.sent))
            )
        return passage

    async def _admit(self, passage: _Passage) -> None:
        """Decide what is sent and gather what the intent holds. Errors: RefusedError."""
        if passage.route.error is not None:
            raise passage.route.error
        if self._via in {via.split()[-1] for via in passage.request.headers.tokens(b"via")}:
            raise LoopError(
                "The request has been through this gateway already; "
                "point the upstream at the service, not at the gateway."
            )
        account = passage.route.account
        admission.check_credentials(passage.request, passage.policy, self._redaction)
        if passage.route.kind is Kind.ORDER:
            await self._admit_order(passage)
        pause = self._store.paused(account)
        if pause is not None and passage.route.kind is not Kind.OTHER:
            raise UnavailableError(
                f"Orders are paused ({pause.reason}); nothing was sent, try again later."
            )
        forward = passage.forward
        if forward.body.rest is not None:
            return  # a body that is still coming cannot be recognised again
        matching = passage.policy.matching
        key = await self._worked_out(
            passage, admission.match_key, forward, passage.order, self._redaction, matching
        )
        passage.forward = replace(forward, match_key=key)
        passage.exchange = replace(passage.exchange, match_key=key)

    async def _admit_order(self, passage: _Passage) -> None:
        policy, account = passage.policy, passage.route.account
        order = await self._worked_out(passage, admission.read, passage.request, policy)
        passage.order = order
        judged = await self._worked_out(
            passage, admission.judge, order, passage.forward, policy, account
        )
        passage.forward = judged.forward
        passage.back_ordered = admission.is_back_ordered(judged.leaves)
        passage.exchange = replace(
            passage.exchange,
            sent=self._sent(passage) if judged.rewritten else None,
            order_type=judged.leaves.order_type,
            customer_order_id=judged.leaves.customer_order_id,
            quantity=judged.leaves.quantity,
            edits=judged.edits,
            violations=judged.violations,
            cost=judged.cost,
        )
        if judged.refusal is not None:
            raise judged.refusal

    def _choose(self, passage: _Passage) -> None:
        """Settle who is to answer, so that the intent tells what kind of evidence it is of."""
        if self._answering is None:
            return
        passage.upstream = chosen = self._answering(passage.forward)
        passage.exchange = replace(passage.exchange, origin=chosen.origin, upstream=chosen.url)

    async def _open(self, passage: _Passage) -> None:
        """Have the intent on disk, and what it costs counted. Errors: RefusedError."""
        quotas, kind = passage.policy.quotas, passage.route.kind
        counts = kind is Kind.ORDER or (kind is Kind.ORDER_V2 and not quotas.pass_v2)
        in_force = quotas.of(passage.route.account) if counts else ()
        intent = await self._store.open(passage.exchange, in_force)
        passage.handle = intent.handle
        passage.reservation = intent.reservation
        if intent.reservation is not None:
            _warn(passage, intent.reservation)

    async def _worked_out(
        self, passage: _Passage, work: Callable[[*_Arguments], _Result], *arguments: *_Arguments
    ) -> _Result:
        """What this function returns; for a large order it runs beside the loop.

        Errors: those of `work`.
        """
        if not passage.large:
            return work(*arguments)
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._beside, work, *arguments)

    def _sent(self, passage: _Passage) -> Message:
        """What leaves in place of what came, but for Host: that is the upstream's own matter."""
        forward = passage.forward
        hostless = replace(forward, headers=forward.headers.without([b"host"]))
        return transcript.request_message(hostless, passage.exchange.target, self._redaction)

    async def _refused(self, passage: _Passage, error: RefusedError) -> Answer:
        if isinstance(error, RuleFailedError):
            _log.error("rule-failed", id=passage.exchange.id, exc_info=error.__cause__)
        outcome = Outcome(error.state, transcript.moment(), status=error.status, reason=str(error))
        if isinstance(error, OverQuotaError):  # the store has refused it, and recorded that
            if passage.policy.quotas.headers == "never":
                error.headers = ()
        else:
            try:
                await self._store.refuse(passage.exchange, outcome)
            except UnavailableError as unrecorded:
                _log.error("refusal-not-recorded", id=passage.exchange.id, reason=str(unrecorded))
        self._report(passage, outcome)
        return await self._own_answer(passage, error)

    # From the first byte that may leave.

    async def _exchange(self, passage: _Passage) -> Answer:
        """Send once, record how it ended, and only then answer."""
        whole = passage.route.kind is not Kind.OTHER
        try:
            async with asyncio.timeout(self._limits.order_total if whole else None):
                response = await passage.upstream.send(passage.forward)
                seen = Tally(self._limits.order_answer if whole else self._limits.record)
                seen.add(response.body.held)
                passage.coming = _Coming(response, seen)
                if whole:
                    response = await self._whole(response, seen)
                    passage.coming = _Coming(response, seen)
            passage.kept = await self._kept(passage, response)
        except TimeoutError:
            error: GatewayError = AnswerTimeoutError(
                f"The service's answer was not whole after {self._limits.order_total:g} s; "
                "the order may have been taken: ask the service before sending it again."
            )
        except GatewayError as failed:
            error = failed
        except Exception:  # noqa: BLE001 - answered and recorded: nothing may be lost here
            _log.exception("gateway-failed", id=passage.exchange.id)
            error = InDoubtError(
                "The gateway failed while the request was under way; "
                "it may have been sent: ask the service before sending it again."
            )
        else:
            if response.body.rest is not None:
                passage.relayed = True  # the client has the service's status, whatever comes
                rest = self._relay(passage, response.headers, seen, response.body.rest)
                body = Body(response.body.held, rest)
                return self._answer(passage, replace(response, body=body))
            unrecorded = await self._completed(passage)
            if unrecorded is not None:
                return await self._own_answer(passage, unrecorded)
            return self._answer(passage, _with_limits(passage, response))
        try:
            await self._settle(passage, error.state, error)
        except UnavailableError:
            error = _unrecorded()
        return await self._own_answer(passage, error)

    async def _completed(self, passage: _Passage) -> GatewayError | None:
        """Record a whole answer; what the client is told where that fails."""
        try:
            await self._settle(passage, State.COMPLETED)
        except UnavailableError:
            return _unrecorded()
        except Exception:  # noqa: BLE001 - answered, and recorded as in doubt
            _log.exception("gateway-failed", id=passage.exchange.id)
            error = _unrecorded()
            await self._settle_last(passage, error)
            return error
        return None

    async def _whole(self, response: Response, seen: Tally) -> Response:
        """The response with its body buffered. Errors: InDoubtError past the limit."""
        limit = self._limits.order_answer
        pieces = [response.body.held]
        if response.body.rest is not None:
            async with aclosing(response.body.rest) as rest:
                async for piece in rest:
                    seen.add(piece)
                    pieces.append(piece)
                    if seen.length > limit:
                        break
        if seen.length > limit:
            raise InDoubtError(
                f"The service's answer passes {limit} bytes; "
                "the order may have been taken: ask the service before sending it again."
            )
        return replace(response, body=Body(b"".join(pieces)))

    async def _relay(
        self,
        passage: _Passage,
        headers: Headers,
        seen: Tally,
        rest: AsyncGenerator[bytes, None],
    ) -> AsyncGenerator[bytes, None]:
        """Pass an answer on as it comes; its outcome is durable before its last byte is given.

        Errors: InDoubtError when the service breaks off or the outcome cannot be recorded; the
        listener then aborts the client's connection.
        """
        length = headers.content_length()
        settled = False
        try:
            async with aclosing(rest):
                async for piece in rest:
                    seen.add(piece)
                    if length is not None and seen.length >= length:
                        settled = True
                        await self._settle(passage, State.COMPLETED)
                    yield piece
            if not settled:
                settled = True
                await self._settle(passage, State.COMPLETED)
        except UnavailableError as unrecorded:
            raise _unrecorded() from unrecorded
        except InDoubtError as error:
            if not settled:
                settled = True
                await self._settle_last(passage, error)
            raise
        finally:
            if not settled:
                left = InDoubtError("The client went away before the whole answer had passed.")
                await self._settle_last(passage, left)

    async def _settle_last(self, passage: _Passage, error: GatewayError) -> None:
        """Settle where nobody is left to be told that it failed."""
        try:
            await self._settle(passage, error.state, error)
        except UnavailableError as unrecorded:
            _log.error("outcome-not-recorded", id=passage.exchange.id, reason=str(unrecorded))

    async def _settle(
        self, passage: _Passage, state: State, error: GatewayError | None = None
    ) -> None:
        """Record the outcome: durable on return, for a safe method queued. Errors: as the store."""
        outcome = Outcome(
            state=state,
            at=transcript.moment(),
            status=None if error is None else error.status,
            reason=None if error is None else str(error),
            streamed=self._streamed(passage),
        )
        if passage.coming is not None:
            response, seen = passage.coming.response, passage.coming.seen
            answered = transcript.response_message(response, seen, self._redaction)
            outcome = replace(outcome, answered=answered)
            if error is None or passage.relayed:
                outcome = replace(outcome, status=response.status)
            if error is None and passage.route.kind is Kind.ORDER:
                outcome = replace(outcome, order_id=transcript.order_id(response))
            if error is None and passage.reservation is not None:
                outcome = replace(
                    outcome,
                    charge=giving.charge(response.status, passage.policy.quotas.refunded),
                    kept=passage.kept,
                )
        passage.outcome = outcome
        try:
            if passage.handle is None:
                await self._store.record(passage.exchange, outcome)
            else:
                await self._store.settle(passage.handle, passage.exchange.id, outcome)
        except UnavailableError as unrecorded:
            lost = _unrecorded()
            reason = f"{lost} {unrecorded}"
            outcome = replace(outcome, state=lost.state, status=lost.status, reason=reason)
            raise
        finally:
            self._report(passage, outcome)

    async def _kept(self, passage: _Passage, response: Response) -> int | None:
        """How many numbers the service says that it gave, where that is its last word.

        Whatever cannot be told costs what was ordered.
        """
        ordered, is_large = passage.exchange.cost, len(response.body.held) > _LARGE
        if ordered is None or response.status // 100 != 2:  # noqa: PLR2004 - the class of a status
            return None
        read = functools.partial(giving.kept, response, ordered, back_ordered=passage.back_ordered)
        try:
            if not is_large:
                return read()
            return await asyncio.get_running_loop().run_in_executor(self._beside, read)
        except Exception:  # noqa: BLE001 - logged; the answer is there, and is the client's
            _log.exception("answer-not-read", id=passage.exchange.id)
            return None

    # What is kept and said of it.

    def _streamed(self, passage: _Passage) -> Message | None:
        if passage.sent is None:
            return None
        received = passage.exchange.received
        return Message(received.line, received.headers, *passage.sent.result())

    def _answer(self, passage: _Passage, response: Response) -> Answer:
        if passage.handle is None:
            return Answer(response)
        noted = functools.partial(self._store.delivered, passage.handle, passage.exchange.id)
        return Answer(response, noted)

    async def _own_answer(self, passage: _Passage, error: GatewayError) -> Answer:
        return self._answer(passage, await self._worked_out(passage, _rendered, passage, error))

    def _report(self, passage: _Passage, outcome: Outcome) -> None:
        """One line an exchange; nothing in it is secret."""
        exchange = passage.exchange
        _log.info(
            "exchange",
            id=exchange.id,
            origin=exchange.origin.value,
            method=exchange.method,
            target=exchange.target,
            account=exchange.account,
            state=outcome.state.value,
            status=outcome.status,
            duration_ms=round((outcome.at - exchange.received_at) / 1000, 1),
            **({} if outcome.reason is None else {"reason": outcome.reason}),
        )


def _rendered(passage: _Passage, error: GatewayError) -> Response:
    """The answer with the order's echo; with none where that fails, for an answer there must be."""
    render = functools.partial(
        answers.render,
        error,
        exchange_id=passage.exchange.id,
        xml=passage.route.xml,
        accept=passage.request.headers.get(b"accept"),
    )
    try:
        return render(order=_echo(passage))
    except Exception:  # noqa: BLE001 - memory or threads have run out
        _log.exception("echo-failed", id=passage.exchange.id)
        return render(order=None)


def _echo(passage: _Passage) -> Order | None:
    """The order; a large one that was let through is read once more."""
    if passage.order is None and passage.handle is not None and passage.route.kind is Kind.ORDER:
        with suppress(RefusedError):  # it has grown over the limit
            return admission.read(passage.forward, passage.policy)
    return passage.order


def _is_large(request: Request) -> bool:
    """Whether it takes long to work out what it says; what is compressed may."""
    body = request.body
    packed = request.headers.get(b"content-encoding") is not None
    return body.rest is None and (packed or len(body.held) > _LARGE)


def _with_limits(passage: _Passage, response: Response) -> Response:
    """The service's answer, with what is left of the quotas where that is configured."""
    reservation, outcome = passage.reservation, passage.outcome
    if reservation is None or outcome is None or passage.policy.quotas.headers != "always":
        return response
    numbers = passage.exchange.cost if outcome.kept is None else outcome.kept
    settled = reservation.settled(None if outcome.charge is Charge.REFUNDED else numbers)
    told = quota.headers(settled, settled.standings)
    return replace(response, headers=Headers.of((*response.headers, *told)))


def _warn(passage: _Passage, reservation: Reservation) -> None:
    """Say that a quota is nearly used up, or that one which only watches has no room."""
    if reservation.at - reservation.clock > _CLOCK_BACK:
        _log.warning(
            "clock-set-back",
            id=passage.exchange.id,
            account=reservation.account,
            seconds=(reservation.at - reservation.clock) // 1_000_000,
        )
    for standing in quota.warnings(reservation):
        _log.warning(
            "quota-nearly-used" if standing.fits else "quota-would-refuse",
            id=passage.exchange.id,
            account=reservation.account,
            quota=standing.quota.name,
            limit=standing.quota.limit,
            used=standing.used + standing.asked,
        )


def _failed() -> GatewayFailedError:
    return GatewayFailedError(
        "The gateway failed before anything was sent; see its log, and report it as a bug."
    )


def _unrecorded() -> InDoubtError:
    return InDoubtError(
        "What became of the request could not be recorded; "
        "it may have been taken: ask the service before sending it again."
    )


async def _tallied(rest: AsyncGenerator[bytes, None], tally: Tally) -> AsyncGenerator[bytes, None]:
    async for piece in rest:
        tally.add(piece)
        yield piece
