"""A journal in a PostgreSQL schema, for an open `Journal`.

All writers of one journal take the row lock of `heads` in turn, which makes the number of the next event certain and
without gaps; a sequence would leave gaps. A transaction that was committed without an answer is looked for before
anything is said about it.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any, Final

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.exc import DBAPIError

from rebalancer.core.errors import JournalBroken, MirrorRefused
from rebalancer.journal import postgres
from rebalancer.journal.chain import GENESIS, ChainRow
from rebalancer.journal.conditions import Ask
from rebalancer.journal.database import Purpose
from rebalancer.journal.head_checkpoint import checkpoint_of
from rebalancer.journal.place import PostgresPlace
from rebalancer.ops.clock import SystemClock

_BEGIN: Final = "journal_begin"  # the execution option that says how a transaction begins
AWAY_SECONDS: Final = 10.0  # how long a database that answered before may be away, as in a failover
_AGAIN_SECONDS: Final = 0.25
CONFIRM_SECONDS: Final = 2.0 * postgres.IDLE_SECONDS  # until the server has given up on a connection that was lost
_WARNING: Final = "01000"
_MOVE_HEAD: Final = text(
    "UPDATE heads SET seq = :seq, hash = :hash, written_at = clock_timestamp() "
    "WHERE id = 1 AND seq = :old_seq AND hash = :old_hash"
)
_LOCK_AND_LOOK: Final = "SELECT seq, hash FROM heads WHERE id = 1 FOR UPDATE; SELECT to_regclass('mirror') IS NOT NULL"
_OBJECTS: Final = "SELECT relname FROM pg_class WHERE relnamespace = to_regnamespace(:schema) AND relkind IN ('r', 'p')"


class PostgresDatabase:
    """The schema of one journal."""

    def __init__(self, place: PostgresPlace, lock_timeout_ms: int, *, create: bool) -> None:
        """Connect, and create the schema unless `create` is False. Raises JournalBroken."""
        self._place, self._lock_timeout_ms = place, lock_timeout_ms
        self._answered, self._clock = False, SystemClock()
        self.head = checkpoint_of(place)
        self.engine = self._engine()
        try:
            self._prepare(create=create)
        except DBAPIError as error:
            self.close()
            raise postgres.broken(error.orig or error, place) from None
        except BaseException:
            self.close()
            raise

    @property
    def place(self) -> str:
        return str(self._place)

    def _engine(self) -> Engine:
        engine = create_engine(
            "postgresql+psycopg://", creator=lambda: postgres.connect(self._place), pool_size=5, max_overflow=20
        )

        def begin(connection: Connection) -> None:
            how: Purpose = connection.get_execution_options().get(_BEGIN, "read")
            driver: Any = connection.connection.driver_connection
            driver.execute(self._beginning(how))

        event.listen(engine, "begin", begin)
        return engine

    def _beginning(self, purpose: Purpose) -> str:
        if purpose == "read":
            return postgres.begin_reading(self._place.schema)
        return postgres.begin_writing(self._place.schema, self._lock_timeout_ms)

    def _prepare(self, *, create: bool) -> None:
        name = self._place.schema
        with self._begun("migrate") as connection:
            if connection.execute(text("SELECT to_regnamespace(:schema)"), {"schema": name}).scalar() is None:
                if not create:
                    raise JournalBroken(f"{self.place}: there is no journal yet\n  hint: run `rebalancer run-now`")
                self._lock_schema(connection)
                connection.exec_driver_sql(f'CREATE SCHEMA IF NOT EXISTS "{name}"')
        self._answered = True

    # transactions

    @contextmanager
    def transaction(self, purpose: Purpose) -> Iterator[Connection]:
        with self._begun(purpose) as connection:
            if purpose == "migrate":
                self._lock_schema(connection)
            elif purpose in ("append", "mirror"):
                self._lock_head(connection, may_be_mirror=purpose == "mirror")
            yield connection

    @contextmanager
    def _begun(self, purpose: Purpose) -> Iterator[Connection]:
        connection, transaction = self._begin(purpose)
        driver: Any = connection.connection.driver_connection
        warned: list[str] = []

        def note(said: Any) -> None:
            warned.append(said.sqlstate or "")

        try:
            with transaction:
                yield connection
                driver.add_notice_handler(note)
        finally:
            with suppress(ValueError):  # it was not reached
                driver.remove_notice_handler(note)
            if driver.closed:
                connection.invalidate()
            connection.close()
        if _WARNING in warned:  # of COMMIT itself: it gave up waiting for the standby
            raise JournalBroken(
                f"{self.place}: stored here, but the standby did not confirm it\n"
                "  hint: nothing is sent on such a row; look at the standby, then run again"
            )

    def _begin(self, purpose: Purpose) -> tuple[Connection, Any]:
        """Connect and begin; as long as nothing has been done, a lost connection is made again."""
        began, is_stale = self._clock.monotonic(), True
        while True:
            try:
                connection = self.engine.connect().execution_options(**{_BEGIN: purpose})
                try:
                    return connection, connection.begin()
                except BaseException:
                    connection.invalidate()
                    connection.close()
                    raise
            except Exception as error:
                cause = getattr(error, "orig", None) or error
                waited = self._clock.monotonic() - began
                if not postgres.is_away(cause) or not self._answered or waited > AWAY_SECONDS:
                    raise
                if not is_stale:
                    self._clock.wait(_AGAIN_SECONDS)
                is_stale = False  # the first one may have been an old connection of the pool

    @contextmanager
    def asking(self) -> Iterator[Ask]:
        with self._begun("read") as connection:
            yield self.ask_on(connection)

    def ask_on(self, connection: Connection) -> Ask:
        return postgres.asking(connection.connection.driver_connection)  # type: ignore[arg-type]  # psycopg's

    def _lock_schema(self, connection: Connection) -> None:
        number = int.from_bytes(hashlib.sha256(self._place.schema.encode()).digest()[:8], "big", signed=True)
        connection.execute(text("SELECT pg_advisory_xact_lock(:number)"), {"number": number})

    def _lock_head(self, connection: Connection, *, may_be_mirror: bool) -> None:
        """Take the lock of the writers. What they wrote is seen by every statement after it."""
        driver: Any = connection.connection.driver_connection
        answers = driver.execute(_LOCK_AND_LOOK)  # two statements: the second sees what was made before the lock
        _head(answers.fetchall(), self.place)
        answers.nextset()
        if answers.fetchall()[0][0] and not may_be_mirror:
            raise MirrorRefused(
                f"{self.place}: is the mirror of another host's journal; nobody trades on it\n"
                "  hint: stop that host for good, then: rebalancer mirror promote --reason WHY"
            )

    def end_with(self, connection: Connection, before: ChainRow | None, last: ChainRow) -> None:
        old = {"old_seq": before.seq, "old_hash": before.hash} if before else {"old_seq": 0, "old_hash": GENESIS}
        done = connection.execute(_MOVE_HEAD, {"seq": last.seq, "hash": last.hash, **old})
        if done.rowcount != 1:
            raise JournalBroken(
                f"{self.place}: the head is not the newest event: rows were removed or added by hand\n"
                "  hint: stop trading and restore the last good backup"
            )

    def has_stored(self, last: ChainRow, error: BaseException) -> bool:
        cause = getattr(error, "orig", None) or error
        if not postgres.is_away(cause):
            return False
        began = self._clock.monotonic()
        while True:
            try:
                # The lock is free once the server has ended the transaction whose answer was lost, either way.
                with self._begun("append") as connection:
                    ask = self.ask_on(connection)
                    ask("SELECT seq FROM heads WHERE id = 1 FOR UPDATE", {})
                    found = ask("SELECT hash FROM events WHERE seq = :seq", {"seq": last.seq})
                    return bool(found) and found[0][0] == last.hash
            except Exception as again:  # noqa: BLE001 - whatever it is, it is not an answer
                if self._clock.monotonic() - began > CONFIRM_SECONDS:
                    raise JournalBroken(
                        f"{self.place}: the connection was lost while row {last.seq} was committed; whether it is "
                        f"stored cannot be learned ({type(again).__name__})\n"
                        "  hint: nothing was sent on it; run again when the database answers"
                    ) from None
                self._clock.wait(_AGAIN_SECONDS)

    # the rest

    def tables(self, connection: Connection) -> set[str]:
        return {str(row[0]) for row in self.ask_on(connection)(_OBJECTS, {"schema": self._place.schema})}

    def check_storage(self, ask: Ask, bytes_max: int | None) -> None:
        seq, row_hash = _head(ask("SELECT seq, hash FROM heads WHERE id = 1", {}), self.place)
        newest = ask("SELECT seq, hash FROM events ORDER BY seq DESC LIMIT 1", {})
        if (seq, row_hash) != (tuple(newest[0]) if newest else (0, row_hash)):
            raise JournalBroken(
                f"{self.place}: the head names row {seq}, the newest event is {newest[0][0] if newest else 'missing'}\n"
                "  hint: stop trading and restore the last good backup"
            )
        if bytes_max is None:
            check_indexes(ask)

    def keep_before_upgrade(self, version: str) -> None:
        """Nothing: a migration is one transaction here too, and copies of a database are its administrator's."""

    def size(self) -> int:
        query = (
            "SELECT coalesce(sum(pg_total_relation_size(oid)), 0)::bigint FROM pg_class "
            "WHERE relnamespace = to_regnamespace(:schema) AND relkind = 'r'"
        )
        with self.asking() as ask:
            return int(ask(query, {"schema": self._place.schema})[0][0])

    def take_the_place_of(self, schema: str, aside: str) -> bool:
        """Give this schema the name of another one, which is called `aside` from then on. Whether there was one."""
        with self.transaction("migrate") as connection:
            there = connection.execute(text("SELECT to_regnamespace(:name)"), {"name": schema}).scalar() is not None
            if there:
                connection.exec_driver_sql(f'ALTER SCHEMA "{schema}" RENAME TO "{aside}"')
            connection.exec_driver_sql(f'ALTER SCHEMA "{self._place.schema}" RENAME TO "{schema}"')
        return there

    def drop(self) -> None:
        """Remove the schema and all that is in it, if it is there."""
        with self.transaction("migrate") as connection:
            connection.exec_driver_sql(f'DROP SCHEMA IF EXISTS "{self._place.schema}" CASCADE')

    def failure(self, error: BaseException) -> JournalBroken:
        return postgres.broken(error, self._place)

    def is_lost(self, error: BaseException) -> bool:
        return postgres.code_of(error) in ("XX001", "58030")

    def close(self) -> None:
        self.engine.dispose()


def check_indexes(ask: Ask) -> None:
    """Have PostgreSQL compare every index with its table, where the extension amcheck is installed. Raises
    psycopg.Error for a damaged one."""
    found = ask(
        "SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace "
        "WHERE e.extname = 'amcheck'",
        {},
    )
    if not found:
        return
    name = str(found[0][0]).replace('"', '""')
    indexes = ask(
        "SELECT c.oid::bigint FROM pg_class c JOIN pg_am a ON a.oid = c.relam WHERE c.relkind = 'i' "
        "AND a.amname = 'btree' AND c.relnamespace = to_regnamespace(current_schema())",
        {},
    )
    for (index,) in indexes:
        ask(f'SELECT "{name}".bt_index_check(:index, true)', {"index": index})


def _head(rows: Any, place: str) -> tuple[int, str]:
    if len(rows) != 1:
        raise JournalBroken(f"{place}: its head is missing\n  hint: restore the last good backup")
    return int(rows[0][0]), str(rows[0][1])
