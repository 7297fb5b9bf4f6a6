"""`/healthz` and `/readyz`, for whoever restarts processes or sends them traffic.

Source: RFC 9110 section 15.5.20 for 421: a page in some browser must not reach this listener
through a name of its own (DNS rebinding), so only names of this machine are answered.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from http import HTTPStatus
from ipaddress import ip_address

from aiohttp import web

from ordertape.server.address import Address, cannot_listen, parse_address
from ordertape.store import Health

_OPTION = "--admin"
_HEADERS = {"Cache-Control": "no-store", "Server": "ordertape"}
_Endpoint = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Admin:
    """The admin listener; `health` says whether new orders can be recorded now.

    Beside loopback names and the address that a connection came in on, Host may be one of `names`.
    """

    def __init__(
        self, listen: str, health: Callable[[], Health], *, names: frozenset[str] = frozenset()
    ) -> None:
        self._listen = listen
        self._health = health
        self._names = frozenset(name.lower() for name in names)
        self._address = Address("", 0)
        self._runner: web.AppRunner | None = None

    @property
    def url(self) -> str:
        """The URL of the open port, with the host as it was configured."""
        port = self._address.port
        if self._runner is not None and self._runner.addresses:
            port = int(self._runner.addresses[0][1])
        return f"http://{Address(self._address.host or 'localhost', port)}"

    async def start(self) -> None:
        """Open the port. Errors: StartUpError."""
        self._address = parse_address(self._listen, _OPTION)
        application = web.Application(middlewares=[self._known_names_only])
        application.router.add_get("/healthz", _alive)
        application.router.add_get("/readyz", self._ready)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=1.0)
        await self._runner.setup()
        try:
            await web.TCPSite(self._runner, self._address.host or None, self._address.port).start()
        except OSError as error:
            await self.stop()
            raise cannot_listen(self._address, _OPTION, error) from error

    async def stop(self) -> None:
        """Close the port and its connections."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def _ready(self, _: web.Request) -> web.Response:
        health = self._health()
        if health.ok:
            return _said(HTTPStatus.OK, "ready")
        return _said(HTTPStatus.SERVICE_UNAVAILABLE, health.reason)

    @web.middleware
    async def _known_names_only(
        self, request: web.Request, handler: _Endpoint
    ) -> web.StreamResponse:
        if not self._is_known(request):
            return _said(
                HTTPStatus.MISDIRECTED_REQUEST,
                "This listener is asked by its address or as localhost only.",
            )
        try:
            return await handler(request)
        except web.HTTPException as error:
            return _said(HTTPStatus(error.status), f"{error.reason}.")

    def _is_known(self, request: web.Request) -> bool:
        host = _host(request.headers.get("Host", ""))
        if host == "localhost" or host in self._names:
            return True
        try:
            address = ip_address(host)
        except ValueError:
            return False
        sockname = request.transport.get_extra_info("sockname") if request.transport else None
        return address.is_loopback or (
            sockname is not None and address == ip_address(sockname[0].partition("%")[0])
        )


async def _alive(_: web.Request) -> web.Response:
    return _said(HTTPStatus.OK, "ok")


def _said(status: HTTPStatus, sentence: str) -> web.Response:
    return web.Response(status=status, text=sentence + "\n", headers=_HEADERS)


def _host(field: str) -> str:
    """The host of a Host field, without port and brackets, lower case."""
    if field.startswith("["):
        return field[1:].partition("]")[0].lower()
    return field.partition(":")[0].lower()
