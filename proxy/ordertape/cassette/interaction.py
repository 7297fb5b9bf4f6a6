"""One request and the answer to it, whichever file it was read from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ordertape.errors import StartUpError
from ordertape.model import Headers

__all__ = ["CassetteError", "Interaction"]


class CassetteError(StartUpError):
    """A cassette cannot be read as what it claims to be; the sentence names the file and line."""


@dataclass(frozen=True, slots=True)
class Interaction:
    """A request as it left for the service, and the service's whole answer.

    `url` is absolute and raw. Bodies are the bytes that the headers speak of: compressed where
    Content-Encoding says so. `started_at` is in microseconds since 1970 UTC, `duration` in
    microseconds; None where the file does not tell. `extra` are fields of a file that mean nothing
    here, kept for writing the same kind of file again.
    """

    method: str
    url: str
    request_headers: Headers
    request_body: bytes
    status: int
    reason: bytes
    headers: Headers
    body: bytes
    started_at: int | None = None
    duration: int | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
