"""The exchange's state in one SQLite file.

Write-ahead logging, one connection, one transaction a request: what a client was told is in the file before the answer
leaves, so killing the process loses nothing that was acknowledged.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import Final

from rebalancer.exchange.calendar import TradingSession
from rebalancer.exchange.market.halts import Halt
from rebalancer.exchange.order import Order, order_from
from rebalancer.exchange.state_file import StateUnreadable, is_sealed, keep_private, make_private, seal

LAYOUT: Final = 2
_SCHEMA: Final = """
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE session (day INTEGER PRIMARY KEY, opens INTEGER NOT NULL, closes INTEGER NOT NULL) STRICT;
CREATE TABLE orders (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, client_order_id TEXT NOT NULL UNIQUE, symbol TEXT NOT NULL,
  side TEXT NOT NULL, is_open INTEGER NOT NULL, submitted_at INTEGER NOT NULL, body TEXT NOT NULL, parent TEXT) STRICT;
CREATE INDEX orders_parent ON orders (parent) WHERE parent IS NOT NULL;
CREATE INDEX orders_open ON orders (seq) WHERE is_open = 1;
CREATE INDEX orders_submitted ON orders (submitted_at, seq);
CREATE TABLE event (seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, kind TEXT NOT NULL, reference TEXT NOT NULL) STRICT;
CREATE TABLE posting (
  event INTEGER NOT NULL REFERENCES event (seq), account TEXT NOT NULL, commodity TEXT NOT NULL, amount TEXT NOT NULL
) STRICT;
CREATE TABLE balance (
  account TEXT NOT NULL, commodity TEXT NOT NULL, amount TEXT NOT NULL, PRIMARY KEY (account, commodity)
) STRICT, WITHOUT ROWID;
CREATE TABLE basis (symbol TEXT PRIMARY KEY, cost TEXT NOT NULL, day_cost TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE activity (
  seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, type TEXT NOT NULL, at INTEGER NOT NULL, order_id TEXT,
  body TEXT NOT NULL) STRICT;
CREATE INDEX activity_at ON activity (at, seq);
CREATE TABLE day_equity (
  day INTEGER PRIMARY KEY, equity TEXT NOT NULL, maintenance_margin TEXT NOT NULL) STRICT;
"""

_SECOND: Final = """
CREATE TABLE corporate_action (
  id TEXT PRIMARY KEY, symbol TEXT NOT NULL, kind TEXT NOT NULL, ex_day INTEGER NOT NULL, pay_day INTEGER NOT NULL,
  body TEXT NOT NULL) STRICT, WITHOUT ROWID;
CREATE TABLE halt (symbol TEXT NOT NULL, starts INTEGER NOT NULL, ends INTEGER NOT NULL) STRICT;
CREATE TABLE watchlist (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
CREATE TABLE locate (seq INTEGER PRIMARY KEY, id TEXT NOT NULL UNIQUE, body TEXT NOT NULL) STRICT;
"""
_UPGRADES: Final = {  # from layout: statements
    1: "ALTER TABLE orders ADD COLUMN parent TEXT;\n"
    "CREATE INDEX orders_parent ON orders (parent) WHERE parent IS NOT NULL;\n" + _SECOND,
}


class Store:
    """Typed reads and writes. Not locked: the exchange's lock guards it."""

    def __init__(self, path: Path | None) -> None:
        self.where = where = ":memory:" if path is None else str(path)
        self._path = path
        self.is_as_closed = path is not None and is_sealed(path)  # asked before SQLite touches the file
        if path is not None:
            make_private(path)
        try:
            self._db = sqlite3.connect(where, isolation_level=None, check_same_thread=False)
            self._db.execute("PRAGMA journal_mode = WAL")
            self._db.execute("PRAGMA synchronous = NORMAL")
            version = int(self._db.execute("PRAGMA user_version").fetchone()[0])
        except (sqlite3.Error, UnicodeError) as error:
            raise StateUnreadable(where, f"cannot be opened as an exchange state file: {error}") from None
        self.is_new = version == 0
        if self.is_new and self._db.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
            raise StateUnreadable(where, "is a database of something else")
        if version not in (0, LAYOUT, *_UPGRADES):
            raise StateUnreadable(where, f"has layout {version}, this version reads layout {LAYOUT}")
        if path is not None:
            keep_private(path)
        if not self.is_new:
            self._upgrade(version)

    def create(self) -> None:
        """Lay out an empty file, inside a transaction."""
        self._run(_SCHEMA + _SECOND)
        self._db.execute(f"PRAGMA user_version = {LAYOUT}")

    def _upgrade(self, version: int) -> None:
        """Bring an older file to this layout, one transaction a step."""
        try:
            for old in range(version, LAYOUT):
                with self.transaction():
                    self._run(_UPGRADES[old])
                    self._db.execute(f"PRAGMA user_version = {old + 1}")
        except (sqlite3.Error, UnicodeError) as error:
            raise StateUnreadable(self.where, f"cannot be brought to layout {LAYOUT}: {error}") from None

    def _run(self, script: str) -> None:
        for statement in script.split(";\n"):
            if statement.strip():
                self._db.execute(statement)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """All or nothing."""
        self._db.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:  # half a request must never stay, whatever ended it
            self._db.execute("ROLLBACK")
            raise
        self._db.execute("COMMIT")

    def execute(self, statement: str, values: tuple[object, ...] = ()) -> sqlite3.Cursor:
        """Run a statement of a part that keeps a table of its own."""
        return self._db.execute(statement, values)

    def close(self, *, is_whole: bool = False) -> None:
        """Close the file. is_whole: its digest is kept, and a next start that finds it unchanged need not look through
        it."""
        self._db.close()
        if is_whole and self._path is not None:
            seal(self._path)

    # --- settings and sessions -------------------------------------------------------------------------------------

    def meta(self, key: str) -> str | None:
        """A stored setting, or None."""
        row = self._db.execute("SELECT value FROM meta WHERE key = ?", (key,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, key: str, value: str) -> None:
        """Store a setting."""
        self._db.execute(
            "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
        )

    def sessions(self) -> tuple[TradingSession, ...]:
        """The stored session table."""
        return tuple(TradingSession(*row) for row in self._db.execute("SELECT * FROM session ORDER BY day"))

    def set_sessions(self, sessions: Iterable[TradingSession]) -> None:
        """Store the session table."""
        self._db.executemany("INSERT INTO session VALUES (?, ?, ?)", sessions)

    # --- orders ----------------------------------------------------------------------------------------------------

    def put_order(self, order: Order) -> None:
        """Insert or update an order."""
        self._db.execute(
            "INSERT INTO orders VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (seq) DO UPDATE"
            " SET is_open = excluded.is_open, body = excluded.body, parent = excluded.parent",
            (order.seq, order.id, order.client_order_id, order.symbol, order.side, int(order.is_open),
             order.submitted_at, order.stored(), order.parent),
        )  # fmt: skip

    def open_orders(self) -> list[Order]:
        """Open orders in the order of their arrival."""
        return [
            order_from(row[0]) for row in self._db.execute("SELECT body FROM orders WHERE is_open = 1 ORDER BY seq")
        ]

    def last_order_seq(self) -> int:
        """The number of the newest order, 0 when there is none."""
        return int(self._db.execute("SELECT coalesce(max(seq), 0) FROM orders").fetchone()[0])

    def order(self, column: str, value: str) -> Order | None:
        """The order with this `id` or `client_order_id`."""
        assert column in ("id", "client_order_id")
        row = self._db.execute(f"SELECT body FROM orders WHERE {column} = ?", (value,)).fetchone()  # noqa: S608 - asserted above
        return None if row is None else order_from(row[0])

    def legs(self, parent: str) -> list[Order]:
        """The legs of an order, oldest first, replaced ones included."""
        rows = self._db.execute("SELECT body FROM orders WHERE parent = ? ORDER BY seq", (parent,))
        return [order_from(row[0]) for row in rows]

    def orders(
        self, *, is_open: bool | None, after: int | None, until: int | None, symbols: set[str], side: str | None,
        ascending: bool, limit: int, beyond: int | None = None, before: int | None = None, nested: bool = False,
    ) -> list[Order]:  # fmt: skip
        """Orders by submission time; `after`, `until` (times), `beyond` and `before` (numbers) are exclusive."""
        where, values = ["1"], list[object]()
        for clause, value in (
            ("is_open = ?", None if is_open is None else int(is_open)),
            ("submitted_at > ?", after), ("submitted_at < ?", until), ("side = ?", side),
            ("seq > ?", beyond), ("seq < ?", before),
        ):  # fmt: skip
            if value is not None:
                where.append(clause)
                values.append(value)
        if nested:
            where.append("parent IS NULL")
        if symbols:
            where.append(f"symbol IN ({', '.join('?' * len(symbols))})")
            values += sorted(symbols)
        way = "ASC" if ascending else "DESC"
        query = f"SELECT body FROM orders WHERE {' AND '.join(where)} ORDER BY submitted_at {way}, seq {way} LIMIT ?"  # noqa: S608 - clauses are the constants above
        return [order_from(row[0]) for row in self._db.execute(query, (*values, limit))]

    def corporate_actions(self) -> list[tuple[str, str, str, int, int, str]]:
        """Id, symbol, kind, ex-day, payment day and JSON body of all corporate actions."""
        return self._db.execute("SELECT id, symbol, kind, ex_day, pay_day, body FROM corporate_action").fetchall()

    def put_corporate_action(self, row: tuple[str, str, str, int, int, str]) -> None:
        """Insert or update one."""
        self._db.execute("INSERT OR REPLACE INTO corporate_action VALUES (?, ?, ?, ?, ?, ?)", row)

    # --- watchlists and locates --------------------------------------------------------------------------------------

    def put_document(self, table: str, identity: str, body: dict[str, object]) -> None:
        """Insert or update a `watchlist` or a `locate`."""
        assert table in ("watchlist", "locate")
        query = f"INSERT INTO {table} (id, body) VALUES (?, ?) ON CONFLICT (id) DO UPDATE SET body = excluded.body"  # noqa: S608 - asserted above
        self._db.execute(query, (identity, json.dumps(body)))

    def documents(self, table: str) -> list[dict[str, object]]:
        """All watchlists or locates, oldest first."""
        assert table in ("watchlist", "locate")
        return [json.loads(row[0]) for row in self._db.execute(f"SELECT body FROM {table} ORDER BY seq")]  # noqa: S608 - asserted above

    def drop_document(self, table: str, identity: str) -> None:
        """Forget one."""
        assert table in ("watchlist", "locate")
        self._db.execute(f"DELETE FROM {table} WHERE id = ?", (identity,))  # noqa: S608 - asserted above

    def halts(self) -> tuple[Halt, ...]:
        """All trading halts."""
        return tuple(Halt(*row) for row in self._db.execute("SELECT symbol, starts, ends FROM halt"))

    def set_halts(self, halts: Iterable[Halt]) -> None:
        """Store the trading halts."""
        self._db.execute("DELETE FROM halt")
        self._db.executemany("INSERT INTO halt VALUES (?, ?, ?)", halts)

    # --- ledger ----------------------------------------------------------------------------------------------------

    def add_event(self, at: int, kind: str, reference: str, postings: Iterable[tuple[str, str, Decimal]]) -> int:
        """Store an event with its postings; returns its number."""
        cursor = self._db.execute("INSERT INTO event (at, kind, reference) VALUES (?, ?, ?)", (at, kind, reference))
        event = cursor.lastrowid or 0
        self._db.executemany(
            "INSERT INTO posting VALUES (?, ?, ?, ?)", [(event, a, commodity, str(n)) for a, commodity, n in postings]
        )
        return event

    def postings(self) -> Iterator[tuple[str, str, Decimal]]:
        """All postings ever made."""
        for account, commodity, amount in self._db.execute("SELECT account, commodity, amount FROM posting"):
            yield account, commodity, Decimal(amount)

    def movements(self) -> Iterator[tuple[int, str, str, Decimal]]:
        """Time, account, commodity and amount of every posting to cash and positions, oldest first."""
        query = (
            "SELECT at, account, commodity, amount FROM event JOIN posting ON event.seq = posting.event"
            " WHERE account = 'cash' OR account LIKE 'position:%' ORDER BY at, event.seq"
        )
        for at, account, commodity, amount in self._db.execute(query):
            yield int(at), account, commodity, Decimal(amount)

    def cash_flows(self) -> list[tuple[int, str, Decimal]]:
        """Time, type and net amount of all activities that are not trades, oldest first."""
        query = (
            "SELECT at, type, json_extract(body, '$.net_amount') FROM activity WHERE type != 'FILL' ORDER BY at, seq"
        )
        return [(int(at), kind, Decimal(amount)) for at, kind, amount in self._db.execute(query)]

    def set_balance(self, account: str, commodity: str, amount: Decimal) -> None:
        """Store the running balance of an account."""
        self._db.execute("INSERT OR REPLACE INTO balance VALUES (?, ?, ?)", (account, commodity, str(amount)))

    def balances(self) -> Iterator[tuple[tuple[str, str], Decimal]]:
        """Stored balances."""
        for account, commodity, amount in self._db.execute("SELECT * FROM balance"):
            yield (account, commodity), Decimal(amount)

    def set_basis(self, symbol: str, cost: Decimal, day_cost: Decimal) -> None:
        """Store what a position cost, since it was opened and since the last close."""
        self._db.execute("INSERT OR REPLACE INTO basis VALUES (?, ?, ?)", (symbol, str(cost), str(day_cost)))

    def drop_basis(self, symbol: str) -> None:
        """Forget a closed position's cost."""
        self._db.execute("DELETE FROM basis WHERE symbol = ?", (symbol,))

    def bases(self) -> list[tuple[str, Decimal, Decimal]]:
        """Cost and day cost by symbol."""
        return [(s, Decimal(cost), Decimal(day)) for s, cost, day in self._db.execute("SELECT * FROM basis")]

    # --- activities and equity -------------------------------------------------------------------------------------

    def add_activity(self, identity: str, kind: str, at: int, order_id: str | None, body: dict[str, object]) -> None:
        """Store an activity that clients see from the moment `at`."""
        self._db.execute(
            "INSERT INTO activity (id, type, at, order_id, body) VALUES (?, ?, ?, ?, ?)",
            (identity, kind, at, order_id, json.dumps(body)),
        )

    def activity_place(self, identity: str) -> tuple[int, int] | None:
        """Where an activity stands in the listing: time and number."""
        row = self._db.execute("SELECT at, seq FROM activity WHERE id = ?", (identity,)).fetchone()
        return None if row is None else (int(row[0]), int(row[1]))

    def activities(
        self, *, kinds: set[str], order_id: str | None, after: int | None, until: int, ascending: bool,
        beyond: tuple[int, int] | None, limit: int,
    ) -> list[dict[str, object]]:  # fmt: skip
        """Activities strictly after `after`, not later than `until`, past the place `beyond` in listing order."""
        where, values = ["at <= ?"], list[object]([until])
        if kinds:
            where.append(f"type IN ({', '.join('?' * len(kinds))})")
            values += sorted(kinds)
        for clause, value in (("order_id = ?", order_id), ("at > ?", after)):
            if value is not None:
                where.append(clause)
                values.append(value)
        if beyond is not None:
            where.append(f"(at, seq) {'>' if ascending else '<'} (?, ?)")
            values += beyond
        way = "ASC" if ascending else "DESC"
        query = f"SELECT body FROM activity WHERE {' AND '.join(where)} ORDER BY at {way}, seq {way} LIMIT ?"  # noqa: S608 - clauses are the constants above
        return [json.loads(row[0]) for row in self._db.execute(query, (*values, limit))]

    def crypto_fills(self, since: int, until: int) -> Iterator[tuple[Decimal, Decimal]]:
        """Quantity and price of the fills of pairs in [since, until)."""
        query = (
            "SELECT json_extract(body, '$.qty'), json_extract(body, '$.price') FROM activity"
            " WHERE at >= ? AND at < ? AND type = 'FILL' AND instr(json_extract(body, '$.symbol'), '/') > 0"
        )
        for qty, price in self._db.execute(query, (since, until)):
            yield Decimal(qty), Decimal(price)

    def set_day_equity(self, day: int, equity: Decimal, maintenance_margin: Decimal) -> None:
        """Store the account's value at a session's close."""
        self._db.execute(
            "INSERT OR REPLACE INTO day_equity VALUES (?, ?, ?)", (day, str(equity), str(maintenance_margin))
        )

    def day_equity_before(self, day: int) -> tuple[int, Decimal, Decimal] | None:
        """Day ordinal, equity and maintenance margin of the latest recorded close before a day."""
        row = self._db.execute("SELECT * FROM day_equity WHERE day < ? ORDER BY day DESC LIMIT 1", (day,)).fetchone()
        return None if row is None else (int(row[0]), Decimal(row[1]), Decimal(row[2]))
