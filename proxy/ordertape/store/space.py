"""Room on the disk: how much is left, and the ballast that outcomes of orders may still use.

A full disk refuses the UPDATE of a row that exists just as it refuses a new one, so room for the
outcomes of orders already sent is held back in a file, and given up when nothing else is left.
Source: reference page durable-audit, section 4.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

__all__ = ["Ballast", "FreeSpace"]

_LOOK_AGAIN = 0.2


class FreeSpace:
    """Bytes free for this process on the disk of `directory`, asked at most five times a second."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._asked = -_LOOK_AGAIN
        self._bytes = 0

    def bytes(self) -> int:
        """The last answer, at most 0.2 s old."""
        now = time.monotonic()
        if now - self._asked >= _LOOK_AGAIN:
            try:
                self._bytes = free_bytes(self._directory)
            except OSError:
                self._bytes = 0  # a disk that does not answer has no room
            self._asked = now
        return self._bytes


def free_bytes(directory: Path) -> int:
    """What an ordinary process may still write there."""
    room = os.statvfs(directory)
    return room.f_bavail * room.f_frsize


class Ballast:
    """`size` bytes held in `path`; 0 holds none and wants none."""

    def __init__(self, path: Path, size: int) -> None:
        self._path = path
        self._size = size
        self.missing = size > 0
        """Whether the room that should be held back is not."""

    def hold(self, spare: int) -> bool:
        """Take the room, if `spare` bytes are free beside it; whether it is held now."""
        if not self.missing:
            return True
        try:
            held = self._path.stat().st_size if self._path.exists() else 0
            if held < self._size:
                if free_bytes(self._path.parent) + held < self._size + spare:
                    return False
                self._allocate()
        except OSError:
            # No room, or a limit on file sizes: it stays missing, and new orders are refused.
            self._path.unlink(missing_ok=True)
            return False
        self.missing = False
        return True

    def release(self) -> bool:
        """Give the room up; whether there was any."""
        if self.missing or self._size == 0:
            return False
        self.missing = True
        return self.discard()

    def discard(self) -> bool:
        """Remove the file, also one that an earlier run left; whether there was one."""
        try:
            self._path.unlink()
        except OSError:
            return False
        return True

    def _allocate(self) -> None:
        file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            os.posix_fallocate(file, 0, self._size)
        finally:
            os.close(file)
