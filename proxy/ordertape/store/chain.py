"""The hash chain over events: whoever changes, drops or reorders one breaks every later hash.

    h_n = SHA-256(h_{n-1} || seq || len(kind) kind || len(exchange) exchange || SHA-256(payload))

Lengths and `seq` are 8 bytes, big-endian; h_0 is 32 zero bytes; an event of no exchange has the
empty name. The payload is in the hash by its digest, so that it can be pruned and the chain still
be checked. Source: reference page durable-audit, section 6.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ordertape.store.connection import sqlite3

__all__ = ["GENESIS", "Head", "canonical_json", "framed_pieces", "link", "read_head"]

GENESIS = bytes(32)
_FRAME = struct.Struct(">Q")
_ENCODER = json.JSONEncoder(sort_keys=True, separators=(",", ":"))


@dataclass(frozen=True, slots=True)
class Head:
    """Where the chain stands, and the last exchange's number."""

    event: int
    hash: bytes
    exchange: int


def read_head(connection: sqlite3.Connection) -> Head:
    """The head as the file has it; only inside a writing transaction does it stay so."""
    row = connection.execute("SELECT seq, hash FROM event ORDER BY seq DESC LIMIT 1").fetchone()
    event, digest = (0, GENESIS) if row is None else row
    last = connection.execute("SELECT max(seq) FROM exchange").fetchone()[0]
    return Head(event, digest, last or 0)


def link(before: bytes, seq: int, kind: str, exchange: str, payload_sha256: bytes) -> bytes:
    """The hash of event `seq` that follows the hash `before`."""
    framed = _FRAME.pack(seq) + framed_pieces(kind.encode(), exchange.encode())
    return hashlib.sha256(before + framed + payload_sha256).digest()


def framed_pieces(*pieces: bytes) -> bytes:
    """The pieces one after another, each behind its length in 8 bytes, big-endian."""
    return b"".join(part for piece in pieces for part in (_FRAME.pack(len(piece)), piece))


def canonical_json(payload: Mapping[str, Any]) -> str:
    """The one spelling of a payload: keys sorted, no spaces, ASCII."""
    return _ENCODER.encode(payload)
