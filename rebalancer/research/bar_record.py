"""One bar of a backtest as the record of a cycle: the live planner plans its rebuilt snapshot, and nothing is sent."""

from __future__ import annotations

import numpy as np

from rebalancer.core.codec import rules_text, seal, snapshot_text
from rebalancer.core.decisions import Order
from rebalancer.core.documents import BadDocument
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import ReasonCode, because
from rebalancer.core.values import ZERO
from rebalancer.planning import plan
from rebalancer.report.records import OrderLine, RunRecord
from rebalancer.report.run_record import changed_rules
from rebalancer.research.backtest import Backtest
from rebalancer.research.bar_times import read_times
from rebalancer.research.snapshots import snapshot_at
from rebalancer.version import __version__


def bar_at(run: Backtest, text: str) -> int:
    """The bar of a day or a time; a day means its last bar. Raises BadDocument when there is none."""
    market = run.setup.market
    times = read_times([text], lambda _: "--bar")
    if times.is_daily:
        found = np.flatnonzero(market.day == times.day[0])
    else:
        found = np.flatnonzero(market.times == times.ns[0])
    if not found.size:
        near = int(np.argmin(np.abs(market.times - times.ns[0])))
        raise BadDocument("--bar", f"there is no bar at {text}", f"the nearest one is at {run.stamps()[near]}")
    return int(found[-1])


def bar_record(run: Backtest, bar: int) -> RunRecord:
    """What the live planner decides at a bar. Raises BadDocument for a bar without a cycle."""
    if not run.setup.cycles[bar]:
        nearest = np.flatnonzero(run.setup.cycles)
        hint = f"a cycle ran at {run.stamps()[int(nearest[np.argmin(np.abs(nearest - bar))])]}" if nearest.size else ""
        raise BadDocument("--bar", f"no cycle ran at {run.stamps()[bar]}", hint)
    rules = run.setup.rules
    snapshot = snapshot_at(run.setup, bar, run.run.account(bar))
    planned = seal(plan(snapshot, rules), snapshot_text(snapshot), rules_text(rules))
    return RunRecord(
        snapshot=snapshot,
        plan=planned,
        orders=tuple(_line(order) for order in planned.orders),
        verdicts=planned.verdicts,
        outcome=planned.outcome,
        because=str(planned.because),
        mode="dry_run",
        account_after=None,
        positions_after=(),
        reconciled=(),
        broker_calls={},
        timings=(),
        version=__version__,
        rules_changed=changed_rules(rules),
        started_at=snapshot.as_of,
        ended_at=snapshot.as_of,
        constrained=planned.constrained,
    )


def _line(order: Order) -> OrderLine:
    return OrderLine(
        client_order_id=order.client_order_id,
        phase=order.phase,
        symbol=order.symbol,
        side=order.side,
        planned_qty=order.qty,
        funded_qty=order.qty,
        filled_qty=ZERO,
        filled_avg_price=None,
        state=OrderState.WITHHELD,
        arrival_price=order.price,
        reason="",
        message=str(because(ReasonCode.DRY_RUN)),
    )
