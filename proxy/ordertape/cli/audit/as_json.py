"""An exchange as JSON: the documented fields, the same for every audit command."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

from ordertape.store.reading import Row


def moment(microseconds: int) -> str:
    """ISO 8601 in UTC, with milliseconds."""
    at = datetime.fromtimestamp(microseconds / 1_000_000, UTC)
    return at.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def row_as_json(row: Row) -> dict[str, Any]:
    """What `--json` prints of one exchange; names never change their meaning."""
    return {
        "id": row.id,
        "state": row.state.value,
        "kind": row.kind.value,
        "origin": row.origin.value,
        "method": row.method,
        "target": row.target,
        "account": row.account,
        "order_type": row.order_type,
        "customer_order_id": row.customer_order_id,
        "order_id": row.order_id,
        "quantity": row.quantity,
        "cost": row.cost,
        "assumed": row.assumed,
        "used": row.used,
        "held": row.held,
        "counted_at": None if row.counted_at is None else moment(row.counted_at),
        "status": row.status,
        "charge": None if row.charge is None else row.charge.value,
        "received_at": moment(row.received_at),
        "duration_ms": row.duration_ms,
        "edits": [edit._asdict() for edit in row.edits],
        "violations": [asdict(violation) for violation in row.violations],
        "reason": row.reason,
        "delivered": row.delivered,
    }
