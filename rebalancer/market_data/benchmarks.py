"""The benchmark's closes, in the form that `performance` expects: one source for reports, screens and exports."""

from __future__ import annotations

from datetime import date
from pathlib import Path

from rebalancer.accounting.day_books import day_of_body
from rebalancer.core.new_york import day_in_new_york
from rebalancer.journal.reads import JournalReads
from rebalancer.journal.regime_row import REGIME
from rebalancer.market_data.stored_closes import closes_of
from rebalancer.performance.benchmark import Benchmark


def benchmark_of(folder: Path, symbol: str) -> Benchmark:
    """The stored closes of a symbol; a benchmark without days if there are none. "" means no benchmark."""
    found = closes_of(folder, symbol) if symbol else None
    return Benchmark(symbol) if found is None else Benchmark(found.symbol, found.days, found.closes)


def benchmark_closes(
    journal: JournalReads, account_id: str, symbol: str, folder: Path, until: date | None = None
) -> Benchmark:
    """All known closes of a symbol up to a day, and the market's regimes of the days on which it was judged. The stored
    history ends with the day before; a day that was closed since has its own close in its books. Books that cannot be
    read are left out here: the report of their period names them.

    folder: of the stored closes.
    """
    if not symbol:
        return Benchmark()
    stored = benchmark_of(folder, symbol)
    known = dict(zip(stored.days, stored.closes, strict=True))
    newest = max(known, default=date.min)
    for event in journal.recall(account_id, "day_closed"):
        if (event.key or "") <= newest.isoformat():
            continue
        try:
            books = day_of_body(event.body)
        except (KeyError, ValueError, TypeError):
            continue
        if books.benchmark.symbol == symbol:
            known[books.day] = float(books.benchmark.price)
    days = tuple(sorted(day for day in known if until is None or day <= until))
    return Benchmark(symbol, days, tuple(known[day] for day in days), _regimes(journal, account_id, until))


def _regimes(journal: JournalReads, account_id: str, until: date | None) -> dict[date, str]:
    """The regime that was in force on each day, by name."""
    events = journal.recall(account_id, REGIME)
    found = {day_in_new_york(event.at): str(event.body.get("name", "")) for event in events}
    return {day: name for day, name in found.items() if name and (until is None or day <= until)}
