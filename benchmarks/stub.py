"""An upstream that costs little: answers every request with the same 201, one process.

Run as `python stub.py`; prints its port.
"""

import asyncio
from typing import cast

import uvloop

BODY = (
    b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?><OrderResponse><Order>'
    b"<CustomerOrderId>123456789</CustomerOrderId><Name>Area Code Order</Name>"
    b"<id>34adcd9f-2c4a-4631-9dae-d1f318ed57bc</id>"
    b"<OrderCreateDate>2026-11-24T10:00:00.000Z</OrderCreateDate>"
    b"<BackOrderRequested>false</BackOrderRequested><AreaCodeSearchAndOrderType>"
    b"<AreaCode>617</AreaCode><Quantity>1</Quantity></AreaCodeSearchAndOrderType>"
    b"<PartialAllowed>true</PartialAllowed><SiteId>743</SiteId></Order>"
    b"<OrderStatus>RECEIVED</OrderStatus></OrderResponse>"
)
ANSWER = (
    b"HTTP/1.1 201 Created\r\nContent-Type: application/xml; charset=utf-8\r\n"
    b"Location: http://service.example/accounts/9900012/orders/"
    b"34adcd9f-2c4a-4631-9dae-d1f318ed57bc\r\nContent-Length: %d\r\n\r\n" % len(BODY)
) + BODY


class Stub(asyncio.Protocol):
    """Counts bytes against Content-Length; every benchmark request has one."""

    def __init__(self) -> None:
        self.seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast("asyncio.Transport", transport)  # uvloop's is no subclass

    def data_received(self, data: bytes) -> None:
        self.seen += data
        while (end := self.seen.find(b"\r\n\r\n")) >= 0:
            at = self.seen.lower().find(b"content-length:")
            length = int(self.seen[at + 15 : self.seen.find(b"\r", at)])
            if len(self.seen) < end + 4 + length:
                return
            self.seen = self.seen[end + 4 + length :]
            self.transport.write(ANSWER)


async def main() -> None:
    server = await asyncio.get_running_loop().create_server(Stub, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


uvloop.run(main())
