"""`sources.sqlite`: the votes of every source, what was spent today, and why a source is off.

The process that asks the sources writes it, and a cycle reads it once; in WAL mode neither waits for the other. Times
are texts that sort like times, by this machine's clock.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Final, NamedTuple, Self

from rebalancer.core.documents import sha256
from rebalancer.core.values import decimal_of, text_of, utc_of
from rebalancer.journal.chain import stamp
from rebalancer.signals.receipts.database import SignalDatabase
from rebalancer.signals.signal_row import computed_id
from rebalancer.signals.sources.contract import Vote

NAME: Final = "sources.sqlite"
WAIT_SECONDS: Final = 5.0
ANSWER_DAYS: Final = 7  # how long raw answers are kept
ANSWER_LENGTH_MAX: Final = 256 * 1024
_EDITION: Final = 1
_TABLES: Final = (
    """CREATE TABLE IF NOT EXISTS votes (
        source TEXT NOT NULL, symbol TEXT NOT NULL, signal_id TEXT NOT NULL, score REAL NOT NULL,
        confidence REAL NOT NULL, issued_at TEXT NOT NULL, because TEXT NOT NULL, citations TEXT NOT NULL,
        PRIMARY KEY (source, symbol))""",
    """CREATE TABLE IF NOT EXISTS asked (
        source TEXT NOT NULL, symbol TEXT NOT NULL, at TEXT NOT NULL, silent TEXT NOT NULL,
        PRIMARY KEY (source, symbol))""",
    """CREATE TABLE IF NOT EXISTS spent (
        source TEXT NOT NULL, day TEXT NOT NULL, calls INTEGER NOT NULL, usd TEXT NOT NULL,
        PRIMARY KEY (source, day))""",
    """CREATE TABLE IF NOT EXISTS off (
        source TEXT PRIMARY KEY, kind TEXT NOT NULL, because TEXT NOT NULL, hint TEXT NOT NULL, until TEXT,
        key_mark TEXT NOT NULL, failures INTEGER NOT NULL)""",
    """CREATE TABLE IF NOT EXISTS answers (
        sha256 TEXT PRIMARY KEY, source TEXT NOT NULL, at TEXT NOT NULL, body TEXT NOT NULL)""",
)


class StoredVote(NamedTuple):
    """A vote as it is kept. `issued_at` is by this machine's clock; `citations` is a JSON list."""

    source: str
    symbol: str
    signal_id: str
    score: float
    confidence: float
    issued_at: str
    because: str
    citations: str


class SourceOff(NamedTuple):
    """Why a source is not asked. `kind`: key, quota, gone, refused, missing or failed; `until`: when it is asked again,
    None: not by itself; `key_mark`: of the key that was refused; `failures`: in a row."""

    kind: str
    because: str
    hint: str
    until: datetime | None
    key_mark: str
    failures: int


def id_prefix(source: str, revision: str) -> str:
    """What the id of a vote begins with: its source, and the revision of what computed it, if it has one."""
    return f"{source}/{revision}" if revision else source


def calls_used(most: int) -> str:
    """What is said when no call is left."""
    return f"all {most} calls of the day are used"


class VoteStore:
    """One open store. Safe to share between threads."""

    def __init__(self, path: Path, wait_seconds: float) -> None:
        self._path, self._wait_seconds, self._lock = path, wait_seconds, threading.Lock()
        self._database = self._opened()
        self._seen = self._place()

    @classmethod
    def open(cls, path: Path, wait_seconds: float = WAIT_SECONDS) -> Self:
        """Open the store, creating it when missing. Raises SignalsUnavailable."""
        return cls(path, wait_seconds)

    def follow(self) -> None:
        """Open the file anew when it was deleted or replaced: what is written to the old one would be read by nobody.
        Raises SignalsUnavailable."""
        with self._lock:
            if self._place() != self._seen:
                before, self._database = self._database, self._opened()
                self._seen = self._place()
                before.close()

    def _opened(self) -> SignalDatabase:
        return SignalDatabase(self._path, _TABLES, _EDITION, self._wait_seconds, durable=True)

    def _place(self) -> tuple[int, int] | None:
        try:
            found = self._path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino

    def close(self) -> None:
        """Close the file."""
        self._database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def votes(self, sources: Iterable[str]) -> tuple[StoredVote, ...]:
        """The newest vote of each of these sources on each symbol."""
        with self._database.reading() as connection:
            return tuple(
                StoredVote._make(row)
                for source in sources
                for row in connection.execute("SELECT * FROM votes WHERE source = ? ORDER BY symbol", (source,))
            )

    def put(
        self, source: str, votes: Sequence[Vote], silent: Mapping[str, str], issued: datetime, at: datetime
    ) -> None:
        """Keep one round: the votes replace those before on their symbols, and silence leaves an older vote to age."""
        when = stamp(issued)
        rows = [
            (source, v.symbol, computed_id(id_prefix(source, v.revision), v.symbol, when, v.score, v.confidence),
             v.score, v.confidence, when,
             v.because, json.dumps(list(v.citations)))
            for v in votes
        ]  # fmt: skip
        with self._database.writing() as connection:
            connection.executemany("INSERT OR REPLACE INTO votes VALUES (?, ?, ?, ?, ?, ?, ?, ?)", rows)
            asked = [(source, v.symbol, stamp(at), "") for v in votes]
            asked += [(source, symbol, stamp(at), because) for symbol, because in silent.items()]
            connection.executemany("INSERT OR REPLACE INTO asked VALUES (?, ?, ?, ?)", asked)

    def withdraw(self, source: str, all_but: str | None = None) -> None:
        """Forget the votes of a source, and that it was asked; those of the revision `all_but` stay, when it says one
        and no other has a vote."""
        with self._database.writing() as connection:
            if all_but is not None:
                rows = connection.execute("SELECT signal_id FROM votes WHERE source = ?", (source,))
                if all(str(name).rpartition("-")[0] == id_prefix(source, all_but) for (name,) in rows):
                    return
            connection.execute("DELETE FROM votes WHERE source = ?", (source,))
            connection.execute("DELETE FROM asked WHERE source = ?", (source,))

    def asked(self, source: str) -> dict[str, tuple[datetime, str]]:
        """When each symbol was last asked, and why it was silent then ("" when it was not)."""
        with self._database.reading() as connection:
            rows = connection.execute("SELECT symbol, at, silent FROM asked WHERE source = ?", (source,))
            return {symbol: (utc_of(at), silent) for symbol, at, silent in rows}

    def spent(self, source: str, day: str) -> tuple[int, Decimal]:
        """Calls and USD of a day."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT calls, usd FROM spent WHERE source = ? AND day = ?", (source, day)
            ).fetchone()
        return (0, Decimal(0)) if row is None else (int(row[0]), decimal_of(row[1]))

    def spend(self, source: str, day: str, usd: Decimal, calls_most: int | None, usd_most: Decimal | None) -> str:
        """Count one call, unless it would exceed a limit; then says which. On disk when this returns."""
        with self._database.writing() as connection:
            row = connection.execute(
                "SELECT calls, usd FROM spent WHERE source = ? AND day = ?", (source, day)
            ).fetchone()
            calls, money = (0, Decimal(0)) if row is None else (int(row[0]), decimal_of(row[1]))
            if calls_most is not None and calls >= calls_most:
                return calls_used(calls_most)
            if usd_most is not None and money + usd > usd_most:
                return f"{money:.2f} of {usd_most:.2f} USD a day are spent, and a call costs about {usd:.2f}"
            values = (source, day, calls + 1, text_of(money + usd))
            connection.execute("INSERT OR REPLACE INTO spent VALUES (?, ?, ?, ?)", values)
        return ""

    def add_cost(self, source: str, day: str, usd: Decimal) -> None:
        """Correct what was counted for a call."""
        with self._database.writing() as connection:
            row = connection.execute("SELECT usd FROM spent WHERE source = ? AND day = ?", (source, day)).fetchone()
            if row is not None:
                money = text_of(max(decimal_of(row[0]) + usd, Decimal(0)))
                connection.execute("UPDATE spent SET usd = ? WHERE source = ? AND day = ?", (money, source, day))

    def off(self, source: str) -> SourceOff | None:
        """Why a source is off; None when it is not."""
        with self._database.reading() as connection:
            row = connection.execute(
                "SELECT kind, because, hint, until, key_mark, failures FROM off WHERE source = ?", (source,)
            ).fetchone()
        if row is None:
            return None
        kind, because, hint, until, key_mark, failures = row
        return SourceOff(kind, because, hint, None if until is None else utc_of(until), key_mark, int(failures))

    def set_off(self, source: str, off: SourceOff | None) -> None:
        """Switch a source off, or on again."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM off WHERE source = ?", (source,))
            if off is not None:
                until = None if off.until is None else stamp(off.until)
                row = (source, off.kind, off.because, off.hint, until, off.key_mark, off.failures)
                connection.execute("INSERT INTO off VALUES (?, ?, ?, ?, ?, ?, ?)", row)

    def keep_answer(self, source: str, body: str, at: datetime) -> None:
        """Keep a raw answer, which must hold no secret, by its hash for some days."""
        with self._database.writing() as connection:
            connection.execute("DELETE FROM answers WHERE at < ?", (stamp(at - timedelta(days=ANSWER_DAYS)),))
            row = (sha256(body), source, stamp(at), body[:ANSWER_LENGTH_MAX])
            connection.execute("INSERT OR REPLACE INTO answers VALUES (?, ?, ?, ?)", row)
