"""Execution: everything that is sent to the broker, and the checks that may stop it.

It holds the order manager with its two phases, the pre-trade check of each order, exit orders kept at the broker, and
the kill switch. An order is journalled before it is sent. `pretrade` shares no code with planning. The package imports
accounting, the journal, brokers and what is below them.
"""
