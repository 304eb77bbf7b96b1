"""What decides about safety is not taken from one index: all indexes of the events have to tell of the same rows.

A bit that flips in an index hides a row from every question that goes through it, and no hash tells, since the hashes
stand in the table. SQLite's own check finds that, but reads the whole file: it is made when a journal is opened that is
small enough, at the start of every session, and in `db check`. Between them the rare rows on which trading depends (the
kill switch, latched limits, cycle ends) are counted through each index. Light: `status` asks the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from rebalancer.core.errors import JournalBroken

CHEAP_BYTES: Final = 16 * 1024 * 1024  # checked in a quarter of a second
CHEAP_AT_A_GLANCE: Final = 4 * 1024 * 1024
GUARDED: Final = frozenset({"kill_set", "kill_cleared", "latched", "rearmed", "cycle_ended"})
INDEXES: Final = ("ix_events_kind_account_seq", "ix_events_kind_account_at", "ix_events_kind_account_key")

Ask = Callable[[str, tuple[object, ...]], Sequence[Any]]  # one statement and its values: the first row


def check_agreement(ask: Ask, kinds: Sequence[str], account_id: str) -> None:
    """Raise JournalBroken unless every index tells of the same rows of these kinds."""
    for kind in kinds:
        told = set()
        for index in INDEXES:
            question = (
                "SELECT count(*), coalesce(sum(seq), 0) "  # noqa: S608  constants only
                f"FROM events INDEXED BY {index} WHERE kind = ? AND account_id = ?"
            )
            told.add(tuple(ask(question, (kind, account_id))))
        if len(told) > 1:
            raise JournalBroken(
                f"the journal is damaged: its indexes differ about {kind} rows\n"
                "  hint: look at it with `rebalancer db check`, and restore the last good backup"
            )


def check_pages(ask: Ask, place: str, bytes_max: int | None) -> None:
    """Let SQLite look at its pages and indexes, if there are not too many. Raises JournalBroken with its first
    complaint. bytes_max: None for whatever there is."""
    if bytes_max is not None:
        size = int(ask("PRAGMA page_count", ())[0]) * int(ask("PRAGMA page_size", ())[0])
        if size > bytes_max:
            return
    complaint = ask("PRAGMA integrity_check(1)", ())[0]
    if complaint != "ok":
        raise JournalBroken(f"{place}: the journal is damaged: {complaint}\n  hint: restore the last good backup")
