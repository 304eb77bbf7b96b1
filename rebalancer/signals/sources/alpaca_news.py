"""The tone of Alpaca's news: headlines and summaries of the last days, read with a short list of words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from rebalancer.core.values import time_text, utc_of
from rebalancer.signals.sources.alpaca_data import alpaca_http, pages
from rebalancer.signals.sources.contract import SourceBudget, SourceContext, SourceUnavailable, Vote, Votes
from rebalancer.signals.sources.tone import Article, tone_vote

DAYS: Final = 3
PAGE: Final = 50  # articles a page, the most that it gives
PAGES: Final = 6


class AlpacaNews:
    """`GET /v1beta1/news`. Option `days`: how far back."""

    batch_size = 40

    def __init__(self, context: SourceContext) -> None:
        self._context = context

    def fetch(self, symbols: Sequence[str], now: datetime, budget: SourceBudget) -> Votes:
        """Votes on these symbols. Raises SourceProblem."""
        since = now - timedelta(days=days_of(self._context, DAYS))
        params = {
            "symbols": ",".join(symbol.replace("/", "") for symbol in symbols), "start": time_text(since),
            "limit": str(PAGE), "sort": "desc",
        }  # fmt: skip
        articles: dict[str, list[Article]] = {symbol: [] for symbol in symbols}
        by_name = {symbol.replace("/", ""): symbol for symbol in symbols}
        for page in pages(alpaca_http(self._context, budget), "/v1beta1/news", params, PAGES):
            for article, names in _articles(page):
                for symbol in {by_name[name] for name in names if name in by_name}:
                    if since <= article.at <= now:
                        articles[symbol].append(article)
        found = {symbol: tone_vote(symbol, rows, now) for symbol, rows in articles.items()}
        silent = {symbol: why for symbol, why in found.items() if isinstance(why, str)}
        return Votes(tuple(vote for vote in found.values() if isinstance(vote, Vote)), silent)


def days_of(context: SourceContext, usual: int) -> int:
    """The option `days`: 1 to 30. Raises SourceUnavailable."""
    text = context.rules.options.get("days", str(usual))
    if not text.isdigit() or not 1 <= int(text) <= 30:
        raise SourceUnavailable(f"signals.sources.{context.name}.options.days: {text[:20]!r} is not 1 to 30")
    return int(text)


def _articles(page: Mapping[str, Any]) -> list[tuple[Article, list[str]]]:
    try:
        return [
            (
                Article(f"{row.get('headline', '')}. {row.get('summary', '')}", utc_of(row["created_at"]),
                        str(row.get("url") or "")),
                [str(name) for name in row["symbols"]],
            )
            for row in page["news"]
        ]  # fmt: skip
    except (AttributeError, KeyError, TypeError, ValueError):
        raise SourceUnavailable("alpaca_news: an article cannot be read") from None
