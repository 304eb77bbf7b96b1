"""How often the regime changes on real prices, with hysteresis and without, and what it would have kept out of.

    python -m benchmarks.regimes

Prices: the S&P 500 and 20 of its stocks, 1990 to 2022, as they come with skfolio (a development tool). Without
hysteresis: every session is judged by the levels of entry alone, with no minimum stay.
"""

from __future__ import annotations

from collections import Counter
from datetime import date
from itertools import pairwise

import numpy as np
from skfolio.datasets import load_sp500_dataset, load_sp500_index  # type: ignore[import-untyped,import-not-found]

from rebalancer.core.regime_rules import RegimeRules
from rebalancer.regimes.machine import regimes_through, wanted_regime
from rebalancer.regimes.measures import measure_sessions

CUTS = 40


def main() -> None:
    """Print flips a year, the time in each regime, and whether anything after a session changed it."""
    index, stocks = load_sp500_index(), load_sp500_dataset()
    days = [stamp.date() for stamp in index.index]
    closes = index.to_numpy(np.float64).reshape(-1)
    names = stocks.reindex(index.index).to_numpy(np.float64)
    rules = RegimeRules()
    sessions = measure_sessions(days, closes, names, rules.breadth_names)
    found = list(regimes_through(None, sessions, rules))
    first = next(i for i, one in enumerate(sessions) if one.values is not None)
    with_it = [one.name for one in found[first:]]
    without = [wanted_regime("CHOP", one.values, rules.levels) for one in sessions[first:] if one.values is not None]
    years = len(with_it) / 252
    print(f"{days[first]} to {days[-1]}, {years:.1f} years")
    for words, row in (("with hysteresis", with_it), ("without", without)):
        flips = sum(a != b for a, b in pairwise(row))
        share = {name: f"{n / len(row):.0%}" for name, n in Counter(row).most_common()}
        print(f"{words:16} {flips:5} flips, {flips / years:5.1f} a year, {share}")
    change = np.diff(np.log(closes))[first:]
    for name in ("BULL", "CHOP", "BEAR", "CRISIS"):
        at = np.array([one == name for one in with_it[:-1]])
        mean, deviation = change[at].mean() * 252, change[at].std() * 252**0.5
        print(f"{name:7} the day after: mean {mean:+.1%} a year, deviation {deviation:.1%}")
    for one, two in pairwise(found[first:]):
        if two.name == "CRISIS" and one.name != "CRISIS":
            print(f"  CRISIS from {two.as_of}")
    unlike = sum(
        _differs(days, closes, names, rules, found, cut) for cut in np.linspace(first, len(days), CUTS, dtype=int)
    )
    print(f"cut after {CUTS} sessions: {unlike} differ")


def _differs(days: list[date], closes, names, rules, found, cut) -> bool:  # type: ignore[no-untyped-def]
    part = measure_sessions(days[:cut], closes[:cut], names[:cut], rules.breadth_names)
    return list(regimes_through(None, part, rules)) != found[:cut]


if __name__ == "__main__":
    main()
