"""Alpha Vantage: the sentiment of its news about one name a call; 25 calls a day and one a second are free.

`GET /query?function=NEWS_SENTIMENT&tickers=...`. It answers 200 for errors too: an object with `Error Message`, `Note`
or `Information`, under changing names, and the text may hold the key. The daily budget is what counts, so names are
asked by staleness (`day_budget`), one a call, and the report shows how many are covered.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from rebalancer.signals.sources.contract import (
    KeyRefused,
    QuotaUsed,
    SourceBudget,
    SourceContext,
    SourceUnavailable,
    VendorRefused,
    Vote,
    Votes,
    is_crypto,
)
from rebalancer.signals.sources.vendor_http import one_line
from rebalancer.signals.sources.vendor_key import vendor_http, vendor_key

URL: Final = "https://www.alphavantage.co"
KEY: Final = "ALPHAVANTAGE_API_KEY"
DAYS: Final = 3
ARTICLES: Final = 200
RELEVANT: Final = 0.1  # articles that mention a name in passing say nothing about it
FULL: Final = 3.0  # sum of relevance from which confidence is half of its most
CONFIDENCE_MOST: Final = 0.9
_BURST: Final = re.compile(r"(?i)spreading out|call frequency|per second\)|requests? per minute|calls? per minute")
_DAY: Final = re.compile(r"(?i)per day|daily")
_PREMIUM: Final = re.compile(r"(?i)premium")
_KEY: Final = re.compile(r"(?i)api[\s_-]?key")
_TEXTS: Final = ("Error Message", "Note", "Information", "error", "message")


class AlphaVantage:
    """One name a fetch. Crypto pairs are asked as CRYPTO:BTC."""

    batch_size = 1

    def __init__(self, context: SourceContext) -> None:
        self._context = context

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        """Votes on these symbols. Raises SourceProblem."""
        key = vendor_key(self._context, KEY)
        http = vendor_http(self._context, budget, URL, KEY, {})
        since = (now - timedelta(days=DAYS)).replace(second=0, microsecond=0)  # it is asked in minutes
        found: dict[str, Vote | str] = {}
        for symbol in symbols:
            name = f"CRYPTO:{symbol.partition('/')[0]}" if is_crypto(symbol) else symbol
            params = {
                "function": "NEWS_SENTIMENT", "tickers": name, "limit": str(ARTICLES),
                "time_from": since.strftime("%Y%m%dT%H%M"), "apikey": key,
            }  # fmt: skip
            body = http.get("/query", params)
            found[symbol] = self._vote(symbol, name, body, (since, now))
        silent = {symbol: why for symbol, why in found.items() if isinstance(why, str)}
        return Votes(tuple(vote for vote in found.values() if isinstance(vote, Vote)), silent)

    def _vote(self, symbol: str, name: str, body: Any, window: tuple[datetime, datetime]) -> Vote | str:
        """The vote on the articles of this time alone, whatever was sent."""
        if not isinstance(body, dict):
            raise SourceUnavailable("alpha_vantage: the answer is no object")
        feed = body.get("feed")
        if feed is None:
            return self._refused(body)
        total = score = 0.0
        count, urls = 0, []
        try:
            for article in feed:
                at = datetime.strptime(article["time_published"], "%Y%m%dT%H%M%S").replace(tzinfo=UTC)
                if not window[0] <= at <= window[1]:
                    continue
                for one in article.get("ticker_sentiment") or ():
                    relevance, tone = float(one["relevance_score"]), float(one["ticker_sentiment_score"])
                    if one["ticker"] == name and RELEVANT <= relevance <= 1 and -1 <= tone <= 1:
                        total += relevance
                        score += relevance * tone
                        count += 1
                        urls.append(str(article.get("url", "")))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise SourceUnavailable("alpha_vantage: an article cannot be read") from None
        if not count:
            return f"no relevant article among {len(feed)}"
        sure = round(CONFIDENCE_MOST * total / (total + FULL), 4)
        # Its scores beyond ±0.35 are called bullish and bearish: that is a full opinion here.
        opinion = round(max(-1.0, min(1.0, score / total / 0.35)), 4)
        return Vote(symbol, opinion, sure, f"{count} relevant articles", tuple(url for url in urls if url)[:5])

    def _refused(self, body: Mapping[str, Any]) -> str:
        """Why one name has no answer. Raises what concerns all of them. The texts of a used-up day name the key and the
        premium plans too, so the order matters."""
        said = one_line(next((str(body[name]) for name in _TEXTS if body.get(name)), ""))
        text = f"alpha_vantage: {said or 'the answer has neither data nor a message'}"
        if _BURST.search(said):
            raise SourceUnavailable(text, seconds=5.0)
        if _DAY.search(said):
            raise QuotaUsed(text, "wait for the next day, or set calls_per_day to what your plan allows")
        if body.get("Error Message") and not _KEY.search(said):
            return one_line(said, 120)
        if _PREMIUM.search(said):
            raise VendorRefused(text, "this data needs another plan")
        if _KEY.search(said):
            raise KeyRefused(text, f"set {KEY} to a valid key")
        raise SourceUnavailable(text)
