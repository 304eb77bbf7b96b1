"""Signals: opinions about symbols, from files, from the journal, or from the bundled sample."""

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
