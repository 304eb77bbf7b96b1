"""The tone of articles: words that say good or bad things about a company, newer articles counting more.

A short list read by anybody is preferred to a model: it explains itself, and its votes are weak on purpose.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import datetime
from typing import Final, NamedTuple

from rebalancer.signals.sources.contract import Vote

HALF_LIFE_HOURS: Final = 24.0
FULL: Final = 4.0  # articles with a tone, from which confidence is two thirds of its most
CONFIDENCE_MOST: Final = 0.8
_GOOD: Final = frozenset(
    """
    beat beats beating upgrade upgrades upgraded outperform outperforms raises raised record surge surges surged
    soar soars soared rally rallies rallied gain gains gained growth profit profitable strong stronger win wins
    approval approved approves exceeds exceeded buyback dividend expands expansion breakthrough bullish rebound
    rebounds
    """.split()  # noqa: SIM905 - a list would be as many lines
)
_BAD: Final = frozenset(
    """
    miss misses missed downgrade downgrades downgraded underperform cuts cut lowers lowered plunge plunges plunged
    slump slumps slumped fall falls fell drop drops dropped loss losses weak weaker lawsuit sues sued probe
    investigation recall recalls fraud bankruptcy layoffs warning warns delay delays delayed halt halts bearish
    default decline declines declined breach
    """.split()  # noqa: SIM905 - a list would be as many lines
)
_NOT: Final = frozenset(("not", "no", "never", "without", "despite"))
_WORD: Final = re.compile(r"[a-z]+")


class Article(NamedTuple):
    """One article: its text, which is data and nothing else, when it came out, and where it stands."""

    text: str
    at: datetime
    url: str


def tone_of(text: str) -> float | None:
    """The tone of a text in [-1, 1]; None when it has none of the words. A word after "not" counts the other way."""
    words = _WORD.findall(text.lower()[:20_000])
    total = count = 0
    for before, word in zip(["", *words], words, strict=False):
        sign = (word in _GOOD) - (word in _BAD)
        if sign:
            total += -sign if before in _NOT else sign
            count += 1
    return total / count if count else None


def tone_vote(symbol: str, articles: Sequence[Article], now: datetime) -> Vote | str:
    """A vote on one symbol, or why there is none. Articles with the same text count once."""
    seen = {article.text: article for article in sorted(articles, key=lambda a: (a.at, a.url))}
    heard = [(one, tone) for one in seen.values() if (tone := tone_of(one.text)) is not None]
    if not heard:
        return f"no tone in {len(seen)} articles" if seen else "no articles"
    weights = [0.5 ** ((now - one.at).total_seconds() / 3600 / HALF_LIFE_HOURS) for one, _ in heard]
    total = sum(weights)
    score = sum(weight * tone for weight, (_, tone) in zip(weights, heard, strict=True)) / total
    sure = CONFIDENCE_MOST * total / (total + FULL / 2)
    newest = sorted((one for one, _ in heard), key=lambda a: a.at, reverse=True)
    urls = tuple(one.url for one in newest if one.url)[:5]
    return Vote(symbol, round(score, 4), round(sure, 4), f"{len(heard)} of {len(seen)} articles have a tone", urls)
