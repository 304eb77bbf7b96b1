"""The gate itself: wraps the broker's `submit`, and lets an order through only when every check is content.

A refusal becomes the order's outcome, with its words, and so stands in the journal.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Final, NamedTuple

from rebalancer.decisions import Order
from rebalancer.rules import Rules
from rebalancer.world.gate.attempts import Attempt, midnight, read_attempts
from rebalancer.world.gate.case import Case, Refusal
from rebalancer.world.gate.exposure import standings
from rebalancer.world.gate.guards import ORDERS_PER_MINUTE
from rebalancer.world.gate.readings import Readings, quote_fault, read
from rebalancer.world.gate.throttle import latch_throttle, latched_because
from rebalancer.world.gate.verdict import refuse
from rebalancer.world.journal.journal import Journal
from rebalancer.world.kill import KillSwitch
from rebalancer.world.ports import (
    Broker,
    BrokerUnavailable,
    CredentialsRefused,
    JournalBroken,
    SendResult,
    WrongAccount,
)

NO_ANSWER: Final = (BrokerUnavailable, CredentialsRefused, WrongAccount)


class _Ledger(NamedTuple):
    """One reading of the journal, and how far the journal had come."""

    seq: int
    attempts: Mapping[str, Attempt]
    latched: str | None


class Gate:
    """Between the desk and the broker's `submit`. Safe to share between threads."""

    def __init__(
        self,
        account_id: str,
        broker: Broker,
        journal: Journal,
        kill: KillSwitch,
        rules: Rules,
        *,
        closing_only: bool = False,
    ) -> None:
        self._account_id, self._broker, self._journal, self._kill = account_id, broker, journal, kill
        self._rules, self._closing_only = rules, closing_only
        self._readings: Readings | None = None
        self._ledger: _Ledger | None = None
        self._baseline: Mapping[str, Attempt] = {}
        self._passed: set[str] = set()
        self._lock = threading.Lock()

    def take(self, readings: Readings) -> None:
        """Take in what has been read for this cycle. Before the intents of its orders are written."""
        with self._lock:
            self._ledger = None
            self._readings, self._baseline = readings, self._read_ledger().attempts

    def prepare(self, cycle_id: str, orders: Sequence[Order]) -> None:
        """Make sure of a reading for these orders: nothing to do in a cycle that has handed its own over, unless their
        quotes have grown old meanwhile. What cannot be read is refused later, order by order."""
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
        """Check an order and send it. A refusal is `not_sent` with the reason "gate:" and the limit's name."""
        with self._lock:
            refusal = self._refusal(order)
            if refusal is None:
                self._passed.add(order.client_order_id)
        if refusal is not None:
            return SendResult("not_sent", None, f"gate:{refusal.limit}", refusal.words)
        return self._broker.submit(order)

    def _refusal(self, order: Order) -> Refusal | None:
        readings = self._readings
        if readings is None:
            return Refusal("readings", "the account could not be read before this order")
        try:
            case = self._case(order, readings)
        except JournalBroken as error:
            return Refusal("journal", f"the journal cannot be read: {error}")
        refusal = refuse(case)
        if refusal is not None and refusal.limit == ORDERS_PER_MINUTE:
            latch_throttle(self._journal, self._account_id, readings.cycle_id, case.now, refusal.words)
        return refusal

    def _case(self, order: Order, readings: Readings) -> Case:
        stopped = self._kill.reason(self._account_id)
        ledger = self._read_ledger()
        mine = ledger.attempts.get(order.client_order_id)
        others = [one for name, one in ledger.attempts.items() if name != order.client_order_id]
        # Intents of one phase are written together: those behind this one have not been tried yet, unless they passed.
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
            standings=standings(readings, self._baseline, ahead, sorted(self._passed)),
            closing_only=self._closing_only,
        )

    def _has_gone(self, one: Attempt) -> bool:
        return one.client_order_id in self._passed or one.state is not one.state.INTENDED

    def _read_ledger(self) -> _Ledger:
        """The journal as the gate reads it, again only when somebody has written since."""
        newest = self._journal.latest_events(1)
        seq = newest[0].seq if newest else 0
        if self._ledger is None or self._ledger.seq != seq:
            now = self._broker.now()
            reach = timedelta(seconds=max(60.0, self._rules.gate.duplicate_window_seconds))
            since = min(midnight(now), now - reach)
            attempts = read_attempts(self._journal, self._account_id, since)
            self._ledger = _Ledger(seq, attempts, latched_because(self._journal, self._account_id))
        return self._ledger
