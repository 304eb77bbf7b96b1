"""Accounting: account activities, cash flows, daily closes, trade history and loss latches.

This package explains why positions and cash changed, keeps deposits from looking like profit, and closes a day from the
broker's activities alone. It imports the journal, brokers, `performance` records and `core`; it never sends an order.
"""
