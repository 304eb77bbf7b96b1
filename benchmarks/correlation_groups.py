"""How often correlation groups change on real prices: today's rule beside the stable groups.

    python -m benchmarks.correlation_groups

Prices: 20 stocks of the S&P 500, 1990 to 2022, as they come with skfolio (a development tool). Both rules look once a
week. A change is a name whose companions are others than the week before.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np
from skfolio.datasets import load_sp500_dataset  # type: ignore[import-untyped,import-not-found]

from rebalancer.market_data.stable_groups import next_groups, week_ends
from rebalancer.market_data.statistics import RETURNS_USED
from rebalancer.research.reference_columns import linked

THRESHOLDS = (0.7, 0.6, 0.5)


def main() -> None:
    """Print changes a year, and how many names have companions, for both rules."""
    prices = load_sp500_dataset()
    days, symbols = [stamp.date() for stamp in prices.index], list(prices.columns)
    closes = prices.to_numpy(np.float64)
    returns = np.vstack([np.full(len(symbols), np.nan), np.diff(np.log(closes), axis=0)])
    ends = [end for end in week_ends(days) if end > RETURNS_USED]
    for threshold in THRESHOLDS:
        now, stable = [], []
        groups = None
        for end in ends:
            first = linked(returns[end + 1 - RETURNS_USED : end + 1], threshold)
            now.append({symbol: symbols[int(first[i])] for i, symbol in enumerate(symbols)})
            groups = next_groups(groups, days[end], symbols, returns[: end + 1], threshold)
            stable.append({} if groups is None else groups.named())
        for words, weeks in (("today's rule", now), ("stable", stable)):
            changes, grouped = counted(weeks)
            print(
                f"threshold {threshold}: {words:12} {changes:6.1f} changes a year, {grouped:4.1f} names with companions"
            )


def counted(weeks: Sequence[Mapping[str, str]]) -> tuple[float, float]:
    """Changes a year, and the mean number of names with companions."""
    others = [{s: frozenset(o for o in week if week[o] == week[s]) for s in week} for week in weeks]
    changes = sum(one[s] != two[s] for one, two in pairwise(others) for s in one.keys() & two.keys())
    grouped = sum(len(found) > 1 for week in others for found in week.values())
    return changes / (len(weeks) / 52), grouped / len(weeks)


if __name__ == "__main__":
    main()
