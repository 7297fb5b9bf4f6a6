"""How a store is kept: every number that its parts go by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from ordertape.transcript import moment

__all__ = ["SCRATCH", "StoreSettings"]


@dataclass(frozen=True, slots=True)
class StoreSettings:
    """Sizes in bytes, times in seconds.

    `durability` strict: safe requests too wait for their commit. `synchronous` OFF is for scratch
    files. `queue_limit` bounds the records that nobody waits for. An outcome that is not committed
    after `commit_deadline` goes to the emergency file, FILE.db.emergency unless named. Below
    `min_free` bytes on the disk nothing new is taken; `ballast` bytes more are held back for the
    outcomes of orders already sent. `busy_timeout` is how long another program's lock is waited
    for (`lock_wait`, where the deadline is short), `retry_interval` how often a failing store is
    tried, `delivery_interval` how long notes of deliveries are gathered. `clock` tells the moment
    that quotas are judged by, in microseconds since 1970 UTC.
    """

    durability: Literal["normal", "strict"] = "normal"
    synchronous: Literal["FULL", "OFF"] = "FULL"
    queue_limit: int = 16 << 20
    commit_deadline: float = 5.0
    emergency_path: Path | None = None
    ballast: int = 16 << 20
    min_free: int = 64 << 20
    busy_timeout: float = 2.0
    retry_interval: float = 0.25
    delivery_interval: float = 0.1
    clock: Callable[[], int] = moment

    @property
    def lock_wait(self) -> float:
        """How long the writer waits for a lock: its error must come before callers give up."""
        return min(self.busy_timeout, self.commit_deadline / 2)


SCRATCH = StoreSettings(synchronous="OFF", ballast=0, min_free=0)
"""How a store is kept that is thrown away."""
