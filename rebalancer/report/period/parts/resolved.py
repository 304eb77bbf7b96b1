"""Which alerts are over: what the journal knows today decides, so that an old page made anew shows no old alarm.

What is not known to be over stands. A cycle that was planned and not halted proves that cycles run again, and nothing
else: an exit or a flatten trades also while everything is halted, and no cycle repairs a unit that does not trade,
books that differ, or signals that are old. Rows are compared by their numbers: two clocks may have dated them.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime
from functools import cached_property
from typing import Final

from rebalancer.core.codec import stored_snapshot
from rebalancer.core.facts import Snapshot
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.execution.exit_orders.unprotected_time import EVERYTHING, INTERVAL
from rebalancer.journal.exit_order_records import KIND as PROTECTION
from rebalancer.journal.exit_order_records import exit_pair_of
from rebalancer.journal.records import CycleRecord, Event
from rebalancer.report.period.parts.source import Source

NORMAL: Final = (CycleOutcome.COMPLETED, CycleOutcome.HOLDING, CycleOutcome.CONSTRAINED)
RAN: Final = "a later cycle ran as planned"
LOSSES: Final = frozenset({"daily_loss", "drawdown"})
OLD: Final = frozenset({Outcome.REJECTED_STALE, Outcome.REJECTED_SUPERSEDED})


class Resolutions:
    """What resolved each alert of an account, in words; "" for one that still stands."""

    def __init__(self, source: Source) -> None:
        self._source, self._journal, self._account = source, source.journal, source.account_id

    def of(self, alert: Event) -> str:
        """How this alert ended."""
        name = alert.key or ""
        match str(alert.body.get("code", "")):
            case "halted" | "doubt" | "missed_slots":
                return self._of_cycles(alert)
            case "unit_failed":
                return self._of_cycles(alert) if alert.body.get("trades") is True else ""
            case "constrained":
                return self._of_constraint(alert)
            case "preflight":
                return self._of_preflight(alert)
            case "stale_signals":
                return self._of_signals(name, alert)
            case "unknown_order":
                return self._of_orders(name, alert)
            case "another_program":
                adopted = any(event.seq > alert.seq for event in self._alerts_about("adopted"))
                return "the orders were adopted after a person had accepted them" if adopted else ""
            case "latched":
                return self._of_latch(name, alert)
            case "exit_failed":
                return "the position is closed" if self._is_closed(name, alert) else ""
            case "unprotected" | "protection":
                return self._of_protection(name, alert)
            case "books":
                accepted = self._recall("books_accepted", alert)
                return "the broker's books were accepted by a person" if accepted else ""
            case "unknown_word":
                return self._of_word(alert)
        return ""

    def normal_cycle_after(self, at: datetime) -> bool:
        """Whether a later planned cycle of any period ended as it should."""
        return any(c.started_at > at and c.outcome in NORMAL for c in self._planned)

    def _of_cycles(self, alert: Event) -> str:
        return RAN if self.normal_cycle_after(alert.at) else ""

    def _of_constraint(self, alert: Event) -> str:
        """By a later cycle from which no limit on sending kept anything."""
        able = (CycleOutcome.COMPLETED, CycleOutcome.HOLDING)
        free = (c for c in self._planned if c.started_at > alert.at and c.outcome in able and c.constrained is None)
        return "a later cycle could send what was due" if any(free) else ""

    def _of_preflight(self, alert: Event) -> str:
        """By a later day on which the same was not found: its alert would be a later one."""
        said = alert.body.get("text")
        again = any(e.seq > alert.seq and e.body.get("text") == said for e in self._alerts_about("preflight"))
        later = self._closed_after(day_in_new_york(alert.at))
        return "a later day did not find it again" if later and not again else ""

    def _of_signals(self, source: str, alert: Event) -> str:
        """By the newest cycle, when it was told something by that source that it did not reject for its age."""
        newest, seen = self._newest
        if newest is None or seen is None or newest.started_at <= alert.at:
            return ""
        own = {signal.id for signal in seen.signals if signal.source == source}
        verdicts = self._journal.verdicts(newest.cycle_id, self._account)
        fresh = any(verdict.signal_id in own and verdict.outcome not in OLD for verdict in verdicts)
        return "its signals are no longer stale" if fresh else ""

    def _of_orders(self, symbol: str, alert: Event) -> str:
        """By the orders of the symbol in its cycle: all of them have ended."""
        own = [o for o in self._source.orders if o.symbol == symbol and o.cycle_id == alert.cycle_id]
        if not own or not all(order.state.is_final for order in own):
            return ""
        return f"the order ended {own[-1].state.value.replace('_', ' ').lower()}"

    def _of_latch(self, name: str, alert: Event) -> str:
        if any(event.key == name for event in self._recall("rearmed", alert)):
            return "lifted by a person"
        newest = self._source.cycles[0].started_at if self._source.cycles else alert.at
        over = name in LOSSES and day_in_new_york(newest) > day_in_new_york(alert.at)
        return "lifted on the next day" if over else ""

    def _of_protection(self, name: str, alert: Event) -> str:
        pair = self._pairs.get(name)
        if pair is not None and pair.seq > alert.seq and exit_pair_of(pair).stands:
            return "its exits rest at the broker"
        interval = self._intervals.get(name)
        if interval is not None and interval.seq > alert.seq and interval.body.get("state") == "ended":
            return "it is protected again"
        return "nothing of it is held" if name != EVERYTHING and self._is_closed(name, alert) else ""

    def _of_word(self, alert: Event) -> str:
        """By the newest cycle, which does not freeze the symbol; without a symbol, by the books of a later day."""
        symbol = alert.body.get("symbol")
        if symbol is None:
            return ""
        if not symbol:
            later = self._closed_after(day_in_new_york(alert.at))
            return "the books of a later day are closed" if later else ""
        newest, seen = self._newest
        if newest is None or seen is None or newest.started_at <= alert.at or symbol in seen.unknown_words:
            return ""
        return "its symbol is no longer frozen"

    def _is_closed(self, symbol: str, alert: Event) -> bool:
        """Whether a cycle that ended after the alert knows that nothing is held."""
        end = self._journal.last_end(self._account)
        known = end is not None and end.at > alert.at and end.positions_trusted
        return end is not None and known and symbol not in end.expected_positions

    def _closed_after(self, day: date) -> bool:
        last = self._journal.recall(self._account, "day_closed", last=1)
        return bool(last) and (last[0].key or "") > day.isoformat()

    def _recall(self, kind: str, alert: Event) -> tuple[Event, ...]:
        return self._journal.recall(self._account, kind, after=alert.seq)

    def _alerts_about(self, about: str) -> tuple[Event, ...]:
        return self._journal.recall(self._account, "alert", keys=[about])

    @cached_property
    def _planned(self) -> tuple[CycleRecord, ...]:
        """Newest first."""
        return tuple(c for c in self._source.cycles if c.plan_sha256 is not None)

    @cached_property
    def _newest(self) -> tuple[CycleRecord | None, Snapshot | None]:
        """The newest planned cycle that has ended, and what it saw."""
        newest = next((c for c in self._planned if c.outcome is not None), None)
        text = None if newest is None else self._journal.snapshot_text(newest.cycle_id, self._account)
        return newest, None if text is None else stored_snapshot(text)

    @cached_property
    def _pairs(self) -> Mapping[str | None, Event]:
        return {event.key: event for event in self._journal.newest_of_each(PROTECTION, self._account)}

    @cached_property
    def _intervals(self) -> Mapping[str | None, Event]:
        return {event.key: event for event in self._journal.newest_of_each(INTERVAL, self._account)}
