"""One rebalance: observe, plan, reduce, increase, protect, report; the order of effects.

It holds the cycle, recovery after a dead cycle, exits outside a cycle and flattening. It imports execution, signals,
market data, accounting and what is below them; it knows neither the trading day nor the report.
"""
