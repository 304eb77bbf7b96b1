"""What the evidence of one day states: read from the journal alone, so that it can be computed again and compared."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import date, time, timedelta
from typing import Any, Final

from rebalancer.core.documents import plain
from rebalancer.core.new_york import from_new_york
from rebalancer.journal import Journal, OrderRecord
from rebalancer.journal.bodies import verdicts_of
from rebalancer.journal.chain import GENESIS, ORDER_KINDS
from rebalancer.journal.orders import fold
from rebalancer.journal.records import Event

SCHEMA: Final = "rebalancer.evidence/1"
COMPARED: Final = "end_of_day"  # the event that says how journal and broker compared


def evidence_of(journal: Journal, account_id: str, day: date, last_row: int | None = None) -> dict[str, Any] | None:
    """The statement of one day in New York as plain JSON; None when the account has no row of that day.

    last_row: state what was known at that row of the journal, such as the last one of a file written earlier; None
    means all rows of the day. Decimals and times are texts. Raises JournalBroken when a row does not fit its hash.
    """
    begins, ends = (from_new_york(one, time()) for one in (day, day + timedelta(days=1)))
    events = journal.events_between(account_id, begins, ends, last_row)
    if not events:
        return None
    first, last = events[0].seq, events[-1].seq
    begun = {event.key for event in events if event.kind == "order_intended"}
    orders = fold(event for event in events if event.kind in ORDER_KINDS and event.key in begun)
    planned = {event.cycle_id: event for event in events if event.kind == "cycle_planned"}
    rules = sorted({event.body["rules_sha256"] for event in planned.values()})
    cycles = [event for event in events if event.kind == "cycle_started"]
    compared = [event for event in events if event.kind == COMPARED]
    return {
        "schema": SCHEMA,
        "day": day.isoformat(),
        "account": account_id,
        "rules": {name: json.loads(journal.document(name)) for name in rules},
        "cycles": [_cycle(event, planned.get(event.cycle_id), events) for event in cycles],
        "slots_without_cycle": [{"slot": event.key, **event.body} for event in events if event.kind == "slot"],
        "orders": [_order(found.order) for found in orders.values()],
        "earlier_orders_changed": sorted({e.key or "" for e in events if e.kind in ORDER_KINDS} - begun),
        "reconciliation": [{"at": plain(e.at), "found": e.body["found"], "text": e.body["text"]} for e in compared],
        "events": dict(sorted(Counter(event.kind for event in events).items())),
        "journal": {
            "first_row": first,
            "last_row": last,
            "sha256_before": journal.row_hash(first - 1) if first > 1 else GENESIS,
            "sha256_of_last": journal.row_hash(last),
        },
    }


def _cycle(start: Event, planned: Event | None, events: Sequence[Event]) -> Mapping[str, Any]:
    """One cycle: hashes of what it saw and decided, a reason for every signal and every held position, the positions
    it expected at its end and the differences in quantity that nothing explained."""
    own = {event.kind: event for event in events if event.cycle_id == start.cycle_id}
    ended, given = own.get("cycle_ended"), own.get("cycle_verdicts")
    seen: Mapping[str, Any] = planned.body if planned else {}
    done: Mapping[str, Any] = ended.body if ended else {}
    return {
        "cycle": start.cycle_id,
        "mode": start.key,
        "started_at": plain(start.at),
        "ended_at": plain(ended.at) if ended else None,
        "outcome": done.get("outcome"),
        "because": done.get("because", ""),
        "rules_sha256": start.body["rules_sha256"],
        "snapshot_sha256": seen.get("snapshot_sha256"),
        "plan_sha256": seen.get("plan_sha256"),
        "verdicts": [plain(verdict) for verdict in verdicts_of(given)] if given else [],
        "expected_positions": done.get("expected_positions", {}),
        "unexplained": done.get("unexplained", {}),
        "equity": done.get("equity"),
    }


def _order(order: OrderRecord) -> Mapping[str, Any]:
    """What was sent and how it ended, without the broker's own words."""
    names = ("cycle_id", "client_order_id", "broker_id", "phase", "symbol", "side", "qty", "body_sha256", "state",
             "filled_qty", "filled_avg_price", "reason", "intended_at", "at")  # fmt: skip
    return {name: plain(getattr(order, name)) for name in names}
