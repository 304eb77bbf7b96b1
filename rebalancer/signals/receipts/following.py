"""Follow the journal and the inbox, so that every signal has its receipt and every receipt its outcome.

1. rows of the inbox become receipts, without an outcome;
2. `cycle_planned`: every signal of the snapshot has a receipt;
3. `order_intended`, `order_changed`, `order_ended`, `order_reopened`: orders, and what was filled by each report;
4. `cycle_verdicts`: outcomes (`final_outcome`), and the orders of each signal. Dry runs decide nothing;
5. `settle`: signals of the inbox that no cycle will read any more get their outcome.

Every transaction ends with the position up to which it has read. Killed at any moment, the next call goes on from the
last position, and repeating a step changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from sqlite3 import Connection
from typing import Any, Final, NamedTuple

from rebalancer.core.documents import sha256
from rebalancer.core.outcomes import Outcome
from rebalancer.core.values import utc_of
from rebalancer.journal.chain import ORDER_KINDS, stamp
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.records import DRY_RUN, Event
from rebalancer.signals.receipts import order_reports, store
from rebalancer.signals.receipts.final_outcome import REVISED, outcome_of_orders, replaces
from rebalancer.signals.receipts.identity import content_of, kind_of, receipt_id
from rebalancer.signals.receipts.inbox import SignalInbox
from rebalancer.signals.receipts.inbox_rows import SUPERSEDED, InboxRow
from rebalancer.signals.receipts.store import NewReceipt, ReceiptOutcome, ReceiptStore

KINDS: Final = ("cycle_planned", "cycle_verdicts", *ORDER_KINDS)
JOURNAL: Final = "journal"  # cursor: number and hash of the last row that was read
INBOX: Final = "inbox"  # cursor: number of the last row that was read
_EVENTS: Final = 200  # read at once
_ROWS: Final = 5000  # of the inbox, in one transaction
_NAMES_MAX: Final = 4  # cycles whose receipts are kept in memory

Key = tuple[str, str]  # signal id and symbol


class Followed(NamedTuple):
    """What one call did: receipts added, outcomes given or changed, and whether it reached the end."""

    receipts: int
    outcomes: int
    is_complete: bool


class Follower:
    """Follows one journal and one inbox, as far as they exist, into one store. since: events before it are passed over,
    because what they tell is no longer kept."""

    def __init__(
        self, receipts: ReceiptStore, journal: JournalReads | None, inbox: SignalInbox | None, since: datetime
    ) -> None:
        self._store, self._journal, self._inbox, self._since = receipts, journal, inbox, since

    def follow(self, is_over: Callable[[], bool] = lambda: False) -> Followed:
        """Read everything new. is_over: asked between transactions; True ends the call early, and the next one goes on.
        Raises SignalsUnavailable and JournalBroken; what was read before stays."""
        added = 0
        while self._inbox is not None:
            rows = self._inbox.after(int(self._store.cursor(INBOX) or 0), _ROWS)
            if not rows:
                break
            with self._store.writing() as connection:
                added += store.add_receipts(connection, map(_of_inbox, rows))
                reached = max(rows[-1].n, int(store.cursor(connection, INBOX) or 0))
                store.set_cursor(connection, INBOX, str(reached))
            if is_over():
                return Followed(added, 0, is_complete=False)
        if self._journal is None:
            return Followed(added, 0, is_complete=True)
        return _JournalFollower(self._store, self._journal, self._since).follow(added, is_over)


class _JournalFollower:
    """Follows the journal; the receipts of the signals of the last cycles are kept in memory until their verdicts."""

    def __init__(self, receipts: ReceiptStore, journal: JournalReads, since: datetime) -> None:
        self._store, self._journal, self._since = receipts, journal, since
        self._names: dict[str, dict[Key, str]] = {}

    def follow(self, added: int, is_over: Callable[[], bool]) -> Followed:
        given = 0
        while True:
            mark = self._store.cursor(JOURNAL)
            events = self._journal.events_after(self._position(mark), KINDS, _EVENTS)
            if not events:
                return Followed(added, given, is_complete=True)
            for group in _groups(events):
                with self._store.writing() as connection:
                    if store.cursor(connection, JOURNAL) != mark:  # another process follows the same journal
                        break
                    new, changed = self._apply(connection, group)
                    added, given, mark = added + new, given + changed, self._mark(group[-1].seq)
                    store.set_cursor(connection, JOURNAL, mark)
                if is_over():
                    return Followed(added, given, is_complete=False)

    def _mark(self, seq: int) -> str:
        return f"{seq} {self._journal.row_hash(seq)}"

    def _position(self, mark: str | None) -> int:
        """The last row read; 0 when it is not in this journal, which then was restored or begun again."""
        seq = int((mark or "0").partition(" ")[0])
        return seq if mark == self._mark(seq) else 0

    def _apply(self, connection: Connection, events: Sequence[Event]) -> tuple[int, int]:
        added = given = 0
        for event in events:
            if event.at < self._since:
                continue
            if event.kind == "cycle_planned":
                added += self._planned(connection, event)
            elif event.kind == "cycle_verdicts":
                given += self._verdicts(connection, event)
            else:
                order_reports.note(connection, event)
                given += _revise(connection, event)
        return added, given

    def _planned(self, connection: Connection, event: Event) -> int:
        new = self._read_signals(event)
        added = store.add_receipts(connection, new)
        store.see(connection, [row.id for row in new], stamp(event.at)[:10])
        return added

    def _read_signals(self, event: Event) -> list[NewReceipt]:
        """The receipts of the signals that a cycle planned from; their ids are remembered for its verdicts."""
        text = self._journal.snapshot_text(event.cycle_id or "", event.account_id)
        snapshot: dict[str, Any] = {"signals": []} if text is None else json.loads(text)
        new = [_of_signal(signal, snapshot["as_of"]) for signal in snapshot["signals"]]
        while len(self._names) >= _NAMES_MAX:
            del self._names[next(iter(self._names))]
        self._names[f"{event.account_id} {event.cycle_id}"] = {(row.signal_id, row.symbol): row.id for row in new}
        return new

    def _verdicts(self, connection: Connection, event: Event) -> int:
        """Give the outcomes of a cycle. A verdict without a signal, on a holding, belongs to no receipt."""
        cycle_id = event.cycle_id or ""
        cycle = self._journal.cycle(cycle_id, event.account_id)
        verdicts = {(v["signal_id"], v["symbol"]): v for v in event.body["verdicts"] if v["signal_id"]}
        if cycle is None or cycle.mode == DRY_RUN or not verdicts:
            return 0
        name = f"{event.account_id} {cycle_id}"
        if name not in self._names:
            self._read_signals(event)
        names = self._names[name]
        before = store.decided(connection, [names[key] for key in verdicts if key in names])
        orders = order_reports.by_symbol(connection, cycle_id)
        decisions, links = [], []
        for key, verdict in verdicts.items():
            present = before.get(names.get(key, ""))
            if present is None:
                continue
            outcome = str(verdict["outcome"])
            if replaces(outcome, present.outcome):
                decisions.append(ReceiptOutcome(present.n, outcome, verdict["because"], cycle_id, stamp(event.at)))
            if not outcome.startswith("REJECTED"):
                links += [(present.n, order) for order in orders.get(key[1], ())]
        store.decide(connection, decisions)
        store.link_orders(connection, links)
        return len(decisions)


def settle(receipts: ReceiptStore, now: datetime, wall: datetime, age: timedelta, at: datetime) -> int:
    """Give an outcome to every receipt that no cycle will decide on any more, and return their number.

    Replaced: a cycle has decided on a newer one of the same source and symbol. Too old: it was issued more than `age`
    ago. now: the broker's time of the last cycle; wall: the machine's time then, which dates signals that came without
    one. Targets do not age.
    """
    with receipts.writing() as connection:
        replaced = connection.execute(
            "UPDATE receipts SET outcome = ?, because = 'a newer signal of its source replaced it before a cycle read "
            "it', decided_at = ? WHERE outcome = 'PENDING' AND EXISTS (SELECT 1 FROM receipts AS newer WHERE "
            "newer.source = receipts.source AND newer.symbol = receipts.symbol AND newer.cycle_id IS NOT NULL AND "
            "(newer.issued_at, newer.n) > (receipts.issued_at, receipts.n))",
            (Outcome.REJECTED_SUPERSEDED, stamp(at)),
        ).rowcount
        old = connection.execute(
            "UPDATE receipts SET outcome = ?, because = ?, decided_at = ? WHERE outcome = 'PENDING' AND kind != "
            "'target' AND issued_at < CASE at_arrival WHEN 1 THEN ? ELSE ? END",
            (
                Outcome.REJECTED_STALE,
                f"no cycle decided on it within {age.total_seconds() / 60:g} minutes of its issue",
                stamp(at),
                stamp(wall - age),
                stamp(now - age),
            ),
        ).rowcount
    return replaced + old


def _groups(events: Sequence[Event]) -> list[list[Event]]:
    """The events by transaction: each ends with the verdicts of a cycle."""
    groups: list[list[Event]] = [[]]
    for event in events:
        groups[-1].append(event)
        if event.kind == "cycle_verdicts":
            groups.append([])
    return [group for group in groups if group]


def _of_inbox(row: InboxRow) -> NewReceipt:
    receipt = NewReceipt(
        row.receipt, row.signal_id, row.symbol, row.source, row.kind, row.received_at, row.issued_at, row.at_arrival,
        row.content, row.content_sha256,
    )  # fmt: skip
    if row.problem:
        outcome = Outcome.REJECTED_SUPERSEDED if row.kind == SUPERSEDED else Outcome.REJECTED_INVALID
        return receipt._replace(outcome=outcome, because=row.problem, decided_at=row.received_at)
    return receipt


def _of_signal(signal: dict[str, Any], as_of: str) -> NewReceipt:
    content = content_of(signal)
    content_sha256 = sha256(content)
    return NewReceipt(
        receipt_id(signal["id"], signal["symbol"], content_sha256), signal["id"], signal["symbol"], signal["source"],
        kind_of(signal), stamp(utc_of(as_of)), stamp(utc_of(signal["issued_at"])), 0, content, content_sha256,
    )  # fmt: skip


def _revise(connection: Connection, event: Event) -> int:
    """Correct the outcome of signals whose order changed after the verdict: an order in an unknown state that has
    ended, a late fill."""
    linked = connection.execute(
        "SELECT n, outcome, receipts.cycle_id FROM receipt_orders JOIN receipts ON n = receipt "
        "WHERE client_order_id = ? AND receipts.cycle_id = ?",
        (event.key, event.cycle_id),
    ).fetchall()
    decisions = []
    for n, outcome, cycle_id in linked:
        if outcome not in REVISED:
            continue
        orders = order_reports.of_receipt(connection, n, cycle_id)
        now = outcome_of_orders(orders)
        if now != outcome and (outcome == Outcome.UNKNOWN_AT_BROKER or replaces(now, outcome)):
            filled, asked = sum(o.filled_qty for o in orders), sum(o.qty for o in orders)
            because = f"known since {stamp(event.at)}: filled {filled} of {asked}"
            decisions.append(ReceiptOutcome(n, now, because, cycle_id, stamp(event.at)))
    store.decide(connection, decisions)
    return len(decisions)
