"""Signals: from files, from the journal, or from the bundled sample.

A file is read whole or not at all; every mistake is reported with its line. It imports market data, the journal and
what is below them, and knows nothing of orders.
"""

from rebalancer.signals.reading import SignalsRead, read_all, read_signals
from rebalancer.signals.sample import sample_signals
from rebalancer.signals.sources import CombinedSignals, FileSignals, JournalSignals, SampleSignals, SignalStore

__all__ = [
    "CombinedSignals",
    "FileSignals",
    "JournalSignals",
    "SampleSignals",
    "SignalStore",
    "SignalsRead",
    "read_all",
    "read_signals",
    "sample_signals",
]
