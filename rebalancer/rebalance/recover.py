"""Close what an earlier cycle left behind when its process died.

A cycle that died is never resumed. Each of its orders that had not ended is looked up at the broker by our own id;
those that still work are cancelled; then the cycle is closed as ABANDONED, with an outcome for every signal. Orders of
any cycle whose state the broker has not reported are looked up again, and adopted if found. An order that has not been
seen for longer than every timeout involved counts as never placed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta

from rebalancer.accounting.adoption import PREFIX as ADOPTING
from rebalancer.accounting.adoption import (
    UnknownOrders,
    begin_adoption,
    end_adoption,
    lacks_orders,
    missing_orders,
    note_unknown,
)
from rebalancer.accounting.opening_balance import starting_books
from rebalancer.brokers.protocol import BrokerOrder, TradingBroker
from rebalancer.core.codec import read_plan, rules_text, sha256, stored_snapshot
from rebalancer.core.decisions import Verdict
from rebalancer.core.errors import AnotherProgram, WrongAccount
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.execution.await_final import await_final
from rebalancer.execution.order_alerts import report_another_program
from rebalancer.execution.order_tracking import refuse_another
from rebalancer.journal.records import CycleEnd, CycleRecord, CycleStart, OrderRecord
from rebalancer.planning.verdicts import OrderEnd, final_verdicts
from rebalancer.rebalance.cycle_end import opening_equity
from rebalancer.rebalance.world import World


def recover(world: World, broker: TradingBroker, rules: Rules) -> None:
    """Bring every order of earlier cycles to an end where the broker can report it, and close those cycles.

    broker: the same as `world.broker`, with the ability to cancel; a dry run has none and recovers nothing. Raises
    BrokerUnavailable when the broker cannot be asked: then nothing may be planned either. Raises WrongAccount, since
    another account knows none of these orders, which says nothing about them; and AnotherProgram, after writing an
    alert, when the broker's order under one of our ids is not the one that we recorded.
    """
    with alert_on_another_program(world):
        _recover(world, broker, rules)


@contextmanager
def alert_on_another_program(world: World) -> Iterator[None]:
    """Write an alert when another program turns out to trade this account; the error is re-raised."""
    try:
        yield
    except AnotherProgram as error:
        words = " ".join(str(error).split())
        if isinstance(error, UnknownOrders):  # their list grows, but the alert text stays the same
            words = error.words
            note_unknown(world.journal, world.account_id, world.broker.now(), error)
        report_another_program(world.journal, world.account_id, None, world.broker.now(), words)
        raise


def _recover(world: World, broker: TradingBroker, rules: Rules) -> None:
    if not world.account_id:
        return
    unresolved = world.journal.unresolved_orders(world.account_id)
    dead = world.journal.open_cycles(world.account_id)
    waits = lacks_orders(world.journal, world.account_id)
    if not unresolved and not dead and not waits:
        return
    asked = broker.account().id
    if asked != world.account_id:
        raise WrongAccount(f"the broker's account is {asked}, the journal's is {world.account_id}")
    _resolve(world, broker, rules, unresolved)
    for cycle in dead:
        if cycle.cycle_id.startswith(f"{ADOPTING}-"):  # its orders are recorded; there was nothing else to do
            end_adoption(world.journal, broker, world.account_id, cycle.cycle_id)
        else:
            _abandon(world, cycle)
    if waits:
        _adopt_missing(world, broker, rules)


def _adopt_missing(world: World, broker: TradingBroker, rules: Rules) -> None:
    """Adopt into this journal the orders that a person has accepted after a restore, and cancel those that still
    work."""
    missing = missing_orders(world.journal, broker, world.account_id)
    if not missing:
        return
    said = sha256(rules_text(rules))
    start = CycleStart(world.account_id, "", world.mode, world.broker.now(), world.version, said)
    name = begin_adoption(world.journal, start, missing)
    _resolve(world, broker, rules, world.journal.unresolved_orders(world.account_id))
    end_adoption(world.journal, broker, world.account_id, name)


def _resolve(world: World, broker: TradingBroker, rules: Rules, records: Sequence[OrderRecord]) -> None:
    """Look up each order; cancel all that still work and wait for them to end; record what is known."""
    working: list[tuple[OrderRecord, BrokerOrder]] = []
    for record in records:
        found = world.broker.find_order(record.client_order_id)
        if found is None:
            _not_found(world, rules, record)
            continue
        refuse_another(record, found, whole=record.broker_id is None)
        if not found.state.is_final:
            broker.cancel(found.id)
            working.append((record, found))
        else:
            _book(world, record, found)

    def look() -> Sequence[tuple[OrderRecord, BrokerOrder]]:
        working[:] = [(one, world.broker.find_order(one.client_order_id) or last) for one, last in working]
        for one, last in [pair for pair in working if pair[1].state.is_final]:
            _book(world, one, last)
            working.remove((one, last))
        return working

    if working:
        await_final(look, world.clock, world.clock.monotonic() + rules.execution.cancel_timeout_seconds)
    for record, found in working:
        _book(world, record, found)


def _not_found(world: World, rules: Rules, record: OrderRecord) -> None:
    """An order that is not found may still be in transit, so it does not count as never placed yet. After the longest
    possible time in transit it does, unless the broker once had the order."""
    if record.broker_id is not None:
        _write(world, record, OrderState.UNKNOWN, f"the broker had it as {record.broker_id} and now does not know it")
        return
    patience = timedelta(seconds=2 * rules.broker.total_timeout_seconds + 60)
    waited = world.broker.now() - record.intended_at
    if waited <= patience:
        if record.state is not OrderState.UNKNOWN:
            _write(world, record, OrderState.UNKNOWN, "the broker does not know it yet")
        return
    if record.state is OrderState.INTENDED:
        _write(world, record, OrderState.UNKNOWN, "interrupted before its answer")
    _write(
        world,
        record,
        OrderState.NOT_SENT,
        f"not known to the broker {waited.total_seconds():,.0f} s after it was intended",
    )


def _book(world: World, record: OrderRecord, found: BrokerOrder) -> None:
    world.journal.record_order(
        record.account_id,
        record.client_order_id,
        world.broker.now(),
        found.state,
        found.filled_qty,
        found.filled_avg_price,
        found.id,
        "recovered",
        f"the broker says {found.status}",
    )


def _write(world: World, record: OrderRecord, state: OrderState, message: str) -> None:
    world.journal.record_order(
        record.account_id,
        record.client_order_id,
        world.broker.now(),
        state,
        record.filled_qty,
        record.filled_avg_price,
        record.broker_id,
        "recovered",
        message,
    )


def _abandon(world: World, cycle: CycleRecord) -> None:
    """Close a cycle that never ended, with a verdict for every signal that it had planned.

    The expected positions are those that it started from, plus what its orders are known to have traded. External
    trades in between are explained by the next cycle, from the fills that those positions include.
    """
    orders = world.journal.orders_of(cycle.cycle_id, cycle.account_id)
    ends = {
        o.client_order_id: OrderEnd(o.client_order_id, o.state, o.filled_qty, o.filled_avg_price, stated(o.message))
        for o in orders
    }
    books = starting_books(world.journal, cycle.account_id, cycle.cycle_id)
    expected, fills = dict(books.positions), dict(books.fills_seen)
    for order in orders:
        signed = order.filled_qty if order.side == "buy" else -order.filled_qty
        expected[order.symbol] = expected.get(order.symbol, ZERO) + signed
        if order.broker_id is not None:
            fills[order.broker_id] = order.filled_qty
    verdicts: tuple[Verdict, ...] = ()
    seen = world.journal.snapshot_text(cycle.cycle_id, cycle.account_id)
    text = world.journal.plan_text(cycle.cycle_id, cycle.account_id)
    if text is not None:  # an exit outside the cycle has none
        verdicts, unsignalled = final_verdicts(read_plan(text), ends)
        verdicts = (*verdicts, *unsignalled)
    world.journal.close_cycle(
        CycleEnd(
            account_id=cycle.account_id,
            cycle_id=cycle.cycle_id,
            at=world.broker.now(),
            outcome=CycleOutcome.ABANDONED,
            because="its process ended before the cycle did",
            expected_positions={symbol: qty for symbol, qty in expected.items() if qty != ZERO},
            unexplained=books.unexplained,
            orders_after=books.orders_after,
            fills_seen=fills,
            equity=cycle.equity,
            positions_trusted=False,
            opening_equity=None if seen is None else opening_equity(stored_snapshot(seen)),
        ),
        verdicts,
        carried=[o.client_order_id for o in orders if not o.state.is_final],
    )
