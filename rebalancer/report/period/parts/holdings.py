"""The positions at the end of the period, each with its stop and target and where the two are kept; and the book at
the end of every day."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal

from rebalancer.accounting.day_books import DayBooks
from rebalancer.core.facts import Position
from rebalancer.core.values import CENT, ZERO
from rebalancer.execution.exit_orders.signal_exits import signal_exits
from rebalancer.journal.exit_order_records import KIND, ExitPairRecord, exit_pair_of
from rebalancer.planning.exit_levels import ExitLevel, exit_levels
from rebalancer.report.allocation import UNKNOWN_SECTOR, known_prices
from rebalancer.report.numbers import hour_text, shares
from rebalancer.report.period.parts.execution import shares_now
from rebalancer.report.period.parts.source import Source
from rebalancer.report.period.records import Guarded
from rebalancer.report.period.results import BookDay
from rebalancer.report.records import RunRecord


def book_by_day(source: Source) -> tuple[BookDay, ...]:
    """The book at the end of each closed day; a day on which a position has no price is left out."""
    return tuple(
        _book_of(one, source.ledger.sectors) for one in source.books_before if one.positions.keys() <= one.prices.keys()
    )


def _book_of(books: DayBooks, sectors: Mapping[str, str]) -> BookDay:
    values = {symbol: held.qty * books.prices[symbol] for symbol, held in books.positions.items()}
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for symbol, value in values.items():
        sums[sectors.get(symbol, UNKNOWN_SECTOR)] += abs(value)
    long = sum((value for value in values.values() if value > ZERO), ZERO)
    short = sum((-value for value in values.values() if value < ZERO), ZERO)
    by_sector = {name: sums[name].quantize(CENT) for name in sorted(sums) if sums[name]}
    equity, cash = books.closing_equity, books.closing_cash
    return BookDay(books.day, equity, cash, long.quantize(CENT), short.quantize(CENT), by_sector)


def guarded(source: Source) -> tuple[Guarded, ...]:
    """One row per position, the largest first. The protection mode is that of the current rules."""
    latest = source.latest
    if latest is None:
        return ()
    mode, prices = source.rules.protection.mode, known_prices(latest)
    held = _positions(source, latest)
    instruments = {i.symbol: i for i in latest.snapshot.instruments}
    named = signal_exits(source.journal, source.account_id)
    levels = {g.symbol: g for g in exit_levels(held, instruments, named, source.rules.protection)}
    kept = _kept(source)
    found = []
    for one in held:
        level = levels.get(one.symbol) if mode != "off" else None
        record = kept.get(one.symbol)
        resting = record if record is not None and record.lives else None
        stop = resting.stop if resting is not None else None if level is None else level.stop
        target = resting.target if resting is not None else None if level is None else level.target
        where = _where(one, level, record)
        found.append(Guarded(one.symbol, one.qty, one.avg_entry_price, prices.get(one.symbol), stop, target, where))
    return tuple(sorted(found, key=lambda g: (-abs(g.qty * (g.last or ZERO)), g.symbol)))


def _positions(source: Source, latest: RunRecord) -> tuple[Position, ...]:
    """From the closed day, else as of the last cycle; a position that it opened appears at its fill price."""
    if source.closing is not None:
        rows = source.closing.positions.items()
        return tuple(Position(s, one.qty, one.qty, one.avg_entry_price) for s, one in rows if one.qty != ZERO)
    costs = {line.symbol: line.filled_avg_price or ZERO for line in latest.orders}
    costs |= {p.symbol: p.avg_entry_price for p in latest.snapshot.positions}
    held = shares_now(source, latest)
    return tuple(Position(s, qty, qty, costs.get(s, ZERO)) for s, qty in held.items() if qty != ZERO)


def _kept(source: Source) -> Mapping[str, ExitPairRecord]:
    """The newest record of every symbol within the period."""
    events = source.journal.recall(source.account_id, KIND)
    return {e.key: exit_pair_of(e) for e in events if e.key is not None and e.at < source.span.ends}


def _where(one: Position, level: ExitLevel | None, record: ExitPairRecord | None) -> str:
    """Where stop and target are kept, and their state."""
    watched = "watched by the session" if level is not None else "not protected"
    if record is None or not record.lives:
        failed = record is not None and record.failures and level is not None
        return f"{watched}; {record.because}" if failed and record is not None else watched
    if record.state != "open":
        return f"sent {hour_text(record.intended_at)} ET, the broker has not answered"
    rest: Decimal = abs(one.qty) - abs(record.qty)
    said = f"open at the broker since {hour_text(record.at)} ET"
    return said if rest <= ZERO else f"{said}; {shares(rest)} {watched}"
