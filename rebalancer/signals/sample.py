"""A bundled sample of signals: momentum and short-term reversal over daily closes.

It is a simple example, not a recommendation. For each symbol, over completed days only:

1. momentum: the return from 125 days ago to 5 days ago (Jegadeesh and Titman 1993 also skip the newest days);
2. reversal: the last 5 days' return with the opposite sign (Lehmann 1990);
3. both are ranked across all symbols to [-1, 1], blended 70 : 30, and ranked again;
4. shape: the top fifth gets a score from 0.4 to 0.6, the bottom fifth from -0.6 to -0.4; the rest stays below 0.1 in
   absolute value and is neutral. Of 40 symbols about 8 are clearly long.

Confidence is 0.3, plus up to 0.1 depending on how far both rankings agree, plus up to 0.1 for a year of history. So
score x confidence is at most 0.3, and with the default base size of 0.10 and a volatility scale of at most 1.5 no
target exceeds 4.5 % of capital: the first rebalance of a small account needs one order per symbol.
"""

from __future__ import annotations

from datetime import datetime
from typing import Final

import numpy as np

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.facts import Signal
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.values import utc
from rebalancer.signals.ranking import Floats, ranked, shaped
from rebalancer.signals.signal_row import computed_id

SOURCE: Final = "sample"
NAMES: Final = frozenset(  # a list of its own: more names in the market or in the sector file change no sample signal
    (
        "AAPL", "AMC", "AMT", "AMZN", "AVGO", "BAC", "BRK.B", "CAT", "COP", "COST", "CRM", "CVX", "DIS", "DUK", "FCX",
        "GE", "GOOGL", "HD", "HON", "JNJ", "JPM", "KO", "LIN", "LLY", "MCD", "META", "MRK", "MSFT", "NEE", "NFLX",
        "NKE", "NVDA", "NVR", "ORCL", "PG", "PLD", "SPY", "TSLA", "UNH", "UPS", "V", "WMT", "XOM",
    )
)  # fmt: skip
LOOKBACK_DAYS: Final = 120
SKIP_DAYS: Final = 5
DAYS_MIN: Final = LOOKBACK_DAYS + SKIP_DAYS + 1
_FULL_HISTORY_DAYS: Final = 250
_PRESENT_MIN: Final = 0.8  # the fraction of the days considered that must have a close
_MOMENTUM_PART: Final = 0.7
_CONFIDENCE, _AGREEMENT_PART, _HISTORY_PART = 0.3, 0.1, 0.1


def sample_signals(closes: DailyCloses, now: datetime) -> tuple[Signal, ...]:
    """One signal for every symbol with enough history, sorted by symbol; none when fewer than 126 days are complete.

    now: aware; the issue time; its day in New York is not complete yet. Ids depend on the last complete day and the
    content, so an unchanged day gives the same ids.
    """
    now = utc(now)
    today = day_in_new_york(now)
    days = [i for i, day in enumerate(closes.days) if day < today]
    if len(days) < DAYS_MIN or not closes.symbols:
        return ()
    symbols = sorted(closes.symbols)
    prices = np.array([closes.closes[s] for s in symbols], dtype=np.float64)[:, days]
    prices[~(np.isfinite(prices) & (prices > 0))] = np.nan
    history = np.isfinite(prices).sum(axis=1)
    recent = np.isfinite(prices[:, -DAYS_MIN:])
    filled = np.log(_filled_forward(prices))
    first, skipped, last = filled[:, -DAYS_MIN], filled[:, -1 - SKIP_DAYS], filled[:, -1]
    usable = np.isfinite(first) & (recent.mean(axis=1) >= _PRESENT_MIN) & recent[:, -SKIP_DAYS:].any(axis=1)
    if not usable.any():
        return ()
    momentum = ranked(skipped[usable] - first[usable])
    reversal = ranked(skipped[usable] - last[usable])
    blend = ranked(_MOMENTUM_PART * momentum + (1 - _MOMENTUM_PART) * reversal)
    agreement = 1 - np.abs(momentum - reversal) / 2
    length = np.minimum(history[usable] / _FULL_HISTORY_DAYS, 1)
    scores = np.round(shaped(blend), 4)
    confidences = np.round(_CONFIDENCE + _AGREEMENT_PART * agreement + _HISTORY_PART * length, 4)
    names = [s for s, good in zip(symbols, usable, strict=True) if good]
    day = closes.days[days[-1]].isoformat()
    return tuple(
        _signal(symbol, float(score), float(confidence), day, now)
        for symbol, score, confidence in zip(names, scores, confidences, strict=True)
    )


def _signal(symbol: str, score: float, confidence: float, day: str, now: datetime) -> Signal:
    return Signal(computed_id(SOURCE, symbol, day, score, confidence), symbol, score + 0.0, confidence, SOURCE, now)


def _filled_forward(prices: Floats) -> Floats:
    """Each gap filled with the previous close; days before the first close stay NaN. Shape (symbols, days)."""
    days = np.where(np.isfinite(prices), np.arange(prices.shape[1]), 0)
    filled: Floats = np.take_along_axis(prices, np.maximum.accumulate(days, axis=1), axis=1)
    return filled
