"""The read side, for audit and replay: its own connection, beside a running gateway or without.

Listings are paged by the number of the last row seen, each page a transaction of its own: an open
reader would keep the WAL from shrinking. Source: reference page durable-audit, section 3.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from ordertape.errors import StartUpError
from ordertape.model import Charge, Edit, Kind, Message, Origin, State, Violation
from ordertape.store import Pause
from ordertape.store.batch import is_assumed, load_headers
from ordertape.store.connection import connect_reader, sqlite3
from ordertape.store.schema import check_identity

__all__ = ["Event", "Filter", "Full", "Reader", "Recorded", "Row"]

_PAGE = 500
_SHORTEST_PREFIX = 8


@dataclass(frozen=True, slots=True)
class Filter:
    """Which exchanges, all conditions together; None asks nothing.

    `since` (inclusive) and `until` (exclusive) are microseconds since 1970 UTC by arrival; `limit`
    None is no limit.
    """

    account: str | None = None
    state: State | None = None
    since: int | None = None
    until: int | None = None
    order_id: str | None = None
    customer_order_id: str | None = None
    status: int | None = None
    origin: Origin | None = None
    kind: Kind | None = None
    limit: int | None = None
    newest_first: bool = True


@dataclass(frozen=True, slots=True)
class Row:
    """One exchange, as the table `exchange` has it, with its edits and violations.

    It counts for `used` telephone numbers from `counted_at` on, None where for nothing, and is
    `held` while it is not known for how many it will.
    """

    seq: int
    id: str
    state: State
    kind: Kind
    origin: Origin
    upstream: str
    method: str
    target: str
    account: str | None
    order_type: str | None
    customer_order_id: str | None
    order_id: str | None
    quantity: int | None
    cost: int | None
    status: int | None
    reason: str | None
    charge: Charge | None
    received_at: int
    settled_at: int | None
    peer: str
    delivered: bool | None
    match_key: str | None
    rules_version: str
    software: str
    boot: str
    used: int | None = None
    counted_at: int | None = None
    held: bool = False
    edits: tuple[Edit, ...] = ()
    violations: tuple[Violation, ...] = ()

    @property
    def assumed(self) -> bool:
        """Whether the cost is what a search without a Quantity counts for."""
        return self.cost is not None and is_assumed(self.quantity, self.order_type)

    @property
    def duration_ms(self) -> float | None:
        """From the request's arrival to its outcome; None before there is one."""
        return None if self.settled_at is None else (self.settled_at - self.received_at) / 1000


_ROW_COLUMNS = tuple(
    field.name for field in fields(Row) if field.name not in {"edits", "violations"}
)
_SELECT_ROWS = f"SELECT {', '.join(_ROW_COLUMNS)} FROM exchange"  # noqa: S608 - names from above


@dataclass(frozen=True, slots=True)
class Event:
    """One link of the chain. `payload` None: it was pruned. `at` in microseconds UTC."""

    seq: int
    at: int
    kind: str
    exchange: str | None
    payload: Mapping[str, Any] | None


@dataclass(frozen=True, slots=True)
class Full:
    """Everything that is kept of an exchange; messages by part, events as they happened."""

    row: Row
    messages: Mapping[str, Message]
    events: tuple[Event, ...]


@dataclass(frozen=True, slots=True)
class Recorded:
    """A completed exchange, as far as replay looks for it. Times as in `Row`.

    `rules_version` is of the rules that its key was made with.
    """

    seq: int
    id: str
    kind: Kind
    upstream: str
    method: str
    target: str
    account: str | None
    status: int | None
    match_key: str | None
    rules_version: str
    received_at: int
    settled_at: int | None


_RECORDED_COLUMNS = ", ".join(field.name for field in fields(Recorded))
_REKEYED_COLUMNS = _RECORDED_COLUMNS.replace("rules_version", "coalesce(key_rules, rules_version)")


class Reader:
    """Reads one store; a context manager. Errors of every method: StartUpError."""

    def __init__(self, path: Path) -> None:
        self._path = path
        if not path.is_file():
            raise StartUpError(f"There is no store {path}; name it with --db.")
        with self._readable():
            self._connection = connect_reader(path)
            try:
                check_identity(self._connection, path)
            except BaseException:
                self._connection.close()
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def has_live(self) -> bool:
        """Whether any exchange was with the live service: listings then show only those."""
        found = self._all("SELECT 1 FROM exchange WHERE origin = ? LIMIT 1", (Origin.LIVE.value,))
        return bool(found)

    def list(self, asked: Filter) -> Iterator[Row]:
        """The exchanges that match, in the order of recording, the newest first unless asked."""
        conditions, values = _conditions(asked)
        left = asked.limit
        after: int | None = None
        while left is None or left > 0:
            page_conditions, page_values = list(conditions), list(values)
            if after is not None:
                page_conditions.append("seq < ?" if asked.newest_first else "seq > ?")
                page_values.append(after)
            size = _PAGE if left is None else min(_PAGE, left)
            rows = self._rows(page_conditions, page_values, size, newest_first=asked.newest_first)
            yield from rows
            if len(rows) < size:
                return
            after = rows[-1].seq
            left = None if left is None else left - size

    def count(self, asked: Filter) -> int:
        """How many exchanges `list` would give."""
        conditions, values = _conditions(asked)
        found = self._all(f"SELECT count(*) FROM exchange{_where(conditions)}", values)  # noqa: S608 - names of fields
        matching = int(found[0][0])
        return matching if asked.limit is None else min(matching, asked.limit)

    def show(self, ident: str) -> Full | None:
        """The exchange with this id, or the beginning of one (8 characters or more).

        Else the newest one with this order id, or this customer order id, those with the live
        service before others. Errors: StartUpError also when several ids begin so.
        """
        seq = self._find(ident)
        if seq is None:
            return None
        row = self._rows(["seq = ?"], [seq], 1, newest_first=True)[0]
        parts = self._all("SELECT part FROM message WHERE exchange = ?", (seq,))
        messages = {part: self.message(seq, part) for (part,) in parts}
        return Full(
            row,
            {part: message for part, message in messages.items() if message is not None},
            self._events(row.id),
        )

    def completed(self, after: int = 0) -> Iterator[Recorded]:
        """Every COMPLETED exchange behind the one of this number, in the order of recording."""
        rekeyed = self._all("SELECT 1 FROM pragma_table_info('exchange') WHERE name = ?", _KEYED)
        columns = _REKEYED_COLUMNS if rekeyed else _RECORDED_COLUMNS  # a source is not migrated
        while True:
            rows = self._all(
                f"SELECT {columns} FROM exchange"  # noqa: S608 - names of fields
                " WHERE state = 'COMPLETED' AND seq > ? ORDER BY seq LIMIT ?",
                (after, _PAGE),
            )
            for seq, exchange_id, kind, *rest in rows:
                yield Recorded(seq, exchange_id, Kind(kind), *rest)
                after = seq
            if len(rows) < _PAGE:
                return

    def message(self, seq: int, part: str) -> Message | None:
        """What was `received`, `sent` (None where it is what was received) or `answered`."""
        rows = self._all(
            "SELECT line, headers, body, length, sha256, truncated FROM message"
            " WHERE exchange = ? AND part = ?",
            (seq, part),
        )
        if not rows:
            return None
        line, headers, body, length, sha256, truncated = rows[0]
        return Message(line, load_headers(headers), body, length, sha256, bool(truncated))

    def pauses(self) -> tuple[Pause, ...]:
        """The emergency stops in force."""
        rows = self._all("SELECT account, reason, operator, at FROM pause ORDER BY account", ())
        return tuple(Pause(*row) for row in rows)

    @contextmanager
    def _readable(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.Error as error:
            raise StartUpError(
                f"{self._path} cannot be read as an ordertape store ({error}); "
                "name another file with --db, or restore a backup."
            ) from error

    def _all(
        self, statement: str, values: Sequence[Any] | Mapping[str, Any]
    ) -> Sequence[tuple[Any, ...]]:
        with self._readable():
            found: Sequence[tuple[Any, ...]] = self._connection.execute(
                statement, values
            ).fetchall()
            return found

    def _find(self, ident: str) -> int | None:
        for condition in ("id = ?", "order_id = ?", "customer_order_id = ?"):
            found = self._all(
                f"SELECT seq FROM exchange WHERE {condition}"  # noqa: S608 - from the line above
                " ORDER BY origin = ? DESC, seq DESC LIMIT 1",
                (ident, Origin.LIVE.value),
            )
            if found:
                return int(found[0][0])
        if len(ident) < _SHORTEST_PREFIX:
            return None
        found = self._all(
            "SELECT seq FROM exchange WHERE id >= ? AND id < ? LIMIT 2", (ident, f"{ident}\x7f")
        )
        if len(found) > 1:
            raise StartUpError(f"Several exchanges begin with {ident}; write more of the id.")
        return int(found[0][0]) if found else None

    def _rows(
        self, conditions: Sequence[str], values: Sequence[Any], limit: int, *, newest_first: bool
    ) -> Sequence[Row]:
        where = _where(conditions)
        order = "DESC" if newest_first else "ASC"
        found = self._all(f"{_SELECT_ROWS}{where} ORDER BY seq {order} LIMIT ?", (*values, limit))
        wanted = json.dumps([columns[0] for columns in found])
        edits: dict[int, tuple[Edit, ...]] = {}
        for seq, *edit in self._all(_SELECT_EDITS, (wanted,)):
            edits[seq] = (*edits.get(seq, ()), Edit(*edit))
        violations: dict[int, tuple[Violation, ...]] = {}
        for seq, *violation in self._all(_SELECT_VIOLATIONS, (wanted,)):
            violations[seq] = (*violations.get(seq, ()), Violation(*violation))
        return [
            _row(columns, edits.get(columns[0], ()), violations.get(columns[0], ()))
            for columns in found
        ]

    def _events(self, exchange_id: str) -> tuple[Event, ...]:
        rows = self._all(_SELECT_EVENTS, (exchange_id,))
        return tuple(
            Event(seq, at, kind, exchange, None if payload is None else json.loads(payload))
            for seq, at, kind, exchange, payload in rows
        )


_KEYED = ("key_rules",)
_SELECT_EDITS = """SELECT exchange, rule, xpath, before, after FROM edit
    WHERE exchange IN (SELECT value FROM json_each(?)) ORDER BY exchange, position"""
_SELECT_VIOLATIONS = """SELECT exchange, rule, code, xpath, line, message, severity FROM violation
    WHERE exchange IN (SELECT value FROM json_each(?)) ORDER BY exchange, position"""
_SELECT_EVENTS = """SELECT seq, at, kind, exchange, payload FROM event WHERE exchange = ?
    ORDER BY seq"""

_EQUAL = ("account", "order_id", "customer_order_id", "status")
_EQUAL_WORDS = ("state", "origin", "kind")


def _conditions(asked: Filter) -> tuple[Sequence[str], Sequence[Any]]:
    found: dict[str, Any] = {}
    for name in (*_EQUAL, *_EQUAL_WORDS):
        value = getattr(asked, name)
        if value is not None:
            found[f"{name} = ?"] = value.value if name in _EQUAL_WORDS else value
    if asked.since is not None:
        found["received_at >= ?"] = asked.since
    if asked.until is not None:
        found["received_at < ?"] = asked.until
    return list(found), list(found.values())


def _where(conditions: Sequence[str]) -> str:
    return f" WHERE {' AND '.join(conditions)}" if conditions else ""


def _row(columns: Sequence[Any], edits: tuple[Edit, ...], violations: tuple[Violation, ...]) -> Row:
    values = dict(zip(_ROW_COLUMNS, columns, strict=True))
    values["state"] = State(values["state"])
    values["kind"] = Kind(values["kind"])
    values["origin"] = Origin(values["origin"])
    values["charge"] = None if values["charge"] is None else Charge(values["charge"])
    values["delivered"] = None if values["delivered"] is None else bool(values["delivered"])
    values["held"] = bool(values["held"])
    return Row(**values, edits=edits, violations=violations)
