"""Exits kept at the broker: a stop and a target per position, exchanged around every trade of it."""

from rebalancer.execution.exit_orders.asked import NoProtection, Protection, Seen
from rebalancer.execution.exit_orders.keeper import Keeper

__all__ = ["Keeper", "NoProtection", "Protection", "Seen"]
