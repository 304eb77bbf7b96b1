"""Gather one snapshot, in three steps: read the broker, read the journal, assemble.

    read_last_time   LastTime         where the last cycle ended; the broker is read from there      journal
    read_broker      BrokerReading    account, positions, orders and quotes in four calls; signals   broker
    read_journal     JournalReading   everything else, in one transaction                            journal
    assemble         Snapshot         pure

Account activities are a fifth read, made once a day and when something changed without an order. The result is a
`Snapshot`, a value, with its positions reconciled. Nothing after it reads from outside until orders are sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from rebalancer.accounting.activities import (
    ActivitiesRead,
    is_known,
    read_activities,
    unknown_words,
    used_activities,
)
from rebalancer.accounting.cash_flows import new_flows, with_flows
from rebalancer.accounting.explanations import activity_explanations
from rebalancer.brokers.protocol import BrokerOrder
from rebalancer.core.facts import Position, Regime, Snapshot
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.core.venue_rules import VenueRules
from rebalancer.execution.exit_orders import ExitOrdersSeen
from rebalancer.journal.records import CycleEnd
from rebalancer.planning.account_sanity import implausible_reading
from rebalancer.planning.reconcile import ReconciledBook, differences, reconcile
from rebalancer.rebalance.broker_orders import ended_orders, open_orders, unknown_statuses
from rebalancer.rebalance.market_regime import current_regime
from rebalancer.rebalance.read_broker import BrokerReading, LastTime, read_broker
from rebalancer.rebalance.read_journal import JournalReading, read_journal, read_last_time
from rebalancer.rebalance.trading_costs import costs_of_names
from rebalancer.rebalance.world import World


class Observation(NamedTuple):
    """The snapshot with its reconciled book, and what has to be remembered for the next one: the orders seen with their
    filled quantities, and the submission time after which orders must be read again. `late` are orders of ours that
    were given up as never placed but exist after all, `ended` those whose end the journal does not know yet.
    `activities` are the account activities read, if any; `prices` are USD by symbol; `paid_in` is the net amount of
    deposits since the last close that the snapshot's last equity includes. `not_understood` are orders in a status that
    the adapter does not know. `regime_before` is the market's regime as the journal has it."""

    snapshot: Snapshot
    book: ReconciledBook
    fills_seen: Mapping[str, Decimal]
    orders_after: datetime
    last_end: CycleEnd | None
    late: tuple[BrokerOrder, ...]
    ended: tuple[BrokerOrder, ...]
    activities: ActivitiesRead | None
    prices: Mapping[str, Decimal]
    paid_in: Decimal
    not_understood: tuple[BrokerOrder, ...]
    regime_before: Regime | None = None


def observe(world: World, rules: Rules, cycle_id: str | None, *, again: bool = False) -> Observation:
    """Gather one snapshot. Without a cycle id (a run by hand) the id is made from the broker's time.

    A reading that contradicts itself is repeated once (`again`) before it is reported as a doubt. Raises
    BrokerUnavailable, CredentialsRefused, WrongAccount, JournalBroken or BadDocument; nothing has been changed then.
    """
    venue = world.broker.venue
    last = read_last_time(world.journal, world.account_id)
    read = read_broker(world, last)
    kept = read_journal(
        world.journal, read, last, cycle_id, venue.crypto_fee_max, rules.regime.judged_by(rules.reporting.benchmark)
    )
    is_stopped = world.kill.reason(read.account.id) is not None
    snapshot = assemble(last, read, kept, venue, is_stopped=is_stopped)
    snapshot, activities = _with_activities(world, snapshot, last, read, kept)
    if rules.regime.enabled:
        snapshot = snapshot._replace(regime=current_regime(kept.regime, read.reference, rules.regime))
    snapshot = snapshot._replace(doubt=str(implausible_reading(snapshot)))
    if snapshot.doubt and not again:
        return observe(world, rules, cycle_id, again=True)
    return Observation(
        snapshot=snapshot,
        book=reconcile(snapshot),
        fills_seen={o.id: o.filled_qty for o in read.orders},
        orders_after=read.orders_after,
        last_end=last.end,
        late=kept.late,
        ended=ended_orders(read.orders, last.unresolved),
        activities=activities,
        prices=read.prices,
        paid_in=snapshot.account.last_equity - read.account.last_equity,
        not_understood=tuple(order for order in read.orders if not order.is_understood),
        regime_before=kept.regime,
    )


def assemble(
    last: LastTime, read: BrokerReading, kept: JournalReading, venue: VenueRules, *, is_stopped: bool
) -> Snapshot:
    """The snapshot of these readings, without what account activities add."""
    end = last.end if not kept.is_accepted else None  # a person has accepted the positions as they are
    exits = kept.exits
    return Snapshot(
        cycle_id=kept.cycle_id,
        as_of=read.now,
        session=read.session,
        account=with_flows(read.account, kept.peak, kept.flows, (), kept.closed),
        positions=tuple(sorted(_freed(p, read.resting) for p in read.positions)),
        open_orders=tuple(sorted((*open_orders(read.foreign, last.unresolved, read.prices), *read.resting.doubtful))),
        instruments=tuple(i for i in read.reference.instruments if i.symbol in read.needed),
        quotes=tuple(q for q in read.quotes if q.symbol in read.needed),
        signals=read.signals,
        day=kept.day,
        expected_positions=end.expected_positions if end is not None else None,
        explanations=kept.explanations,
        unexplained_before=end.unexplained if end is not None else {},
        kill_switch=is_stopped,
        latched=kept.latched,
        stopped_out=exits.last,
        closed_by_kill=exits.by_kill,
        stop_exits=None if exits.stops == exits.last else exits.stops,
        unknown_words=dict(sorted({**unknown_statuses(read.orders), **kept.unknown_words}.items())),
        venue=venue,
        trading_costs=costs_of_names(kept.trading_costs, read.needed),
    )


def _with_activities(
    world: World, snapshot: Snapshot, last: LastTime, read: BrokerReading, kept: JournalReading
) -> tuple[Snapshot, ActivitiesRead | None]:
    """The snapshot with what account activities add: causes of changed positions, and deposits excluded from profit.
    They cost a call, so they are read only when they are due or when a position has changed without an order."""
    missing = differences(snapshot)
    if not (kept.are_activities_due or missing):
        return snapshot, None
    account_id = read.account.id
    found = read_activities(world.broker, world.journal, account_id, snapshot.as_of)
    counted = {o.id for o in read.orders} | set(last.end.fills_seen if last.end is not None else ())
    used = used_activities(world.journal, account_id, found)
    causes = activity_explanations(missing, found.fills, found.others, counted, used)
    account = with_flows(read.account, kept.peak, kept.flows, new_flows(found, read.prices), kept.closed)
    words = {one.symbol: unknown_words(one.type, one.id) for one in found.others
             if one.id in found.new and one.symbol is not None and not is_known(one)}  # fmt: skip
    return snapshot._replace(
        account=account,
        explanations=(*snapshot.explanations, *causes),
        unknown_words=dict(sorted({**snapshot.unknown_words, **words}.items())),
    ), found


def _freed(position: Position, resting: ExitOrdersSeen) -> Position:
    """A position as if its resting exits had been withdrawn, which they are before it trades."""
    held = resting.held.get(position.symbol, ZERO)
    free = position.qty_available + held
    return (
        position
        if not held
        else position._replace(qty_available=free if abs(free) < abs(position.qty) else position.qty)
    )
