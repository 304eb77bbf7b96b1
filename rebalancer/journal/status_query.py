"""Query the journal for `status` in milliseconds: plain read-only sqlite3, no SQLAlchemy, no write lock.

It reads the same rows as `reading.py`, checks their hashes and folds them with the same functions; only its SQL is
different.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from rebalancer.core.facts import Day
from rebalancer.core.outcomes import OrderState
from rebalancer.journal import bodies
from rebalancer.journal.agreement import CHEAP_AT_A_GLANCE, GUARDED, Ask, check_agreement, check_pages
from rebalancer.journal.chain import ChainRow, event_of, stamp
from rebalancer.journal.errors import broken
from rebalancer.journal.filesystem import refuse_irregular_journal
from rebalancer.journal.head_checkpoint import HeadCheckpoint
from rebalancer.journal.orders import OrderFold, day_of, fold
from rebalancer.journal.records import DRY_RUN, MONEY_AFTER_EXIT, CycleEnd, CycleRecord, Event

SCHEMA: Final = "0001"  # a test keeps it equal to `upgrade.NEWEST`, whose import would load SQLAlchemy
_ALERTS: Final = 5
_ORDERS_OF: Final = (
    "kind IN ('order_intended', 'order_changed', 'order_ended', 'order_reopened') AND key IN "
    "(SELECT key FROM events AS e WHERE kind = 'order_intended' AND account_id = :account AND {which})"
)
_LATER: Final = "EXISTS (SELECT 1 FROM events WHERE kind = '{kind}' AND account_id = :account AND key = e.key)"
_UNRESOLVED: Final = f"(NOT {_LATER.format(kind='order_ended')} OR {_LATER.format(kind='order_reopened')})"


class JournalStatus(NamedTuple):
    """The state of one account in the journal. If `schema_ok` is False, nothing else was read.

    `unresolved` counts orders that may still change, `unknown` those of them whose state at the broker is unknown,
    `filled` the orders of the last cycle that filled; `account` is the last recorded account value, with the machine's
    time; `alerts` are the last five, newest first; `kill_switch` is the reason for the stop, None when the account may
    trade; `latched` are the limits broken today, and throttles of any day, that nobody has lifted since.
    """

    schema_ok: bool
    account_ids: tuple[str, ...]
    account_id: str | None
    last_cycle: CycleRecord | None
    last_end: CycleEnd | None
    unresolved: int
    unknown: int
    filled: int
    account: Event | None
    orders_today: Day
    peak_equity: Decimal | None
    kill_switch: str | None
    alerts: tuple[Event, ...]
    latched: tuple[Event, ...] = ()


def query_status(path: Path, *, day_start: datetime, account_id: str | None = None) -> JournalStatus | None:
    """Query the journal; None when there is none yet. Raises JournalBroken when it cannot be read.

    day_start: orders from then on count as today's. account_id: None means the account of the latest cycle.
    """
    if not path.exists() or path.stat().st_size == 0:
        return None
    head = HeadCheckpoint(path)
    checkpoint = head.read()
    with _connected(path) as connection:
        if connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return None  # it is being created
        version = connection.execute("SELECT version_num FROM alembic_version").fetchone()
        if version is None or version[0] != SCHEMA:
            return JournalStatus(False, (), None, None, None, 0, 0, 0, None, Day(), None, None, ())
        head.check(checkpoint, *_tail(connection))
        check_pages(_asking(connection), str(path), CHEAP_AT_A_GLANCE)
        accounts = tuple(row[0] for row in connection.execute("SELECT DISTINCT account_id FROM claims ORDER BY 1"))
        if account_id is None:
            latest = _events(connection, "kind = 'cycle_started'", last=1)
            if not latest:
                return JournalStatus(True, accounts, None, None, None, 0, 0, 0, None, Day(), None, None, ())
            account_id = latest[0].account_id
        return _of_account(connection, accounts, account_id, day_start)


def _asking(connection: sqlite3.Connection) -> Ask:
    def ask(statement: str, values: tuple[object, ...]) -> Sequence[Any]:
        found: Sequence[Any] = connection.execute(statement, values).fetchone()
        return found

    return ask


def _tail(connection: sqlite3.Connection) -> tuple[int, Callable[[int], object]]:
    def hash_at(seq: int) -> object:
        row = connection.execute("SELECT hash FROM events WHERE seq = ?", (seq,)).fetchone()
        return row and row[0]

    return connection.execute("SELECT coalesce(max(seq), 0) FROM events").fetchone()[0], hash_at


def _of_account(
    connection: sqlite3.Connection, accounts: tuple[str, ...], account_id: str, day_start: datetime
) -> JournalStatus:
    mine = {"account": account_id}
    check_agreement(_asking(connection), sorted(GUARDED), account_id)
    ended = "kind = 'cycle_ended' AND account_id = :account"
    ends = _events(connection, f"{ended} AND key != :mode", mine | {"mode": DRY_RUN}, last=1)
    peak = _events(connection, ended, mine, last=1)
    kill = _events(connection, "kind IN ('kill_set', 'kill_cleared') AND account_id = :account", mine, last=1)
    unresolved = _orders(connection, _UNRESOLVED, mine).values()
    last = _last_cycle(connection, account_id)
    of_last = _orders(connection, "cycle_id = :cycle", mine | {"cycle": last.cycle_id}) if last is not None else {}
    kinds = f"kind IN ('account', '{MONEY_AFTER_EXIT}')"
    money = _events(connection, f"{kinds} AND account_id = :account", mine, last=1)
    today = _orders(connection, "at >= :since", mine | {"since": stamp(day_start)}).values()
    return JournalStatus(
        schema_ok=True,
        account_ids=accounts,
        account_id=account_id,
        last_cycle=last,
        last_end=bodies.cycle_end_of(ends[0]) if ends else None,
        unresolved=sum(not folded.order.state.is_final for folded in unresolved),
        unknown=sum(folded.order.state is OrderState.UNKNOWN for folded in unresolved),
        filled=sum(folded.order.state is OrderState.FILLED for folded in of_last.values()),
        account=money[0] if money else None,
        orders_today=day_of(today),
        peak_equity=bodies.peak_of(peak[0]) if peak else None,
        kill_switch=str(kill[0].body["reason"]) if kill and kill[0].kind == "kill_set" else None,
        alerts=_events(connection, "kind = 'alert' AND account_id = :account", mine, last=_ALERTS),
        latched=_latched(connection, mine, day_start),
    )


def _latched(connection: sqlite3.Connection, mine: dict[str, str], day_start: datetime) -> tuple[Event, ...]:
    lifted = {e.key: e.seq for e in _events(connection, "kind = 'rearmed' AND account_id = :account", mine)}
    found = _events(connection, "kind = 'latched' AND account_id = :account", mine)
    # A throttle is latched until a person lifts it, not for the day. Times are taken from hash-checked rows.
    still = [event for event in found if event.key == "throttle" or event.at >= day_start]
    return tuple(event for event in still if event.seq > lifted.get(event.key, 0))


def _last_cycle(connection: sqlite3.Connection, account_id: str) -> CycleRecord | None:
    starts = _events(connection, "kind = 'cycle_started' AND account_id = :account", {"account": account_id}, last=1)
    if not starts:
        return None
    mine = {"account": account_id, "cycle": starts[0].cycle_id or ""}
    cycle = "cycle_id = :cycle AND account_id = :account"
    plans = _events(connection, f"kind = 'cycle_planned' AND {cycle}", mine, last=1)
    ends = _events(connection, f"kind = 'cycle_ended' AND {cycle}", mine, last=1)
    count = f"SELECT count(*) FROM events WHERE kind = 'order_intended' AND {cycle}"  # noqa: S608  constants only
    orders: int = connection.execute(count, mine).fetchone()[0]
    return bodies.cycle_record_of(starts[0], plans[0] if plans else None, ends[0] if ends else None, orders)


def _orders(connection: sqlite3.Connection, which: str, values: dict[str, str]) -> dict[str, OrderFold]:
    return fold(_events(connection, _ORDERS_OF.format(which=which), values))


def _events(
    connection: sqlite3.Connection, where: str, values: dict[str, str] | None = None, last: int | None = None
) -> tuple[Event, ...]:
    """The events that meet a condition, oldest first; with `last`, that many of the newest, newest first."""
    order = "" if last is None else f"DESC LIMIT {last}"
    query = f"SELECT {', '.join(ChainRow._fields)} FROM events WHERE {where} ORDER BY seq {order}"  # noqa: S608  constants
    return tuple(event_of(ChainRow._make(row)) for row in connection.execute(query, values or {}))


@contextmanager
def _connected(path: Path) -> Iterator[sqlite3.Connection]:
    refuse_irregular_journal(path)
    try:
        uri = f"file:{quote(str(path.absolute()))}?mode=ro"
        with closing(sqlite3.connect(uri, uri=True, timeout=1, isolation_level=None)) as connection:
            connection.execute("PRAGMA query_only = ON")
            connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
            connection.execute("BEGIN")  # one consistent snapshot for all queries
            yield connection
    except (sqlite3.Error, UnicodeDecodeError) as error:
        raise broken(error, str(path)) from None
