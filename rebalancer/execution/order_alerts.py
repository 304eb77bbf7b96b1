"""Alerts about sending orders: orders that the pre-trade check refused, and another program on the same account."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from rebalancer.brokers.protocol import SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.execution.pretrade.guards import STOPPING
from rebalancer.journal.alert_row import AlertLevel, alert_row
from rebalancer.journal.journal import Journal

GATE: Final = "gate:"  # prefix of the reason of a refusal by the pre-trade check; the limit's name follows
STOPPED: Final = f"{GATE}{STOPPING}"
NEEDS_A_PERSON: Final = frozenset({"form", "intent", "journal", "throttle"})  # no refusals in normal operation
ANOTHER: Final = "another_program"


def report_pretrade_refusals(
    journal: Journal, account_id: str, cycle_id: str, at: datetime, sent: Sequence[tuple[Order, SendResult]]
) -> None:
    """Write an alert for each order that the pre-trade check refused, at most one per symbol, limit and New York day;
    none for orders that were not sent because the process is being stopped."""
    refused = [(o, result) for o, result in sent if result.reason.startswith(GATE) and result.reason != STOPPED]
    if not refused:
        return
    symbols = {order.symbol for order, _ in refused}
    earlier = journal.recall(account_id, "alert", since=midnight_in_new_york(at), keys=symbols)
    reported = {(event.key, event.body.get("code")) for event in earlier}
    rows: list[tuple[str, str, dict[str, object]]] = []
    for order, result in refused:
        limit = result.reason.removeprefix(GATE)
        if (order.symbol, limit) in reported:
            continue
        reported.add((order.symbol, limit))
        said = f"{order.symbol}: {order.side} {order.qty} was not sent; the gate refused it ({limit}): {result.message}"
        level: AlertLevel = "action" if limit in NEEDS_A_PERSON else "warning"
        rows.append(alert_row(order.symbol, level, limit, said))
    if rows:
        journal.record_events(account_id, cycle_id, at, rows)


def report_another_program(journal: Journal, account_id: str, cycle_id: str | None, at: datetime, words: str) -> None:
    """Write one alert that another program trades the account with our order prefix; an unchanged text is not
    repeated."""
    said = f"another program is trading this account under our prefix: {words}"
    last = journal.recall(account_id, "alert", keys=[ANOTHER], last=1)
    if not account_id or (last and last[-1].body.get("text") == said):
        return
    journal.record_event(account_id, cycle_id, at, *alert_row(ANOTHER, "action", ANOTHER, said))
