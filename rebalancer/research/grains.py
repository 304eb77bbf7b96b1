"""Prices as whole numbers of the engine."""

from __future__ import annotations

from typing import Final

import numpy as np

from rebalancer.planning.to_columns import OutOfRange
from rebalancer.research.market import Floats, Integers

PRICE_MOST: Final = 2_000_000_000_000


def refuse_too_high(prices: Floats, decimals: Integers) -> None:
    """Raise OutOfRange for a price that grains cannot count."""
    most = np.fmax.reduce(prices, axis=0, initial=0.0)
    if (np.rint(most * 10.0**decimals) > PRICE_MOST).any():
        raise OutOfRange("a price is too high to be counted beside the lowest one of its name")


def grains_of(prices: Floats, decimals: Integers) -> Integers:
    """Prices in grains; 0 where there is none."""
    return np.rint(np.nan_to_num(prices) * 10.0**decimals).astype(np.int64)
