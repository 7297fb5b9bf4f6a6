"""An orders service that keeps its own books: each order is fsynced before it is answered.

Run as `python ledger_service.py LEDGER`; prints its port. A line of the ledger is an order's name
and, where it states one, its Quantity. One order in twenty is taken and then hung up on, so that
its client cannot know; one whose name ends in "r" is refused, and not taken.
"""

import asyncio
import os
import re
import sys
import uuid

_QUANTITY = re.compile(rb"<Quantity>([0-9]+)</Quantity>")
_REFUSED = b"<ErrorResponse><Code>5005</Code><Description>No numbers.</Description></ErrorResponse>"
_ORDER_ID = re.compile(rb"<CustomerOrderId>([^<]*)</CustomerOrderId>")


async def serve(ledger: int, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Take orders on one connection until it ends."""
    try:
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])  # type: ignore[index]
            body = await reader.readexactly(length)
            name = _ORDER_ID.search(body)
            assert name is not None
            if name[1].endswith(b"r"):
                await answer(writer, b"400 Bad Request", _REFUSED)
                continue
            quantity = _QUANTITY.search(body)
            line = name[1] if quantity is None else name[1] + b" " + quantity[1]
            os.write(ledger, line + b"\n")
            os.fdatasync(ledger)
            if name[1].endswith(b"7") and hash(name[1]) % 2:
                break
            created = b"<OrderResponse><Order><id>%s</id>%b</Order></OrderResponse>" % (
                str(uuid.uuid4()).encode(),
                name[0],
            )
            await answer(writer, b"201 Created", created)
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


async def answer(writer: asyncio.StreamWriter, status: bytes, body: bytes) -> None:
    """Write one whole answer."""
    writer.write(
        b"HTTP/1.1 %b\r\nContent-Type: application/xml\r\n"
        b"Content-Length: %d\r\n\r\n%b" % (status, len(body), body)
    )
    await writer.drain()


async def main() -> None:
    """Listen until killed."""
    ledger = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    server = await asyncio.start_server(
        lambda reader, writer: serve(ledger, reader, writer), "127.0.0.1", 0
    )
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
