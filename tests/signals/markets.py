"""Made-up daily closes."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np

from rebalancer.brokers.protocol import DailyCloses

LAST = date(2026, 11, 19)  # the day before the tests' today


def market(names: int = 40, days: int = 260, seed: int = 1) -> DailyCloses:
    """Random walks, one a name, ending yesterday."""
    steps = np.random.default_rng(seed).normal(0.0003, 0.02, (names, days))
    prices = 100 * np.exp(np.cumsum(steps, axis=1))
    symbols = tuple(f"S{i:03}" for i in range(names))
    return closes_of({s: tuple(row) for s, row in zip(symbols, prices.tolist(), strict=True)})


def closes_of(rows: dict[str, tuple[float, ...]]) -> DailyCloses:
    """Closes of the last days up to yesterday."""
    length = len(next(iter(rows.values())))
    return DailyCloses(tuple(rows), tuple(LAST - timedelta(days=length - 1 - i) for i in range(length)), rows)
