"""The journal's API: every method is one transaction, and the caller supplies every time.

A cycle calls, in this order: `begin_cycle`, `record_plan`, `record_intents` (before anything is sent to the broker),
`record_order` for each change, `close_cycle`. The next start checks `open_cycles` and `unresolved_orders` first.
Every method raises JournalBroken when the database fails, or when its arguments contradict what is recorded.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Self

from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.journal import signal_rows, writing
from rebalancer.journal.conditions import Ask
from rebalancer.journal.copying import back_up
from rebalancer.journal.opening import BUSY_TIMEOUT_MS, open_store
from rebalancer.journal.orders import Change
from rebalancer.journal.other_events import EventRow, write_events
from rebalancer.journal.place import Place, PostgresPlace, place_of
from rebalancer.journal.reads import JournalReads, OneState
from rebalancer.journal.records import CycleEnd, CycleStart, Intent
from rebalancer.journal.store import Store
from rebalancer.journal.verify import verify
from rebalancer.ops.host_identity import host_name


class Journal(JournalReads):
    """One open journal. Safe to share between threads, and between processes that each open it."""

    def __init__(self, store: Store, place: Place, holder: str) -> None:
        self._store, self.place, self._holder = store, place, holder

    @classmethod
    def open(
        cls,
        place: str | Place,
        *,
        create: bool = True,
        busy_timeout_ms: int = BUSY_TIMEOUT_MS,
        any_file_system: bool = False,
        holder: str | None = None,
    ) -> Journal:
        """Open a journal, upgrading its schema if needed; a new one is created unless `create` is False.

        place: a path, a place in PostgreSQL, or the URL of either. `any_file_system` allows a network file system, at
        the user's risk; `holder` names this process in the claims, by default host and process id.
        """
        where = place_of(place)
        store = open_store(where, create=create, busy_timeout_ms=busy_timeout_ms, any_file_system=any_file_system)
        return cls(store, where, holder or f"{host_name()}:{os.getpid()}")

    def close(self) -> None:
        """Close the file, or the connections."""
        self._store.database.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @property
    def store(self) -> Store:
        """Its transactions, for copies of it."""
        return self._store

    @property
    def state(self) -> Path:
        """The state folder that the journal belongs to: of a file the folder that it is in."""
        return self.place.parent

    @property
    def has_leases(self) -> bool:
        """Whether several hosts may share it."""
        return isinstance(self.place, PostgresPlace)

    def note_head(self) -> None:
        """Remember the newest row as one that this host has seen. Raises JournalSetBack when there was a newer one."""
        with self._store.reading() as c:
            last = self._store.check_tail(c)
        if last is not None:
            self._store.head.advance(last.seq, last.hash)

    def size(self) -> int:
        """The bytes that it takes."""
        with self._store.translated():
            return self._store.database.size()

    # --- writing

    def begin_cycle(self, start: CycleStart) -> bool:
        """Claim the slot of a cycle permanently. False when anyone has claimed it before."""
        with self._store.writing() as w:
            return writing.begin_cycle(w, start, self._holder)

    def close_slot(self, account_id: str, slot_id: str, at: datetime, outcome: CycleOutcome, because: str) -> bool:
        """Record the outcome of a slot in which no cycle runs, permanently. False when it was claimed before: then
        whoever claimed it has recorded its outcome, or will."""
        with self._store.writing() as w:
            return writing.close_slot(w, account_id, slot_id, at, outcome, because, self._holder)

    def record_plan(
        self, account_id: str, cycle_id: str, at: datetime, snapshot_text: str, rules_text: str, plan_text: str
    ) -> None:
        """Store the exact texts of snapshot, rules and plan. The rules must be those given to `begin_cycle`."""
        with self._store.writing() as w:
            writing.record_plan(w, writing.PlanTexts(account_id, cycle_id, at, snapshot_text, rules_text, plan_text))

    def record_intents(self, account_id: str, intents: Iterable[Intent]) -> None:
        """Record the orders that are about to be sent, all or nothing. Once this returns, they may be sent.

        An intent that is already recorded, identical and not final, is left unchanged; any other reuse of its id is
        refused.
        """
        with self._store.writing() as w:
            for intent in intents:
                writing.require_open(w, account_id, intent.cycle_id)
                writing.record_intent(w, account_id, intent)

    def record_order(
        self,
        account_id: str,
        client_order_id: str,
        at: datetime,
        state: OrderState,
        filled_qty: Decimal,
        filled_avg_price: Decimal | None,
        broker_id: str | None,
        reason: str = "",
        message: str = "",
    ) -> None:
        """Record an order's new state. See `orders.py` for the allowed transitions; nothing is written if nothing
        changed.

        filled_qty is cumulative. None for the price or the broker's id keeps the known value.
        """
        change = Change(at, state, filled_qty, filled_avg_price, broker_id, reason, message)
        with self._store.writing() as w:
            writing.record_order(w, account_id, client_order_id, change)

    def record_orders(self, account_id: str, changes: Iterable[tuple[str, Change]]) -> None:
        """Record new states of several orders, each with its id, all or nothing. Otherwise as `record_order`."""
        with self._store.writing() as w:
            for client_order_id, change in changes:
                writing.record_order(w, account_id, client_order_id, change)

    def record_event(
        self,
        account_id: str,
        cycle_id: str | None,
        at: datetime,
        kind: str,
        key: str | None,
        body: Mapping[str, object],
    ) -> None:
        """Record any other event, such as an `alert`. The journal's own kinds are refused."""
        write_events(self._store, account_id, cycle_id, at, [(kind, key, body)])

    def record_events(self, account_id: str, cycle_id: str | None, at: datetime, rows: Iterable[EventRow]) -> None:
        """Record several events at once, all or nothing; each is a kind, a key and a body."""
        write_events(self._store, account_id, cycle_id, at, rows)

    def close_cycle(self, end: CycleEnd, verdicts: Sequence[Verdict], carried: Collection[str] = ()) -> None:
        """Record the verdicts and the end of a cycle, whose orders must all be final unless they are `carried`.

        `carried` lists the ids of OPEN or UNKNOWN orders that the next cycle must look up first.
        """
        with self._store.writing() as w:
            writing.close_cycle(w, end, verdicts, carried)

    def set_kill(self, account_id: str, at: datetime, reason: str) -> None:
        """Stop an account until `clear_kill`, across restarts."""
        with self._store.writing() as w:
            w.append(at, account_id, None, "kill_set", None, {"reason": reason})

    def clear_kill(self, account_id: str, at: datetime, reason: str) -> None:
        """Let an account trade again, for a reason given by a person."""
        with self._store.writing() as w:
            w.append(at, account_id, None, "kill_cleared", None, {"reason": reason})

    def add_signals(self, signals: Sequence[Signal], at: datetime) -> int:
        """Insert signals and return the number of new ones. Raises BadDocument for a known id with other content."""
        with self._store.writing() as w:
            return signal_rows.add_signals(w.connection, signals, at)

    # --- reading

    @contextmanager
    def view(self) -> Iterator[JournalReads]:
        """One consistent state of the journal, asked several times: every read within the block sees the same rows,
        whatever is written meanwhile."""
        with self._store.asking() as ask:
            yield OneState(ask)

    def _asking(self) -> AbstractContextManager[Ask]:
        return self._store.asking()

    def signals(self, since: datetime) -> tuple[Signal, ...]:
        """The signals issued since a moment, oldest first. Raises BadDocument for a row that cannot be read."""
        with self._store.reading() as c:
            return signal_rows.signals_since(c, since)

    def verify(self, progress: Callable[[], None] = lambda: None) -> int:
        """Check everything and return the number of rows. progress: called again and again meanwhile. Raises
        JournalBroken naming the first bad row."""
        with self._store.reading() as c:
            self._store.check_tail(c)
            self._store.database.check_storage(self._store.database.ask_on(c), None)
            return verify(c, progress)

    def check_pages(self) -> None:
        """Run the database's own check of pages and indexes, whatever its size."""
        self._store.check_storage(None)

    def backup(self, target: Path, progress: Callable[[], None] = lambda: None) -> int:
        """Write a complete copy to a new file, open and verify it, and return the number of its rows. progress: called
        again and again meanwhile."""
        back_up(self._store, target, progress)
        with Journal.open(target, create=False, any_file_system=True) as copy:
            return copy.verify(progress)
