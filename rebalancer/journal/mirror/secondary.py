"""The copy: a schema of PostgreSQL with a mark. Every write is one transaction that begins with the lock of the
journal's writers and looks at the mark and at the head first, so that neither a promotion nor another copying process
can come in between."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final

from sqlalchemy import Connection, text

from rebalancer.core.errors import LockHeld, MirrorRefused
from rebalancer.journal.chain import ChainRow
from rebalancer.journal.conditions import Ask, where
from rebalancer.journal.mirror.mark import PROMOTED, ChainHead, MirrorMark, head_in_database, read_mark
from rebalancer.journal.mirror.signals import NAMES
from rebalancer.journal.mirror.slices import Slice
from rebalancer.journal.opening import BUSY_TIMEOUT_MS, open_store
from rebalancer.journal.place import PostgresPlace
from rebalancer.journal.reading import newest_row
from rebalancer.journal.schema import claims, documents, events, mirror
from rebalancer.journal.store import Writing

_UPSERT: Final = text(
    f"INSERT INTO signals ({', '.join(NAMES)}) VALUES ({', '.join(f':{name}' for name in NAMES)}) "  # noqa: S608
    f"ON CONFLICT (id) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in NAMES[1:])}"
)


class Secondary:
    """One open mirror."""

    def __init__(self, place: PostgresPlace, busy_timeout_ms: int = BUSY_TIMEOUT_MS) -> None:
        """Open the schema, which is made if it is not there. Raises JournalBroken."""
        self.place = place
        self._store = open_store(place, busy_timeout_ms=busy_timeout_ms)

    def close(self) -> None:
        """Close the connections."""
        self._store.database.close()

    def begin(self, host: str) -> MirrorMark:
        """Mark an empty schema as the mirror of a host's journal, unless it is one already. Raises MirrorRefused for a
        journal of its own."""
        with self._store.translated(), self._store.database.transaction("mirror") as connection:
            ask = self._store.database.ask_on(connection)
            found = read_mark(ask)
            if found is not None:
                return found
            holds = [name for name in ("events", "signals", "leases") if ask(f"SELECT 1 FROM {name} LIMIT 1", {})]  # noqa: S608
            if holds:
                raise self._is_a_journal(ask)
            mirror.create(connection)
            connection.execute(
                text("INSERT INTO mirror (id, host, started_at, heard_at) "
                     "VALUES (1, :host, clock_timestamp(), clock_timestamp())"),
                {"host": host},
            )  # fmt: skip
            made = read_mark(ask)
            assert made is not None
            return made

    @contextmanager
    def reading(self) -> Iterator[Ask]:
        """One consistent state."""
        with self._store.asking() as ask:
            yield ask

    def head(self) -> ChainHead:
        """The newest row."""
        with self.reading() as ask:
            return head_in_database(ask)

    def append(self, before: ChainHead, found: Slice) -> ChainHead:
        """Add a slice after the row `before`, all or nothing; returns the new head. Raises MirrorRefused when another
        row is the newest."""
        with self._writing() as (connection, ask):
            if head_in_database(ask) != before:
                raise MirrorRefused(f"{self.place}: somebody else writes to it\n  hint: run one mirror of one journal")
            known = {
                row[0]
                for begin in range(0, len(found.documents), 200)
                for row in _named(ask, [one.sha256 for one in found.documents[begin : begin + 200]])
            }
            for table, rows in (
                (documents, [one._asdict() for one in found.documents if one.sha256 not in known]),
                (claims, [one._asdict() for one in found.claims]),
                (events, [one._asdict() for one in found.events]),
            ):
                if rows:
                    connection.execute(table.insert(), rows)
            last = found.events[-1]
            self._store.database.end_with(connection, _row_of(before), last)
        return ChainHead(last.seq, last.hash)

    def put_signals(self, rows: Sequence[Mapping[str, object]], removed: Sequence[str] = ()) -> None:
        """Insert or replace rows of the signals table, and remove others."""
        with self._writing() as (connection, _):
            if rows:
                connection.execute(_UPSERT, list(rows))
            if removed:
                connection.execute(text("DELETE FROM signals WHERE id = :id"), [{"id": one} for one in removed])

    def note(self, *, is_level: bool, verified_seq: int | None = None) -> MirrorMark:
        """Note that the process lives, whether every row is here, and up to which row it was just verified."""
        sets = ["heard_at = clock_timestamp()"] + ["level_at = clock_timestamp()"] * is_level
        if verified_seq is not None:
            sets += ["verified_seq = :seq", "verified_at = clock_timestamp()"]
        with self._writing() as (connection, ask):
            connection.execute(text(f"UPDATE mirror SET {', '.join(sets)}"), {"seq": verified_seq})  # noqa: S608
            found = read_mark(ask)
            assert found is not None
            return found

    def promote(self, at: datetime, host: str, reason: str, heard_seconds: float) -> MirrorMark:
        """Make it a journal of its own, with an event that says why; returns the mark that it had. Raises MirrorRefused
        when it is none, LockHeld while the process that copies was heard of within so many seconds."""
        with self._writing() as (connection, ask):
            mark = read_mark(ask)
            assert mark is not None
            age = (mark.now - mark.heard_at).total_seconds()
            if age < heard_seconds:
                raise LockHeld(
                    f"{self.place}: the host {mark.host} still copies its journal here ({age:.0f} s ago)\n"
                    f"  hint: stop its session and its mirror for good; or wait {heard_seconds:.0f} s, or --force"
                )
            connection.execute(text("DROP TABLE mirror"))
            last = newest_row(ask)
            writing = Writing(connection, last, ask)
            body = {"reason": reason, "host": host, "before": mark.host, "rows": last.seq if last else 0}
            writing.append(at, last.account_id if last else "", None, PROMOTED, None, body)
            assert writing.last is not None
            self._store.database.end_with(connection, last, writing.last)
        return mark

    @contextmanager
    def _writing(self) -> Iterator[tuple[Connection, Ask]]:
        with self._store.translated(), self._store.database.transaction("mirror") as connection:
            ask = self._store.database.ask_on(connection)
            if read_mark(ask) is None:
                raise self._is_a_journal(ask)
            yield connection, ask

    def _is_a_journal(self, ask: Ask) -> MirrorRefused:
        promoted = ask("SELECT seq FROM events WHERE kind = :kind ORDER BY seq DESC LIMIT 1", {"kind": PROMOTED})
        why = f"it was promoted with row {promoted[0][0]}" if promoted else "it was never a mirror"
        return MirrorRefused(
            f"{self.place}: is a journal of its own ({why}), and nothing is copied into it\n"
            "  hint: name another database or ?schema=, or drop this schema if nobody trades on it"
        )


def _named(ask: Ask, names: Sequence[str]) -> Any:
    these = where(sha256=names)
    return ask(f"SELECT sha256 FROM documents WHERE {these.text}", these.values)  # noqa: S608


def _row_of(head: ChainHead) -> ChainRow | None:
    """A row with this number and hash, for the head's own check."""
    return ChainRow(head.seq, "", "", None, "", None, "", "", head.hash) if head.seq else None
