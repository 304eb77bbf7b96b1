"""The broker's orders as facts: what may still trade, what has traded since the last cycle, and what came back."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from decimal import Decimal
from typing import Final

from rebalancer.accounting.adoption import UnknownOrders, accepted_orders
from rebalancer.brokers.protocol import BrokerOrder
from rebalancer.core.facts import Explanation, OpenOrder
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.values import FRACTIONAL_LOT, ZERO, decimal_of, shares_away_from_zero
from rebalancer.execution.order_tracking import refuse_another
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import DRY_RUN, EXIT_TRADED, CycleEnd, OrderRecord
from rebalancer.planning.build_order import ID_PREFIX

LOOKED_AT: Final = 100  # the newest cycles: among them is one that read the broker and ended by itself


def works(order: BrokerOrder) -> bool:
    """Whether it may still trade."""
    return not order.state.is_final


def open_orders(
    orders: Sequence[BrokerOrder], unresolved: Sequence[OrderRecord], prices: Mapping[str, Decimal]
) -> tuple[OpenOrder, ...]:
    """What may still trade: the broker's working orders, and our own orders that the broker has not reported. One of
    ours that the journal calls UNKNOWN stays unknown although this reading lists it: it arrived after the recovery had
    looked for it, and the next recovery cancels it and records its end."""
    unknown = {o.client_order_id for o in unresolved if o.state is OrderState.UNKNOWN}
    found = [
        OpenOrder(
            o.client_order_id,
            o.symbol,
            o.side,
            o.qty if o.qty is not None else o.filled_qty + _shares_for(o, prices.get(o.symbol)),
            o.filled_qty,
            o.type,
            o.client_order_id.startswith(ID_PREFIX),
            o.limit_price,
            # a notional order: its number of shares is unknown before it fills
            unknown=o.qty is None or o.client_order_id in unknown,
        )
        for o in orders
        if works(o)
    ]
    listed = {o.client_order_id for o in orders}
    found += [
        OpenOrder(o.client_order_id, o.symbol, o.side, o.qty, o.filled_qty, "market", True, None, True)
        for o in unresolved
        if o.client_order_id not in listed
    ]
    return tuple(sorted(found))


def unknown_statuses(orders: Sequence[BrokerOrder]) -> dict[str, str]:
    """The symbols of orders whose status is a word that the adapter does not know, with what is told of them."""
    return {o.symbol: f'order {o.client_order_id} has the status "{o.status}"' for o in orders if not o.is_understood}


def _shares_for(order: BrokerOrder, price: Decimal | None) -> Decimal:
    """The most shares that a notional order may still buy or sell, so that its dollars count against the caps. Without
    a price it counts one share per dollar: what cannot be valued blocks every opening order."""
    spent = order.filled_qty * (order.filled_avg_price or ZERO)
    dollars = max((order.notional or ZERO) - spent, ZERO)
    return shares_away_from_zero(dollars / price if price else dollars, FRACTIONAL_LOT)


def explanations(
    orders: Sequence[BrokerOrder],
    last: CycleEnd | None,
    journal: JournalReads,
    protective: Collection[str] = (),
    *,
    new_on_purpose: bool = False,
    account_id: str = "",
) -> tuple[Explanation, ...]:
    """Fills that the last closed cycle did not count: late fills of ours, and external trades.

    protective: the broker's ids of our resting exits, whose fills are ours too. new_on_purpose: a person knows that
    there are orders of an earlier journal. account_id: the account whose accepted orders count as ours; empty while it
    is unknown. Raises UnknownOrders for other orders that carry our prefix.
    """
    found: list[Explanation] = []
    unknown = () if last is None and new_on_purpose else _unknown(orders, journal, account_id)
    if unknown:
        raise UnknownOrders(unknown)
    if last is None:
        return ()
    again = [o for o in orders if o.filled_qty and o.id not in last.fills_seen]
    counted = booked_before(again, journal, account_id, protective) | dict(last.fills_seen)
    for order in orders:
        ours = order.client_order_id.startswith(ID_PREFIX)
        more = order.filled_qty - counted.get(order.id, ZERO)
        if more != 0:
            signed = more if order.side == "buy" else -more
            found.append(
                Explanation(
                    order.symbol,
                    signed,
                    "late_fill" if ours or order.id in protective else "external_trade",
                    order.client_order_id,
                )
            )
    return tuple(found)


def booked_before(
    orders: Sequence[BrokerOrder], journal: JournalReads, account_id: str, protective: Collection[str]
) -> dict[str, Decimal]:
    """By the broker's id, the filled quantity recorded before the last cycle that read the broker, which has counted
    it.

    A list that starts at a time shows old orders again when the broker's clock was ahead and is corrected; the last
    cycle had not seen those. Our own orders are recognised by their id, whatever any clock said.
    """
    names = {o.client_order_id: o.id for o in orders if o.client_order_id.startswith(ID_PREFIX)}
    exits = [o for o in orders if o.id in protective]
    looked = _last_look(journal, account_id) if names or exits else 0
    found: dict[str, Decimal] = {}
    if not looked:
        return found
    for kind in ("order_changed", "order_ended", "order_reopened"):
        for event in journal.recall(account_id, kind, keys=sorted(names)):
            if event.seq < looked:
                name = names[event.key or ""]
                found[name] = max(found.get(name, ZERO), decimal_of(event.body["filled_qty"]))
    wanted = {o.id for o in exits}
    for event in journal.recall(account_id, EXIT_TRADED, keys=sorted({o.symbol for o in exits})):
        if event.seq < looked and event.body.get("order") in wanted:
            found[event.body["order"]] = decimal_of(event.body["qty"])
    return found


def _last_look(journal: JournalReads, account_id: str) -> int:
    """The row number at which the last cycle began that read the broker and ended by itself; 0 when there is none."""
    for cycle in journal.cycles(account_id, LOOKED_AT):
        ended = cycle.outcome is not None and cycle.outcome is not CycleOutcome.ABANDONED
        if ended and cycle.plan_sha256 is not None and cycle.mode != DRY_RUN:
            (start,) = journal.events(cycle.cycle_id, kind="cycle_started", account_id=account_id)
            return start.seq
    return 0


def _unknown(orders: Sequence[BrokerOrder], journal: JournalReads, account_id: str) -> tuple[str, ...]:
    """The ids with our prefix that are neither in the journal nor accepted by a person."""
    ours = [o.client_order_id for o in orders if o.client_order_id.startswith(ID_PREFIX)]
    known = journal.orders(ours)
    missing = [name for name in ours if name not in known]
    accepted = accepted_orders(journal, account_id) if missing else frozenset()
    return tuple(name for name in missing if name not in accepted)


def late_orders(orders: Sequence[BrokerOrder], journal: JournalReads) -> tuple[BrokerOrder, ...]:
    """Orders of ours that the broker has, although we recorded their end without ever having the broker's id."""
    found = []
    known = journal.orders([o.client_order_id for o in orders if o.client_order_id.startswith(ID_PREFIX)])
    for order in orders:
        record = known.get(order.client_order_id)
        given_up = record is not None and record.broker_id is None and record.state.is_final
        if given_up and order.state is not OrderState.REFUSED:
            found.append(order)
    return tuple(found)


def ended_orders(orders: Sequence[BrokerOrder], unresolved: Sequence[OrderRecord]) -> tuple[BrokerOrder, ...]:
    """Orders of ours whose end this reading shows and the journal does not know. Raises JournalBroken when the broker
    has a different order under our id."""
    open_here = {record.client_order_id: record for record in unresolved}
    found = [o for o in orders if o.client_order_id in open_here and o.state.is_final]
    for order in found:
        record = open_here[order.client_order_id]
        refuse_another(record, order, whole=record.broker_id is None)
    return tuple(found)
