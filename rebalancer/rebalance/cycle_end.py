"""How a cycle ended: its outcome with a sentence, and what the next cycle has to remember of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from decimal import Decimal

from rebalancer.core.decisions import Constrained, Order, Plan
from rebalancer.core.facts import Account, Position, Snapshot, coins
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.core.reasons import ReasonCode, Reasons, because
from rebalancer.core.values import ZERO
from rebalancer.execution.traded import traded
from rebalancer.journal.records import CycleEnd
from rebalancer.planning.constrain import trades_denied
from rebalancer.planning.verdicts import OrderEnd
from rebalancer.rebalance.observe import Observation
from rebalancer.rebalance.world import World


def outcome_of(
    decided: Plan, ends: Mapping[str, OrderEnd], kept_back: Constrained | None
) -> tuple[CycleOutcome, Reasons]:
    """The cycle's final outcome and its reasons. The plan's outcome stays, unless nothing could be funded: then it is
    CONSTRAINED. With orders, the reasons count how they ended, between the plan's own, if any, and what a limit held
    back."""
    if not decided.orders:
        return decided.outcome, decided.because
    outcome = decided.outcome
    if outcome is CycleOutcome.COMPLETED and kept_back is not None and all(_denied(o, ends) for o in decided.orders):
        outcome = CycleOutcome.CONSTRAINED
    filled = sum(1 for o in decided.orders if _filled(o, ends))
    why = decided.because.without(ReasonCode.ORDERS, ReasonCode.TRADES_DENIED)
    why = why.plus(because(ReasonCode.ORDERS_FILLED, filled=filled, orders=len(decided.orders)))
    return outcome, why if kept_back is None else why.plus(trades_denied(kept_back))


def to_remember(
    world: World,
    seen: Observation,
    orders: Sequence[Order],
    ends: Mapping[str, OrderEnd],
    outcome: CycleOutcome,
    said: str,
    account: Account | None,
    positions: Sequence[Position],
    unexplained: Decimal,
) -> CycleEnd:
    """What the next cycle has to remember of this one.

    account: as read after it; None when the broker did not answer. unexplained: USD of cash in it that no order
    explains; its equity is not recorded then, since money paid in must not count as a gain.
    """
    snapshot = seen.snapshot
    book, opening = seen.book, opening_equity(snapshot)
    expected = dict(book.held)
    for finding in book.findings:
        if finding.kind == "unexplained":
            expected[finding.symbol] = expected.get(finding.symbol, ZERO) - finding.qty
    changes = traded(orders, ends)
    for symbol, qty in changes.items():
        expected[symbol] = expected.get(symbol, ZERO) + qty
    now = {p.symbol: p.qty for p in positions}
    pairs = coins(snapshot.instruments)
    for symbol in changes:
        read = now.get(symbol, ZERO)
        if symbol in pairs and abs(read - expected[symbol]) <= abs(changes[symbol]) * snapshot.venue.crypto_fee_max:
            expected[symbol] = read
    fills = dict(seen.fills_seen)
    for record in world.journal.orders([order.client_order_id for order in orders]).values():
        if record.broker_id is not None:
            fills[record.broker_id] = record.filled_qty
    return CycleEnd(
        account_id=snapshot.account.id,
        cycle_id=snapshot.cycle_id,
        at=world.broker.now(),
        outcome=outcome,
        because=said,
        expected_positions={s: q for s, q in expected.items() if q != 0},
        unexplained=book.unexplained,
        orders_after=seen.orders_after,
        fills_seen=fills,
        equity=opening if account is None or opening is None or unexplained else account.equity,
        positions_trusted=not book.unexplained,
        opening_equity=opening,
    )


def opening_equity(snapshot: Snapshot) -> Decimal | None:
    """The equity that a cycle began with, USD; None where the reading is in doubt, as it must not set the high-water
    mark."""
    return None if snapshot.doubt else snapshot.account.equity


def _denied(order: Order, ends: Mapping[str, OrderEnd]) -> bool:
    end = ends.get(order.client_order_id)
    return end is not None and end.denied is not None


def _filled(order: Order, ends: Mapping[str, OrderEnd]) -> bool:
    end = ends.get(order.client_order_id)
    return end is not None and end.state is OrderState.FILLED
