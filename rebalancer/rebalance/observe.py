"""Gather one snapshot: account, positions, orders and quotes in four broker reads, plus the journal and the signals.

Account activities are a fifth read, made once a day and when something changed without an order. The result is a
`Snapshot`, a value. Nothing after it reads from outside until orders are sent.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.accounting.acceptance import are_accepted, is_new_on_purpose
from rebalancer.accounting.activities import ActivitiesRead, last_read, read_activities, used_activities
from rebalancer.accounting.adoption import FIRST_LOOK_BACK, INSTANT
from rebalancer.accounting.cash_flows import cash_has_jumped, close_before, known_flows, new_flows, with_flows
from rebalancer.accounting.explanations import activity_explanations
from rebalancer.accounting.loss_latches import latched_since
from rebalancer.brokers.protocol import LOOK_BACK, BrokerOrder, ReadBroker
from rebalancer.brokers.request_metrics import RequestMetrics
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import WrongAccount
from rebalancer.core.facts import Position, Signal, Snapshot
from rebalancer.core.values import ZERO
from rebalancer.execution.exit_orders import ExitOrders, ExitOrdersSeen, NoExitOrders
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.order_manager import OrderManager
from rebalancer.journal.journal import Journal
from rebalancer.journal.records import CycleEnd
from rebalancer.market_data.reference import Reference, day_start, open_session
from rebalancer.ops.clock import Clock
from rebalancer.planning.account_sanity import implausible_reading
from rebalancer.planning.reconcile import differences
from rebalancer.rebalance.broker_orders import ended_orders, explanations, late_orders, open_orders, works
from rebalancer.signals.sources import SignalSource

SIGNALS_AT_MOST: Final = timedelta(days=31)  # the largest value that signals.max_age_minutes may have

Gather = Callable[[Callable[[Callable[[], Any]], Any], Sequence[Callable[[], Any]]], list[Any]]


class World(NamedTuple):
    """All external dependencies of a cycle: another mode is another World, never an `if`. `account_id` is "" until it
    is known, `request_metrics` counts the requests to the broker, if there are any, `is_stopping` says that no further
    order will be sent."""

    mode: str
    version: str
    account_id: str
    broker: ReadBroker
    order_manager: OrderManager
    journal: Journal
    kill: KillSwitch
    signals: SignalSource
    reference: Reference
    clock: Clock
    gather: Gather
    protection: ExitOrders = NoExitOrders()
    traffic: RequestMetrics | None = None
    is_stopping: Callable[[], bool] = lambda: False


class Observation(NamedTuple):
    """The snapshot, and what has to be remembered for the next one: the orders seen with their filled quantities, and
    the submission time after which orders must be read again. `late` are orders of ours that were given up as never
    placed but exist after all, `ended` those whose end the journal does not know yet. `activities` are the account
    activities read, if any; `prices` are USD by symbol; `paid_in` is the net amount of deposits since the last close
    that the snapshot's last equity includes."""

    snapshot: Snapshot
    fills_seen: Mapping[str, Decimal]
    orders_after: datetime
    last_end: CycleEnd | None
    late: tuple[BrokerOrder, ...]
    ended: tuple[BrokerOrder, ...]
    activities: ActivitiesRead | None
    prices: Mapping[str, Decimal]
    paid_in: Decimal


def observe(world: World, cycle_id: str | None, *, again: bool = False) -> Observation:
    """Gather one snapshot. Without a cycle id (a run by hand) the id is made from the broker's time.

    A reading that contradicts itself is repeated once (`again`) before it is reported as a doubt. Raises
    BrokerUnavailable, CredentialsRefused, WrongAccount, JournalBroken or BadDocument; nothing has been changed then.
    """
    last = world.journal.last_end(world.account_id) if world.account_id else None
    known = world.reference.symbols()
    broker = world.broker
    after = last.orders_after if last is not None else None
    resting = world.protection.look(after)
    began = world.clock.monotonic()
    account, positions, orders, quotes = world.gather(
        lambda ask: ask(),
        [broker.account, broker.positions, lambda: broker.orders(after), lambda: broker.quotes(known)],
    )
    if world.account_id and account.id != world.account_id:
        raise WrongAccount(f"the broker's account is {account.id}, the journal's is {world.account_id}")
    now = broker.now()
    # Orders submitted during this reading may be missed: the next cycle reads again from slightly before it.
    since = now - timedelta(seconds=world.clock.monotonic() - began) - LOOK_BACK
    if after is None:  # a new or lost journal: has an earlier one traded this account?
        orders = broker.orders(_earliest(since - FIRST_LOOK_BACK, orders))
    orders = tuple(({o.id: o for o in orders} | {o.id: o for o in resting.rows}).values())
    foreign = [o for o in orders if o.id not in resting.ids]  # ours too: all but the protective exits
    signals = _each_once(world.signals.read(now))
    unresolved = world.journal.unresolved_orders(account.id)
    needed = {s.symbol for s in signals} | {p.symbol for p in positions} | {o.symbol for o in orders if works(o)}
    needed |= {o.symbol for o in unresolved}
    sheet = world.reference.sheet(needed, now)
    missing = sorted(needed & {i.symbol for i in sheet.instruments} - {q.symbol for q in quotes})
    if missing:
        quotes = (*quotes, *broker.quotes(missing))
        now = broker.now()
    session = open_session(sheet.session, now)
    prices = {q.symbol: price for q in quotes if (price := q.bid or q.last or q.ask) is not None and price > 0}
    accepted = are_accepted(world.journal, last)
    left = _left(world.journal, account.id, now)
    snapshot = Snapshot(
        cycle_id=cycle_id or _by_hand(world.journal, now),
        as_of=now,
        session=session,
        account=account,
        positions=tuple(sorted(_freed(p, resting) for p in positions)),
        open_orders=tuple(sorted((*open_orders(foreign, unresolved, prices), *resting.doubtful))),
        instruments=tuple(i for i in sheet.instruments if i.symbol in needed),
        quotes=tuple(q for q in quotes if q.symbol in needed),
        signals=signals,
        day=world.journal.orders_sent(account.id, day_start(session, now)),
        expected_positions=last.expected_positions if last is not None and not accepted else None,
        explanations=explanations(
            orders,
            last,
            world.journal,
            resting.ids,
            new_on_purpose=is_new_on_purpose(world.journal),
            account_id=account.id,
        ),
        unexplained_before=last.unexplained if last is not None and not accepted else {},
        kill_switch=world.kill.reason(account.id) is not None,
        latched=latched_since(world.journal, account.id, day_start(session, now)),
        stopped_out=left.last,
        closed_by_kill=left.by_kill,
        stop_exits=None if left.stops == left.last else left.stops,
        venue=broker.venue,
    )
    snapshot, read = _with_activities(world, snapshot, last, orders, prices, close_before(now, sheet.closes.days))
    snapshot = snapshot._replace(doubt=implausible_reading(snapshot))
    if snapshot.doubt and not again:
        return observe(world, cycle_id, again=True)
    fills = {o.id: o.filled_qty for o in orders}
    late, ended = late_orders(orders, world.journal), ended_orders(orders, unresolved)
    paid_in = snapshot.account.last_equity - account.last_equity
    return Observation(snapshot, fills, _earliest(since, foreign), last, late, ended, read, prices, paid_in)


def _with_activities(
    world: World,
    snapshot: Snapshot,
    last: CycleEnd | None,
    orders: Sequence[BrokerOrder],
    prices: Mapping[str, Decimal],
    closed: datetime,
) -> tuple[Snapshot, ActivitiesRead | None]:
    """The snapshot with what account activities add: causes of changed positions, and deposits excluded from profit.

    They cost a call, so they are read only in the first cycle of a day, and when cash or a position has changed without
    an order.
    """
    journal, account = world.journal, snapshot.account
    before, missing = last_read(journal, account.id), differences(snapshot)
    seen = last.fills_seen if last is not None else {}
    is_first_today = before is None or before < day_start(snapshot.session, snapshot.as_of)
    read = None
    if is_first_today or missing or cash_has_jumped(journal, account, orders, seen, snapshot.venue.crypto_fee_max):
        read = read_activities(world.broker, journal, account.id, snapshot.as_of)
        counted = {o.id for o in orders} | set(seen)
        found = activity_explanations(
            missing, read.fills, read.others, counted, used_activities(journal, account.id, read)
        )
        snapshot = snapshot._replace(explanations=(*snapshot.explanations, *found))
    known = known_flows(journal, account.id, closed)
    moved = with_flows(account, journal.peak_equity(account.id), known, new_flows(read, prices), closed)
    return snapshot._replace(account=moved), read


def _freed(position: Position, resting: ExitOrdersSeen) -> Position:
    """A position as if its resting exits had been withdrawn, which they are before it trades."""
    held = resting.held.get(position.symbol, ZERO)
    free = position.qty_available + held
    return (
        position
        if not held
        else position._replace(qty_available=free if abs(free) < abs(position.qty) else position.qty)
    )


class _Left(NamedTuple):
    """When a protective exit last closed each symbol, which of those exits a person's kill caused, and when a stop
    closed it."""

    last: dict[str, datetime]
    by_kill: tuple[str, ...]
    stops: dict[str, datetime]


def _left(journal: Journal, account_id: str, now: datetime) -> _Left:
    """The exits recorded in the journal; those older than the maximum age of a signal are left out."""
    exits = [(e.key, e) for e in journal.recall(account_id, "protective_exit", since=now - SIGNALS_AT_MOST) if e.key]
    last = dict(exits)
    killed = sorted(symbol for symbol, event in last.items() if event.body.get("kind") == "flatten")
    stops = {symbol: event.at for symbol, event in exits if event.body.get("kind") == "stop"}
    return _Left({symbol: event.at for symbol, event in last.items()}, tuple(killed), stops)


def _earliest(again: datetime, orders: Sequence[BrokerOrder]) -> datetime:
    """The time after which orders must be read so that none is missed: just before the oldest one that still works."""
    return min([again, *(o.submitted_at - INSTANT for o in orders if works(o))])


def _each_once(signals: Sequence[Signal]) -> tuple[Signal, ...]:
    """The signals without duplicates, since one signal may arrive in two ways. Raises BadDocument for an id with two
    different contents: its verdicts could not be told apart."""
    found: dict[tuple[str, str], Signal] = {}
    for signal in signals:
        if found.setdefault((signal.id, signal.symbol), signal) != signal:
            raise BadDocument(
                "signals", f"the id {signal.id!r} stands for two signals about {signal.symbol}", "give each its own id"
            )
    return tuple(found.values())


def _by_hand(journal: Journal, now: datetime) -> str:
    """An id for a run that belongs to no slot of the calendar: its second, or the next free one."""
    moment = now
    while journal.cycle(name := moment.strftime("%Y-%m-%dT%H:%M:%SZ")) is not None:
        moment += timedelta(seconds=1)
    return name
