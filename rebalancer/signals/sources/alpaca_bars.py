"""Momentum and reversal from Alpaca's daily bars, adjusted for splits and dividends. Today's bar never counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final

from rebalancer.core.new_york import in_new_york
from rebalancer.signals.sources.alpaca_data import alpaca_http, pages
from rebalancer.signals.sources.contract import SourceBudget, SourceContext, SourceUnavailable, Vote, Votes, is_crypto
from rebalancer.signals.sources.price_votes import price_vote

CALENDAR_DAYS: Final = 400  # hold a year of trading days


class AlpacaBars:
    """`GET /v2/stocks/bars`. Option `feed`: iex, sip or delayed_sip. Crypto pairs are silent."""

    batch_size = 50

    def __init__(self, context: SourceContext) -> None:
        self._context = context

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        """Votes on these symbols. Raises SourceProblem."""
        today = in_new_york(now).date()
        closes = daily_closes(self._context, symbols, today, budget)
        found = {symbol: price_vote(symbol, rows, today) for symbol, rows in closes.items()}
        silent = {symbol: "this source has no crypto pairs" for symbol in symbols if is_crypto(symbol)}
        silent |= {symbol: why for symbol, why in found.items() if isinstance(why, str)}
        return Votes(tuple(vote for vote in found.values() if isinstance(vote, Vote)), silent)


def daily_closes(
    context: SourceContext, symbols: Sequence[str], today: date, budget: SourceBudget
) -> dict[str, dict[date, float]]:
    """The closes of the last year of each stock, by day of New York, adjusted; the day of `today` may be among them.
    Crypto pairs are left out. Raises SourceProblem."""
    stocks = [symbol for symbol in symbols if not is_crypto(symbol)]
    closes: dict[str, dict[date, float]] = {symbol: {} for symbol in stocks}
    params = {
        "symbols": ",".join(stocks), "timeframe": "1Day",
        "start": (today - timedelta(days=CALENDAR_DAYS)).isoformat(), "end": today.isoformat(),
        "limit": "10000", "adjustment": "all", "feed": context.rules.options.get("feed", "iex"),
    }  # fmt: skip
    if stocks:
        for page in pages(alpaca_http(context, budget), "/v2/stocks/bars", params):
            for symbol, day, close in _rows(page, context.name):
                if symbol in closes:
                    closes[symbol][day] = close
    return closes


def _rows(page: Mapping[str, Any], name: str) -> list[tuple[str, date, float]]:
    bars = page.get("bars")
    if bars is None:
        return []
    try:
        return [
            (symbol, date.fromisoformat(str(bar["t"])[:10]), float(bar["c"]))
            for symbol, rows in bars.items()
            for bar in rows
        ]
    except (AttributeError, KeyError, TypeError, ValueError):
        raise SourceUnavailable(f"{name}: a bar cannot be read") from None
