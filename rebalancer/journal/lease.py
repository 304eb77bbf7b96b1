"""A lease on an account: of all hosts that share a journal in PostgreSQL, one may trade it.

1. Its time is the database's (`clock_timestamp()`), whatever the hosts' clocks say.
2. Every holder has a token that is greater than the one before. Each transaction of a holder checks it while it holds
   the row, so that a host that was paused or cut off writes nothing once another one has taken over.
3. A holder counts its own lease from before it asked for it, by a clock that goes on while the machine sleeps, and
   sends nothing once half of the lease has passed without a renewal: a last request is answered before the end.
4. Taking over is an event of the journal, in the transaction that takes the lease; what the holder before left is then
   looked up at the broker, as after a crash (`rebalance.recover`).
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Final, NamedTuple

from sqlalchemy import text

from rebalancer.core.errors import AccountLeased, JournalBroken, LeaseLost
from rebalancer.core.values import time_text, utc
from rebalancer.journal.conditions import Ask
from rebalancer.journal.journal import Journal
from rebalancer.journal.place import PostgresPlace
from rebalancer.journal.postgres_database import PostgresDatabase
from rebalancer.journal.read_only import has_tables, read_only
from rebalancer.ops.clock import Clock

LOG: Final = logging.getLogger(__name__)
KIND: Final = "lease"  # an event kind, key: the token; written when a host takes over
_RENEWALS: Final = 10  # in the time of a lease
_COLUMNS: Final = "account_id, token, holder, host, version, acquired_at, renewed_at, expires_at"
_SELECT: Final = f"SELECT {_COLUMNS}, expires_at > clock_timestamp(), clock_timestamp() FROM leases"  # noqa: S608
_EXPIRES: Final = "clock_timestamp() + make_interval(secs => :seconds)"
_TAKE: Final = text(
    f"INSERT INTO leases ({_COLUMNS}) VALUES (:account_id, 1, :holder, :host, :version, clock_timestamp(), "  # noqa: S608
    f"clock_timestamp(), {_EXPIRES}) ON CONFLICT (account_id) DO UPDATE SET token = leases.token + 1, "
    "holder = excluded.holder, host = excluded.host, version = excluded.version, acquired_at = excluded.acquired_at, "
    "renewed_at = excluded.renewed_at, expires_at = excluded.expires_at RETURNING token"
)
_MINE: Final = "account_id = :account_id AND token = :token AND holder = :holder"
_RENEW: Final = text(
    f"UPDATE leases SET renewed_at = clock_timestamp(), expires_at = {_EXPIRES} WHERE {_MINE}"  # noqa: S608
)
_RELEASE: Final = text(f"UPDATE leases SET expires_at = clock_timestamp() WHERE {_MINE}")  # noqa: S608
_CHECK: Final = f"SELECT 1 FROM leases WHERE {_MINE} FOR SHARE"  # noqa: S608


class LeaseRow(NamedTuple):
    """The lease of one account as stored; all times by the database's clock, which says `now`."""

    account_id: str
    token: int
    holder: str
    host: str
    version: str
    acquired_at: datetime
    renewed_at: datetime
    expires_at: datetime
    is_valid: bool
    now: datetime


class Holder(NamedTuple):
    """Who asks for a lease: `id` is one host's state folder (`ops.host_identity`), `host` its name for people."""

    id: str
    host: str
    version: str


def read_leases(ask: Ask) -> tuple[LeaseRow, ...]:
    """All leases of a journal."""
    return tuple(_row(found) for found in ask(f"{_SELECT} ORDER BY account_id", {}))


def refuse_while_held(place: PostgresPlace, mine: str) -> None:
    """Raise AccountLeased while a host other than `mine` holds an account of this journal. A journal that cannot be
    read refuses nothing: whoever asks is about to put another one in its place."""
    try:
        with read_only(place) as ask:
            rows = read_leases(ask) if has_tables(ask) else ()
    except JournalBroken:
        return
    for row in rows:
        if row.is_valid and row.holder != mine:
            raise _is_leased(row)


class Lease:
    """A lease that this process holds, or has lost. `fence` is for the journal's transactions, `why_not` for whoever is
    about to send something."""

    def __init__(
        self, database: PostgresDatabase, account_id: str, holder: Holder, token: int, seconds: float, clock: Clock
    ) -> None:
        self.token, self.seconds = token, seconds
        self._database, self._account_id, self._holder, self._clock = database, account_id, holder, clock
        self._mine = {"account_id": account_id, "token": token, "holder": holder.id}
        self._renewed_at = -seconds
        self._lost = ""

    def why_not(self) -> str | None:
        """Why nothing may be sent; None while the lease is certain. Asks nobody: it runs just before a first byte."""
        if self._lost:
            return self._lost
        age = self._clock.monotonic() - self._renewed_at
        if age > self.seconds / 2:
            return f"the lease of the account was last renewed {age:.1f} s ago; it lasts {self.seconds:g} s"
        return None

    def fence(self, ask: Ask) -> None:
        """Raise LeaseLost unless this is still the lease's token. Until the transaction ends nobody can take it."""
        if self._lost or not ask(_CHECK, self._mine):
            raise self._is_lost()

    def renew(self) -> None:
        """Extend it. Raises LeaseLost when another host has taken it, JournalBroken when the database cannot say."""
        began = self._clock.monotonic()
        with self._database.transaction("lease") as connection:
            began = self._clock.monotonic()  # a connection may have taken long; what follows is the database's time
            done = connection.execute(_RENEW, {**self._mine, "seconds": self.seconds})
        if done.rowcount != 1:
            raise self._is_lost()
        self._renewed_at = began

    def release(self) -> None:
        """Let the next host have it at once. A lease that was lost stays as it is."""
        with self._database.transaction("lease") as connection:
            connection.execute(_RELEASE, self._mine)

    def _is_lost(self) -> LeaseLost:
        self._lost = self._lost or (
            f"{self._database.place}: another host has taken over this account (this one had token {self.token})"
        )
        return LeaseLost(f"{self._lost}\n  hint: rebalancer lease status says who trades it")


@contextmanager
def held_lease(
    journal: Journal, account_id: str, holder: Holder, seconds: float, at: datetime, clock: Clock
) -> Iterator[Lease]:
    """Hold the account during the block, renewing the lease in the background, and fence the journal with it. It is not
    released at the end: `Lease.release` does that. Raises AccountLeased, naming the host that holds it, before anything
    is written."""
    database = journal.store.database
    assert isinstance(database, PostgresDatabase)
    lease = _acquired(journal, database, account_id, holder, seconds, at, clock)
    stop = threading.Event()
    keeper = threading.Thread(target=_keep, args=(lease, journal, stop), name="lease", daemon=True)
    journal.store.fence = lease.fence
    keeper.start()
    try:
        yield lease
    finally:
        stop.set()
        keeper.join()
        journal.store.fence = None


def _acquired(
    journal: Journal,
    database: PostgresDatabase,
    account_id: str,
    holder: Holder,
    seconds: float,
    at: datetime,
    clock: Clock,
) -> Lease:
    with journal.store.writing() as w:
        found = w.ask(f"{_SELECT} WHERE account_id = :account_id FOR UPDATE", {"account_id": account_id})
        before = _row(found[0]) if found else None
        if before is not None and before.is_valid and before.holder != holder.id:
            raise _is_leased(before)
        if before is not None and before.holder == holder.id:
            # Held by another process of this state folder, or run out while nobody else took it: a new token would tell
            # that process that it was replaced.
            token = before.token
            w.connection.execute(
                _RENEW, {"account_id": account_id, "token": token, "holder": holder.id, "seconds": seconds}
            )
        else:
            asked = {"account_id": account_id, "seconds": seconds, **_named(holder)}
            token = int(w.connection.execute(_TAKE, asked).scalar_one())
            body = {
                "host": holder.host,
                "holder": holder.id,
                "version": holder.version,
                "seconds": seconds,
                "before": None if before is None else {"host": before.host, "holder": before.holder},
            }
            w.append(at, account_id, None, KIND, str(token), body)
    lease = Lease(database, account_id, holder, token, seconds, clock)
    with journal.store.translated():
        lease.renew()  # counted from here
    return lease


def _keep(lease: Lease, journal: Journal, stop: threading.Event) -> None:
    """Renew until stopped or lost. A database that does not answer is asked again: meanwhile the lease grows old."""
    said = ""
    while not stop.wait(lease.seconds / _RENEWALS):
        try:
            with journal.store.translated():
                lease.renew()
            said = ""
        except LeaseLost as error:
            LOG.error("%s", error)
            return
        except JournalBroken as error:
            if str(error) != said:
                LOG.warning("the lease could not be renewed: %s", error)
            said = str(error)


def _is_leased(row: LeaseRow) -> AccountLeased:
    return AccountLeased(
        f"account {row.account_id} is traded by {row.host}, until {time_text(row.expires_at)} or longer\n"
        "  hint: stop the session there, or wait: the lease ends when that host is gone"
    )


def _named(holder: Holder) -> dict[str, str]:
    return {"holder": holder.id, "host": holder.host, "version": holder.version}


def _row(found: Any) -> LeaseRow:
    account_id, token, holder, host, version, acquired_at, renewed_at, expires_at, is_valid, now = found
    times = (utc(acquired_at), utc(renewed_at), utc(expires_at))
    return LeaseRow(account_id, token, holder, host, version, *times, is_valid, utc(now))
