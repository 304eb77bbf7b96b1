"""Read the journal for one cycle: once before the broker is asked, and once after it has answered.

Each of the two is one transaction, so that all that a snapshot takes from the journal is of one state of it. Only what
activities add is read apart: once a day, or when something has changed without an order.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Final, NamedTuple

from rebalancer.accounting.acceptance import adopts_positions, is_new_on_purpose
from rebalancer.accounting.activities import last_read, unknown_activities
from rebalancer.accounting.cash_flows import CashFlow, cash_has_jumped, close_before, known_flows
from rebalancer.accounting.loss_latches import latched_since
from rebalancer.brokers.protocol import BrokerOrder
from rebalancer.core.facts import Day, Explanation, Regime, TradingCosts
from rebalancer.journal.exit_records import recorded_exits
from rebalancer.journal.journal import Journal
from rebalancer.journal.reads import JournalReads
from rebalancer.market_data.reference import day_start
from rebalancer.rebalance.broker_orders import explanations, late_orders
from rebalancer.rebalance.market_regime import stored_regime
from rebalancer.rebalance.read_broker import BrokerReading, LastTime
from rebalancer.rebalance.trading_costs import stored_trading_costs

SIGNALS_AT_MOST: Final = timedelta(days=31)  # the largest value that signals.max_age_minutes may have


class ExitsSeen(NamedTuple):
    """When a protective exit last closed each symbol, which of those exits a person's kill caused, and when a stop
    closed it."""

    last: Mapping[str, datetime]
    by_kill: tuple[str, ...]
    stops: Mapping[str, datetime]


class JournalReading(NamedTuple):
    """What the journal says about what the broker has answered. `closed`: the close that the account's last equity is
    of; `flows`: money in or out since then; `are_activities_due`: they are read once a day, or when cash has changed by
    more than orders explain; `unknown_words`: symbols frozen by activities of unknown types; `regime`: the newest one,
    where the market is judged; `trading_costs`: those that the newest evening learned."""

    cycle_id: str
    day: Day
    is_accepted: bool
    explanations: tuple[Explanation, ...]
    late: tuple[BrokerOrder, ...]
    latched: Mapping[str, str]
    exits: ExitsSeen
    closed: datetime
    flows: tuple[CashFlow, ...]
    peak: Decimal | None
    are_activities_due: bool
    unknown_words: Mapping[str, str]
    regime: Regime | None = None
    trading_costs: TradingCosts | None = None


def read_last_time(journal: Journal, account_id: str) -> LastTime:
    """What has to be known before the broker is asked; nothing for an account that is not known yet."""
    if not account_id:
        return LastTime(None, ())
    with journal.view() as view:
        return LastTime(view.last_end(account_id), view.unresolved_orders(account_id))


def read_journal(
    journal: Journal,
    read: BrokerReading,
    last: LastTime,
    cycle_id: str | None,
    coin_fee_max: Decimal,
    judged_by: str = "",
) -> JournalReading:
    """What has to be known once the broker has answered. Without a cycle id (a run by hand) one is made from the
    broker's time. judged_by: the benchmark by which the market's regime is judged, "" for none. Raises UnknownOrders
    for orders with our prefix that the journal lacks."""
    account, now, end = read.account, read.now, last.end
    start, closed = day_start(read.session, now), close_before(now, read.reference.closes.days)
    with journal.view() as view:
        before = last_read(view, account.id)
        seen = end.fills_seen if end is not None else {}
        return JournalReading(
            cycle_id=cycle_id or _by_hand(view, now),
            day=view.orders_sent(account.id, start),
            is_accepted=end is None or adopts_positions(view, account.id),
            explanations=explanations(
                read.orders,
                end,
                view,
                read.resting.ids,
                new_on_purpose=is_new_on_purpose(view),
                account_id=account.id,
            ),
            late=late_orders(read.orders, view),
            latched=latched_since(view, account.id, start),
            exits=_exits(view, account.id, now),
            closed=closed,
            flows=known_flows(view, account.id, closed),
            peak=view.peak_equity(account.id),
            are_activities_due=before is None
            or before < start
            or cash_has_jumped(view, account, read.orders, seen, coin_fee_max),
            unknown_words=unknown_activities(view, account.id, now),
            regime=stored_regime(view, account.id, judged_by) if judged_by else None,
            trading_costs=stored_trading_costs(view, account.id, now),
        )


def _exits(journal: JournalReads, account_id: str, now: datetime) -> ExitsSeen:
    """The exits recorded in the journal; those older than the maximum age of a signal are left out."""
    exits = recorded_exits(journal, account_id, now - SIGNALS_AT_MOST)
    last = {one.symbol: one for one in exits}
    killed = sorted(symbol for symbol, one in last.items() if one.kind == "flatten")
    stops = {one.symbol: one.at for one in exits if one.kind == "stop"}
    return ExitsSeen({symbol: one.at for symbol, one in last.items()}, tuple(killed), stops)


def _by_hand(journal: JournalReads, now: datetime) -> str:
    """An id for a run that belongs to no slot of the calendar: its second, or the next free one."""
    moment = now
    while journal.cycle(name := moment.strftime("%Y-%m-%dT%H:%M:%SZ")) is not None:
        moment += timedelta(seconds=1)
    return name
