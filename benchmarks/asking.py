"""The orders of the replay benchmark, recorded and asked for, and the client that sends them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping

from orders import Client
from peers import TARGET, Recorded

ANSWER_WITHIN = 300  # seconds
SENT = (
    ("Host", "service.example"),
    ("Authorization", "Basic dXNlcjpwYXNzd29yZA=="),
    ("Accept", "*/*"),
    ("Content-Type", "application/xml"),
)
ORDER = (
    "<?xml version='1.0' encoding='UTF-8'?>\n<Order><BackOrderRequested>false"
    "</BackOrderRequested><CustomerOrderId>{ident}</CustomerOrderId><Name>Order {number} of the "
    "suite</Name><NPANXXSearchAndOrderType><EnableLCA>false</EnableLCA><EnableTNDetail>true"
    "</EnableTNDetail><NpaNxx>{npa}{nxx}</NpaNxx><Quantity>{quantity}</Quantity>"
    "</NPANXXSearchAndOrderType><PartialAllowed>true</PartialAllowed><PeerId>500001</PeerId>"
    "<SiteId>743</SiteId></Order>"
)
FAR = (
    "<?xml version='1.0' encoding='UTF-8'?>\n<Order><BackOrderRequested>true</BackOrderRequested>"
    "<CustomerOrderId>f{number}</CustomerOrderId><Name>Something else, {number}</Name>"
    "<AreaCodeSearchAndOrderType><AreaCode>617</AreaCode><Quantity>{quantity}</Quantity>"
    "</AreaCodeSearchAndOrderType><PartialAllowed>false</PartialAllowed><PeerId>600001</PeerId>"
    "<SiteId>744</SiteId></Order>"
)
ANSWER = (
    '<?xml version="1.0" encoding="UTF-8" standalone="yes"?><OrderResponse><Order>'
    "<CustomerOrderId>{ident}</CustomerOrderId><Name>Order {number} of the suite</Name>"
    "<id>{number:08x}-2c4a-4631-9dae-d1f318ed57bc</id>"
    "<OrderCreateDate>2026-11-24T10:00:00.000Z</OrderCreateDate>"
    "<BackOrderRequested>false</BackOrderRequested><NPANXXSearchAndOrderType><NpaNxx>{npa}{nxx}"
    "</NpaNxx><Quantity>{quantity}</Quantity></NPANXXSearchAndOrderType>"
    "<PartialAllowed>true</PartialAllowed><SiteId>743</SiteId></Order>"
    "<OrderStatus>RECEIVED</OrderStatus></OrderResponse>"
)
STRIDE = 7919  # a prime: goes through any number of recordings, to places that no cache foresees
Asked = tuple[bytes, bytes]
"""An order, and what must be in the answer."""


def filled_in(template: str, number: int, ident: str) -> bytes:
    """Values that the rules leave alone: then what is recorded is what was sent."""
    return template.format(
        ident=ident,
        number=number,
        npa=201 + number % 700,
        nxx=200 + number // 700 % 700,
        quantity=1 + number % 100,
    ).encode()


def name_of(number: int) -> str:
    return f"c{number:08}"


def recorded(number: int) -> Recorded:
    answer = filled_in(ANSWER, number, name_of(number))
    headers = (
        ("Content-Type", "application/xml; charset=utf-8"),
        ("Location", f"http://service.example{TARGET}/{number:08x}-2c4a-4631-9dae-d1f318ed57bc"),
        ("Content-Length", str(len(answer))),
    )
    return Recorded(filled_in(ORDER, number, name_of(number)), answer, SENT, headers)


def hit(turn: int, recordings: int) -> Asked:
    number = turn * STRIDE % recordings
    return filled_in(ORDER, number, name_of(number)), name_of(number).encode()


def miss(turn: int, recordings: int) -> Asked:
    return filled_in(ORDER, turn * STRIDE % recordings, f"m{turn}"), b""


def far_miss(turn: int, _: int) -> Asked:
    return FAR.format(number=turn, quantity=1000 + turn % 4000).encode(), b""


ASKS: Mapping[str, Callable[[int, int], Asked]] = {"hit": hit, "miss": miss, "far miss": far_miss}


def asking(asked: Iterator[Asked], status: int) -> type[Client]:
    """A client that sends one after the other, and reads answers framed in either way."""

    class Asking(Client):
        begin = b"HTTP/1.1 %d" % status
        expected = b""

        def send(self) -> None:
            body, self.expected = next(asked)
            head = "".join(f"{name}: {value}\r\n" for name, value in SENT)
            line = f"POST {TARGET} HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n"
            self.since = time.perf_counter()
            self.transport.write(line.encode() + body)

        def data_received(self, data: bytes) -> None:
            self.seen += data
            if not whole(self.seen):
                return
            now = time.perf_counter()
            if not self.seen.startswith(self.begin) or self.expected not in self.seen:
                told = self.seen[:300].decode("latin-1")
                self.done.set_exception(RuntimeError(f"it answered {told!r}"))
                self.transport.close()
                return
            self.took.append(now - self.since)
            self.seen = b""
            if now < self.until:
                self.send()
            else:
                self.done.set_result(None)
                self.transport.close()

        def connection_lost(self, _: Exception | None) -> None:
            if not self.done.done():
                self.done.set_exception(RuntimeError("it closed the connection"))

    return Asking


def whole(answer: bytes) -> bool:
    end = answer.find(b"\r\n\r\n")
    if end < 0:
        return False
    head = answer[: end + 2].lower()
    at = head.find(b"\r\ncontent-length:")
    if at < 0:
        return answer.endswith(b"\r\n0\r\n\r\n")
    return len(answer) >= end + 4 + int(head[at + 17 : head.find(b"\r", at + 17)])


async def answers(
    port: int, connections: int, seconds: float, client: type[Client]
) -> tuple[float, list[float]]:
    """As `orders.load`, with time for what the slowest peer takes."""
    took: list[float] = []
    loop = asyncio.get_running_loop()
    start = time.perf_counter()
    async with asyncio.timeout(seconds + ANSWER_WITHIN):
        clients = [
            await loop.create_connection(lambda: client(start + seconds, took), "127.0.0.1", port)
            for _ in range(connections)
        ]
        await asyncio.gather(*(one.done for _, one in clients))
    return len(took) / (time.perf_counter() - start), took
