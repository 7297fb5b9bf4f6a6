"""The yardstick: an aiohttp pass-through that reads, rules and records nothing.

Run as `python bare.py UPSTREAM_PORT`; prints its port.
"""

import asyncio
import sys

import aiohttp
import uvloop
from aiohttp import web

UPSTREAM = f"http://127.0.0.1:{sys.argv[1]}"


async def main() -> None:
    session = aiohttp.ClientSession(
        auto_decompress=False,
        cookie_jar=aiohttp.DummyCookieJar(),
        connector=aiohttp.TCPConnector(limit=256),
    )

    async def forward(request: web.Request) -> web.Response:
        body = await request.read()
        async with session.request(
            request.method,
            UPSTREAM + request.raw_path,
            data=body,
            headers={"Content-Type": request.headers["Content-Type"]},
        ) as answer:
            return web.Response(
                status=answer.status,
                body=await answer.read(),
                headers={
                    "Content-Type": answer.headers["Content-Type"],
                    "Location": answer.headers["Location"],
                },
            )

    app = web.Application()
    app.router.add_route("*", "/{tail:.*}", forward)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    print(runner.addresses[0][1], flush=True)
    await asyncio.Event().wait()


uvloop.run(main())
