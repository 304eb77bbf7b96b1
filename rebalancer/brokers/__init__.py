"""The broker behind `world.ports.Broker`: one adapter for Alpaca and for the embedded exchange.

Importing this package imports neither `requests` nor alpaca-py: the first call to the broker does.
"""

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.alpaca.order_reading import state_of
from rebalancer.brokers.endpoints import PAPER_URL, Credentials, Endpoints, is_loopback
from rebalancer.brokers.read_only import ReadOnlyBroker

__all__ = ["PAPER_URL", "AlpacaBroker", "Credentials", "Endpoints", "ReadOnlyBroker", "is_loopback", "state_of"]
