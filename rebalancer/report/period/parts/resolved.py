"""Which alerts are over: what the journal knows today decides, so that an old page made anew shows no old alarm."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cached_property
from typing import Final

from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.outcomes import CycleOutcome, OrderState
from rebalancer.execution.exit_orders.unprotected_time import INTERVAL
from rebalancer.journal.exit_order_records import KIND as PROTECTION
from rebalancer.journal.exit_order_records import exit_pair_of
from rebalancer.journal.records import Event
from rebalancer.report.period.parts.source import Source

NORMAL: Final = (CycleOutcome.COMPLETED, CycleOutcome.HOLDING, CycleOutcome.CONSTRAINED)
BY_A_CYCLE: Final = frozenset({
    "halted", "doubt", "another_program", "unit_failed", "preflight", "missed_slots", "constrained", "stale_signals",
})  # fmt: skip
LOSSES: Final = frozenset({"daily_loss", "drawdown"})


class Resolutions:
    """What resolved each alert of an account, in words; "" for one that still stands."""

    def __init__(self, source: Source) -> None:
        self._source = source

    def of(self, alert: Event) -> str:
        """How this alert ended."""
        code, name, at = str(alert.body.get("code", "")), alert.key or "", alert.at
        if code in BY_A_CYCLE:
            return "a later cycle ran as planned" if self.normal_cycle_after(at) else ""
        match code:
            case "unknown_order":
                return self._of_orders(name, alert)
            case "latched":
                return self._of_latch(name, at)
            case "exit_failed":
                return "the position is closed" if name not in self._held else ""
            case "unprotected" | "protection":
                return self._of_protection(name, at)
            case "books":
                return "later books agree with the broker" if self._books_agree_after(at) else ""
            case "unknown_word":
                later = any(event.at > at for event in self._closed)
                return "the next day's books are closed" if later else ""
        return ""

    def normal_cycle_after(self, at: datetime) -> bool:
        """Whether a later cycle of any period ended as it should."""
        return any(c.started_at > at and c.outcome in NORMAL for c in self._source.cycles)

    def _of_orders(self, symbol: str, alert: Event) -> str:
        """By the orders of the symbol that were unknown then; of its own cycle, if the alert has one."""
        unknown = [o for o in self._source.orders if o.symbol == symbol and o.client_order_id in self._once_unknown]
        own = [o for o in unknown if o.cycle_id == alert.cycle_id] or unknown
        if not own or not all(order.state.is_final for order in own):
            return ""
        return f"the order ended {own[-1].state.value.replace('_', ' ').lower()}"

    def _of_latch(self, name: str, at: datetime) -> str:
        if any(event.key == name and event.at >= at for event in self._rearmed):
            return "lifted by a person"
        newest = self._source.cycles[0].started_at if self._source.cycles else at
        over = name in LOSSES and day_in_new_york(newest) > day_in_new_york(at)
        return "lifted on the next day" if over else ""

    def _of_protection(self, name: str, at: datetime) -> str:
        pair = self._pairs.get(name)
        if pair is not None and pair.at > at and exit_pair_of(pair).stands:
            return "its exits rest at the broker"
        ended = self._intervals.get(name)
        if ended is not None and ended.at >= at and ended.body.get("state") == "ended":
            return "it is protected again"
        return "nothing of it is held" if name not in self._held and name != "monitor" else ""

    def _books_agree_after(self, at: datetime) -> bool:
        return bool(self._closed) and self._closed[-1].at > at and not self._closed[-1].body.get("differences")

    @cached_property
    def _once_unknown(self) -> frozenset[str | None]:
        changes = self._source.journal.recall(self._source.account_id, "order_changed")
        return frozenset(event.key for event in changes if event.body["state"] == OrderState.UNKNOWN)

    @cached_property
    def _held(self) -> Mapping[str, object]:
        end = self._source.journal.last_end(self._source.account_id)
        return {} if end is None else end.expected_positions

    @cached_property
    def _rearmed(self) -> tuple[Event, ...]:
        return self._source.journal.recall(self._source.account_id, "rearmed")

    @cached_property
    def _closed(self) -> tuple[Event, ...]:
        return self._source.journal.recall(self._source.account_id, "day_closed")

    @cached_property
    def _pairs(self) -> Mapping[str | None, Event]:
        return {event.key: event for event in self._source.journal.recall(self._source.account_id, PROTECTION)}

    @cached_property
    def _intervals(self) -> Mapping[str | None, Event]:
        return {event.key: event for event in self._source.journal.recall(self._source.account_id, INTERVAL)}
