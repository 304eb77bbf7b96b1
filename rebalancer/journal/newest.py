"""Which of several journals was written last. Imports no SQLAlchemy, because `status` uses it too."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

from rebalancer.journal.filesystem import refuse_irregular_journal
from rebalancer.journal.place import Place, PostgresPlace
from rebalancer.journal.read_only import has_tables, read_only

M = TypeVar("M", bound=str)


def newest_journal(places: Iterable[tuple[M, Place]]) -> tuple[M, Place] | None:
    """The one of these that was written last, by the time of its file, or of its head; None when none is there. Raises
    JournalBroken for something that is no journal."""
    found = [(written, mode, place) for mode, place in places if (written := _written_at(place)) is not None]
    return max(found, key=lambda one: (one[0], one[1]))[1:] if found else None


def _written_at(place: Place) -> float | None:
    """Seconds since 1970, by the clock that dates the file or the database's; None when nothing is there."""
    if not isinstance(place, PostgresPlace):
        refuse_irregular_journal(place)
        return place.stat().st_mtime if place.exists() else None
    with read_only(place) as ask:
        if not has_tables(ask):
            return None
        return float(ask("SELECT extract(epoch FROM written_at)::float8 FROM heads", {})[0][0])
