"""Check that all indexes of the event table agree on the rows that safety depends on.

A flipped bit in an index hides a row from every query that uses it, and no hash reveals it, since the hashes are in the
table. SQLite's own integrity check finds that, but reads the whole file, so it only runs when a small journal is
opened, at the start of every session, and in `db check`. In between, the few rows on which trading depends (the kill
switch, latched limits, cycle ends) are counted through each index. Imports no SQLAlchemy, because `status` uses it too.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from rebalancer.core.errors import JournalAltered, JournalBroken
from rebalancer.journal.conditions import Ask

CHEAP_BYTES: Final = 16 * 1024 * 1024  # checked in a quarter of a second
CHEAP_BYTES_OF_STATUS: Final = 4 * 1024 * 1024
GUARDED: Final = frozenset({"kill_set", "kill_cleared", "latched", "rearmed", "cycle_ended", "books_accepted"})
INDEXES: Final = ("ix_events_kind_account_seq", "ix_events_kind_account_at", "ix_events_kind_account_key")


def check_agreement(ask: Ask, kinds: Sequence[str], account_id: str) -> None:
    """Raise JournalBroken unless every index finds the same rows of these kinds. PostgreSQL chooses its indexes itself;
    `db check` has it verify them (`postgres.check_indexes`)."""
    if ask.dialect != "sqlite":
        return
    for kind in kinds:
        counts = set()
        for index in INDEXES:
            question = (
                "SELECT count(*), coalesce(sum(seq), 0) "  # noqa: S608  constants only
                f"FROM events INDEXED BY {index} WHERE kind = :kind AND account_id = :account_id"
            )
            counts.add(tuple(ask(question, {"kind": kind, "account_id": account_id})[0]))
        if len(counts) > 1:
            raise JournalAltered(
                f"the journal is damaged: its indexes disagree about {kind} rows\n"
                "  hint: look at it with `rebalancer db check`, and restore the last good backup"
            )


def check_pages(ask: Ask, place: str, bytes_max: int | None) -> None:
    """Run SQLite's integrity check of pages and indexes, unless the database is too large. Raises JournalBroken with
    the first problem. bytes_max: the size limit; None for no limit."""
    if bytes_max is not None:
        size = int(ask("PRAGMA page_count", {})[0][0]) * int(ask("PRAGMA page_size", {})[0][0])
        if size > bytes_max:
            return
    complaint = ask("PRAGMA integrity_check(1)", {})[0][0]
    if complaint != "ok":
        raise JournalBroken(f"{place}: the journal is damaged: {complaint}\n  hint: restore the last good backup")
