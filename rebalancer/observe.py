"""Ask the world once: account, positions, orders and quotes in four broker reads, and the journal and the signals.

The result is a `Snapshot`, a value. Nothing after it asks the world anything until orders go out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from rebalancer.decide.draft import ID_PREFIX
from rebalancer.documents import BadDocument
from rebalancer.facts import Account, Explanation, OpenOrder, Signal, Snapshot
from rebalancer.outcomes import OrderState
from rebalancer.values import ZERO
from rebalancer.world.clock import Clock
from rebalancer.world.desk import LOOK_BACK, Desk
from rebalancer.world.journal.journal import Journal
from rebalancer.world.journal.records import CycleEnd, OrderRecord
from rebalancer.world.kill import KillSwitch
from rebalancer.world.ports import BrokerOrder, JournalBroken, ReadBroker, SignalSource, WrongAccount
from rebalancer.world.reference import Reference, day_start, open_session

INSTANT: Final = timedelta(microseconds=1)

Gather = Callable[[Callable[[Callable[[], Any]], Any], Sequence[Callable[[], Any]]], list[Any]]


class World(NamedTuple):
    """Everything outside: another mode is another world, never an `if`. `account_id` is "" until it is known."""

    mode: str
    version: str
    account_id: str
    broker: ReadBroker
    desk: Desk
    journal: Journal
    kill: KillSwitch
    signals: SignalSource
    reference: Reference
    clock: Clock
    gather: Gather


class Observation(NamedTuple):
    """The snapshot, and what has to be remembered for the next one: the orders seen with their filled quantities, and
    the submission time after which orders must be read again. `late` are orders of ours that were given up as never
    placed and are there after all."""

    snapshot: Snapshot
    fills_seen: Mapping[str, Decimal]
    orders_after: datetime
    last_end: CycleEnd | None
    late: tuple[BrokerOrder, ...]


def observe(world: World, cycle_id: str | None) -> Observation:
    """Gather one snapshot. Without a cycle id (a run by hand) it is made from the broker's time.

    Raises BrokerUnavailable, CredentialsRefused, WrongAccount, JournalBroken or BadDocument; nothing has been changed
    then.
    """
    last = world.journal.last_end(world.account_id) if world.account_id else None
    known = world.reference.symbols()
    broker = world.broker
    after = last.orders_after if last is not None else None
    began = world.clock.monotonic()
    account, positions, orders, quotes = world.gather(
        lambda ask: ask(),
        [broker.account, broker.positions, lambda: broker.orders(after), lambda: broker.quotes(known)],
    )
    if world.account_id and account.id != world.account_id:
        raise WrongAccount(f"the broker's account is {account.id}, the journal's is {world.account_id}")
    now = broker.now()
    # What is submitted while we read may be missed: the next cycle reads again from a little before this one.
    again = now - timedelta(seconds=world.clock.monotonic() - began) - LOOK_BACK
    if after is None:
        orders = broker.orders(_earliest(again, orders))
    signals = _each_once(world.signals.read(now))
    unresolved = world.journal.unresolved_orders(account.id)
    needed = {s.symbol for s in signals} | {p.symbol for p in positions} | {o.symbol for o in orders if _works(o)}
    needed |= {o.symbol for o in unresolved}
    sheet = world.reference.sheet(needed, now)
    missing = sorted(needed & {i.symbol for i in sheet.instruments} - {q.symbol for q in quotes})
    if missing:
        quotes = (*quotes, *broker.quotes(missing))
        now = broker.now()
    session = open_session(sheet.session, now)
    snapshot = Snapshot(
        cycle_id=cycle_id or _by_hand(world.journal, now),
        as_of=now,
        session=session,
        account=_with_peak(account, world.journal.peak_equity(account.id)),
        positions=tuple(sorted(positions)),
        open_orders=_open_orders(orders, unresolved),
        instruments=tuple(i for i in sheet.instruments if i.symbol in needed),
        quotes=tuple(q for q in quotes if q.symbol in needed),
        signals=signals,
        day=world.journal.orders_sent(account.id, day_start(session)),
        expected_positions=last.expected_positions if last is not None else None,
        explanations=_explanations(orders, last, world.journal),
        unexplained_before=last.unexplained if last is not None else {},
        kill_switch=world.kill.reason(account.id) is not None,
    )
    fills = {o.id: o.filled_qty for o in orders}
    return Observation(snapshot, fills, _earliest(again, orders), last, _late(orders, world.journal))


def _earliest(again: datetime, orders: Sequence[BrokerOrder]) -> datetime:
    """The time after which orders must be read so that none is missed: just before the oldest that still works."""
    return min([again, *(o.submitted_at - INSTANT for o in orders if _works(o))])


def _each_once(signals: Sequence[Signal]) -> tuple[Signal, ...]:
    """The signals without repetitions, since one may reach us on two ways. Raises BadDocument for an id with two
    meanings: its verdicts could not be told apart."""
    found: dict[tuple[str, str], Signal] = {}
    for signal in signals:
        if found.setdefault((signal.id, signal.symbol), signal) != signal:
            raise BadDocument(
                "signals", f"the id {signal.id!r} stands for two signals about {signal.symbol}", "give each its own id"
            )
    return tuple(found.values())


def _works(order: BrokerOrder) -> bool:
    return not order.state.is_final


def _with_peak(account: Account, peak: Decimal | None) -> Account:
    return account._replace(peak_equity=max(peak or ZERO, account.equity))


def _by_hand(journal: Journal, now: datetime) -> str:
    """An id for a run that no slot of the calendar asked for: its second, or the next one that is free."""
    moment = now
    while journal.cycle(name := moment.strftime("%Y-%m-%dT%H:%M:%SZ")) is not None:
        moment += timedelta(seconds=1)
    return name


def _open_orders(orders: Sequence[BrokerOrder], unresolved: Sequence[OrderRecord]) -> tuple[OpenOrder, ...]:
    """What may still trade: the broker's working orders, and ours of which it has told us nothing."""
    found = [
        OpenOrder(
            o.client_order_id,
            o.symbol,
            o.side,
            o.qty if o.qty is not None else o.filled_qty,
            o.filled_qty,
            o.type,
            o.client_order_id.startswith(ID_PREFIX),
            o.limit_price,
            unknown=o.qty is None,  # an order for an amount of money: how many shares, nobody knows before it fills
        )
        for o in orders
        if _works(o)
    ]
    told = {o.client_order_id for o in orders}
    found += [
        OpenOrder(o.client_order_id, o.symbol, o.side, o.qty, o.filled_qty, "market", True, None, True)
        for o in unresolved
        if o.client_order_id not in told
    ]
    return tuple(sorted(found))


def _explanations(orders: Sequence[BrokerOrder], last: CycleEnd | None, journal: Journal) -> tuple[Explanation, ...]:
    """Fills since the last closed cycle that it did not count: late ones of ours, and trades by other hands."""
    found: list[Explanation] = []
    for order in orders:
        ours = order.client_order_id.startswith(ID_PREFIX)
        if ours and journal.order(order.client_order_id) is None:
            raise JournalBroken(
                f"the broker has order {order.client_order_id}, which carries our prefix but is not in this journal\n"
                "  hint: another copy of this program trades this account, or the journal is an old copy; stop both "
                "and restore the newest journal"
            )
        if last is None:
            continue
        more = order.filled_qty - last.fills_seen.get(order.id, ZERO)
        if more != 0:
            signed = more if order.side == "buy" else -more
            found.append(
                Explanation(order.symbol, signed, "late_fill" if ours else "external_trade", order.client_order_id)
            )
    return tuple(found)


def _late(orders: Sequence[BrokerOrder], journal: Journal) -> tuple[BrokerOrder, ...]:
    """Orders of ours that the broker has, though we ended them without ever having its id."""
    found = []
    for order in orders:
        record = journal.order(order.client_order_id) if order.client_order_id.startswith(ID_PREFIX) else None
        given_up = record is not None and record.broker_id is None and record.state.is_final
        if given_up and order.state is not OrderState.REFUSED:
            found.append(order)
    return tuple(found)
