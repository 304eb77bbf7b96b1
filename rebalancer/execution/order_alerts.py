"""What a person is told of sending: orders that the gate refused, and another program on the same account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rebalancer.brokers.protocol import SendResult
from rebalancer.core.decisions import Order
from rebalancer.execution.pretrade.attempts import midnight
from rebalancer.journal.journal import Journal

GATE: Final = "gate:"  # how the reason of a refusal by the gate begins; the limit's name follows
NEEDS_A_PERSON: Final = frozenset({"form", "intent", "journal", "throttle"})  # no healthy program meets these
ANOTHER: Final = "another_program"


def report_pretrade_refusals(
    journal: Journal, account_id: str, cycle_id: str, at: datetime, sent: Sequence[tuple[Order, SendResult]]
) -> None:
    """Write an alert for each order that the gate refused, at most one a symbol and limit and New York day."""
    refused = [(order, result) for order, result in sent if result.reason.startswith(GATE)]
    if not refused:
        return
    symbols = {order.symbol for order, _ in refused}
    earlier = journal.recall(account_id, "alert", since=midnight(at), keys=symbols)
    told = {(event.key, event.body.get("code")) for event in earlier}
    rows: list[tuple[str, str, dict[str, object]]] = []
    for order, result in refused:
        limit = result.reason.removeprefix(GATE)
        if (order.symbol, limit) in told:
            continue
        told.add((order.symbol, limit))
        said = f"{order.symbol}: {order.side} {order.qty} was not sent; the gate refused it ({limit}): {result.message}"
        level = "action" if limit in NEEDS_A_PERSON else "warning"
        rows.append(("alert", order.symbol, {"level": level, "code": limit, "text": said}))
    if rows:
        journal.record_events(account_id, cycle_id, at, rows)


def report_another_program(journal: Journal, account_id: str, cycle_id: str | None, at: datetime, words: str) -> None:
    """Write once that the account is traded by somebody with our prefix; the same words are not repeated in a row."""
    said = f"another program is trading this account under our prefix: {words}"
    last = journal.recall(account_id, "alert", keys=[ANOTHER], last=1)
    if not account_id or (last and last[-1].body.get("text") == said):
        return
    body = {"level": "action", "code": ANOTHER, "text": said}
    journal.record_event(account_id, cycle_id, at, "alert", ANOTHER, body)
