"""Assemble the trading history of one account.

1. It begins with the first planned cycle, or the first one after a person accepted the broker's positions as the new
   baseline.
2. What was held then is inherited, at the average price reported by the broker.
3. Activities since then are fills, cash and shares, whoever caused them.
4. Fills of our orders beyond the activities read so far are added, at the average price of the remainder.
5. Daily values come from closed books or, without them, from the day's last recorded account value.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from rebalancer.accounting.account_movements import movements_of
from rebalancer.accounting.activities import values_in_kind
from rebalancer.accounting.daily_values import readings_of, values_of
from rebalancer.accounting.mark_readings import mark_readings
from rebalancer.accounting.order_history import order_histories_of, orders_of
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import ZERO, decimal_of, utc_of
from rebalancer.journal.journal import Journal
from rebalancer.journal.records import DRY_RUN, MONEY_AFTER_EXIT, OrderRecord
from rebalancer.performance.records import AccountHistory, Fill

TICK: Final = timedelta(microseconds=1)


def ledger_of(journal: Journal, account_id: str) -> AccountHistory:
    """Everything that the journal knows of an account's trading. Empty when no cycle has been planned yet. Raises
    JournalBroken, and KeyError or ValueError for an invalid row."""
    found = _beginning(journal, account_id)
    if found is None:
        return AccountHistory()
    begun, first = found
    begun_at = utc_of(first["as_of"])
    moved = movements_of(journal.recall(account_id, "activity"), values_in_kind(journal, account_id))
    listed = tuple(fill for fill in moved.fills if fill.at > begun_at)
    cash = tuple(event for event in moved.cash if event.at > begun_at)
    shares = tuple(event for event in moved.shares if event.at > begun_at)
    # our own records are selected by row number, not by time: our clock may step back between two runs
    own = {event.cycle_id for event in journal.recall(account_id, "cycle_planned") if event.seq >= begun}
    before = {event.cycle_id for event in journal.recall(account_id, "cycle_started") if event.seq < begun} - own
    orders = tuple(order for order in orders_of(journal, account_id) if order.cycle_id not in before)
    fills = tuple(sorted((*listed, *not_listed(orders, listed, begun_at)), key=lambda fill: (fill.at, fill.id)))
    closed, accounts, exits, ended, flows = (
        [event for event in journal.recall(account_id, kind) if event.seq > begun]
        for kind in ("day_closed", "account", MONEY_AFTER_EXIT, "cycle_ended", "flow")
    )
    readings = readings_of(closed, sorted((*accounts, *exits), key=lambda event: event.seq))
    return AccountHistory(
        fills=fills,
        cash=cash,
        shares=shares,
        order_histories=order_histories_of(journal, account_id, orders, fills),
        opening=decimal_of(first["account"]["equity"]),
        opened_on=day_in_new_york(begun_at),
        days=values_of(begun_at, readings, cash, shares),
        sectors=_sectors(journal, account_id),
        inherited=_inherited(first, begun_at),
        readings=mark_readings(ended, (*closed, *exits), flows),
    )


def _beginning(journal: Journal, account_id: str) -> tuple[int, Any] | None:
    """The journal row with which the history begins, and the snapshot of that cycle as plain JSON."""
    accepted = journal.recall(account_id, "books_accepted", last=1)
    after = accepted[0].seq if accepted else 0
    dry = {event.cycle_id for event in journal.recall(account_id, "cycle_started") if event.key == DRY_RUN}
    for event in journal.recall(account_id, "cycle_planned"):
        if event.seq > after and event.cycle_id not in dry:
            text = journal.snapshot_text(event.cycle_id or "", account_id)
            return None if text is None else (event.seq, json.loads(text))
    return None


def _inherited(first: Any, begun_at: datetime) -> tuple[Fill, ...]:
    return tuple(
        Fill(f"held:{row['symbol']}", "", begun_at, row["symbol"], qty, decimal_of(row["avg_entry_price"]))
        for row in first["positions"]
        if (qty := decimal_of(row["qty"])) != ZERO
    )


def not_listed(orders: Sequence[OrderRecord], listed: Sequence[Fill], begun_at: datetime) -> list[Fill]:
    """The fills of orders beyond their listed activities, which are read at the next cycle or the daily close.

    orders: in the order of their intents. No fill is dated before the history began or before a fill of an earlier
    cycle, whatever our clock said: listed fills have the broker's time, these have ours, which may have been set back.
    """
    shares, value, last = dict[str, Decimal](), dict[str, Decimal](), dict[str, datetime]()
    for fill in listed:
        shares[fill.order_id] = shares.get(fill.order_id, ZERO) + abs(fill.qty)
        value[fill.order_id] = value.get(fill.order_id, ZERO) + abs(fill.qty) * fill.price
        last[fill.order_id] = max(fill.at, last.get(fill.order_id, fill.at))
    found, cycle_id, floor, latest = list[Fill](), "", begun_at, begun_at
    for order in orders:
        if order.cycle_id != cycle_id:
            cycle_id, floor = order.cycle_id, latest
        if order.broker_id is None or order.filled_avg_price is None:
            continue
        at = max(order.at, floor + TICK)
        latest = max(latest, last.get(order.broker_id, at))
        more = order.filled_qty - shares.get(order.broker_id, ZERO)
        if more > ZERO:
            latest = max(latest, at)
            paid = order.filled_qty * order.filled_avg_price - value.get(order.broker_id, ZERO)
            signed = more if order.side == "buy" else -more
            name = f"order:{order.client_order_id}"
            found.append(Fill(name, order.broker_id, at, order.symbol, signed, paid / more))
    return found


def _sectors(journal: Journal, account_id: str) -> dict[str, str]:
    """The sectors known to the last planned cycle."""
    planned = journal.recall(account_id, "cycle_planned", last=1)
    text = journal.snapshot_text(planned[0].cycle_id or "", account_id) if planned else None
    rows = [] if text is None else json.loads(text)["instruments"]
    return {row["symbol"]: row["sector"] for row in rows if row.get("sector")}
