"""What the journal answers. Each read is one transaction of an open journal, or belongs to the one of a view
(`Journal.view`)."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from decimal import Decimal

from rebalancer.core.decisions import Verdict
from rebalancer.core.facts import Day
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.journal import reading
from rebalancer.journal.chain import stamp
from rebalancer.journal.conditions import Ask, where
from rebalancer.journal.documents import kept_text, load_text
from rebalancer.journal.records import CycleEnd, CycleRecord, Event, OrderRecord


class JournalReads(ABC):
    """The reads of a journal. Every one raises JournalBroken when the database fails."""

    @abstractmethod
    def _asking(self) -> AbstractContextManager[Ask]:
        """A transaction to read in."""

    # --- orders

    def orders_of(self, cycle_id: str, account_id: str | None = None) -> tuple[OrderRecord, ...]:
        """The orders of a cycle in the order of their intents; for all accounts if none is given."""
        with self._asking() as ask:
            found = reading.orders_where(ask, where(account_id=account_id, cycle_id=cycle_id))
        return tuple(order for order, _ in found.values())

    def unresolved_orders(self, account_id: str) -> tuple[OrderRecord, ...]:
        """The orders of any cycle that are INTENDED, OPEN or UNKNOWN."""
        with self._asking() as ask:
            return reading.unresolved_orders(ask, account_id)

    def order(self, client_order_id: str) -> OrderRecord | None:
        """One order by our id."""
        with self._asking() as ask:
            return reading.order(ask, client_order_id)

    def orders(self, client_order_ids: Collection[str]) -> Mapping[str, OrderRecord]:
        """The recorded orders among these ids, by our id."""
        if not client_order_ids:
            return {}
        with self._asking() as ask:
            return reading.orders(ask, client_order_ids)

    def orders_sent(self, account_id: str, since: datetime) -> Day:
        """Count the attempts since a moment: all intents except those known never to have left this machine.

        An order that was UNKNOWN before it ended as NOT_SENT counts: it was attempted.
        """
        with self._asking() as ask:
            return reading.orders_sent(ask, account_id, since)

    # --- cycles

    def open_cycles(self, account_id: str) -> tuple[CycleRecord, ...]:
        """The cycles that were started and never closed, oldest first."""
        with self._asking() as ask:
            return reading.open_cycles(ask, account_id)

    def cycles(self, account_id: str | None = None, limit: int = 50) -> tuple[CycleRecord, ...]:
        """The latest cycles of one account, or of all, newest first."""
        with self._asking() as ask:
            return reading.cycles(ask, account_id, limit)

    def cycle(self, cycle_id: str, account_id: str | None = None) -> CycleRecord | None:
        """One cycle. Raises ValueError when several accounts have it and none is given."""
        with self._asking() as ask:
            start = reading.start_of(ask, cycle_id, account_id)
            return None if start is None else reading.cycle_records(ask, (start,))[0]

    def slots(self, account_id: str, slot_ids: Collection[str]) -> Mapping[str, tuple[str, CycleOutcome | None, str]]:
        """The claimed slots among these: who claimed each, its outcome (None: not yet) and the reason."""
        with self._asking() as ask:
            return reading.slots(ask, account_id, slot_ids)

    def newest_claim(self, account_id: str) -> str | None:
        """The id of an account's newest cycle or slot; None when there is none."""
        with self._asking() as ask:
            return reading.newest_claim(ask, account_id)

    def last_end(self, account_id: str, modes: Collection[str] | None = None) -> CycleEnd | None:
        """The end of the last cycle. modes: which modes count; None means all except dry runs, which never trade."""
        with self._asking() as ask:
            return reading.last_end(ask, account_id, modes)

    def last_reading(self, account_id: str, passed: Collection[CycleOutcome]) -> CycleEnd | None:
        """The end of the last live cycle that planned from a reading of the broker, with an outcome not in `passed`."""
        with self._asking() as ask:
            return reading.last_reading(ask, account_id, passed)

    def books_set_at(self, account_id: str) -> int:
        """The row at which the last cycle began whose expected positions come from the broker; 0 without one."""
        with self._asking() as ask:
            return reading.books_set_at(ask, account_id)

    def peak_equity(self, account_id: str) -> Decimal | None:
        """The highest equity that any closed cycle began or ended with, USD, adjusted for deposits and withdrawals
        since then. None when there is none since a person last accepted the broker's positions as the new baseline."""
        with self._asking() as ask:
            return reading.peak_equity(ask, account_id)

    def verdicts(self, cycle_id: str, account_id: str | None = None) -> tuple[Verdict, ...]:
        """The verdicts of a closed cycle, in the order in which they were given."""
        with self._asking() as ask:
            return reading.verdicts(ask, cycle_id, account_id)

    def snapshot_text(self, cycle_id: str, account_id: str | None = None) -> str | None:
        """The exact snapshot that a cycle was planned from; None when it was not planned, or an archive has it."""
        return self._text("snapshot_sha256", cycle_id, account_id)

    def rules_text(self, cycle_id: str, account_id: str | None = None) -> str | None:
        """The exact rules that a cycle was planned with; None when it was not planned, or an archive has them."""
        return self._text("rules_sha256", cycle_id, account_id)

    def plan_text(self, cycle_id: str, account_id: str | None = None) -> str | None:
        """The exact plan of a cycle; None when it was not planned, and when an archive has it."""
        return self._text("plan_sha256", cycle_id, account_id)

    def _text(self, name: str, cycle_id: str, account_id: str | None) -> str | None:
        with self._asking() as ask:
            start = reading.start_of(ask, cycle_id, account_id)
            if start is None:
                return None
            mine = where(kind="cycle_planned", account_id=start.account_id, cycle_id=cycle_id)
            planned = reading.newest(ask, mine)
            return None if planned is None else kept_text(ask, planned.body[name])

    # --- the rest

    def events(
        self, cycle_id: str | None = None, *, kind: str | None = None, account_id: str | None = None
    ) -> tuple[Event, ...]:
        """The events that match every given argument, oldest first."""
        with self._asking() as ask:
            return reading.select_events(ask, where(cycle_id=cycle_id, kind=kind, account_id=account_id))

    def recall(
        self,
        account_id: str,
        kind: str,
        *,
        since: datetime | None = None,
        keys: Collection[str] | None = None,
        last: int | None = None,
        after: int | None = None,
    ) -> tuple[Event, ...]:
        """The events of one kind, oldest first; optionally only those dated at or after `since`, with these `keys`,
        the `last` so many, or with a row number above `after`."""
        with self._asking() as ask:
            return reading.recall(ask, account_id, kind, since, keys, last, after)

    def newest_of_each(self, kind: str, account_id: str) -> tuple[Event, ...]:
        """The last event of every key of one kind, oldest first: the current state of things that change."""
        with self._asking() as ask:
            return reading.newest_of_each(ask, kind, account_id)

    def latest_events(self, limit: int) -> tuple[Event, ...]:
        """The last events of all accounts, newest first."""
        with self._asking() as ask:
            return reading.select_events(ask, where(), newest_first=True, limit=limit)

    def events_after(self, seq: int, kinds: Collection[str] | None, limit: int) -> tuple[Event, ...]:
        """The next events of these kinds (None: any) after a row number, of all accounts, at most so many."""
        with self._asking() as ask:
            return reading.select_events(ask, where("seq > :after", after=seq, kind=kinds), limit=limit)

    def events_between(
        self, account_id: str, since: datetime, until: datetime, last_row: int | None = None
    ) -> tuple[Event, ...]:
        """The events of an account dated from `since` up to, not including, `until`, oldest first; with `last_row`
        only those up to that row number."""
        within = ["at >= :since", "at < :until", *([] if last_row is None else ["seq <= :last_row"])]
        condition = where(*within, account_id=account_id, since=stamp(since), until=stamp(until), last_row=last_row)
        with self._asking() as ask:
            return reading.select_events(ask, condition)

    def document(self, name: str) -> str:
        """The stored text with this SHA-256. Raises JournalBroken when it is missing or altered."""
        with self._asking() as ask:
            return load_text(ask, name)

    def last_row(self) -> int:
        """The number of the newest row; 0 when there is none."""
        with self._asking() as ask:
            return int(ask("SELECT coalesce(max(seq), 0) FROM events", {})[0][0])

    def row_hash(self, seq: int) -> str:
        """The hash of one row, by which it is recognised; "" when there is no such row."""
        with self._asking() as ask:
            found = ask("SELECT hash FROM events WHERE seq = :seq", {"seq": seq})
            return str(found[0][0]) if found else ""

    def kill_switch(self, account_id: str) -> str | None:
        """Why the account is stopped; None when it may trade."""
        with self._asking() as ask:
            return reading.kill_switch(ask, account_id)


class OneState(JournalReads):
    """The reads of one transaction."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    def _asking(self) -> AbstractContextManager[Ask]:
        return nullcontext(self._ask)
