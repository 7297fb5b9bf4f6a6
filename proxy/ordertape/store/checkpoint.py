"""Moving committed pages from the WAL into the file, on a connection and thread of its own.

An automatic checkpoint in the writer would be the tail latency of a commit. PASSIVE waits for
nobody; TRUNCATE, which holds writers up for a moment, is tried when nothing is being written, or
when the WAL has grown past its limit. Source: reference page performance, "What to build on" 3.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path

from ordertape.store.connection import sqlite3
from ordertape.store.log import tell

__all__ = ["Checkpointer"]

_PASSIVE_AFTER = 4 << 20
_TRUNCATE_AFTER = 64 << 20
_IDLE = 1.0


class Checkpointer:
    """Counts what is written, and checkpoints in the background."""

    def __init__(
        self, database: Path, synchronous: str, failed: Callable[[sqlite3.Error], None]
    ) -> None:
        self._database = database
        self._wal = database.with_name(f"{database.name}-wal")
        self._synchronous = synchronous
        self._failed = failed
        self._due = threading.Event()
        self._stopping = False
        self._written = 0
        self._tried = 0
        self._thread = threading.Thread(target=self._run, name="ordertape-checkpoint", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def wrote(self, size: int) -> None:
        """About `size` more bytes are in the WAL."""
        self._written += size
        if self._written - self._tried >= _PASSIVE_AFTER:
            self._due.set()

    def stop(self, timeout: float) -> None:
        """End; waits at most `timeout` seconds for a checkpoint that is under way."""
        self._stopping = True
        self._due.set()
        self._thread.join(timeout)

    def _run(self) -> None:
        seen = 0
        emptied = True
        while True:
            due = self._due.wait(_IDLE)
            if self._stopping:
                return
            self._due.clear()
            written = self._written
            idle = written == seen
            seen = written
            if due or (idle and (written > self._tried or not emptied)):
                emptied = self._checkpoint(truncate=idle)
                self._tried = written

    def _checkpoint(self, *, truncate: bool) -> bool:
        """Whether the WAL is empty now; False is tried again when nothing is being written."""
        try:
            connection = sqlite3.connect(self._database, timeout=0, isolation_level=None)
            try:
                connection.execute(f"PRAGMA synchronous={self._synchronous}")
                connection.execute("PRAGMA wal_checkpoint(PASSIVE)")
                if truncate or self._wal.stat().st_size > _TRUNCATE_AFTER:
                    truncated = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
                    busy: int = truncated[0]
                    return not busy
            finally:
                connection.close()
        except FileNotFoundError:
            return True
        except OSError as error:
            # Left to the next write: each second would fill the log.
            tell("warning", "checkpoint-failed", db=str(self._database), reason=str(error))
            return True
        except sqlite3.Error as error:
            self._failed(error)
        return False
