"""Receipts: what was received, from whom and when, and what became of it.

Two SQLite files beside the journal, neither of which trading ever waits for:

    inbox.sqlite     signals that other processes inserted; a cycle reads it, and only producers and pruning write it
    signals.sqlite   one receipt for every signal ever received, with its outcome, orders and fills; derived

The second follows the journal (`following.py`): it is written after a cycle has ended, resumes where it stopped, and
can be deleted at any time. See docs/decisions/0018-receipts-follow-the-journal.md.
"""

from rebalancer.signals.receipts.books import OlderBook
from rebalancer.signals.receipts.inbox import Receipt, SignalInbox, receive

__all__ = ["OlderBook", "Receipt", "SignalInbox", "receive"]
