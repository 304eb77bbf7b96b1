"""The broker behind `world.ports.Broker`: one adapter for Alpaca and for the embedded exchange.

Importing this package imports neither `requests` nor alpaca-py: the first call to the broker does.
"""

from rebalancer.world.brokers.alpaca_broker import AlpacaBroker
from rebalancer.world.brokers.endpoints import PAPER_URL, Credentials, Endpoints, is_loopback
from rebalancer.world.brokers.order_reading import state_of
from rebalancer.world.brokers.read_only import ReadOnlyBroker

__all__ = ["PAPER_URL", "AlpacaBroker", "Credentials", "Endpoints", "ReadOnlyBroker", "is_loopback", "state_of"]
