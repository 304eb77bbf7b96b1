"""Exits kept at the broker: a stop and a target per position, replaced around every trade of it."""

from rebalancer.execution.exit_orders.manager import ExitOrderManager
from rebalancer.execution.exit_orders.protocol import ExitOrders, ExitOrdersSeen, NoExitOrders

__all__ = ["ExitOrderManager", "ExitOrders", "ExitOrdersSeen", "NoExitOrders"]
