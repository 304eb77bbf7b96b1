"""What trading came to: round trips, returns, ratios, the bridge from equity to equity, drift and shortfall. Pure.

Start at `records.py` (what goes in), then `lots.py` and `trips.py` (what was closed), `returns.py` and `ratios.py` (the
course of the account), `bridge.py` (where the money went). `summary.py` puts them together. Definitions, formulas and
their sources stand in docs/performance.md. Nothing here asks the world anything.
"""
