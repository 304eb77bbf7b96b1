"""Signals: from files, from the inbox, from the journal, or from the bundled sample; and their receipts.

A file is read completely or not at all; an error is reported with its line. This package imports market data, the
journal and the layers below them, and knows nothing about orders.
"""

from rebalancer.signals.reading import SignalsRead, read_all, read_signals
from rebalancer.signals.sample import sample_signals
from rebalancer.signals.sources import (
    CombinedSignals,
    FileSignals,
    InboxSignals,
    JournalSignals,
    SampleSignals,
    SignalStore,
)

__all__ = [
    "CombinedSignals",
    "FileSignals",
    "InboxSignals",
    "JournalSignals",
    "SampleSignals",
    "SignalStore",
    "SignalsRead",
    "read_all",
    "read_signals",
    "sample_signals",
]
