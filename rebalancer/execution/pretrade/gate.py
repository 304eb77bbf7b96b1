"""The pre-trade check itself: wraps the broker's `submit` and `submit_pair`, and lets an order or an exit pair through
only when every check passes.

A refusal, with its text, becomes the order's outcome and is journalled as such.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from rebalancer.brokers.protocol import ExitPair, SendResult, TradingBroker
from rebalancer.core.decisions import Order
from rebalancer.core.errors import JournalBroken
from rebalancer.core.new_york import midnight_in_new_york
from rebalancer.core.rules import Rules
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.pretrade.attempts import Attempt, counted, read_attempts
from rebalancer.execution.pretrade.case import Case, Refusal
from rebalancer.execution.pretrade.exposure import position_ranges
from rebalancer.execution.pretrade.guards import MINUTE, ORDERS_PER_MINUTE
from rebalancer.execution.pretrade.pairs import PairCase, refuse_at_the_door, refuse_read, refuse_unread, repeats
from rebalancer.execution.pretrade.readings import Readings, quote_fault, read
from rebalancer.execution.pretrade.resting import (
    NO_ANSWER,
    PairAttempt,
    PairReading,
    held_now,
    pairs_since,
    promised,
    read_account,
    read_pairs,
    recent_pairs,
)
from rebalancer.execution.pretrade.throttle import Latch, latch_of, latch_throttle
from rebalancer.execution.pretrade.verdict import refuse
from rebalancer.journal.journal import Journal

PAIR_READING_LASTS: Final = timedelta(seconds=5)  # many pairs are sent in sequence: one reading serves several


class _Ledger(NamedTuple):
    """One reading of the journal, and the journal's position at that time."""

    seq: int
    attempts: Mapping[str, Attempt]
    pairs: tuple[PairAttempt, ...]
    latch: Latch | None

    @property
    def latched(self) -> str | None:
        return None if self.latch is None else self.latch.because


class PreTradeCheck:
    """Stands between the order manager and the broker's `submit`, and between the exit-order manager and `submit_pair`.
    Thread-safe."""

    def __init__(
        self,
        account_id: str,
        broker: TradingBroker,
        journal: Journal,
        kill: KillSwitch,
        rules: Rules,
        *,
        closing_only: bool = False,
        stopping: Callable[[], str | None] = lambda: None,
    ) -> None:
        """stopping: why this process is being stopped; None while it is not. A stop holds back orders, not exit
        pairs."""
        self._account_id, self._broker, self._journal, self._kill = account_id, broker, journal, kill
        self._stopping = stopping
        self._rules, self._closing_only = rules, closing_only
        self._readings: Readings | None = None
        self._ledger: _Ledger | None = None
        self._baseline: Mapping[str, Attempt] = {}
        self._passed: set[str] = set()
        self._pair_reading: PairReading | None = None
        self._unwritten = ""  # set when writing a latch failed: nothing passes any more
        self._born = self._newest()
        self._lock = threading.Lock()

    def take(self, readings: Readings) -> None:
        """Take over what has been read for this cycle. Called before the intents of its orders are written."""
        with self._lock:
            self._ledger = None
            self._readings, self._baseline = readings, self._read_ledger().attempts

    def prepare(self, cycle_id: str, orders: Sequence[Order]) -> None:
        """Ensure that there is a reading for these orders. Does nothing in a cycle that has handed its own over, unless
        the quotes have become too old since. If the reading fails, the orders are refused one by one later."""
        symbols = sorted({order.symbol for order in orders})
        try:
            if self._readings is None or self._readings.cycle_id != cycle_id:
                self._readings = None
                self.take(read(self._broker, cycle_id, symbols))
                return
            now = self._broker.now()
            opening = {o.symbol for o in orders if o.phase == "increase"}
            old = [s for s in sorted(opening) if quote_fault(self._readings.quotes.get(s), now, self._rules.quotes)]
            if old:
                fresh = {q.symbol: q for q in self._broker.quotes(old)}
                self._readings = self._readings._replace(quotes={**self._readings.quotes, **fresh})
        except NO_ANSWER:
            return

    def submit(self, order: Order) -> SendResult:
        """Send an order, checked immediately before its first byte leaves: its turn may come only after a minute, and a
        connection may take seconds. A refusal is `not_sent` with the reason "gate:" and the limit's name."""
        refused: list[Refusal] = []

        def allowed() -> bool:
            with self._lock:
                refusal = self._refusal(order)
                if refusal is None:
                    self._passed.add(order.client_order_id)
                else:
                    refused.append(refusal)
            return not refused

        result = self._broker.submit(order, allowed=allowed)
        return _withheld(refused[0]) if refused else result

    def prepare_pairs(self) -> None:
        """Make the next pair read the account afresh. Called before each batch of pairs."""
        self._pair_reading = None

    def submit_pair(self, pair: ExitPair) -> SendResult:
        """Check an exit pair and send it, as `submit` does. Its "protection" record must have been written before. What
        needs a reading is checked now; kill switch and throttle are checked again immediately before its first byte
        leaves."""
        with self._lock:
            refusal = self._pair_refusal(pair)
            if refusal is None:
                self._passed.add(pair.client_order_id)
        if refusal is not None:
            return _withheld(refusal)
        refused: list[Refusal] = []

        def allowed() -> bool:
            with self._lock:
                late = self._pairs_stopped(pair)
            refused.extend([late] if late is not None else [])
            return not refused

        result = self._broker.submit_pair(pair, allowed=allowed)
        return _withheld(refused[0]) if refused else result

    def why_no_pairs(self) -> str | None:
        """Why no exit pair may be replaced now; None when pairs may be. A latched throttle lets only few pairs pass:
        those are for positions that have none."""
        with self._lock:
            refusal = self._pairs_stopped()
        return None if refusal is None else refusal.words

    def _pairs_stopped(self, pair: ExitPair | None = None) -> Refusal | None:
        """Whether this pair, or the replacement of any, is held back now. Makes no call to the broker: it runs inside a
        request to it."""
        if self._unwritten:
            return Refusal("journal", self._unwritten)
        try:
            latched = self._read_ledger().latched
            if pair is not None and self._since_latch(pair) < self._rules.protection.attempts:
                latched = None
            return refuse_at_the_door(self._kill.reason(self._account_id), latched)
        except JournalBroken as error:
            return Refusal("journal", f"the journal cannot be read: {error}")

    def _pair_refusal(self, pair: ExitPair) -> Refusal | None:
        if self._unwritten:
            return Refusal("journal", self._unwritten)
        try:
            case = self._pair_case(pair)
            if (refusal := refuse_unread(case)) is not None:
                return refusal
            refusal = refuse_read(self._with_reading(case))
        except JournalBroken as error:
            return Refusal("journal", f"the journal cannot be read: {error}")
        if refusal is not None and refusal.limit == ORDERS_PER_MINUTE:
            self._latch(None, case.now, refusal)
        return refusal

    def _since_latch(self, pair: ExitPair) -> int:
        """How many other pairs of this symbol left, or may have, since the throttle latched; 0 while it has not."""
        latch = self._read_ledger().latch
        if latch is None:
            return 0
        return len(pairs_since(self._journal, self._account_id, pair.symbol, latch.seq) - {pair.client_order_id})

    def _latch(self, cycle_id: str | None, now: datetime, refusal: Refusal) -> None:
        """Journal the latch. If that fails this instance holds it in memory: an error here would propagate through the
        request."""
        try:
            latch_throttle(self._journal, self._account_id, cycle_id, now, refusal.words)
        except JournalBroken as error:
            self._unwritten = f"{refusal.words}; the journal cannot be written: {error}"

    def _pair_case(self, pair: ExitPair) -> PairCase:
        """What is known of a pair without asking the broker. An intent older than this instance may have been sent by
        the process that wrote it, so it counts as sent."""
        now, ledger = self._broker.now(), self._read_ledger()
        pairs = read_pairs(self._journal, self._account_id, self._reach(now))
        mine = pairs.pop(pair.client_order_id, None)
        return PairCase(
            pair=pair,
            rules=self._rules,
            now=now,
            stopped=self._kill.reason(self._account_id),
            latched=ledger.latched,
            closing_only=self._closing_only,
            mine=mine,
            is_second=pair.client_order_id in self._passed or (mine is not None and mine.seq <= self._born),
            others=tuple(pairs.values()),
            since_latch=self._since_latch(pair),
            orders=len(counted(tuple(ledger.attempts.values()), now - MINUTE)),
            reading=PairReading(now),
        )

    def _with_reading(self, case: PairCase) -> PairCase:
        """The same case with what is held and committed, from a reading of a few seconds ago or a new one. A failed
        reading is kept as long, so that an unresponsive broker is not waited for once per pair."""
        attempts, symbol = self._read_ledger().attempts, case.pair.symbol
        reading = self._pair_reading
        if reading is None or not reading.at <= case.now <= reading.at + PAIR_READING_LASTS:
            reading = self._pair_reading = read_account(self._broker, symbol, attempts)
            reading = self._pair_reading = reading._replace(at=self._broker.now())
        mine = [one for one in attempts.values() if one.symbol == symbol]
        return case._replace(
            now=self._broker.now(),
            reading=reading,
            held=held_now(reading, symbol, mine),
            promised=promised(reading, symbol, case.pair.side, mine, case.others),
        )

    def _refusal(self, order: Order) -> Refusal | None:
        if self._unwritten:
            return Refusal("journal", self._unwritten)
        readings = self._readings
        if readings is None:
            return Refusal("readings", "the account could not be read before this order")
        try:
            case = self._case(order, readings)
        except JournalBroken as error:
            return Refusal("journal", f"the journal cannot be read: {error}")
        refusal = refuse(case)
        if refusal is not None and refusal.limit == ORDERS_PER_MINUTE:
            self._latch(readings.cycle_id, case.now, refusal)
        return refusal

    def _case(self, order: Order, readings: Readings) -> Case:
        stopped = self._kill.reason(self._account_id)
        ledger = self._read_ledger()
        mine = ledger.attempts.get(order.client_order_id)
        others = [one for name, one in ledger.attempts.items() if name != order.client_order_id]
        # Intents of one phase are written together: those after this one have not been tried yet, unless they passed.
        before = tuple(one for one in others if mine is None or one.seq < mine.seq or self._has_gone(one))
        ahead = {one.client_order_id: one for one in before}
        return Case(
            order=order,
            rules=self._rules,
            now=self._broker.now(),
            readings=readings,
            stopped=stopped,
            latched=ledger.latched,
            mine=mine,
            is_second=order.client_order_id in self._passed,
            before=before,
            standings=position_ranges(readings, self._baseline, ahead, sorted(self._passed)),
            closing_only=self._closing_only,
            pairs=repeats(ledger.pairs, self._broker.now() - MINUTE),
            stopping=self._stopping(),
        )

    def _has_gone(self, one: Attempt) -> bool:
        return one.client_order_id in self._passed or one.state is not one.state.INTENDED

    def _read_ledger(self) -> _Ledger:
        """The journal as the pre-trade check sees it, read again only when it has changed."""
        seq = self._newest()
        if self._ledger is None or self._ledger.seq != seq:
            now = self._broker.now()
            attempts = read_attempts(self._journal, self._account_id, min(midnight_in_new_york(now), self._reach(now)))
            pairs = recent_pairs(self._journal, self._account_id, now - MINUTE)
            self._ledger = _Ledger(seq, attempts, pairs, latch_of(self._journal, self._account_id))
        return self._ledger

    def _newest(self) -> int:
        newest = self._journal.latest_events(1)
        return newest[0].seq if newest else 0

    def _reach(self, now: datetime) -> datetime:
        """How far back the time-based counts reach."""
        return now - timedelta(seconds=max(60.0, self._rules.gate.duplicate_window_seconds))


def _withheld(refusal: Refusal) -> SendResult:
    return SendResult("not_sent", None, f"gate:{refusal.limit}", refusal.words)
