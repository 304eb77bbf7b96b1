"""Performance: returns, ratios, lots, round trips, the bridge from equity to equity, drift and shortfall.

Everything here is computed from the records of `performance.records` and has no effects; decimals for money, floats for
ratios, None where a figure is undefined. Of the project it imports `core` only. Reports and the command line present
its figures; accounting and market data supply its records.
"""
