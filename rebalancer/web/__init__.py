"""The HTTP API and its hooks: a process of its own (`rebalancer web serve`), off unless it is configured.

It reads the journal through a read-only handle, inserts signals and requests into the inbox and its receipts, and
writes the kill switch's file; nothing else. It has no broker: the session trades, and never imports this room.
See docs/how-to/http-api.md and docs/decisions/0021-the-web-process-trades-nothing.md.
"""
