"""Massive (once Polygon): daily aggregates for momentum and reversal, and the sentiment of its news.

`GET /v2/aggs/ticker/{T}/range/1/day/{from}/{to}` and `GET /v2/reference/news`. One name costs one call for each; the
free plan allows 5 a minute. Option `data`: bars, news, or both (the default); `api.polygon.io` as `base_url` is the
older name of the same API.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final
from urllib.parse import quote

from rebalancer.core.new_york import in_new_york
from rebalancer.core.values import time_text, utc_of
from rebalancer.signals.sources.contract import (
    KeyRefused,
    SourceBudget,
    SourceContext,
    SourceUnavailable,
    VendorRefused,
    Vote,
    Votes,
    is_crypto,
)
from rebalancer.signals.sources.price_votes import price_vote
from rebalancer.signals.sources.vendor_http import VendorHttp, words_of
from rebalancer.signals.sources.vendor_key import bearer, vendor_http, vendor_key

URL: Final = "https://api.massive.com"
KEY: Final = "MASSIVE_API_KEY"
CALENDAR_DAYS: Final = 400
NEWS_DAYS: Final = 3
NEWS_MOST: Final = 50
DELAYED: Final = timedelta(minutes=15)
_SENTIMENT: Final = {"positive": 1.0, "neutral": 0.0, "negative": -1.0}
_DATA: Final = {"bars": (True, False), "news": (False, True), "both": (True, True)}


class Massive:
    """One name a fetch, so that a budget ends between names."""

    batch_size = 1

    def __init__(self, context: SourceContext) -> None:
        self._context = context

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        """Votes on these symbols. Raises SourceProblem."""
        said = self._context.rules.options.get("data", "both")
        if said not in _DATA:
            raise VendorRefused(f"{self._context.name}: options.data is {said[:20]!r}", "write bars, news or both")
        wants_bars, wants_news = _DATA[said]
        key = vendor_key(self._context, KEY)
        http = vendor_http(self._context, budget, URL, KEY, bearer(key))
        answered: list[Vote] = []
        silent: dict[str, str] = {}
        age = timedelta(0)
        for symbol in symbols:
            if is_crypto(symbol):
                silent[symbol] = "this source has no crypto pairs"
                continue
            parts: list[Vote | str] = []
            if wants_bars:
                today = in_new_york(now).date()
                closes, is_delayed = self._closes(http, symbol, today)
                age = max(age, DELAYED if is_delayed else timedelta(0))
                parts.append(price_vote(symbol, closes, today))
            if wants_news:
                parts.append(self._news(http, symbol, now))
            votes = [part for part in parts if isinstance(part, Vote)]
            if votes:
                answered.append(mean_of(votes))
            else:
                silent[symbol] = "; ".join(str(part) for part in parts)
        return Votes(tuple(answered), silent, age=age)

    def _closes(self, http: VendorHttp, symbol: str, today: date) -> tuple[dict[date, float], bool]:
        """The closes by day, and whether they are delayed."""
        first = (today - timedelta(days=CALENDAR_DAYS)).isoformat()
        path = f"/v2/aggs/ticker/{quote(symbol, safe='')}/range/1/day/{first}/{today.isoformat()}"
        body = _checked(http.get(path, {"adjusted": "true", "sort": "asc", "limit": "50000"}))
        try:
            closes = {in_new_york(datetime.fromtimestamp(row["t"] / 1000, UTC)).date(): float(row["c"])
                      for row in body.get("results") or ()}  # fmt: skip
        except (KeyError, TypeError, ValueError, OverflowError, OSError):
            raise SourceUnavailable("massive: a bar cannot be read") from None
        return closes, body.get("status") == "DELAYED"

    def _news(self, http: VendorHttp, symbol: str, now: datetime) -> Vote | str:
        """The mean sentiment of the articles that say something about this symbol."""
        since = now - timedelta(days=NEWS_DAYS)
        params = {"ticker": symbol, "published_utc.gte": time_text(since), "limit": str(NEWS_MOST)}
        body = _checked(http.get("/v2/reference/news", params))
        scores, urls = [], []
        try:
            articles = body.get("results") or ()
            for article in articles:
                for insight in article.get("insights") or ():
                    known = _SENTIMENT.get(str(insight.get("sentiment", "")).lower())
                    if (
                        insight.get("ticker") == symbol
                        and known is not None
                        and since <= utc_of(article["published_utc"]) <= now
                    ):
                        scores.append(known)
                        urls.append(str(article.get("article_url", "")))
        except (AttributeError, KeyError, TypeError, ValueError):
            raise SourceUnavailable("massive: an article cannot be read") from None
        if not scores:
            return f"no sentiment in {len(articles)} articles"
        sure = round(0.8 * len(scores) / (len(scores) + 2), 4)
        score = round(sum(scores) / len(scores), 4)
        return Vote(symbol, score, sure, f"{len(scores)} articles with a sentiment", tuple(u for u in urls if u)[:5])


def mean_of(votes: Sequence[Vote]) -> Vote:
    """Several votes on one symbol as one: the score weighted by confidence."""
    trust = sum(vote.confidence for vote in votes)
    score = sum(vote.score * vote.confidence for vote in votes) / trust if trust else 0.0
    because = "; ".join(vote.because for vote in votes)
    urls = tuple(url for vote in votes for url in vote.citations)
    return Vote(votes[0].symbol, round(score, 4), round(trust / len(votes), 4), because, urls)


def _checked(body: Any) -> Mapping[str, Any]:
    """The object of an answer with HTTP 200, which may be a refusal all the same."""
    if not isinstance(body, dict):
        raise SourceUnavailable("massive: the answer is no object")
    status = body.get("status")
    if status == "NOT_AUTHORIZED":
        raise KeyRefused(
            f"massive: {words_of(body)}", f"set {KEY} to the key of a plan with this data, or options.data"
        )
    if status == "ERROR":
        raise SourceUnavailable(f"massive: {words_of(body)}")
    return body
