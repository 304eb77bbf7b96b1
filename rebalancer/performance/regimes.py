"""The market's regime on each day: BULL, CHOP, BEAR or CRISIS, for the table of round trips.

It is the one that was in force, as the journal recorded it; on days before that, what the default rules of `regimes`
make of the benchmark's closes. On a day counts the regime at the end of the session before: there is no look-ahead.
"""

from __future__ import annotations

from datetime import date

from rebalancer.core.regime_rules import RegimeRules
from rebalancer.performance.benchmark import Benchmark
from rebalancer.regimes.machine import regimes_through
from rebalancer.regimes.measures import measure_sessions


def regimes_by_day(benchmark: Benchmark) -> dict[date, str]:
    """The regime of every day that is known; a day before the first measure is left out."""
    sessions = measure_sessions(benchmark.days, benchmark.closes)
    before = regimes_through(None, sessions, RegimeRules())
    computed = {day: one.name for day, one in zip(benchmark.days[1:], before, strict=False) if one.measured_on}
    return {**computed, **benchmark.regimes}
