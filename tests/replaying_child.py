"""A replaying process under an audit hook: it answers requests from stdin, and tells of calls.

`replaying_child.py STORE [with-a-client]`: the hook sees what Python's sockets do, so the loop is
asyncio's own.
"""

import asyncio
import gc
import json
import os
import socket
import sys
import threading
from pathlib import Path

from ordertape.build import replaying
from ordertape.config import Settings
from ordertape.model import Origin, Request
from ordertape.server import Listener
from ordertape.service import listener_settings
from ordertape.upstream.live import Live, LiveSettings

CALLS = {"socket.connect", "socket.getaddrinfo", "socket.gethostbyname", "socket.sendto"}

called: list[str] = []


async def main(db: Path, *, client: bool) -> None:
    settings = Settings.model_validate({"listen": "127.0.0.1:0", "admin": "off"})
    bodies: list[str] = []
    live: Live | None = None
    async with replaying(settings, [db]) as (handler, _):
        listener = Listener(handler, settings=listener_settings(settings))
        await listener.start()
        asking = threading.Thread(target=ask, args=(listener.port, bodies), name="asking")
        asking.start()
        await asyncio.to_thread(asking.join)
        if client:
            live = Live(
                f"http://127.0.0.1:{listener.port}", settings=LiveSettings(), origin=Origin.LIVE
            )
            await live.send(Request("GET", "/known"))
            await live.close()
        await listener.stop(5)
    clients = sum(isinstance(thing, Live) for thing in gc.get_objects())
    told = {
        "bodies": bodies,
        "called": called,
        "clients": clients,
        "writable": os.access(db.parent, os.W_OK),
    }
    sys.stdout.write(json.dumps(told))
    del live


def ask(port: int, bodies: list[str]) -> None:
    """The client, in a thread whose own calls the hook leaves out."""
    for request in json.load(sys.stdin):
        with socket.create_connection(("127.0.0.1", port), timeout=20) as connection:
            connection.sendall(request.encode())
            answer = b"".join(iter(lambda: connection.recv(65536), b""))
        bodies.append(answer.partition(b"\r\n\r\n")[2].decode())


def hook(event: str, _: object) -> None:
    if event in CALLS and threading.current_thread().name != "asking":
        called.append(event)


if __name__ == "__main__":
    sys.addaudithook(hook)
    asyncio.run(main(Path(sys.argv[1]), client="with-a-client" in sys.argv))
