"""The order manager of a dry run: it sends nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from rebalancer.brokers.protocol import ReadBroker
from rebalancer.core.decisions import Order
from rebalancer.core.facts import Account, Snapshot
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import ReasonCode, because
from rebalancer.core.values import ZERO
from rebalancer.execution.order_manager import ReductionsLeft
from rebalancer.execution.traded import signed
from rebalancer.planning.verdicts import OrderEnd


class DryRunOrderManager:
    """Sends nothing. Phase two is shown as if phase one had filled at decision prices."""

    def __init__(self, broker: ReadBroker) -> None:
        self._broker = broker

    def seen(self, snapshot: Snapshot) -> None:
        del snapshot

    def trade(self, cycle_id: str, orders: Sequence[Order], *, is_last: bool = False) -> Mapping[str, OrderEnd]:
        del cycle_id, is_last
        return {
            o.client_order_id: OrderEnd(o.client_order_id, OrderState.WITHHELD, ZERO, None, because(ReasonCode.DRY_RUN))
            for o in orders
        }

    def left(self, account: Account, orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> ReductionsLeft:
        del ends
        proceeds = sum((o.qty * (o.limit_price or o.price) for o in orders if o.side == "sell"), ZERO)
        after = account._replace(cash=account.cash + proceeds, buying_power=account.buying_power + proceeds)
        return ReductionsLeft(after, {o.symbol: signed(o, o.qty) for o in orders})

    def afterwards(self, snapshot: Snapshot, orders: Sequence[Order], ends: Mapping[str, OrderEnd]) -> None:
        del snapshot, orders, ends

    def waited(self) -> float:
        return 0.0

    def cancel_posted(self) -> None:
        """Nothing was posted."""
