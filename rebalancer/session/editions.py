"""Gather an edition from the journal: the slots, trades, alerts, books and positions of a day or of a longer period.

Nothing is asked of the broker. A record that cannot be read is named in the edition and left out of it: a broken row
must not take the report of the other rows with it.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final, Literal, NamedTuple

from rebalancer import __version__
from rebalancer.documents import BadDocument
from rebalancer.outcomes import CycleOutcome, Outcome
from rebalancer.report.edition.records import Alarm, Bridge, BridgeLine, Edition, Idle, Period, Slot, TradeLine
from rebalancer.report.paths import report_name
from rebalancer.report.records import Mode, RuleChange, RunRecord
from rebalancer.report.words import ORDER_OUTCOMES
from rebalancer.rules import Rules
from rebalancer.session.archive import past_record
from rebalancer.session.calendar import day_in_new_york, midnight_after, published_hours, trading_day
from rebalancer.values import ZERO, decimal_of
from rebalancer.world.books.day_books import DayBooks, day_of_body
from rebalancer.world.journal import CycleRecord, Journal
from rebalancer.world.journal.records import DRY_RUN
from rebalancer.world.ports import JournalBroken

CYCLES_MAX: Final = 1_000_000
UNREADABLE: Final = (BadDocument, JournalBroken, ValueError, KeyError, AssertionError)


class Span(NamedTuple):
    """A period in days of New York, both included."""

    period: Period
    first: date
    last: date


def span_of(period: Period, day: date, oldest: date) -> Span:
    """The period that a day lies in; `all` begins with the oldest day on record."""
    if period == "week":
        monday = day - timedelta(days=day.weekday())
        return Span(period, monday, monday + timedelta(days=6))
    if period == "month":
        first = day.replace(day=1)
        return Span(period, first, (first + timedelta(days=31)).replace(day=1) - timedelta(days=1))
    if period == "year":
        return Span(period, day.replace(month=1, day=1), day.replace(month=12, day=31))
    return Span(period, oldest, day) if period == "all" else Span(period, day, day)


def edition_of(
    journal: Journal, account_id: str, mode: Mode, rules: Rules, period: Period, day: date, made_at: datetime
) -> Edition:
    """The edition of the period that `day` lies in, as far as the journal knows it at `made_at`."""
    cycles = [c for c in journal.cycles(account_id, CYCLES_MAX) if c.mode != DRY_RUN]
    oldest = min((day_in_new_york(c.started_at) for c in cycles), default=day)
    span = span_of(period, day, oldest)
    own = [c for c in reversed(cycles) if span.first <= day_in_new_york(c.started_at) <= span.last]
    broken: list[str] = []
    records = list(_records(journal, [c for c in own if c.orders], broken))
    latest = next(_records(journal, [c for c in reversed(own) if c.plan_sha256], broken), None)
    books = list(_books(journal, account_id, span, broken))
    money = _Money.of(journal, account_id, own, books, latest)
    bridge = _bridge(books, records)
    return Edition(
        period=period,
        first=span.first,
        last=min(span.last, max(day, span.first)) if period == "day" else span.last,
        mode=mode,
        account_id=account_id,
        version=__version__,
        made_at=made_at,
        equity=money.equity,
        equity_before=money.before,
        peak_equity=journal.peak_equity(account_id),
        cash=money.cash,
        capital=None if latest is None else latest.plan.capital,
        flows=sum((b.flows for b in books), ZERO),
        slots=tuple(_slots(journal, account_id, span, own, records, rules)),
        trades=tuple(_trades(records)),
        idle=tuple(_idle(journal, [c for c in own if day_in_new_york(c.started_at) == _last_day(own)])),
        alarms=tuple(_alarms(journal, account_id, span)),
        latest=latest,
        bridge=bridge,
        rules_changed=_rules_changed(journal, cycles, own, broken),
        broken=tuple(dict.fromkeys(broken)),
    )


def _last_day(own: Sequence[CycleRecord]) -> date | None:
    return day_in_new_york(own[-1].started_at) if own else None


def _records(journal: Journal, cycles: Sequence[CycleRecord], broken: list[str]) -> Iterator[RunRecord]:
    for cycle in cycles:
        try:
            record = past_record(journal, cycle.cycle_id)
        except UNREADABLE as error:
            broken.append(f"cycle {cycle.cycle_id}: {error}")
            continue
        if record is not None:
            yield record


def _books(journal: Journal, account_id: str, span: Span, broken: list[str]) -> Iterator[DayBooks]:
    days = (span.last - span.first).days + 1
    keys = [(span.first + timedelta(days=i)).isoformat() for i in range(days)]
    for event in journal.recall(account_id, "day_closed", keys=keys):
        try:
            yield day_of_body(event.body)
        except UNREADABLE as error:
            broken.append(f"the books of {event.key}: {error}")


class _Money(NamedTuple):
    equity: Decimal | None
    before: Decimal | None
    cash: Decimal | None

    @classmethod
    def of(
        cls,
        journal: Journal,
        account_id: str,
        own: Sequence[CycleRecord],
        books: Sequence[DayBooks],
        latest: RunRecord | None,
    ) -> _Money:
        """Closed books first; for a day that is still open, what its last cycle read."""
        if books:
            return cls(books[-1].closing_equity, books[0].opening_equity, books[-1].closing_cash)
        if not own or latest is None:
            return cls(None, None, None)
        told = journal.events(own[-1].cycle_id, kind="account", account_id=account_id)
        first = latest.snapshot.account
        if not told:
            return cls(first.equity, first.last_equity, first.cash)
        body = told[-1].body
        return cls(decimal_of(body["equity"]), decimal_of(body["last_equity"]), decimal_of(body["cash"]))


def _slots(
    journal: Journal,
    account_id: str,
    span: Span,
    own: Sequence[CycleRecord],
    records: Sequence[RunRecord],
    rules: Rules,
) -> Iterator[Slot]:
    """The slots of every day on which at least one was claimed; one that nobody claimed was missed."""
    if span.period != "day":
        return
    by_id = {c.cycle_id: c for c in own}
    counts = {r.snapshot.cycle_id: r for r in records}
    around = rules.session.crypto_around_the_clock
    for hours in published_hours(span.first, span.last):
        day = trading_day(hours.day, hours, rules.execution.interval_minutes, around_the_clock=around)
        claimed = journal.slots(account_id, [slot.id for slot in day.slots])
        if not claimed:
            continue
        for slot in day.slots:
            cycle, record = by_id.get(slot.id), counts.get(slot.id)
            _, outcome, because = claimed.get(slot.id, ("", CycleOutcome.MISSED, "no session was running"))
            if outcome is None:
                outcome, because = CycleOutcome.ABANDONED, "it has not ended yet"
            filled = 0 if record is None else sum(line.state == "FILLED" for line in record.orders)
            halted = outcome.startswith(("HALTED", "ABANDONED"))
            has_page = record is not None or (cycle is not None and halted and cycle.plan_sha256 is not None)
            page = f"{report_name(record)}.html" if record is not None and has_page else ""
            yield Slot(slot.id, slot.at, outcome, because, 0 if cycle is None else cycle.orders, filled, page)


def _trades(records: Sequence[RunRecord]) -> Iterator[TradeLine]:
    for record in records:
        reasons = {(o.phase, o.symbol): o.because for o in record.plan.orders}
        for line in sorted(record.orders, key=lambda one: one.phase == "increase"):
            at = line.sent_at or record.started_at
            yield TradeLine(at, record.snapshot.cycle_id, line, reasons.get((line.phase, line.symbol), ""))


def _idle(journal: Journal, cycles: Sequence[CycleRecord]) -> Iterator[Idle]:
    """What was not traded, by symbol and outcome: the newest words and how often."""
    found: dict[tuple[str, Outcome], Idle] = {}
    for cycle in cycles:
        seen: set[tuple[str, Outcome]] = set()
        for verdict in journal.verdicts(cycle.cycle_id, cycle.account_id):
            key = (verdict.symbol, verdict.outcome)
            if verdict.outcome in ORDER_OUTCOMES or key in seen:
                continue
            seen.add(key)
            before = found.get(key)
            found[key] = Idle(*key, verdict.because, 1 if before is None else before.cycles + 1)
    rank = {"FROZEN": 0, "DENIED": 1, "NOT": 2, "REJECTED": 3, "HELD": 4}
    yield from sorted(found.values(), key=lambda i: (rank.get(i.outcome.split("_")[0], 2), i.symbol, i.outcome))


def _alarms(journal: Journal, account_id: str, span: Span) -> Iterator[Alarm]:
    begin, end = midnight_after(span.first - timedelta(days=1)), midnight_after(span.last)
    for event in journal.recall(account_id, "alert", since=begin):
        if event.at < end:
            level: Literal["info", "warning", "action"] = "warning"
            match event.body.get("level"):
                case "info" | "action" as told:
                    level = told
            yield Alarm(event.at, level, str(event.body.get("text", "")))


def _bridge(books: Sequence[DayBooks], records: Sequence[RunRecord]) -> Bridge | None:
    """From the first opening to the last closing. None without closed books: an open day proves nothing."""
    if not books or books[0].opened_at is None:
        return None

    def total(name: str) -> Decimal:
        return sum((getattr(b, name) for b in books), ZERO)

    costs = [cost for r in records for cost in (line.slippage for line in r.orders) if cost is not None]
    slippage = -sum(costs, ZERO).quantize(Decimal("0.01"))
    dividends, interest, fees, other = total("dividends"), total("interest"), total("fees"), total("other")
    opening, closing, flows, unexplained = (
        books[0].opening_equity,
        books[-1].closing_equity,
        total("flows"),
        total("unexplained"),
    )
    known = dividends + interest + fees + other + slippage + flows + unexplained
    moved = closing - opening - known
    lines = [
        BridgeLine("Price moves", moved),
        BridgeLine("Dividends", dividends),
        BridgeLine("Interest", interest),
        BridgeLine("Fees", fees),
        BridgeLine("Slippage", slippage),
        BridgeLine("Other activities", other),
        BridgeLine("Deposits and withdrawals", flows),
    ]
    return Bridge(opening, tuple(x for x in lines if x.amount or x.label == "Price moves"), unexplained, closing)


def _rules_changed(
    journal: Journal, cycles: Sequence[CycleRecord], own: Sequence[CycleRecord], broken: list[str]
) -> dict[str, RuleChange]:
    """What differs between the rules of the last cycle and those of the last one before the period."""
    if not own:
        return {}
    before = next((c for c in cycles if c.started_at < own[0].started_at and c.plan_sha256), None)
    last = next((c for c in reversed(own) if c.plan_sha256), None)
    if before is None or last is None or before.rules_sha256 == last.rules_sha256:
        return {}
    try:
        was, now = journal.rules_text(before.cycle_id), journal.rules_text(last.cycle_id)
    except UNREADABLE as error:
        broken.append(f"the rules of {before.cycle_id}: {error}")
        return {}
    return rule_differences(was or "{}", now or "{}")


def rule_differences(was: str, now: str) -> dict[str, RuleChange]:
    """Every rule that differs between two stored texts of rules, keyed "section.key"."""
    import json

    found: dict[str, RuleChange] = {}

    def walk(place: str, old: object, new: object) -> None:
        if isinstance(old, dict) and isinstance(new, dict):
            for key in sorted({*old, *new}):
                walk(f"{place}.{key}".lstrip("."), old.get(key), new.get(key))
        elif old != new:
            found[place] = RuleChange(old, new)

    walk("", json.loads(was), json.loads(now))
    return found
