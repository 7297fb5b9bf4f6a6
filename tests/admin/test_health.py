"""The admin listener, asked over real sockets."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest

from ordertape.admin.health import Admin
from ordertape.errors import StartUpError
from ordertape.store import Health


@asynccontextmanager
async def running(health: Health, *names: str) -> AsyncIterator[Admin]:
    admin = Admin("127.0.0.1:0", lambda: health, names=frozenset(names))
    await admin.start()
    try:
        yield admin
    finally:
        await admin.stop()


async def asked(admin: Admin, path: str, host: str | None = None) -> tuple[int, str]:
    headers = {} if host is None else {"Host": host}
    async with (
        aiohttp.ClientSession() as session,
        session.get(admin.url + path, headers=headers) as response,
    ):
        assert response.headers["Cache-Control"] == "no-store"
        return response.status, await response.text()


@pytest.mark.parametrize(
    ("health", "path", "answer"),
    [
        (Health(ok=True), "/healthz", (200, "ok\n")),
        (Health(ok=True), "/readyz", (200, "ready\n")),
        (Health(ok=False, reason="The disk is full."), "/healthz", (200, "ok\n")),
        (Health(ok=False, reason="The disk is full."), "/readyz", (503, "The disk is full.\n")),
        (Health(ok=True), "/", (404, "Not Found.\n")),
        (Health(ok=True), "/healthz/", (404, "Not Found.\n")),
    ],
)
async def test_what_it_says(health: Health, path: str, answer: tuple[int, str]) -> None:
    async with running(health) as admin:
        assert await asked(admin, path) == answer


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:81", 200),
        ("127.0.0.1:1", 200),
        ("[::1]", 200),
        ("gateway.internal:8081", 200),
        ("evil.example", 421),
        ("10.0.0.1", 421),
        ("localhost.evil.example", 421),
    ],
)
async def test_only_its_own_names_are_answered(host: str, status: int) -> None:
    async with running(Health(ok=True), "Gateway.internal") as admin:
        assert (await asked(admin, "/healthz", host))[0] == status


async def test_a_port_in_use_is_one_sentence() -> None:
    async with running(Health(ok=True)) as first:
        taken = first.url.removeprefix("http://")
        with pytest.raises(StartUpError) as error:
            await Admin(taken, lambda: Health(ok=True)).start()
    assert str(error.value) == (
        f"{taken} is in use by another program; end that, or name another with --admin."
    )


async def test_after_stop_nothing_listens() -> None:
    async with running(Health(ok=True)) as admin:
        port = int(admin.url.rpartition(":")[2])
    with pytest.raises(ConnectionRefusedError):
        await asyncio.open_connection("127.0.0.1", port)
