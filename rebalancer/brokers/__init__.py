"""Brokers: the protocol, and Alpaca behind it.

`protocol` defines the broker interface and the records it exchanges; `alpaca/` implements it for both Alpaca and the
embedded exchange. An incomplete read is an error, never a shorter list; the request for an order is never repeated.
This package imports `core`, `settings` and `ops`; it never decides what to trade.
"""
