"""Figures for Prometheus, counted from the journal; what was counted once is not read again.

The counters are those of the whole journal, so they do not begin at zero when this process starts.
"""

from __future__ import annotations

import logging
import threading
from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from decimal import Decimal
from typing import Final

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client import Counter as HttpCounter
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from rebalancer.core.errors import ExternalError
from rebalancer.journal.records import DRY_RUN, Event
from rebalancer.web import facts
from rebalancer.web.events import EventHub
from rebalancer.web.place import WebPlace

LOG: Final = logging.getLogger(__name__)
MEDIA_TYPE: Final = "text/plain; version=1.0.0; charset=utf-8"
KINDS: Final = (
    "cycle_started",
    "cycle_ended",
    "slot",
    "order_intended",
    "order_changed",
    "order_ended",
    "order_reopened",
)
BUCKETS: Final = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
_ROWS: Final = 1000
_NAMES: Final = "rebalancer_"


class WebMetrics:
    """The figures of one server."""

    def __init__(self, place: WebPlace, hub: EventHub) -> None:
        self._registry = CollectorRegistry()
        self._registry.register(_JournalCollector(place, hub))
        self._requests = HttpCounter(
            f"{_NAMES}http_requests", "Requests answered, by status.", ["status"], registry=self._registry
        )

    def count(self, status: int) -> None:
        """Count an answered request."""
        self._requests.labels(str(status)).inc()

    def text(self) -> bytes:
        """All figures in Prometheus's text format."""
        return generate_latest(self._registry)


class _Seen:
    """What the journal's rows add up to."""

    def __init__(self) -> None:
        self.position, self.edition = 0, 0
        self.cycles: Counter[str] = Counter()
        self.orders: Counter[str] = Counter()
        self.last_cycle: datetime | None = None
        self.seconds = [0] * (len(BUCKETS) + 1)
        self.seconds_sum = 0.0
        self._begun: dict[str, datetime] = {}
        self._ended: dict[str, str] = {}

    def add(self, event: Event) -> None:
        """Count one row."""
        self.position = event.seq
        key = event.key or ""
        match event.kind:
            case "cycle_ended" if key != DRY_RUN:
                self.cycles[str(event.body["outcome"])] += 1
                self.last_cycle = event.at
            case "slot":
                self.cycles[str(event.body["outcome"])] += 1
            case "order_intended":
                self._begun[key] = event.at
            case "order_ended":
                self._end(key, event)
            case "order_reopened" if key in self._ended:
                self.orders[self._ended.pop(key)] -= 1

    def _end(self, key: str, event: Event) -> None:
        state = str(event.body["state"])
        if key in self._ended:
            self.orders[self._ended[key]] -= 1
        self._ended[key] = state
        self.orders[state] += 1
        begun = self._begun.pop(key, None)
        if begun is not None:
            seconds = max((event.at - begun).total_seconds(), 0.0)
            self.seconds_sum += seconds
            self.seconds[sum(seconds > bound for bound in BUCKETS)] += 1


class _JournalCollector:
    """Collects from the journal; what cannot be read is left out, and rebalancer_up is 0."""

    def __init__(self, place: WebPlace, hub: EventHub) -> None:
        self._place, self._hub, self._lock = place, hub, threading.Lock()
        self._seen = _Seen()

    def describe(self) -> Iterable[Metric]:
        """Nothing before the first collection."""
        return ()

    def collect(self) -> Iterable[Metric]:
        """The figures of now."""
        with self._lock:
            try:
                found = [*self._counted(), *self._present()]
            except (ExternalError, OSError) as error:
                LOG.warning("figures: %s", str(error).partition("\n")[0])
                return [_gauge("up", "1 when journal and receipts can be read.", 0)]
            return [_gauge("up", "1 when journal and receipts can be read.", 1), *found]

    def _counted(self) -> Iterable[Metric]:
        if self._seen.edition != self._hub.edition:
            self._seen = _Seen()
            self._seen.edition = self._hub.edition
        seen = self._seen
        while self._place.journal.is_created:
            events = self._place.journal.events_after(seen.position, KINDS, _ROWS)
            for event in events:
                seen.add(event)
            if len(events) < _ROWS:
                break
        yield _counters("cycles", "Cycles and slots by outcome, dry runs aside.", "outcome", seen.cycles)
        yield _counters("orders", "Orders by final state.", "state", seen.orders)
        if seen.last_cycle is not None:
            text = "End of the last cycle, by the account's clock, Unix time."
            yield _gauge("last_cycle_timestamp_seconds", text, seen.last_cycle.timestamp())
        buckets, total = [], 0
        for bound, count in zip([*map(str, BUCKETS), "+Inf"], seen.seconds, strict=True):
            total += count
            buckets.append((bound, float(total)))
        text = "From the intent of an order to its end."
        yield HistogramMetricFamily(f"{_NAMES}order_seconds", text, buckets=buckets, sum_value=seen.seconds_sum)

    def _present(self) -> Iterable[Metric]:
        place = self._place
        status, session = facts.journal_status(place), place.session()
        stopped = facts.kill_reason(place, status) is not None
        yield _gauge("kill_switch", "1 while the kill switch is set.", int(stopped))
        yield _gauge("session_running", "1 while a session runs.", int(session is not None))
        if session is not None and session.next_at is not None:
            text = "When the next cycle is due, Unix time."
            yield _gauge("next_cycle_timestamp_seconds", text, session.next_at.timestamp())
        yield _gauge("event_streams", "Open event streams.", self._hub.streams)
        if status is not None and status.account_id is not None:
            yield _gauge("orders_open", "Orders that may still change.", status.unresolved)
            yield _gauge("orders_unknown", "Orders whose state the broker has not told.", status.unknown)
            equity = facts.trading_status(place)["portfolio_value"]
            if equity is not None:
                yield _gauge("equity_dollars", "Newest equity, as status shows it.", float(Decimal(equity)))
            last = facts.last_plan(place)
            drifts = [] if last is None else [abs(float(row["drift"])) for row in last.plan["targets"]]
            if drifts:
                yield _gauge("drift_ratio", "Largest distance from a target, fraction of capital.", max(drifts))
        outcomes = facts.signal_figures(place)["by_outcome"]
        yield _gauges("signals", "Kept receipts of signals by outcome.", "outcome", outcomes)


def _gauge(name: str, text: str, value: float) -> Metric:
    return GaugeMetricFamily(f"{_NAMES}{name}", text, value=value)


def _gauges(name: str, text: str, label: str, values: dict[str, int]) -> Metric:
    family = GaugeMetricFamily(f"{_NAMES}{name}", text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family


def _counters(name: str, text: str, label: str, values: Counter[str]) -> Metric:
    family = CounterMetricFamily(f"{_NAMES}{name}", text, labels=[label])
    for key, value in sorted(values.items()):
        family.add_metric([key], value)
    return family
