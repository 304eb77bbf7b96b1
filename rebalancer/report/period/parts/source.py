"""What the parts of an edition are made from: the journal's rows of one period, each kind read once.

A row that cannot be read is named in `broken` and left out: it must not prevent the report of the other rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from functools import cached_property, partial
from typing import Final, NamedTuple, TypeVar

from rebalancer.accounting.day_books import DayBooks, day_of_body
from rebalancer.accounting.order_history import orders_of
from rebalancer.accounting.trade_causes import OF_EXITS
from rebalancer.accounting.trade_history import ledger_of
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.journal import CycleRecord, Journal
from rebalancer.journal.records import DRY_RUN, EXIT_BEGUN, Event, OrderRecord
from rebalancer.market_data.benchmarks import benchmark_closes
from rebalancer.market_data.trading_calendar import midnight_after
from rebalancer.performance.benchmark import Benchmark, span_of_benchmark
from rebalancer.performance.records import AccountHistory, OrderHistory, TradeCause
from rebalancer.performance.summary import Summary, summary_of
from rebalancer.report.archive import kept_record
from rebalancer.report.period.records import Period
from rebalancer.report.records import RunRecord

CYCLES_MAX: Final = 1_000_000
BOOKS_LEAST: Final = 60  # days

Found = TypeVar("Found")


class Span(NamedTuple):
    """A period in New York days, both included."""

    period: Period
    first: date
    last: date

    @property
    def begins(self) -> datetime:
        """Midnight in New York before the first day."""
        return midnight_after(self.first - timedelta(days=1))

    @property
    def ends(self) -> datetime:
        """Midnight in New York after the last day."""
        return midnight_after(self.last)

    def holds(self, moment: datetime) -> bool:
        """Whether a moment lies in the period."""
        return self.first <= day_in_new_york(moment) <= self.last


def span_of(period: Period, day: date, oldest: date) -> Span:
    """The period that contains a day; `all` begins with the oldest day on record."""
    if period == "week":
        monday = day - timedelta(days=day.weekday())
        return Span(period, monday, monday + timedelta(days=6))
    if period == "month":
        first = day.replace(day=1)
        return Span(period, first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
    if period == "year":
        return Span(period, day.replace(month=1, day=1), day.replace(month=12, day=31))
    return Span(period, oldest, day) if period == "all" else Span(period, day, day)


class Source:
    """One account's journal as seen by the edition of one period: nothing after the period counts."""

    def __init__(
        self, journal: Journal, account_id: str, rules: Rules, period: Period, day: date, made_at: datetime
    ) -> None:
        self.journal, self.account_id, self.rules, self.made_at = journal, account_id, rules, made_at
        self.day = day
        self.broken: list[str] = []
        self.span: Span = span_of(period, day, self._oldest)

    def attempt(self, words: str, read: Callable[[], Found], absent: Found) -> Found:
        """The result of `read`; when it fails, `absent`, and the failure is added to what is broken."""
        try:
            return read()
        except Exception as error:  # noqa: BLE001 - whatever fails in one part, the page must be written
            said = f"{type(error).__name__}: {error}" if isinstance(error, KeyError) else str(error)
            self.broken.append(f"{words}: {said or type(error).__name__}")
            return absent

    @cached_property
    def cycles(self) -> Sequence[CycleRecord]:
        """All cycles except dry runs, newest first."""

        def read() -> list[CycleRecord]:
            return [c for c in self.journal.cycles(self.account_id, CYCLES_MAX) if c.mode != DRY_RUN]

        return self.attempt("the cycles", read, [])

    @cached_property
    def own(self) -> Sequence[CycleRecord]:
        """The cycles of the period, oldest first."""
        return [c for c in reversed(self.cycles) if self.span.holds(c.started_at)]

    @cached_property
    def records(self) -> Sequence[RunRecord]:
        """The cycles of the period that sent orders, oldest first."""
        return list(self._read(c for c in self.own if c.orders))

    @cached_property
    def latest(self) -> RunRecord | None:
        """The last planned cycle of the period."""
        return next(self._read(c for c in reversed(self.own) if c.plan_sha256), None)

    @cached_property
    def latest_known(self) -> RunRecord | None:
        """The last planned cycle up to the end of the period."""
        planned = (c for c in self.cycles if c.plan_sha256 and c.started_at < self.span.ends)
        return self.latest or next(self._read(planned), None)

    @cached_property
    def books(self) -> Sequence[DayBooks]:
        """The closed days of the period, oldest first."""
        days = (self.span.last - self.span.first).days + 1
        keys = [(self.span.first + timedelta(days=i)).isoformat() for i in range(days)]
        events: tuple[Event, ...] = self.attempt(
            "the books", lambda: self.journal.recall(self.account_id, "day_closed", keys=keys), ()
        )
        found = (self.attempt(f"the books of {event.key}", partial(day_of_body, event.body), None) for event in events)
        return [books for books in found if books is not None]

    @cached_property
    def books_before(self) -> Sequence[DayBooks]:
        """The closed days up to the end of the period, oldest first: those of the period, and at least the last
        `BOOKS_LEAST`."""
        events: tuple[Event, ...] = self.attempt(
            "the books", lambda: self.journal.recall(self.account_id, "day_closed"), ()
        )
        dated = [event for event in events if event.key is not None and event.key <= self.span.last.isoformat()]
        own = sum(event.key >= self.span.first.isoformat() for event in dated if event.key is not None)
        found = (
            self.attempt(f"the books of {event.key}", partial(day_of_body, event.body), None)
            for event in dated[-max(own, BOOKS_LEAST) :]
        )
        return [books for books in found if books is not None]

    @cached_property
    def ledger(self) -> AccountHistory:
        """Everything that happened up to the end of the period."""
        whole = self.attempt("the ledger", lambda: ledger_of(self.journal, self.account_id), AccountHistory())
        return until(whole, self.span)

    @cached_property
    def benchmark(self) -> Benchmark:
        """The closes of `reporting.benchmark` up to the end of the period; without days when none are known."""
        name, folder = self.rules.reporting.benchmark, self.journal.state
        return benchmark_closes(self.journal, self.account_id, name, folder, self.span.last)

    @cached_property
    def orders(self) -> Sequence[OrderRecord]:
        """Every order of the account with an intent, in the order of the intents."""
        return self.attempt("the orders", lambda: orders_of(self.journal, self.account_id), ())

    @cached_property
    def histories(self) -> Mapping[str, OrderHistory]:
        """The order histories by our own order id."""
        return {one.client_order_id: one for one in self.ledger.order_histories.values() if one.client_order_id}

    @cached_property
    def exit_alerts(self) -> Sequence[Event]:
        """What was reported of each exit: of one cycle that closes several positions, each has its own reason there."""
        found = self.journal.recall(self.account_id, "alert", since=self.span.begins)
        return [event for event in found if event.body.get("code") == "exit" and event.at < self.span.ends]

    def exit_cause(self, order: OrderRecord) -> TradeCause:
        """The category of an exit that the broker never had."""
        begun = self.journal.events(order.cycle_id, kind=EXIT_BEGUN, account_id=self.account_id)
        kinds = {event.key: str(event.body.get("kind", "")) for event in begun}
        return OF_EXITS.get(kinds.get(order.symbol, ""), "")

    @cached_property
    def summary(self) -> Summary | None:
        """The performance of the period; None when no day of it has a value."""
        if not self.ledger.days or self.ledger.days[-1].day < self.span.first:
            return None
        days = (self.ledger.days[-1].day - self.span.first).days + 1
        return self._summary(None if self.span.period == "all" else days)

    @cached_property
    def whole(self) -> Summary | None:
        """The performance since the records began; None when no day has a value."""
        return self._summary(None) if self.ledger.days else None

    def _summary(self, days: int | None) -> Summary:
        reporting = self.rules.reporting
        return summary_of(
            self.ledger,
            reporting.lot_method,
            risk_free_rate=reporting.risk_free_rate,
            days=days,
            benchmark=self.benchmark,
        )

    @cached_property
    def window(self) -> tuple[date, date] | None:
        """The first and the last day of the period on which anything is recorded."""
        days = {day_in_new_york(c.started_at) for c in self.own} | {books.day for books in self.books}
        days |= {day.day for day in self.ledger.days if self.span.first <= day.day <= self.span.last}
        return (min(days), max(days)) if days else None

    @cached_property
    def closes(self) -> Mapping[date, float]:
        """The benchmark's closes by day."""
        return dict(zip(self.benchmark.days, self.benchmark.closes, strict=True))

    @property
    def benchmark_before(self) -> float | None:
        """The benchmark's close with which the first day of the period begins."""
        if self.summary is None:
            return None
        return span_of_benchmark(self.benchmark, self.summary.first, self.summary.course.days).base

    @property
    def closing(self) -> DayBooks | None:
        """The newest closed day of the period, when it is newer than the last planned cycle."""
        if not self.books:
            return None
        return self.books[-1] if self.latest is None or self.books[-1].closed_at > self.latest.snapshot.as_of else None

    def flow_between(self, after: datetime, until: datetime) -> Decimal:
        """Deposits (+) and withdrawals (-), in cash and in kind, USD."""
        cash = ((e.at, e.amount) for e in self.ledger.cash if e.kind == "flow")
        kind = ((e.at, e.qty * e.price) for e in self.ledger.shares if e.kind == "in_kind")
        return sum((amount for at, amount in (*cash, *kind) if after < at <= until), ZERO)

    def shares_between(self, after: datetime, until: datetime) -> Iterator[tuple[str, Decimal]]:
        """Every symbol and signed quantity that came in (+) or went out (-), through trades and otherwise."""
        for fill in self.ledger.fills:
            if after < fill.at <= until:
                yield fill.symbol, fill.qty
        for event in self.ledger.shares:
            if after < event.at <= until:
                yield event.symbol, event.qty

    @property
    def _oldest(self) -> date:
        return min((day_in_new_york(c.started_at) for c in self.cycles), default=self.day)

    def _read(self, cycles: Iterable[CycleRecord]) -> Iterator[RunRecord]:
        for cycle in cycles:
            record = self.attempt(f"cycle {cycle.cycle_id}", partial(kept_record, self.journal, cycle.cycle_id), None)
            if record is not None:
                yield record


def until(ledger: AccountHistory, span: Span) -> AccountHistory:
    """The ledger as it was when a period ended."""
    end = span.ends
    return ledger._replace(
        fills=tuple(f for f in ledger.fills if f.at < end),
        cash=tuple(e for e in ledger.cash if e.at < end),
        shares=tuple(e for e in ledger.shares if e.at < end),
        order_histories={name: history for name, history in ledger.order_histories.items() if history.sent_at < end},
        days=tuple(d for d in ledger.days if d.day <= span.last),
        readings=tuple(r for r in ledger.readings if r.at < end),
    )
