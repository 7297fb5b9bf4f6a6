"""Whether a client that has ended its side took its answer.

A client that only half-closed its socket (SHUT_WR) acknowledges what it is sent; one that has
gone answers with a reset. Nothing but the kernel's own books tells the two apart.
"""

from __future__ import annotations

import asyncio
import fcntl
import socket
import sys
import termios

_TCP_CLOSE = 7  # TCP_INFO's first byte: Linux include/net/tcp_states.h
_STEP = 0.005


async def acknowledged(transport: asyncio.Transport, patience: float = 1.0) -> bool:
    """Whether everything written is acknowledged within `patience` seconds, and no reset came.

    Elsewhere than on Linux it cannot be told: then True as long as the transport is open.
    """
    sock: socket.socket | None = transport.get_extra_info("socket")
    if sock is None or not sys.platform.startswith("linux"):
        return not transport.is_closing()
    deadline = asyncio.get_running_loop().time() + patience
    while not transport.is_closing() and sock.fileno() >= 0:
        if sock.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, 8)[0] == _TCP_CLOSE:
            return False
        if transport.get_write_buffer_size() == 0 and _unacknowledged(sock) == 0:
            return True
        if asyncio.get_running_loop().time() >= deadline:
            return False
        await asyncio.sleep(_STEP)
    return False


def _unacknowledged(sock: socket.socket) -> int:
    """Bytes in the send queue (SIOCOUTQ)."""
    count = bytearray(4)
    fcntl.ioctl(sock.fileno(), termios.TIOCOUTQ, count)
    return int.from_bytes(count, sys.byteorder)
