"""Where outcomes go when the store does not take them: one line each, on disk on return.

The file is read at the next start, before recovery, and emptied once every outcome in it is in the
store. An outcome may be applied twice without harm. Best kept on another mount than the store.
"""

from __future__ import annotations

import base64
import json
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ordertape.errors import StartUpError
from ordertape.model import Charge, Message, Outcome, State
from ordertape.store.batch import dump_headers, load_headers

__all__ = ["EmergencyFile", "Spilled"]


@dataclass(frozen=True, slots=True)
class Spilled:
    """An outcome that the store did not take, and the exchange that it ends."""

    seq: int
    exchange_id: str
    outcome: Outcome


class EmergencyFile:
    """Appends and clears from any thread; the file exists only while it holds something."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = threading.Lock()
        self._waiting: dict[str, int] = {}

    def check(self) -> None:
        """Find out at the start whether it could be written in need. Errors: OSError."""
        new = not self.path.exists()
        file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.fsync(file)
        finally:
            os.close(file)
        if new:
            self._remove()

    def append(self, spilled: Spilled) -> None:
        """Write one outcome, on disk on return. Errors: OSError; nothing is added then."""
        line = json.dumps(_dump(spilled), separators=(",", ":")).encode() + b"\n"
        with self._lock:
            new = not self.path.exists()
            file = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
            try:
                _write_at_end(file, line)
            except OSError:
                if new:
                    self.path.unlink()
                raise
            finally:
                os.close(file)
            if new:
                sync_directory(self.path.parent)
            self._waiting[spilled.exchange_id] = self._waiting.get(spilled.exchange_id, 0) + 1

    def landed(self, exchange_ids: list[str]) -> None:
        """The store has these now; nothing is left to keep once it has all. Errors: OSError."""
        with self._lock:
            for exchange_id in exchange_ids:
                self._waiting.pop(exchange_id, None)
            if not self._waiting:
                self._remove()

    def read(self) -> list[Spilled]:
        """What the last run left behind. A torn last line was never promised to anyone.

        Errors: StartUpError when it cannot be read, or an earlier line is damaged.
        """
        try:
            text = self.path.read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise StartUpError(
                f"The emergency file {self.path} cannot be read ({error.strerror}); "
                "it holds outcomes of orders: make it readable."
            ) from error
        whole, _, _ = text.rpartition(b"\n")
        try:
            return [_load(json.loads(line)) for line in whole.split(b"\n") if line]
        except (ValueError, KeyError, TypeError) as error:
            raise StartUpError(
                f"The emergency file {self.path} is damaged ({error}); it holds outcomes of "
                "orders: move it away, start, and settle those orders by hand."
            ) from error

    def clear(self) -> None:
        """Everything that `read` gave is in the store. Errors: OSError."""
        with self._lock:
            self._waiting.clear()
            self._remove()

    def _remove(self) -> None:
        if self.path.exists():
            self.path.unlink()
            sync_directory(self.path.parent)


def sync_directory(directory: Path) -> None:
    """Make the names in it survive a loss of power. Errors: OSError."""
    handle = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _write_at_end(file: int, line: bytes) -> None:
    """Append wholly or not at all: half a line would spoil those that follow."""
    end = os.lseek(file, 0, os.SEEK_END)
    try:
        rest = memoryview(line)
        while rest:
            rest = rest[os.write(file, rest) :]
        os.fsync(file)
    except OSError:
        os.ftruncate(file, end)
        raise


def _dump(spilled: Spilled) -> dict[str, Any]:
    outcome = spilled.outcome
    return {
        "seq": spilled.seq,
        "exchange": spilled.exchange_id,
        "state": outcome.state.value,
        "at": outcome.at,
        "status": outcome.status,
        "reason": outcome.reason,
        "order_id": outcome.order_id,
        "kept": outcome.kept,
        "charge": None if outcome.charge is None else outcome.charge.value,
        "answered": _dump_message(outcome.answered),
        "streamed": _dump_message(outcome.streamed),
    }


def _load(line: dict[str, Any]) -> Spilled:
    return Spilled(
        line["seq"],
        line["exchange"],
        Outcome(
            state=State(line["state"]),
            at=line["at"],
            status=line["status"],
            reason=line["reason"],
            order_id=line["order_id"],
            kept=line.get("kept"),
            charge=None if line["charge"] is None else Charge(line["charge"]),
            answered=_load_message(line["answered"]),
            streamed=_load_message(line["streamed"]),
        ),
    )


def _dump_message(message: Message | None) -> dict[str, Any] | None:
    if message is None:
        return None
    return {
        "line": base64.b64encode(message.line).decode(),
        "headers": dump_headers(message.headers),
        "body": base64.b64encode(message.body).decode(),
        "length": message.length,
        "sha256": None if message.sha256 is None else message.sha256.hex(),
        "truncated": message.truncated,
    }


def _load_message(value: dict[str, Any] | None) -> Message | None:
    if value is None:
        return None
    return Message(
        line=base64.b64decode(value["line"]),
        headers=load_headers(value["headers"]),
        body=base64.b64decode(value["body"]),
        length=value["length"],
        sha256=None if value["sha256"] is None else bytes.fromhex(value["sha256"]),
        truncated=value["truncated"],
    )
