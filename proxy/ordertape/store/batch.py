"""What one transaction writes: rows gathered for every job of it, then one statement a table.

Each SQLite call gives up the interpreter's lock and must win it back, so a group of orders is
written by a handful of `executemany`. Every fact that goes into a mutable column also goes into an
event of the chain.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from ordertape.errors import NeverFitsError, OverQuotaError, RefusedError
from ordertape.model import (
    TRANSITIONS,
    Exchange,
    Headers,
    Message,
    Origin,
    Outcome,
    State,
    Violation,
    move,
)
from ordertape.quota import Quota, Reservation, refusal, said, unpriced
from ordertape.store import Intent, Pause
from ordertape.store.chain import Head, canonical_json, framed_pieces, link
from ordertape.store.connection import sqlite3
from ordertape.store.ledger import STATEMENTS, Ledger

__all__ = ["Batch", "NotMovedError", "Rekeyed", "dump_headers", "is_assumed", "load_headers"]

_COLUMNS = (
    *("seq", "id", "state", "kind", "origin", "upstream", "method", "target", "account"),
    *("order_type", "customer_order_id", "order_id", "quantity", "cost", "status", "reason"),
    *("charge", "received_at", "settled_at", "peer", "delivered", "match_key"),
    *("rules_version", "software", "boot", "used", "counted_at", "held"),
)
_INSERT_EXCHANGE = (
    f"INSERT INTO exchange ({', '.join(_COLUMNS)}) VALUES ({', '.join('?' * len(_COLUMNS))})"  # noqa: S608 - names from the line above
)
_SETTLE = """UPDATE exchange SET state = ?, settled_at = ?, status = ?, reason = ?, charge = ?,
    order_id = ?, used = ?, held = ? WHERE seq = ? AND id = ? AND state IN (?, ?)"""
_INSERT_MESSAGE = """INSERT INTO message
    (exchange, part, line, headers, body, length, sha256, truncated)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_INSERT_EDIT = (
    "INSERT INTO edit (exchange, position, rule, xpath, before, after) VALUES (?, ?, ?, ?, ?, ?)"
)
_INSERT_VIOLATION = """INSERT INTO violation
    (exchange, position, rule, severity, code, xpath, line, message)
    VALUES (?, ?, ?, ?, ?, ?, ?, ?)"""
_STREAMED = """UPDATE message SET length = ?, sha256 = ?, truncated = ?
    WHERE exchange = ? AND part = 'received'"""
_DELIVERED = "UPDATE exchange SET delivered = ? WHERE seq = ? AND id = ?"
_REKEY = "UPDATE exchange SET match_key = ?, key_rules = ? WHERE seq = ? AND id = ?"
_PAUSE = "INSERT OR REPLACE INTO pause (account, reason, operator, at) VALUES (?, ?, ?, ?)"
_RESUME = "DELETE FROM pause WHERE account = ?"
_INSERT_EVENT = """INSERT INTO event (seq, at, kind, exchange, payload, payload_sha256, hash)
    VALUES (?, ?, ?, ?, ?, ?, ?)"""

_FROM = {
    after: tuple(
        before.value
        for before, allowed in TRANSITIONS.items()
        if before is not None and after in allowed
    )
    for after in State
}
"""For each state, those that may move to it."""

_LISTS_ITS_NUMBERS = "ExistingTelephoneNumberOrderType"
_LARGEST = 2**63 - 1
_ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))


_COUNTS_NOTHING: Mapping[str, int | None] = {"used": None, "counted_at": None, "held": 0}


class Rekeyed(NamedTuple):
    """An exchange's number and id, and the match key that it is given."""

    seq: int
    exchange_id: str
    key: str


class NotMovedError(Exception):
    """An exchange did not stand where its outcome could move it from; nothing was written."""


class Batch:
    """The rows of one transaction. Methods plan; `write` executes, and plans nothing.

    `software` and `boot` are noted with every exchange; `ledger` is what quotas are judged by.
    """

    def __init__(self, head: Head, ledger: Ledger, software: str, boot: str) -> None:
        self.head = head
        self.ledger = ledger
        self._software = software
        self._boot = boot
        self._rows: dict[str, list[Sequence[Any]]] = {}
        # By account, for the last one of it is in force, whatever the order of the statements.
        self._pauses: dict[str | None, tuple[str, Sequence[Any]]] = {}

    def open(self, exchange: Exchange, quotas: Sequence[Quota] = ()) -> Intent | RefusedError:
        """Plan an intent, or the refusal of an order for which a quota has no room.

        What is answered from a recording is not sent: it counts for nothing, and always has room.
        """
        if exchange.origin is Origin.RECORDED:
            return Intent(self._add_exchange(exchange, move(None, State.PENDING), None))
        account, cost = _text(exchange.account), _integer(exchange.cost)
        if account is None or cost is None:
            barring = None if account is None else self.ledger.first_limit(account, quotas)
            if account is not None and barring is not None:
                return self._refuse(exchange, unpriced(account, barring))
            return Intent(self._add_exchange(exchange, move(None, State.PENDING), None))
        assumed = is_assumed(exchange.quantity, exchange.order_type)
        reservation = self.ledger.reserve(account, quotas, cost, assumed=assumed)
        overruns = tuple(_overruns(reservation))
        if overruns:
            exchange = replace(exchange, violations=(*exchange.violations, *overruns))
            refused = refusal(reservation)
            if refused is not None:
                return self._refuse(exchange, refused)
        counts = {"used": cost, "counted_at": reservation.at, "held": 1}
        return Intent(
            self._add_exchange(exchange, move(None, State.PENDING), None, counts), reservation
        )

    def refuse(self, exchange: Exchange, outcome: Outcome) -> int:
        """Plan a refusal, intent and outcome at once."""
        return self._add_exchange(exchange, move(None, outcome.state), outcome)

    def record(self, exchange: Exchange, outcome: Outcome) -> int:
        """Plan a request that needed no intent, with its outcome."""
        return self._add_exchange(exchange, move(move(None, State.PENDING), outcome.state), outcome)

    def settle(self, seq: int, exchange_id: str, outcome: Outcome) -> None:
        """Plan an outcome. `write` raises NotMovedError where no row of `TRANSITIONS` allows it."""
        before = _FROM[outcome.state] or ("",)
        used, held = self.ledger.settled(seq, exchange_id, outcome)
        self._row(
            _SETTLE,
            outcome.state.value,
            outcome.at,
            outcome.status,
            _text(outcome.reason),
            outcome.charge,
            _text(outcome.order_id),
            used,
            int(held),
            seq,
            exchange_id,
            before[0],
            before[-1],
        )
        payload = {**_outcome_facts(outcome), "used": used, "held": int(held)}
        if outcome.streamed is not None:
            whole = outcome.streamed
            self._row(_STREAMED, whole.length, whole.sha256, int(whole.truncated), seq)
            payload["streamed"] = {
                "length": whole.length,
                "sha256": None if whole.sha256 is None else whole.sha256.hex(),
                "truncated": whole.truncated,
            }
        payload["messages"] = self._messages(seq, {"answered": outcome.answered})
        self.event(outcome.state.token, exchange_id, outcome.at, payload)

    def delivered(self, notes: Iterable[tuple[int, str, bool]], at: int) -> None:
        """Plan what is known of deliveries: (number, id, whether the client got it all)."""
        payload: dict[str, list[str]] = {"delivered": [], "undelivered": []}
        for seq, exchange_id, delivered in notes:
            self._row(_DELIVERED, int(delivered), seq, exchange_id)
            payload["delivered" if delivered else "undelivered"].append(exchange_id)
        self.event("delivered", None, at, payload)

    def rekey(self, keys: Sequence[Rekeyed], rules_version: str) -> dict[str, Any]:
        """Plan other match keys, made with rules of this version; how many there are."""
        for one in keys:
            self._row(_REKEY, one.key, rules_version, one.seq, one.exchange_id)
        facts = {
            "key_rules": rules_version,
            "match_keys": {one.exchange_id: one.key for one in keys},
        }
        self.event("rekeyed", None, self.ledger.now, facts)
        return {"rekeyed": len(keys)}

    def pause(self, pause: Pause) -> None:
        """Plan an emergency stop."""
        row = (_text(pause.account), _text(pause.reason), _text(pause.operator), pause.at)
        self._pauses[row[0]] = (_PAUSE, row)
        facts = dict(zip(("account", "reason", "operator"), row, strict=False))
        self.event("paused", None, pause.at, facts)

    def resume(self, account: str, reason: str, operator: str, at: int) -> None:
        """Plan the end of an emergency stop."""
        self._pauses[_text(account)] = (_RESUME, (_text(account),))
        facts = {"account": _text(account), "reason": _text(reason), "operator": _text(operator)}
        self.event("resumed", None, at, facts)

    def event(self, kind: str, exchange_id: str | None, at: int, payload: dict[str, Any]) -> None:
        """Plan one more link of the chain; `at` becomes part of its payload."""
        text = canonical_json({**payload, "at": at})
        digest = hashlib.sha256(text.encode()).digest()
        seq = self.head.event + 1
        after = link(self.head.hash, seq, kind, exchange_id or "", digest)
        self._row(_INSERT_EVENT, seq, at, kind, exchange_id, text, digest, after)
        self.head = Head(seq, after, self.head.exchange)

    def write(self, connection: sqlite3.Connection) -> None:
        """Execute what was planned, inside the caller's transaction.

        Errors: NotMovedError, and SQLite's own; the caller rolls back.
        """
        for statement, row in (*self._pauses.values(), *self.ledger.rows()):
            self._rows.setdefault(statement, []).append(row)
        for statement in _ORDER:
            rows = self._rows.get(statement)
            if rows:
                changed = connection.executemany(statement, rows).rowcount
                if statement is _SETTLE and changed != len(rows):
                    raise NotMovedError

    def _refuse(self, exchange: Exchange, error: RefusedError) -> RefusedError:
        self.refuse(exchange, Outcome(error.state, self.ledger.now, error.status, str(error)))
        return error

    def _row(self, statement: str, *values: str | bytes | int | None) -> None:
        self._rows.setdefault(statement, []).append(values)

    def _add_exchange(
        self,
        exchange: Exchange,
        state: State,
        outcome: Outcome | None,
        counts: Mapping[str, int | None] = _COUNTS_NOTHING,
    ) -> int:
        seq = self.head.exchange + 1
        self.head = Head(self.head.event, self.head.hash, seq)
        facts = {
            "kind": exchange.kind.value,
            "origin": exchange.origin.value,
            "upstream": _text(exchange.upstream),
            "method": _text(exchange.method),
            "target": _text(exchange.target),
            "account": _text(exchange.account),
            "order_type": _text(exchange.order_type),
            "customer_order_id": _text(exchange.customer_order_id),
            "quantity": _integer(exchange.quantity),
            "cost": _integer(exchange.cost),
            "received_at": exchange.received_at,
            "peer": _text(exchange.peer),
            "match_key": exchange.match_key,
            "rules_version": exchange.rules_version,
            "software": self._software,
            "boot": self._boot,
            **counts,
        }
        ended: dict[str, Any] = {"state": state.value}
        if outcome is not None:
            ended |= _outcome_facts(outcome)
            ended["settled_at"] = outcome.at
        row = {"seq": seq, "id": exchange.id, **facts, **ended}
        self._row(_INSERT_EXCHANGE, *(row.get(column) for column in _COLUMNS))
        edits = [
            (position, edit.rule, edit.xpath, _text(edit.before), _text(edit.after))
            for position, edit in enumerate(exchange.edits)
        ]
        violations = [
            (position, v.rule, v.severity, v.code, v.xpath, v.line, _text(v.message))
            for position, v in enumerate(exchange.violations)
        ]
        for statement, rows in ((_INSERT_EDIT, edits), (_INSERT_VIOLATION, violations)):
            for values in rows:
                self._row(statement, seq, *values)
        streamed = None if outcome is None else outcome.streamed
        parts = {
            "received": exchange.received if streamed is None else streamed,
            "sent": exchange.sent,
            "answered": None if outcome is None else outcome.answered,
        }
        payload = {**facts, **ended, "messages": self._messages(seq, parts)}
        if edits:
            payload["edits"] = edits
        if violations:
            payload["violations"] = violations
        at = exchange.received_at if outcome is None else outcome.at
        self.event(state.token, exchange.id, at, payload)
        return seq

    def _messages(self, seq: int, parts: dict[str, Message | None]) -> dict[str, str]:
        """Plan the messages; return the digest of each: SHA-256 over line, headers and body.

        Each is preceded by its length in 8 bytes, big-endian.
        """
        digests = {}
        for part, message in parts.items():
            if message is None:
                continue
            headers = dump_headers(message.headers)
            self._row(
                _INSERT_MESSAGE,
                seq,
                part,
                message.line,
                headers,
                message.body,
                message.length,
                message.sha256,
                int(message.truncated),
            )
            framed = framed_pieces(message.line, headers.encode(), message.body)
            digests[part] = hashlib.sha256(framed).hexdigest()
        return digests


_ORDER = (
    _INSERT_EXCHANGE,
    _SETTLE,
    _INSERT_MESSAGE,
    _STREAMED,
    _INSERT_EDIT,
    _INSERT_VIOLATION,
    _DELIVERED,
    _REKEY,
    _PAUSE,
    _RESUME,
    *STATEMENTS,
    _INSERT_EVENT,
)
"""Rows that are referred to come first, and what may turn out illegal before the rest."""


def dump_headers(headers: Headers) -> str:
    """`[[name, value], ...]` as JSON, each byte as its Latin-1 character."""
    pairs = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in headers]
    return _ENCODER.encode(pairs)


def load_headers(text: str) -> Headers:
    """What `dump_headers` was given."""
    return Headers.of(
        (name.encode("latin-1"), value.encode("latin-1")) for name, value in json.loads(text)
    )


def is_assumed(quantity: int | None, order_type: str | None) -> bool:
    """Whether an order costs what a search without a Quantity counts for."""
    return quantity is None and order_type != _LISTS_ITS_NUMBERS


def _overruns(reservation: Reservation) -> Iterator[Violation]:
    """What quotas have no room for, kept beside what rules found; shadow quotas only warn."""
    for standing in reservation.standings:
        if not standing.fits:
            error = NeverFitsError if standing.never_fits else OverQuotaError
            severity = "enforce" if standing.refuses else "warn"
            sentence = said(reservation, standing)
            rule = f"quota {standing.quota.name}"
            yield Violation(rule, error.code, "/Order", 0, sentence, severity)


def _outcome_facts(outcome: Outcome) -> dict[str, Any]:
    return {
        "state": outcome.state.value,
        "status": outcome.status,
        "reason": _text(outcome.reason),
        "charge": None if outcome.charge is None else outcome.charge.value,
        "order_id": _text(outcome.order_id),
    }


def _text(value: str | None) -> str | None:
    """Bytes that were no UTF-8 come as lone surrogates, which no database takes: written out."""
    if value is None or value.isascii():
        return value
    return value.encode("utf-8", "backslashreplace").decode()


def _integer(value: int | None) -> int | None:
    """A client may write any number; SQLite ends at 64 bits."""
    return None if value is None else min(value, _LARGEST)
