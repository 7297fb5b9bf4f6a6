"""The key of the digests that stand for secrets: a file beside the store, never in it."""

from __future__ import annotations

import hashlib
import os
import re
import secrets
import stat
from pathlib import Path

from ordertape.errors import StartUpError
from ordertape.store.connection import companion
from ordertape.store.emergency import sync_directory

__all__ = ["load_key"]

_KEY_TEXT = re.compile(rb"[0-9a-fA-F]{64}\s*")


def load_key(database: Path, override: Path | None) -> tuple[bytes, str]:
    """The key of the digests and its id; by default in `FILE.db.key`, made where there is none.

    A file that was named (`override`) must be there: another key would break the link to what was
    recorded before. Errors: StartUpError, also when others may read the file.
    """
    directory = database.resolve().parent
    if not directory.is_dir():
        raise StartUpError(f"There is no directory {directory}; make it, or use another --db.")
    path = override if override is not None else companion(database, "key")
    try:
        if override is None and not path.exists():
            _create(path)
        text = _read_private(path)
    except OSError as error:
        raise StartUpError(
            f"The key file {path} cannot be used ({error.strerror}); it holds 64 hex digits, as "
            "`openssl rand -hex 32` prints them, and only its owner may read it."
        ) from error
    if not _KEY_TEXT.fullmatch(text):
        raise StartUpError(f"The key file {path} must hold 64 hex digits; restore it.")
    key = bytes.fromhex(text.decode("ascii"))
    return key, hashlib.sha256(b"ordertape key id" + key).hexdigest()[:8]


def _create(path: Path) -> None:
    """Write a new key beside its place and link it there: nobody ever reads half of one."""
    draft = path.with_name(f".{path.name}.{os.getpid()}.{secrets.token_hex(4)}")
    file = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        os.write(file, secrets.token_hex(32).encode() + b"\n")
        os.fsync(file)
        path.hardlink_to(draft)
    except FileExistsError:
        return  # another process was first: its key holds
    finally:
        os.close(file)
        draft.unlink()
    sync_directory(path.parent)


def _read_private(path: Path) -> bytes:
    file = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if stat.S_IMODE(os.fstat(file).st_mode) & 0o077:
            raise StartUpError(
                f"Others than its owner may read the key file {path}; run: chmod 600 {path}"
            )
        return os.read(file, 1024)
    finally:
        os.close(file)
