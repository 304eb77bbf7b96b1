"""Ask the world once: account, positions, orders and quotes in four broker reads, and the journal and the signals.

The result is a `Snapshot`, a value. Nothing after it asks the world anything until orders go out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple

from rebalancer.decide.draft import ID_PREFIX
from rebalancer.facts import Account, Explanation, OpenOrder, Snapshot
from rebalancer.outcomes import OrderState
from rebalancer.values import ZERO
from rebalancer.world.clock import Clock
from rebalancer.world.desk import Desk
from rebalancer.world.journal.journal import Journal
from rebalancer.world.journal.records import CycleEnd
from rebalancer.world.kill import KillSwitch
from rebalancer.world.ports import BrokerOrder, JournalBroken, ReadBroker, SignalSource, WrongAccount
from rebalancer.world.reference import Reference, day_start, open_session

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
    the submission time from which orders must be read again."""

    snapshot: Snapshot
    fills_seen: Mapping[str, Decimal]
    orders_after: datetime
    last_end: CycleEnd | None


def observe(world: World, cycle_id: str | None) -> Observation:
    """Gather one snapshot. Without a cycle id (a run by hand) it is made from the broker's time.

    Raises BrokerUnavailable, CredentialsRefused, WrongAccount, JournalBroken or BadDocument; nothing has been changed
    then.
    """
    last = world.journal.last_end(world.account_id) if world.account_id else None
    known = world.reference.symbols()
    broker = world.broker
    after = last.orders_after if last is not None else None
    account, positions, orders, quotes = world.gather(
        lambda ask: ask(),
        [broker.account, broker.positions, lambda: broker.orders(after), lambda: broker.quotes(known)],
    )
    if world.account_id and account.id != world.account_id:
        raise WrongAccount(f"the broker's account is {account.id}, the journal's is {world.account_id}")
    now = broker.now()
    signals = world.signals.read(now)
    needed = {s.symbol for s in signals} | {p.symbol for p in positions} | {o.symbol for o in orders if _works(o)}
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
        open_orders=_open_orders(orders, world.journal, account.id),
        instruments=tuple(i for i in sheet.instruments if i.symbol in needed),
        quotes=tuple(q for q in quotes if q.symbol in needed),
        signals=signals,
        day=world.journal.orders_sent(account.id, day_start(session)),
        expected_positions=last.expected_positions if last is not None else None,
        explanations=_explanations(orders, last, world.journal),
        unexplained_before=last.unexplained if last is not None else {},
        kill_switch=world.kill.reason(account.id) is not None,
    )
    working = [o.submitted_at for o in orders if _works(o)]
    return Observation(snapshot, {o.id: o.filled_qty for o in orders}, min([now, *working]), last)


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


def _open_orders(orders: Sequence[BrokerOrder], journal: Journal, account_id: str) -> tuple[OpenOrder, ...]:
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
        )
        for o in orders
        if _works(o)
    ]
    told = {o.client_order_id for o in orders}
    found += [
        OpenOrder(o.client_order_id, o.symbol, o.side, o.qty, o.filled_qty, "market", True, None, True)
        for o in journal.unresolved_orders(account_id)
        if o.client_order_id not in told and o.state is OrderState.UNKNOWN
    ]
    return tuple(sorted(found))


def _explanations(orders: Sequence[BrokerOrder], last: CycleEnd | None, journal: Journal) -> tuple[Explanation, ...]:
    """Fills since the last closed cycle that it did not count: late ones of ours, and trades by other hands."""
    if last is None:
        return ()
    found = []
    for order in orders:
        ours = order.client_order_id.startswith(ID_PREFIX)
        if ours and journal.order(order.client_order_id) is None:
            raise JournalBroken(
                f"the broker has order {order.client_order_id}, which carries our prefix but is not in this journal\n"
                "  hint: another copy of this program trades this account, or the journal is an old copy; stop both "
                "and restore the newest journal"
            )
        more = order.filled_qty - last.fills_seen.get(order.id, ZERO)
        if more != 0:
            signed = more if order.side == "buy" else -more
            kind = "late_fill" if ours else "external_trade"
            found.append(Explanation(order.symbol, signed, kind, order.client_order_id))
    return tuple(found)
