"""What the listener must be told."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class ListenerSettings:
    """Times are in seconds, sizes in bytes.

    `header_timeout` bounds a head from its first byte, on a new connection from the accept;
    `body_timeout` a buffered body as a whole and each read of a streamed one; `write_timeout` how
    long a client may take nothing of its answer. `lingering_timeout`: how long what a refused
    client still sends is dropped, so that it can read the answer (RFC 9112 section 9.6).
    `sessions`: requests may name a replay session, by header or by path.
    `max_line_size` and `max_field_size` must differ: aiohttp names only the limit that was passed.
    """

    listen: str = "127.0.0.1:8080"
    public_url: str | None = None
    rewrite_location: bool = True
    certificate: Path | None = None
    key: Path | None = None
    header_timeout: float = 10.0
    body_timeout: float = 30.0
    write_timeout: float = 60.0
    keepalive_timeout: float = 75.0
    lingering_timeout: float = 5.0
    order_limit: int = 1 << 20
    record_limit: int = 1 << 20
    max_line_size: int = 8190
    max_field_size: int = 8192
    max_headers: int = 100
    max_head: int = 64 << 10
    max_connections: int = 1000
    sessions: bool = False
