"""Adjust yesterday's equity and the high-water mark for deposits and withdrawals, which are neither profit nor loss."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.accounting.activities import ActivitiesRead, flow_of, moment_of
from rebalancer.brokers.protocol import BrokerOrder
from rebalancer.core.decisions import Order
from rebalancer.core.facts import Account
from rebalancer.core.new_york import NEW_YORK, day_in_new_york
from rebalancer.core.values import ZERO, decimal_of, utc_of
from rebalancer.core.venue_rules import VenueRules
from rebalancer.journal.reads import JournalReads
from rebalancer.planning.verdicts import OrderEnd

CASH_APART_MOST: Final = Decimal(1)  # USD; tolerance, because average fill prices are rounded
LAST_CLOSE: Final = time(16)  # the broker records the last equity at 16:00 in New York


class CashFlow(NamedTuple):
    """Money in (+) or out (-), USD."""

    amount: Decimal
    moment: datetime


def new_flows(read: ActivitiesRead | None, prices: Mapping[str, Decimal]) -> tuple[CashFlow, ...]:
    """The flows of a reading that the journal does not have yet."""
    if read is None or read.is_first:
        return ()
    found = [CashFlow(flow_of(a, prices), moment_of(a)) for a in read.others if a.id in read.new]
    return tuple(flow for flow in found if flow.amount != 0)


def known_flows(journal: JournalReads, account_id: str, since: datetime) -> tuple[CashFlow, ...]:
    """The flows recorded in the journal since a moment."""
    rows = journal.recall(account_id, "flow", since=since)
    return tuple(CashFlow(decimal_of(row.body["amount"]), utc_of(row.body["moment"])) for row in rows)


def with_flows(
    account: Account, peak: Decimal | None, known: Sequence[CashFlow], new: Sequence[CashFlow], close_before: datetime
) -> Account:
    """The account with both reference values adjusted: last equity by all flows since that close, the peak by the new
    ones. The peak is never below the current equity.

    peak: the journal's, which already includes the known flows; None when there is none yet.
    """
    since = sum((f.amount for f in (*known, *new) if f.moment > close_before), ZERO)
    moved = None if peak is None else peak + sum((f.amount for f in new), ZERO)
    return account._replace(
        last_equity=account.last_equity + since if account.last_equity > 0 else account.last_equity,
        peak_equity=max(moved or ZERO, account.equity),
    )


def close_before(now: datetime, days: Sequence[date]) -> datetime:
    """The moment of the last equity: the close of the latest known trading day before today in New York, or of
    yesterday if none is known."""
    day = day_in_new_york(now)
    earlier = [d for d in days if d < day]
    return datetime.combine(max(earlier, default=day - timedelta(days=1)), LAST_CLOSE, NEW_YORK)


def cash_has_jumped(
    journal: JournalReads,
    account: Account,
    orders: Sequence[BrokerOrder],
    fills_seen: Mapping[str, Decimal],
    coin_fee_max: Decimal,
) -> bool:
    """Whether cash has changed by more than fills explain since it was last recorded.

    coin_fee_max: the largest fraction of a fill in crypto that fees take."""
    noted = journal.recall(account.id, "account", last=1)
    if not noted:
        return False
    body = noted[0].body
    moved = account.cash - decimal_of(body["cash"]) + decimal_of(body.get("unexplained", ZERO))
    allowed = CASH_APART_MOST
    for order in orders:
        more = order.filled_qty - fills_seen.get(order.id, ZERO)
        if more == 0:
            continue
        if order.filled_avg_price is None:
            return True
        value = more * order.filled_avg_price
        moved += value if order.side == "buy" else -value
        allowed += abs(value) * coin_fee_max if order.asset_class == "crypto" else ZERO
    return abs(moved) > allowed


def unexplained_cash(
    before: Decimal, after: Decimal, orders: Sequence[Order], ends: Mapping[str, OrderEnd], venue: VenueRules
) -> Decimal:
    """USD by which cash changed within a cycle beyond what its orders paid and brought; 0 within the tolerance.

    It may be a deposit or a withdrawal, whose activity is not read within a cycle: the next cycle asks for it.
    """
    moved, allowed = after - before, CASH_APART_MOST
    for order in orders:
        end = ends[order.client_order_id]
        if end.filled_avg_price is None:
            continue
        value = end.filled_qty * end.filled_avg_price
        moved += value if order.side == "buy" else -value
        allowed += value * venue.crypto_fee_max if venue.asset_class(order.symbol) == "crypto" else ZERO
    return moved if abs(moved) > allowed else ZERO
