"""Brokers: the protocol, and Alpaca behind it.

`protocol` defines the broker interface and the records it exchanges; `alpaca/` implements it for both Alpaca and the
embedded exchange. An incomplete read is an error, never a shorter list; the request for an order is never repeated.
This package imports `core`, `settings` and `ops`; it never decides what to trade.
"""

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.alpaca.order_reading import state_of
from rebalancer.brokers.endpoints import PAPER_URL, Credentials, Endpoints, is_loopback
from rebalancer.brokers.read_only import ReadOnlyBroker

__all__ = ["PAPER_URL", "AlpacaBroker", "Credentials", "Endpoints", "ReadOnlyBroker", "is_loopback", "state_of"]
