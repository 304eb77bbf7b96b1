"""Prices that the program has recorded or can ask for: the quotes of stored cycles, and daily closes of a broker."""

from __future__ import annotations

from typing import Final

import numpy as np

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.codec import stored_snapshot
from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Quote
from rebalancer.core.new_york import day_in_new_york
from rebalancer.journal import Journal
from rebalancer.research.bar_times import closes_of_days, nanoseconds
from rebalancer.research.market import Market
from rebalancer.research.price_files import PriceHistory, last_of_day

CYCLES_MOST: Final = 10_000_000
PLACE: Final = "the journal"


def prices_of_journal(journal: Journal) -> PriceHistory:
    """A bar for every planned cycle, with the middle of each quote that it was planned from. Raises BadDocument when
    there is none."""
    rows: dict[int, tuple[int, dict[str, float]]] = {}
    for cycle in reversed(journal.cycles(None, CYCLES_MOST)):
        text = None if cycle.plan_sha256 is None else journal.snapshot_text(cycle.cycle_id, cycle.account_id)
        if text is None:
            continue
        snapshot = stored_snapshot(text)
        prices = {quote.symbol: price for quote in snapshot.quotes if (price := _price(quote)) is not None}
        if prices:
            rows[nanoseconds(snapshot.as_of)] = day_in_new_york(snapshot.as_of).toordinal(), prices
    if not rows:
        raise BadDocument(PLACE, "holds no planned cycle with quotes", "rebalancer run-now records one")
    times = sorted(rows)
    symbols = tuple(sorted({symbol for _, prices in rows.values() for symbol in prices}))
    close = np.array([[rows[at][1].get(symbol, np.nan) for symbol in symbols] for at in times], dtype=np.float64)
    day = np.array([rows[at][0] for at in times], dtype=np.int64)
    market = Market(symbols, np.array(times, dtype=np.int64), close, None, None, day, last_of_day(day))
    return _counted(market, PLACE, is_daily=False)


def prices_of_closes(closes: DailyCloses, place: str) -> PriceHistory:
    """Daily closes as a broker reports them. Raises BadDocument when there is none."""
    symbols = tuple(sorted(s for s in closes.symbols if any(c == c for c in closes.closes.get(s, ()))))
    if not symbols or not closes.days:
        raise BadDocument(place, "has no daily closes of these names", "name symbols that it knows")
    close = np.array([closes.closes[symbol] for symbol in symbols], dtype=np.float64).T
    day = np.array([one.toordinal() for one in closes.days], dtype=np.int64)
    market = Market(symbols, closes_of_days(closes.days), close.copy(), None, None, day, last_of_day(day))
    return _counted(market, place, is_daily=True)


def _counted(market: Market, place: str, *, is_daily: bool) -> PriceHistory:
    missing = int(np.isnan(market.close).sum())
    counts = {"missing_prices": missing, "bars_without_prices": 0, "suspected_splits": 0}
    said = f"{missing} prices are missing: such a bar does not trade the name, which keeps its value"
    return PriceHistory(market, is_daily, place, counts, (said,) if missing else ())


def _price(quote: Quote) -> float | None:
    """The middle of a quote, else its last trade."""
    if quote.bid is not None and quote.ask is not None and 0 < quote.bid <= quote.ask:
        return float((quote.bid + quote.ask) / 2)
    return float(quote.last) if quote.last is not None and quote.last > 0 else None
