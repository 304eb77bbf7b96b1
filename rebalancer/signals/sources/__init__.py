"""Where signals come from: readers of files, inbox and journal, which a cycle asks; and sources that are asked in the
background, whose votes a cycle only reads.

    contract       what a source is: fetch(symbols, now, budget) -> Votes
    catalog        the sources that are part of the program, and those of entry points, loaded when they are used
    store          votes, calls and money of the day, and why a source is off, in one SQLite file
    day_budget     whom to ask first, and what may still be spent
    vendor_http    one request: deadline, retries, and what each refusal means
    refresh        one round of one source; process: all of them, each in its own time
    votes          the votes as signals, for the cycle

Nothing but `readers` and `votes` is loaded by trading, and `votes` only when a source is enabled.
"""

from rebalancer.signals.sources.readers import (
    CombinedSignals,
    FileSignals,
    InboxSignals,
    JournalSignals,
    SampleSignals,
    SignalSource,
    SignalStore,
)

__all__ = [
    "CombinedSignals",
    "FileSignals",
    "InboxSignals",
    "JournalSignals",
    "SampleSignals",
    "SignalSource",
    "SignalStore",
]
