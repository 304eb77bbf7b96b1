"""Bars of stocks in the past, page by page: what a backtest asks for."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rebalancer.brokers.alpaca.client import Client
from rebalancer.brokers.alpaca.fields import UnreadableField
from rebalancer.brokers.alpaca.market_client import BARS_A_PAGE, STOCKS, ask_by_symbol, url_parts
from rebalancer.brokers.alpaca.market_reading import read_price_bars
from rebalancer.brokers.protocol import Adjustment, PriceBar, Timeframe
from rebalancer.core.values import time_text


def ask_bars(
    asking: Client,
    symbols: Sequence[str],
    timeframe: Timeframe,
    first: datetime,
    last: datetime,
    adjustment: Adjustment,
    feed: str,
) -> dict[str, list[PriceBar]]:
    """The bars that begin between two times, both included, by symbol and oldest first; no entry without any.

    A symbol may be spread over several pages, and a page may hold several symbols. Raises UnreadableField when pages or
    bars repeat themselves, or a bar begins outside the two times.
    """
    wanted = sorted(set(symbols))
    found: dict[str, dict[datetime, PriceBar]] = {name: {} for name in wanted}
    for some in url_parts(wanted):
        params = {"timeframe": timeframe, "start": time_text(first), "end": time_text(last), "limit": str(BARS_A_PAGE)}
        params |= {"adjustment": adjustment, "feed": feed}
        seen: set[str] = set()
        while True:
            page, token = read_price_bars(ask_by_symbol(asking, STOCKS, "/bars", some, params))
            for name, bars in page.items():
                for bar in bars:
                    _add(found.get(name), bar, name, first, last)
            if token is None:
                break
            if token in seen:
                raise UnreadableField("the list of bars repeats itself")
            seen.add(token)
            params["page_token"] = token
    return {name: [bars[begins] for begins in sorted(bars)] for name, bars in found.items() if bars}


def _add(known: dict[datetime, PriceBar] | None, bar: PriceBar, name: str, first: datetime, last: datetime) -> None:
    if known is None:
        raise UnreadableField(f"bars of {name:.20} were not asked for")
    if bar.begins in known:
        raise UnreadableField(f"bars of {name}: {time_text(bar.begins)} appears twice")
    if not first <= bar.begins <= last:
        raise UnreadableField(f"bars of {name}: {time_text(bar.begins)} is outside the time asked for")
    known[bar.begins] = bar
