"""Brokers: the protocol, and Alpaca behind it.

`protocol` says what can be asked and told, and holds the records that cross it; `alpaca/` implements it for Alpaca and
for the embedded exchange alike. A read that is incomplete is an error, never a shorter list; an order is sent exactly
once. It imports `core`, `settings` and `ops`; it never decides what to trade.
"""

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.alpaca.order_reading import state_of
from rebalancer.brokers.endpoints import PAPER_URL, Credentials, Endpoints, is_loopback
from rebalancer.brokers.read_only import ReadOnlyBroker

__all__ = ["PAPER_URL", "AlpacaBroker", "Credentials", "Endpoints", "ReadOnlyBroker", "is_loopback", "state_of"]
