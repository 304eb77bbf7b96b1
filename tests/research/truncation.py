"""The truncation test: what is decided up to bar t does not change when everything after t is cut off.

A planted look-ahead, a function that uses what comes later, is found by it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np

from rebalancer.research.market import Floats, Instructions, Market
from rebalancer.research.price_files import rows_of

Maker = Callable[[Market], Instructions]


def cut(market: Market, bar: int) -> Market:
    """The market up to a bar, which is included."""
    return rows_of(market, slice(0, bar + 1))


def looks_ahead(make: Maker, market: Market, bars: Iterable[int]) -> list[int]:
    """The bars at which an instruction changes when what comes later is cut off."""
    whole = make(market)
    return [bar for bar in bars if not _same(whole.value, make(cut(market, bar)).value, bar)]


def _same(whole: Floats, short: Floats, bar: int) -> bool:
    return np.array_equal(whole[: bar + 1], short, equal_nan=True)
