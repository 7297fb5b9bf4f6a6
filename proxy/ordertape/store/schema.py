"""The tables and views of a store: a public interface, migrated, never silently changed.

Times are microseconds since 1970 UTC in tables, ISO 8601 UTC text in views. `state`, `kind`,
`origin` and `charge` are the words of `model`. A migration that has been released is never edited:
a change is a new one at the end.
"""

from __future__ import annotations

from pathlib import Path

from sqlite_utils import Database, Migrations

from ordertape.errors import StartUpError
from ordertape.store.connection import APPLICATION_ID, sqlite3

__all__ = ["SCHEMA", "check_identity", "migrate"]

SCHEMA = Migrations("ordertape")

_TABLES = (
    # One row a request. `seq` is the order of recording and the handle of an exchange; `id` is what
    # the client was told in Ordertape-Exchange. `delivered`: 1 the client was given the whole
    # answer, 0 it was not, NULL not known (yet). `cost` is in telephone numbers. `boot` names the
    # run of the gateway, `software` its version. Mutable: state, settled_at, status, reason,
    # charge, order_id, delivered; each change has its event.
    """CREATE TABLE exchange (
        seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, state TEXT NOT NULL, kind TEXT NOT NULL,
        origin TEXT NOT NULL, upstream TEXT NOT NULL, method TEXT NOT NULL, target TEXT NOT NULL,
        account TEXT, order_type TEXT, customer_order_id TEXT, order_id TEXT, quantity INTEGER,
        cost INTEGER, status INTEGER, reason TEXT, charge TEXT, received_at INTEGER NOT NULL,
        settled_at INTEGER, peer TEXT NOT NULL, delivered INTEGER, match_key TEXT,
        rules_version TEXT NOT NULL, software TEXT NOT NULL, boot TEXT NOT NULL
    ) STRICT""",
    # What was read and written, byte for byte but for secrets: `received` from the client, `sent`
    # where that differs, `answered` by the service. `headers` is JSON, [[name, value], ...] with
    # each byte as its Latin-1 character. `length` and `sha256` speak of the whole body; `body` is
    # only its beginning where `truncated` is 1. Rows are only added; a request that was still
    # coming gets its length, sha256 and truncated with its outcome.
    """CREATE TABLE message (
        exchange INTEGER NOT NULL REFERENCES exchange(seq),
        part TEXT NOT NULL CHECK (part IN ('received', 'sent', 'answered')),
        line BLOB NOT NULL, headers TEXT NOT NULL, body BLOB NOT NULL,
        length INTEGER, sha256 BLOB, truncated INTEGER NOT NULL,
        PRIMARY KEY (exchange, part)
    ) STRICT""",
    # What rules changed, in their order. NULL before: added; NULL after: removed.
    """CREATE TABLE edit (
        exchange INTEGER NOT NULL REFERENCES exchange(seq), position INTEGER NOT NULL,
        rule TEXT NOT NULL, xpath TEXT NOT NULL, before TEXT, after TEXT,
        PRIMARY KEY (exchange, position)
    ) STRICT, WITHOUT ROWID""",
    # What rules found wrong, in document order. `line` counts from 1; 0 is unknown.
    """CREATE TABLE violation (
        exchange INTEGER NOT NULL REFERENCES exchange(seq), position INTEGER NOT NULL,
        rule TEXT NOT NULL, severity TEXT NOT NULL, code TEXT NOT NULL, xpath TEXT NOT NULL,
        line INTEGER NOT NULL, message TEXT NOT NULL,
        PRIMARY KEY (exchange, position)
    ) STRICT, WITHOUT ROWID""",
    # The tamper-evident chain; see store/chain.py. `exchange` is an exchange's id.
    """CREATE TABLE event (
        seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, exchange TEXT,
        payload TEXT, payload_sha256 BLOB NOT NULL, hash BLOB NOT NULL
    ) STRICT""",
    # The emergency stops in force; account '*' stops all.
    """CREATE TABLE pause (
        account TEXT PRIMARY KEY, reason TEXT NOT NULL, operator TEXT NOT NULL, at INTEGER NOT NULL
    ) STRICT, WITHOUT ROWID""",
)

_INDEXES = (
    "CREATE INDEX exchange_account ON exchange(account, seq)",
    "CREATE INDEX exchange_state ON exchange(state, seq)",
    "CREATE INDEX exchange_status ON exchange(status, seq)",
    "CREATE INDEX exchange_received_at ON exchange(received_at)",
    "CREATE INDEX exchange_order_id ON exchange(order_id, seq) WHERE order_id IS NOT NULL",
    """CREATE INDEX exchange_customer_order_id ON exchange(customer_order_id, seq)
        WHERE customer_order_id IS NOT NULL""",
    """CREATE INDEX exchange_match_key ON exchange(match_key, seq)
        WHERE state = 'COMPLETED' AND match_key IS NOT NULL""",
    "CREATE INDEX event_exchange ON event(exchange) WHERE exchange IS NOT NULL",
)

_VIEWS = (
    """CREATE VIEW exchanges AS SELECT
        id, state, kind, origin, method, target, account, order_type, customer_order_id, order_id,
        quantity, cost, status, reason, charge,
        strftime('%Y-%m-%dT%H:%M:%S', received_at / 1000000, 'unixepoch')
            || printf('.%03dZ', received_at / 1000 % 1000) AS received_at,
        (settled_at - received_at) / 1000.0 AS duration_ms, delivered,
        (SELECT count(*) FROM edit WHERE edit.exchange = exchange.seq) AS edits,
        (SELECT count(*) FROM violation WHERE violation.exchange = exchange.seq) AS violations
    FROM exchange""",
    "CREATE VIEW orders AS SELECT * FROM exchanges WHERE kind = 'order'",
    """CREATE VIEW refusals AS SELECT
        exchanges.*, violation.code AS violation_code, violation.message AS violation_message
    FROM exchanges JOIN exchange USING (id)
        LEFT JOIN violation ON violation.exchange = exchange.seq AND violation.position = 0
    WHERE exchanges.state = 'REFUSED'""",
)


_QUOTA_TABLES = (
    # What an order counts for: `used` telephone numbers from `counted_at` on, NULL where it counts
    # for nothing; `held` 1 until it is known what became of it. Mutable: used, held.
    # Orders from before this migration count for nothing: quotas count from it on, so that what the
    # chain of events says of those orders stays true. `quota adjust` adds what they have used.
    "ALTER TABLE exchange ADD COLUMN used INTEGER",
    "ALTER TABLE exchange ADD COLUMN counted_at INTEGER",
    "ALTER TABLE exchange ADD COLUMN held INTEGER NOT NULL DEFAULT 0",
    """CREATE INDEX exchange_counted ON exchange(account, counted_at) WHERE used IS NOT NULL""",
    # The few that are held, which are added up where that is told.
    "CREATE INDEX exchange_held ON exchange(account, counted_at, used) WHERE held = 1",
    # What operators changed, among all that ever happened.
    "CREATE INDEX event_quota ON event(seq) WHERE kind GLOB 'quota-*'",
    # What counts in each window of a quota that an order has met, in its unit: a sum over exchange
    # and adjustment, see store/ledger.py.
    # `win` names the window, `ends` is its first moment no more (2^63-1 where it rolls), `at` the
    # last moment it was asked about; `warned` 1 once the log has warned.
    """CREATE TABLE quota (
        account TEXT NOT NULL, ends INTEGER NOT NULL, policy TEXT NOT NULL, unit TEXT NOT NULL,
        win TEXT NOT NULL, starts INTEGER NOT NULL, used INTEGER NOT NULL, at INTEGER NOT NULL,
        warned INTEGER NOT NULL,
        PRIMARY KEY (account, ends, policy, unit, win)
    ) STRICT, WITHOUT ROWID""",
    # The moment up to which a burst's rate is booked, as of `at` by the wall clock.
    """CREATE TABLE burst (
        account TEXT NOT NULL, policy TEXT NOT NULL, booked INTEGER NOT NULL,
        at INTEGER NOT NULL,
        PRIMARY KEY (account, policy)
    ) STRICT, WITHOUT ROWID""",
    # Limits set by an operator, which win over the file's; `allowed` NULL is unlimited.
    """CREATE TABLE quota_limit (
        account TEXT NOT NULL, policy TEXT NOT NULL, allowed INTEGER,
        operator TEXT NOT NULL, reason TEXT NOT NULL, at INTEGER NOT NULL,
        PRIMARY KEY (account, policy)
    ) STRICT, WITHOUT ROWID""",
    # So much more than the limit, until a moment. Two may be of one moment.
    """CREATE TABLE quota_boost (
        seq INTEGER PRIMARY KEY,
        account TEXT NOT NULL, policy TEXT NOT NULL, at INTEGER NOT NULL, amount INTEGER NOT NULL,
        until INTEGER NOT NULL, operator TEXT NOT NULL, reason TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX quota_boost_account ON quota_boost(account, until)",
    # What an operator has added to what counts, or taken from it, at that moment of the account,
    # which stands still where the clock was set back: two may be of one moment. `win` is the window
    # that it was said of; what was taken away counts in that one only.
    """CREATE TABLE adjustment (
        seq INTEGER PRIMARY KEY,
        account TEXT NOT NULL, policy TEXT NOT NULL, unit TEXT NOT NULL, win TEXT NOT NULL,
        at INTEGER NOT NULL, amount INTEGER NOT NULL, operator TEXT NOT NULL, reason TEXT NOT NULL
    ) STRICT""",
    "CREATE INDEX adjustment_account ON adjustment(account, policy, at)",
)

_QUOTA_VIEWS = (
    """CREATE VIEW quota_usage AS SELECT
        account, policy, unit, win AS "window",
        strftime('%Y-%m-%dT%H:%M:%SZ', starts / 1000000, 'unixepoch') AS starts,
        CASE WHEN ends < 9223372036854775807
            THEN strftime('%Y-%m-%dT%H:%M:%SZ', ends / 1000000, 'unixepoch') END AS ends,
        used, used - held AS settled, held
    FROM (SELECT *, (
        SELECT ifnull(sum(iif(unit = 'numbers', exchange.used, 1)), 0) FROM exchange
        WHERE exchange.account = quota.account AND held = 1
            AND counted_at >= starts AND counted_at < ends) AS held
    FROM quota)""",
)


_KEYS = (
    # The rules that `match_key` was made with, where those are not `rules_version`, which judged
    # the request. Mutable, with match_key: `cassette reindex` makes keys anew.
    "ALTER TABLE exchange ADD COLUMN key_rules TEXT",
)


_LOOK_UPS = (
    # How replay sees, without reading every row, that all keys are of the rules in force; which
    # exchanges have no key; and which there are of a path.
    """CREATE INDEX exchange_key_rules ON exchange(coalesce(key_rules, rules_version))
        WHERE state = 'COMPLETED' AND match_key IS NOT NULL""",
    """CREATE INDEX exchange_keyless ON exchange(seq)
        WHERE state = 'COMPLETED' AND match_key IS NULL""",
    "CREATE INDEX exchange_target ON exchange(target) WHERE state = 'COMPLETED'",
)


@SCHEMA()
def first_tables(database: Database) -> None:
    """Exchanges with their messages, edits and violations; events; pauses; three views."""
    database.execute(f"PRAGMA application_id={APPLICATION_ID}")
    for statement in (*_TABLES, *_INDEXES, *_VIEWS):
        database.execute(statement)


@SCHEMA()
def quotas(database: Database) -> None:
    """What orders count for, the sums of that by account and window, and changes to limits."""
    for statement in (*_QUOTA_TABLES, *_QUOTA_VIEWS):
        database.execute(statement)


@SCHEMA()
def keys(database: Database) -> None:
    """Which rules a match key goes by."""
    for statement in _KEYS:
        database.execute(statement)


@SCHEMA()
def look_ups(database: Database) -> None:
    """What replay needs to answer from a store in place."""
    for statement in _LOOK_UPS:
        database.execute(statement)


def migrate(connection: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the present schema, each step in a transaction of its own.

    Errors: StartUpError when it was written by a newer ordertape, or is another program's.
    """
    empty = not connection.execute("SELECT count(*) FROM sqlite_schema").fetchone()[0]
    if not empty:
        check_identity(connection, path)
    database = Database(connection)
    known = {step.name for step in SCHEMA.pending(Database(memory=True))}
    if newer := {step.name for step in SCHEMA.applied(database)} - known:
        raise StartUpError(
            f"{path} was written by a newer ordertape ({', '.join(sorted(newer))}); "
            "use that one, or name another file with --db."
        )
    SCHEMA.apply(database)


def check_identity(connection: sqlite3.Connection, path: Path) -> None:
    """Errors: StartUpError when the file is some other program's database."""
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        raise StartUpError(f"{path} is no ordertape store; name another file with --db.")
