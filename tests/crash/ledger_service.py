"""An orders service that keeps its own books: each order is fsynced before it is answered.

Run as `python ledger_service.py LEDGER`; prints its port. One order in twenty is taken and then
hung up on, so that its client cannot know.
"""

import asyncio
import os
import re
import sys
import uuid

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
            os.write(ledger, name[1] + b"\n")
            os.fdatasync(ledger)
            if name[1].endswith(b"7") and hash(name[1]) % 2:
                break
            answer = b"<OrderResponse><Order><id>%s</id>%b</Order></OrderResponse>" % (
                str(uuid.uuid4()).encode(),
                name[0],
            )
            writer.write(
                b"HTTP/1.1 201 Created\r\nContent-Type: application/xml\r\n"
                b"Content-Length: %d\r\n\r\n%b" % (len(answer), answer)
            )
            await writer.drain()
    except (asyncio.IncompleteReadError, ConnectionError):
        pass
    finally:
        writer.close()


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
