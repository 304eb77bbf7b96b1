"""The benchmark's stored closes, in the form that `performance` expects."""

from __future__ import annotations

from pathlib import Path

from rebalancer.market_data.stored_closes import closes_of
from rebalancer.performance.benchmark import Benchmark


def benchmark_of(folder: Path, symbol: str) -> Benchmark:
    """The stored closes of a symbol; a benchmark without days if there are none. "" means no benchmark."""
    found = closes_of(folder, symbol) if symbol else None
    return Benchmark(symbol) if found is None else Benchmark(found.symbol, found.days, found.closes)
