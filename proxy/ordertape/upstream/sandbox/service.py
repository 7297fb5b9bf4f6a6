"""The sandbox as an upstream: its resources, and the orders that it holds."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from random import Random
from urllib.parse import parse_qsl
from uuid import UUID

from ordertape import coding
from ordertape.errors import RefusedError, TooLargeError
from ordertape.model import Body, Headers, Origin, Request, Response
from ordertape.upstream.sandbox import answers, numbers
from ordertape.upstream.sandbox.limits import Problem, count, judge, misformatted
from ordertape.upstream.sandbox.reading import Asked, UnreadableError, read

URL = "http://sandbox.ordertape.test"
"""Where the sandbox says that it is: in Location and in links. Nothing listens there."""

KEPT = 10_000
"""Orders that are held; the oldest is forgotten for a new one."""

SITE = "743"
"""The site that `/sites` names. Orders may name any."""

_LIMIT = 1 << 20  # bytes of a request's body
_PAGE = 300  # orders on a page of the list

_ACCOUNT = r"(?:/[^/]+)*(?<!/v2)/accounts/(?P<account>[^/]+)"
"""Any prefix, as clients differ in it; but v2 takes other bodies and is not stood in for."""

_SEARCHES: Mapping[str, str] = {
    "areaCode": "AreaCode",
    "city": "City",
    "lata": "Lata",
    "localVanity": "LocalVanity",
    "npaNxx": "NpaNxx",
    "npaNxxx": "NpaNxxX",
    "quantity": "Quantity",
    "rateCenter": "RateCenter",
    "state": "State",
    "tollFreeVanity": "TollFreeVanity",
    "tollFreeWildCardPattern": "TollFreeWildCardPattern",
    "zip": "Zip",
}
"""A search's query parameter → the element of the same meaning."""


@dataclass(frozen=True, slots=True)
class _Placed:
    """An order that was taken: with its defaults, and how often it was read."""

    id: str
    asked: Asked
    created: str
    reads: int = 0
    closed: bool = False

    @property
    def echo(self) -> str:
        return answers.order(self.asked, created=self.created, order_id=self.id)


@dataclass(frozen=True, slots=True)
class _Call:
    """A request that reached a resource."""

    account: str
    order_id: str
    path: str
    query: Mapping[str, str]
    body: bytes


class Sandbox:
    """A stand-in of the orders service that lives in memory and opens no socket.

    Any credentials will do, but some must come. An order is RECEIVED until it was read
    `completes_after` times; from then on it is COMPLETE, or PARTIAL, BACKORDERED or FAILED where
    there are not enough numbers (`numbers`). Equal seeds give equal order ids for equal requests.
    Where no code of the service is on record for an error, `<Code>` is the HTTP status.
    """

    origin = Origin.SANDBOX

    def __init__(
        self,
        *,
        seed: int = 0,
        url: str = URL,
        completes_after: int = 1,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """`url` is the base of every Location; `clock` gives times with a zone."""
        self.url = url
        self._completes_after = completes_after
        self._clock = clock
        self._random = Random(seed)  # noqa: S311 - ids must be repeatable and are no secret
        self._orders: dict[tuple[str, str], _Placed] = {}
        self._resources: Mapping[str, Mapping[str, Callable[[_Call], Response]]] = {
            "/orders": {"GET": self._list, "POST": self._create},
            "/orders/(?P<order>[^/]+)": {"GET": self._read, "PUT": self._update},
            "/availableNumbers": {"GET": self._search},
            "/sites": {"GET": self._sites},
        }

    def __repr__(self) -> str:
        return f"<Sandbox {self.url}, {len(self._orders)} orders>"

    async def send(self, request: Request) -> Response:
        """Answer a request. It never fails: what cannot be answered is answered with an error."""
        try:
            body = coding.decoded(await _whole(request.body), request.headers, _LIMIT)
            response = self._answer(request, body)
        except RefusedError as error:
            response = answers.refused(error.status, [Problem(str(error.status), str(error))])
        if request.method == "HEAD":
            length = b"%d" % len(response.body.held)
            headers = response.headers.with_added(b"Content-Length", length)
            response = replace(response, headers=headers, body=Body())
        return replace(response, upstream=self.url)

    async def close(self) -> None:
        """There is nothing to let go of."""

    def _answer(self, request: Request, body: bytes) -> Response:
        if request.headers.get(b"Authorization") is None:
            challenge = (b"WWW-Authenticate", b'Basic realm="orders sandbox"')
            return Response(401, b"Unauthorized", Headers.of([challenge]))
        method = "GET" if request.method == "HEAD" else request.method
        for resource, verbs in self._resources.items():
            found = re.fullmatch(_ACCOUNT + resource, request.path)
            if found is None:
                continue
            if method not in verbs:
                allowed = ", ".join(sorted({*verbs, *(["HEAD"] if "GET" in verbs else [])}))
                sentence = f"Only {allowed} can be used here."
                return answers.text(405, sentence, [(b"Allow", allowed.encode())])
            named = found.groupdict()
            query = dict(parse_qsl(request.query, keep_blank_values=True))
            order_id = named.get("order", "")
            return verbs[method](_Call(named["account"], order_id, request.path, query, body))
        return answers.text(
            404,
            "There is no such resource; the sandbox has …/accounts/{accountId}/orders, "
            "/orders/{orderId}, /availableNumbers and /sites.",
        )

    def _create(self, call: _Call) -> Response:
        try:
            asked = read(call.body)
        except UnreadableError as error:
            return answers.refused(400, [Problem("400", str(error))])
        problems = judge(asked)
        asked = asked.with_defaults()
        created = self._now()
        if problems:
            return answers.refused(400, problems, answers.order(asked, created=created))
        order_id = str(UUID(int=self._random.getrandbits(128), version=4))
        placed = _Placed(order_id, asked, created)
        self._orders[call.account, order_id] = placed
        if len(self._orders) > KEPT:
            del self._orders[next(iter(self._orders))]
        location = f"{self.url}{call.path}/{order_id}".encode("latin-1", "replace")
        return answers.xml(201, answers.received(placed.echo), [(b"Location", location)])

    def _read(self, call: _Call) -> Response:
        placed = self._orders.get((call.account, call.order_id))
        if placed is None:
            return _unknown(call)
        self._orders[call.account, call.order_id] = replace(placed, reads=placed.reads + 1)
        return self._shown(placed)

    def _update(self, call: _Call) -> Response:
        """CloseOrder ends the wait for numbers; whatever else the body holds changes nothing."""
        placed = self._orders.get((call.account, call.order_id))
        if placed is None:
            return _unknown(call)
        try:
            asked = read(call.body)
        except UnreadableError as error:
            return answers.refused(400, [Problem("400", str(error))])
        if asked.common.get("CloseOrder") == "true":
            placed = replace(placed, closed=True)
            self._orders[call.account, call.order_id] = placed
        return self._shown(placed)

    def _shown(self, placed: _Placed) -> Response:
        if placed.reads < self._completes_after:
            return answers.xml(200, answers.received(placed.echo))
        result = numbers.fulfil(placed.asked, closed=placed.closed)
        got = numbers.completed_numbers(placed.asked, result, placed.id)
        return answers.xml(200, answers.settled(placed.echo, result, got, modified=placed.created))

    def _list(self, call: _Call) -> Response:
        """The account's orders, newest first, in pages that count from 1."""
        size = min(_positive(call.query.get("size"), _PAGE), KEPT)
        page = _positive(call.query.get("page"), 1)
        own = [order for (account, _), order in self._orders.items() if account == call.account]
        start = (page - 1) * size
        rows = [self._row(order) for order in islice(reversed(own), start, start + size)]
        base = f"{self.url}{call.path}?page="
        following = f"{base}{page + 1}&size={size}" if start + size < len(own) else None
        document = answers.order_list(len(own), rows, f"{base}1&size={size}", following)
        return answers.xml(200, document)

    def _row(self, placed: _Placed) -> str:
        if placed.reads < self._completes_after:
            return answers.listed_order(placed.id, placed.created, "RECEIVED", 0)
        result = numbers.fulfil(placed.asked, closed=placed.closed)
        return answers.listed_order(placed.id, placed.created, result.status, result.completed)

    def _search(self, call: _Call) -> Response:
        wanted = {_SEARCHES[key]: text for key, text in call.query.items() if key in _SEARCHES}
        problems = misformatted(wanted.items())
        quantity = wanted.pop("Quantity", str(numbers.STOCK))
        if not wanted:
            problems = (*problems, Problem("5224", "A search needs at least one criterion."))
        if problems:
            return answers.search_refused(problems)
        where = numbers.places(wanted)
        wanted_count = min(count(quantity), numbers.capacity(where))
        detail = call.query.get("enableTNDetail") == "true"
        found = numbers.some(where, wanted_count, start=0)
        return answers.xml(200, answers.search_result(found, detail=detail))

    def _sites(self, _: _Call) -> Response:
        return answers.xml(200, answers.sites(SITE))

    def _now(self) -> str:
        now = self._clock().astimezone(UTC).isoformat(timespec="milliseconds")
        return now.replace("+00:00", "Z")


async def _whole(body: Body) -> bytes:
    """The body to its end. Errors: TooLargeError, and those of its stream."""
    pieces = [body.held]
    length = len(body.held)
    if body.rest is not None:
        async with aclosing(body.rest) as rest:
            async for piece in rest:
                pieces.append(piece)
                length += len(piece)
                if length > _LIMIT:
                    break
    if length > _LIMIT:
        raise TooLargeError(f"The body passes {_LIMIT} bytes; send a smaller one.")
    return b"".join(pieces)


def _unknown(call: _Call) -> Response:
    sentence = f"There is no order {call.order_id} of this account."
    return answers.refused(404, [Problem("404", sentence)])


def _positive(value: str | None, otherwise: int) -> int:
    """A count from a query; anything that is none counts as left out."""
    return (
        int(value) if value is not None and re.fullmatch("0*[1-9][0-9]{0,8}", value) else otherwise
    )
