"""The market regime on each day, from a benchmark's closes: calm or rough, rising or falling.

Rising: the close is at or above its mean over `TREND_DAYS`. Rough: the standard deviation of the last `ROUGH_DAYS`
returns is above its own median so far. Only earlier closes are used for a day, so there is no look-ahead.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Final

import numpy as np

TREND_DAYS: Final = 50
ROUGH_DAYS: Final = 20


def regimes(days: Sequence[date], closes: Sequence[float]) -> dict[date, str]:
    """The regime of every day that is preceded by at least `TREND_DAYS` closes, such as "calm, rising". Days with a NaN
    close are left out."""
    known = [(day, close) for day, close in zip(days, closes, strict=True) if np.isfinite(close) and close > 0]
    prices = np.array([close for _, close in known])
    found: dict[date, str] = {}
    if prices.size <= TREND_DAYS:
        return found
    returns = np.diff(np.log(prices))
    windows = np.lib.stride_tricks.sliding_window_view(returns, ROUGH_DAYS)
    deviations = windows.std(axis=1, ddof=1)
    for i in range(TREND_DAYS, len(known)):
        before = prices[i - TREND_DAYS : i]
        rising = before[-1] >= before.mean()
        so_far = deviations[: i - ROUGH_DAYS]  # the last of them ends with the close before this day
        rough = so_far[-1] > np.median(so_far)
        found[known[i][0]] = f"{'rough' if rough else 'calm'}, {'rising' if rising else 'falling'}"
    return found
