"""Read the broker once: account, positions, orders and quotes in four concurrent calls.

The reference data of the day comes from its file, else from the broker too; quotes of symbols that are new today are
one more call.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from rebalancer.accounting.adoption import FIRST_LOOK_BACK, INSTANT
from rebalancer.brokers.protocol import LOOK_BACK, BrokerOrder
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import WrongAccount
from rebalancer.core.facts import Account, Position, Quote, Session, Signal
from rebalancer.execution.exit_orders import ExitOrdersSeen
from rebalancer.journal.records import CycleEnd, OrderRecord
from rebalancer.market_data.reference import ReferenceSnapshot, open_session
from rebalancer.rebalance.broker_orders import works
from rebalancer.rebalance.world import World


class LastTime(NamedTuple):
    """What the journal says before the broker is asked: the end of the last cycle, and our orders without an end."""

    end: CycleEnd | None
    unresolved: tuple[OrderRecord, ...]


class BrokerReading(NamedTuple):
    """What the broker says, and the signals of that moment. `orders` include the resting exits, `foreign` do not (they
    are ours too: all but the exits). `orders_after`: the submission time after which orders must be read again.
    `needed`: every symbol that the plan is about. `prices`: USD by symbol."""

    now: datetime
    account: Account
    positions: tuple[Position, ...]
    orders: tuple[BrokerOrder, ...]
    foreign: tuple[BrokerOrder, ...]
    resting: ExitOrdersSeen
    quotes: tuple[Quote, ...]
    prices: Mapping[str, Decimal]
    signals: tuple[Signal, ...]
    needed: frozenset[str]
    reference: ReferenceSnapshot
    session: Session
    orders_after: datetime


def read_broker(world: World, last: LastTime) -> BrokerReading:
    """Read everything that a snapshot needs from the broker. Raises BrokerUnavailable, CredentialsRefused or
    WrongAccount, and BadDocument for signals that cannot be read."""
    broker, known = world.broker, world.reference.symbols()
    after = last.end.orders_after if last.end is not None else None
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
    foreign = tuple(o for o in orders if o.id not in resting.ids)
    signals = _each_once(world.signals.read(now, frozenset(p.symbol for p in positions if p.qty != 0)))
    needed = {s.symbol for s in signals} | {p.symbol for p in positions} | {o.symbol for o in orders if works(o)}
    needed |= {o.symbol for o in last.unresolved}
    reference = world.reference.read(needed, now)
    missing = sorted(needed & {i.symbol for i in reference.instruments} - {q.symbol for q in quotes})
    if missing:
        quotes = (*quotes, *broker.quotes(missing))
        now = broker.now()
    prices = {q.symbol: price for q in quotes if (price := q.bid or q.last or q.ask) is not None and price > 0}
    return BrokerReading(
        now, account, positions, orders, foreign, resting, quotes, prices, signals, frozenset(needed), reference,
        open_session(reference.session, now), _earliest(since, foreign),
    )  # fmt: skip


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
