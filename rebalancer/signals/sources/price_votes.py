"""Daily closes to a vote: momentum over a year without the last month, and reversal of the last week.

Both are returns in units of the name's own volatility, squashed to (-1, 1) by x / (1 + |x|), so that one name alone
has a vote too. Momentum counts 70 %. Confidence grows with the history and with how much the two agree. Closes that end
long ago, of a name or a feed that has gone quiet, are no vote: it would count as fresh.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, timedelta
from itertools import pairwise
from math import isfinite, log, sqrt
from typing import Final

from rebalancer.signals.sources.contract import Vote

DAYS: Final = 253  # of closes: a year of returns
QUIET: Final = timedelta(days=7)  # no market of ours has been closed for longer
_DAYS_LEAST: Final = 60
_SKIPPED: Final = 21
_WEEK: Final = 5
_MOMENTUM: Final = 0.7


def price_vote(symbol: str, closes: Mapping[date, float], today: date) -> Vote | str:
    """A vote on one symbol, or why there is none. closes: USD by day of New York; those before `today` count."""
    days = sorted(day for day, close in closes.items() if day < today and isfinite(close) and close > 0)[-DAYS:]
    if len(days) < _DAYS_LEAST:
        return f"only {len(days)} daily closes, {_DAYS_LEAST} are needed"
    if today - days[-1] > QUIET:
        return f"its newest close is of {days[-1]}"
    prices = [float(closes[day]) for day in days]
    steps = [log(b) - log(a) for a, b in pairwise(prices)]
    mean = sum(steps) / len(steps)
    daily = sqrt(sum((step - mean) ** 2 for step in steps) / (len(steps) - 1))
    if daily == 0:
        return "its price does not move"
    span = len(prices) - 1 - _SKIPPED
    momentum = _squashed((log(prices[-1 - _SKIPPED]) - log(prices[0])) / (daily * sqrt(span)))
    reversal = -_squashed((log(prices[-1]) - log(prices[-1 - _WEEK])) / (daily * sqrt(_WEEK)))
    score = _MOMENTUM * momentum + (1 - _MOMENTUM) * reversal
    history, agreement = len(prices) / DAYS, 1 - abs(momentum - reversal) / 2
    because = f"momentum {momentum:+.2f}, reversal {reversal:+.2f}, {len(prices)} closes"
    return Vote(symbol, round(score, 4), round(0.4 + 0.3 * history + 0.3 * agreement, 4), because)


def _squashed(number: float) -> float:
    return number / (1 + abs(number))
