"""Everything specific to PostgreSQL, with the driver alone: connections, beginnings of transactions, queries, errors.
Imports no SQLAlchemy, because `status` uses it too, and psycopg (the extra `postgres`) only when it connects.

No setting is left to the session: every transaction begins by naming its schema and its time limits, so that a pooler
between here and the database cannot hand it those of somebody else.
"""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from rebalancer.core.database_url import is_local, shown
from rebalancer.core.errors import ExternalError, JournalAltered, JournalBroken, JournalLocked
from rebalancer.core.extras import install_hint
from rebalancer.journal.conditions import Ask, Rows
from rebalancer.journal.place import PostgresPlace
from rebalancer.ops.logs.redact import learn

if TYPE_CHECKING:
    import psycopg

CONNECT_SECONDS: Final = 5
SILENT_SECONDS: Final = 15  # without a word from the other side the connection counts as lost
STATEMENT_SECONDS: Final = 30  # of a transaction that writes
READ_SECONDS: Final = 600  # of one that reads: `db check` reads everything
IDLE_SECONDS: Final = 20  # the server ends a writer that says nothing for so long, and frees its lock
_NAME: Final = re.compile(r"(?<![:\w]):([a-z_]\w*)")
_CODE: Final = re.compile(r"[0-9A-Z]{5}")

# The function and the triggers that forbid changing rows, as for SQLite. The messages are the same.
REFUSE_CHANGE: Final = """
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  RAISE EXCEPTION USING MESSAGE = TG_TABLE_NAME || ' is append-only', ERRCODE = 'integrity_constraint_violation';
END $$
"""


def append_only(table: str) -> tuple[str, str]:
    """The triggers that forbid changing, deleting or truncating rows of a table."""
    return (
        f"CREATE TRIGGER {table}_no_change BEFORE UPDATE OR DELETE ON {table} "
        "FOR EACH ROW EXECUTE FUNCTION refuse_change()",
        f"CREATE TRIGGER {table}_no_truncate BEFORE TRUNCATE ON {table} "
        "FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()",
    )


def connect(place: PostgresPlace) -> psycopg.Connection[Any]:
    """A connection on which every transaction is begun by hand. Raises JournalBroken without the driver, psycopg.Error
    when the database cannot be reached."""
    try:
        import psycopg
    except ImportError:
        raise JournalBroken(
            f"{place}: the driver of PostgreSQL is not installed\n  hint: {install_hint('postgres')}"
        ) from None
    more: dict[str, Any] = {}
    if place.password:
        learn([place.password])
        more["password"] = place.password
    if "sslmode=" not in place.url and "PGSSLMODE" not in os.environ and not is_local(place.url):
        more["sslmode"] = "require"
    return psycopg.connect(
        place.url,
        autocommit=True,
        prepare_threshold=None,
        client_encoding="utf8",
        connect_timeout=CONNECT_SECONDS,
        keepalives=1,
        keepalives_idle=5,
        keepalives_interval=3,
        keepalives_count=3,
        tcp_user_timeout=SILENT_SECONDS * 1000,
        application_name=f"rebalancer {socket.gethostname()}:{os.getpid()}"[:63],
        **more,
    )


def begin_reading(schema: str) -> str:
    """Begin a transaction that sees one consistent state."""
    return (
        f'BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL search_path TO "{schema}"; '
        f"SET LOCAL statement_timeout TO '{READ_SECONDS}s'; SET LOCAL lock_timeout TO '{CONNECT_SECONDS}s'; "
        f"SET LOCAL idle_in_transaction_session_timeout TO '{READ_SECONDS}s'"
    )


def begin_writing(schema: str, lock_timeout_ms: int) -> str:
    """Begin a transaction that writes. Each of its statements sees what was committed before it, so those after the
    lock see all that the last writer wrote."""
    return (
        f'BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE; SET LOCAL search_path TO "{schema}"; '
        f"SET LOCAL statement_timeout TO '{STATEMENT_SECONDS}s'; SET LOCAL lock_timeout TO '{lock_timeout_ms}ms'; "
        f"SET LOCAL idle_in_transaction_session_timeout TO '{IDLE_SECONDS}s'"
    )


def asking(driver: psycopg.Connection[Any]) -> Ask:
    """A function that runs the statements of `reading` on this connection, in its transaction."""

    def run(statement: str, values: Mapping[str, object]) -> Rows:
        return driver.execute(_with_driver_names(statement), dict(values)).fetchall()

    return Ask(run, "postgresql")


@lru_cache(maxsize=512)
def _with_driver_names(statement: str) -> str:
    """`:name` as psycopg writes it."""
    return _NAME.sub(r"%(\1)s", statement.replace("%", "%%"))


@contextmanager
def read_only(place: PostgresPlace, driver: psycopg.Connection[Any] | None = None) -> Iterator[Ask]:
    """One consistent state of a journal. driver: a connection to use, which stays open. Raises JournalBroken."""
    with in_words(place):
        connection = driver or connect(place)
        try:
            connection.execute(begin_reading(place.schema))
            yield asking(connection)
        finally:
            if driver is None or connection.closed:
                connection.close()
            else:
                connection.rollback()


@contextmanager
def in_words(place: PostgresPlace) -> Iterator[None]:
    """Raise every error of the driver as JournalBroken."""
    try:
        yield
    except JournalAltered as error:
        raise JournalBroken(f"{place}: {error}") from None
    except Exception as error:
        if is_ours(error):
            raise broken(error, place) from None
        raise


def is_created(ask: Ask) -> bool:
    """Whether the journal's tables are there."""
    query = "SELECT to_regclass('events') IS NOT NULL AND to_regclass('alembic_version') IS NOT NULL"
    return bool(ask(query, {})[0][0])


def is_ours(error: BaseException) -> bool:
    """Whether the error is one of the driver."""
    return type(error).__module__.partition(".")[0] == "psycopg"


# Errors: classes and codes of SQLSTATE, each with what happened and what the operator can do.

_CODES: Final[Mapping[str, tuple[str, str]]] = {
    "55P03": ("another program holds the journal locked", "wait for it to end, then run again"),
    "57014": ("the database took longer than allowed", "look at its load and its locks, then run again"),
    "25006": ("this server is a standby, and only reads", "name the primary, or target_session_attrs=read-write"),
    "3D000": ("there is no such database", "create it: createdb NAME"),
    "28P01": ("the database refused the password", "set REBALANCER_JOURNAL_PASSWORD, or a password file of PostgreSQL"),
    "28000": ("the database refused this user", "look at pg_hba.conf and at the user's name in the address"),
    "42501": ("this user may not do that", "give it the right to create schemas: GRANT CREATE ON DATABASE ... TO ..."),
    "53100": ("the database's disk is full", "free some space there, then run again"),
    "53300": ("the database takes no more connections", "raise max_connections, or use a pooler in session mode"),
    "XX001": ("the database is damaged", "restore the last good backup"),
    "XX002": ("an index of the database is damaged", "REINDEX it, then run `rebalancer db check`"),
}
_CLASSES: Final[Mapping[str, tuple[str, str]]] = {
    "08": ("the connection was lost", "look at the network and the database, then run again"),
    "57": ("the database is stopping or starting", "wait until it runs, then run again"),
    "53": ("the database is short of resources", "look at its log, then run again"),
    "58": ("the database's disk failed", "look at its log before trading again"),
}
_REFUSALS: Final[Mapping[str, str]] = {
    "password authentication failed": "28P01",
    "no pg_hba.conf entry": "28000",
    "authentication failed": "28000",
    "does not exist": "3D000",
    "too many connections": "53300",
    "remaining connection slots": "53300",
}
_AWAY: Final = frozenset({"08", "57", "53"})


def broken(error: BaseException, place: PostgresPlace) -> JournalBroken:
    """Describe an error of the driver in one line; statement values and secrets are never shown."""
    if isinstance(error, ExternalError):
        return error if isinstance(error, JournalBroken) else JournalBroken(str(error))
    code = code_of(error)
    text = " ".join(str(error).split("\nDETAIL")[0].split())[:300]
    if not code and is_away(error):
        kind: type[JournalBroken] = JournalLocked
        problem, hint = "the database cannot be reached", f"is it running? psql '{shown(place.url)}'"
    else:
        kind = JournalLocked if code == "55P03" or (code[:2] in _AWAY and code != "57014") else JournalBroken
        problem, hint = _CODES.get(code) or _CLASSES.get(code[:2]) or ("the database refused", "")
    return kind(f"{place}: {problem} ({text})" + (f"\n  hint: {hint}" if hint else ""))


def code_of(error: BaseException) -> str:
    """The SQLSTATE of an error, "" when the database did not say one. A connection that is refused carries only words,
    in the server's language; those in English are recognised."""
    code = getattr(error, "sqlstate", None)
    if isinstance(code, str) and _CODE.fullmatch(code):
        return code
    text = str(error)
    return next((code for words, code in _REFUSALS.items() if "FATAL" in text and words in text), "")


def is_away(error: BaseException) -> bool:
    """Whether the connection is gone, or could not be made: another attempt may succeed."""
    code = code_of(error)
    # by name, because the driver is not imported here; a time-out of connecting is a class below it
    is_operational = any(kind.__name__ == "OperationalError" for kind in type(error).__mro__)
    return (code[:2] in ("08", "57") and code != "57014") or (not code and is_operational)
