"""Gather the ledger of one account.

1. the books begin with the first planned cycle, or with the first one after a person accepted other books
2. what was held then is inherited, at the average price that the broker told
3. activities since then are fills, cash and shares, whoever caused them
4. what our orders have filled beyond the activities read so far is added, at their average price
5. days are closed books where there are some, else the last look at the account
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
from rebalancer.accounting.order_history import order_histories_of, orders_of
from rebalancer.core.values import ZERO, decimal_of, utc_of
from rebalancer.journal.journal import Journal
from rebalancer.journal.records import DRY_RUN, OrderRecord
from rebalancer.performance.fees import NEW_YORK
from rebalancer.performance.records import AccountHistory, Fill

TICK: Final = timedelta(microseconds=1)


def ledger_of(journal: Journal, account_id: str) -> AccountHistory:
    """Everything that the journal knows of an account's trading. Empty when no cycle has been planned yet. Raises
    JournalBroken, and KeyError or ValueError for a row that is not what it should be."""
    found = _beginning(journal, account_id)
    if found is None:
        return AccountHistory()
    begun, first = found
    begun_at = utc_of(first["as_of"])
    moved = movements_of(journal.recall(account_id, "activity"), values_in_kind(journal, account_id))
    listed = tuple(fill for fill in moved.fills if fill.at > begun_at)
    cash = tuple(event for event in moved.cash if event.at > begun_at)
    shares = tuple(event for event in moved.shares if event.at > begun_at)
    # what we wrote is cut by the journal's own order: our clock may step back between two runs
    own = {event.cycle_id for event in journal.recall(account_id, "cycle_planned") if event.seq >= begun}
    before = {event.cycle_id for event in journal.recall(account_id, "cycle_started") if event.seq < begun} - own
    orders = tuple(order for order in orders_of(journal, account_id) if order.cycle_id not in before)
    fills = tuple(sorted((*listed, *not_listed(orders, listed, begun_at)), key=lambda fill: (fill.at, fill.id)))
    closed, accounts = (
        [event for event in journal.recall(account_id, kind) if event.seq > begun] for kind in ("day_closed", "account")
    )
    readings = readings_of(closed, accounts)
    return AccountHistory(
        fills=fills,
        cash=cash,
        shares=shares,
        stories=order_histories_of(journal, account_id, orders, fills),
        opening=decimal_of(first["account"]["equity"]),
        opened_on=begun_at.astimezone(NEW_YORK).date(),
        days=values_of(begun_at, readings, cash, shares),
        sectors=_sectors(journal, account_id),
        inherited=_inherited(first, begun_at),
    )


def _beginning(journal: Journal, account_id: str) -> tuple[int, Any] | None:
    """Where in the journal the books begin, and the snapshot with which they do, as plain JSON."""
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
    """What orders have filled beyond their activities: those are read at the next cycle or when the day is closed.

    orders: as they were intended. No fill of a cycle is put before the books began or before one of an earlier cycle,
    whatever our clock said: listed fills have the broker's time, these have ours, which may have been set back.
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
    """The sectors as the last cycle knew them."""
    planned = journal.recall(account_id, "cycle_planned", last=1)
    text = journal.snapshot_text(planned[0].cycle_id or "", account_id) if planned else None
    rows = [] if text is None else json.loads(text)["instruments"]
    return {row["symbol"]: row["sector"] for row in rows if row.get("sector")}
