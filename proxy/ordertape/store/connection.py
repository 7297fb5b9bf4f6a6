"""Which SQLite is used, and how a file is opened with it.

Everything of the store takes `sqlite3` from here: pysqlite3 where it is installed, because it
brings a SQLite of its own, else the standard module.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from ordertape.errors import StartUpError

if TYPE_CHECKING:
    import sqlite3
else:
    try:
        from pysqlite3 import dbapi2 as sqlite3
    except ImportError:
        import sqlite3

__all__ = [
    "APPLICATION_ID",
    "check_quickly",
    "check_sqlite_version",
    "companion",
    "connect_reader",
    "connect_writer",
    "sqlite3",
]

APPLICATION_ID = 0x6F746170
"""`PRAGMA application_id` of a store ("otap"): no other program's file is taken for one."""

_JOURNAL_SIZE_LIMIT = 64 << 20


def check_sqlite_version(version: tuple[int, int, int]) -> None:
    """Refuse a SQLite whose WAL-reset bug can lose committed pages.

    Fixed in 3.51.3; 3.52.0 was withdrawn. Older series have the fix too in their last releases
    (3.44.6, 3.50.7), but are not what this program is tested with, and are refused as well.
    Source: reference page durable-audit, section 3. Errors: StartUpError.
    """
    if version < (3, 51, 3) or version[:2] == (3, 52):
        raise StartUpError(
            f"SQLite {'.'.join(map(str, version))} can lose committed pages of a WAL file; "
            "install pysqlite3, or a Python whose SQLite is 3.53 or newer."
        )


def companion(database: Path, suffix: str) -> Path:
    """The file beside the store that goes with it: `ordertape.db` → `ordertape.db.lock`.

    Links are followed first, as SQLite does: one file has one lock however it is named.
    """
    real = database.resolve()
    return real.with_name(f"{real.name}.{suffix}")


def connect_writer(
    database: Path, *, synchronous: str = "FULL", busy_timeout: float = 5.0
) -> sqlite3.Connection:
    """A connection that writes, set up as durable-audit section 3 has it; any thread may use it.

    `busy_timeout` is in seconds. Transactions are begun and ended in words.
    """
    connection = sqlite3.connect(
        database, timeout=busy_timeout, isolation_level=None, check_same_thread=False
    )
    try:
        for pragma in (
            "auto_vacuum=INCREMENTAL",  # counts only before the first table
            f"synchronous={synchronous}",  # first: to change the journal's mode is to write
            "journal_mode=WAL",
            "wal_autocheckpoint=0",  # an automatic checkpoint would be the commit's tail latency
            f"journal_size_limit={_JOURNAL_SIZE_LIMIT}",
            "foreign_keys=ON",
            "cell_size_check=ON",
            "trusted_schema=OFF",
            "secure_delete=ON",
        ):
            connection.execute(f"PRAGMA {pragma}")
    except BaseException:
        connection.close()
        raise
    return connection


def connect_reader(database: Path, *, busy_timeout: float = 5.0) -> sqlite3.Connection:
    """A connection that cannot write, beside whoever does.

    SQLite takes the WAL's two files away with the last connection that may write: where they are
    not there yet such a one is opened, so that a reader leaves none behind. A directory that
    cannot be written gives no room for the WAL index; a store there that was closed properly has
    no WAL either, and is read as it lies.
    """
    wal = database.resolve().with_name(f"{database.resolve().name}-wal")
    name = f"file:{quote(str(database.resolve()))}"
    location = f"{name}?mode={'ro' if wal.exists() else 'rw'}"
    connection = _read_only(location, busy_timeout)
    try:
        connection.execute("SELECT count(*) FROM sqlite_schema")
    except sqlite3.OperationalError:
        connection.close()
        if wal.exists():
            raise
        connection = _read_only(f"{name}?mode=ro&immutable=1", busy_timeout)
    return connection


def _read_only(location: str, busy_timeout: float) -> sqlite3.Connection:
    connection = sqlite3.connect(
        location, uri=True, timeout=busy_timeout, isolation_level=None, check_same_thread=False
    )
    connection.execute("PRAGMA query_only=ON")
    connection.execute("PRAGMA trusted_schema=OFF")
    return connection


def check_quickly(connection: sqlite3.Connection) -> str | None:
    """What `PRAGMA quick_check` finds wrong first; None where the file is sound."""
    found: str = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    return None if found == "ok" else found
