"""Exits kept at the broker: a stop and a target per position, exchanged around every trade of it."""

from rebalancer.world.protection.asked import NoProtection, Protection, Seen
from rebalancer.world.protection.keeper import Keeper

__all__ = ["Keeper", "NoProtection", "Protection", "Seen"]
