"""All external dependencies of a cycle, as one value."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from rebalancer.brokers.protocol import ReadBroker
from rebalancer.brokers.request_metrics import RequestMetrics
from rebalancer.execution.exit_orders import ExitOrders, NoExitOrders
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.order_manager import OrderManager
from rebalancer.journal.journal import Journal
from rebalancer.market_data.reference import Reference
from rebalancer.ops.clock import Clock
from rebalancer.signals.sources import SignalSource

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
