"""Cassettes are written whole or not at all, and never over what cannot be read."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from ordertape.cassette import CassetteError, load
from ordertape.store.emergency import sync_directory

__all__ = ["write"]


def write(path: Path, cassette: bytes) -> None:
    """Put a cassette in place, on disk on return; folders that are missing are made.

    A link is followed; an existing file's permissions are kept. Errors: CassetteError where what
    stands there is damaged or no cassette, or cannot be written; it is then as it was.
    """
    target = Path(os.path.realpath(path))
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else None
        if mode is not None and target.stat().st_size:
            load(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        _replace(target, cassette, mode)
    except OSError as error:
        raise CassetteError(
            f"{path}: The cassette cannot be written ({error.strerror}); nothing was changed."
        ) from error


def _replace(target: Path, cassette: bytes, mode: int | None) -> None:
    part = target.with_name(f".{target.name[:200]}.{secrets.token_hex(8)}.part")
    file = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        try:
            if mode is not None:
                os.fchmod(file, mode)
            rest = memoryview(cassette)
            while rest:
                rest = rest[os.write(file, rest) :]
            os.fsync(file)
        finally:
            os.close(file)
        part.replace(target)
    except BaseException:
        part.unlink(missing_ok=True)
        raise
    sync_directory(target.parent)
