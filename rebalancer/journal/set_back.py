"""A database that was set back, as by the promotion of a standby that was behind: refused until a person accepts it."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from rebalancer.core.errors import JournalSetBack
from rebalancer.journal.head_checkpoint import checkpoint_of
from rebalancer.journal.journal import Journal
from rebalancer.journal.place import Place, PostgresPlace

KIND: Final = "journal_set_back"  # an event kind: the row that this host knew, and why it goes on without


def accept_set_back(place: Place, at: datetime, reason: str) -> str | None:
    """Go on with a database that holds less than this host has written, or something else, and record it. Returns what
    was accepted, None when nothing had to be. A file is accepted by removing its checkpoint by hand. Raises
    JournalBroken for anything else that is wrong."""
    head = checkpoint_of(place)
    known = head.read()
    if not isinstance(place, PostgresPlace) or known is None:
        return None
    try:
        Journal.open(place, create=False).close()
    except JournalSetBack as error:
        head.forget()
        with Journal.open(place, create=False) as journal:
            newest = journal.latest_events(1)
            account_id = newest[0].account_id if newest else ""
            body = {
                "reason": reason,
                "known_row": known[0],
                "known_hash": known[1],
                "rows": len(newest) and newest[0].seq,
            }
            journal.record_event(account_id, None, at, KIND, None, body)
        return str(error).partition("\n")[0]
    return None
