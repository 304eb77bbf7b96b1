"""The admin port: what no broker would offer. Time, faults, a human's orders, transfers, halts and
corporate actions, for tests and demos.

It listens on loopback only, on a port of its own; nothing of it can be reached through the trading port.

1. `port`     routes, and who may call them
2. `actions`  what each call does
"""
