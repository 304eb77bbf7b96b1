"""Our figures against those of two libraries, and what they say when there is nothing to say."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.performance import ratios
from rebalancer.performance.benchmark import against
from rebalancer.performance.returns import Series, time_weighted
from rebalancer.performance.round_trips import RoundTrip
from rebalancer.performance.stats import round_trip_stats
from tests.performance.series import BENCHMARKED, SERIES

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).with_name("oracles.json")
RISK_FREE = 0.03
SAID_ZERO = {"quantstats flat win_rate", "quantstats flat profit_factor"}  # of nothing: we say None
MOST = 1e-9  # absolute, and relative for what is larger than one
OURS: dict[str, Callable[[Series], float | None]] = {
    "time_weighted": time_weighted,
    "annual_return": ratios.annual_return,
    "volatility": ratios.volatility,
    "sharpe": lambda r: ratios.sharpe(r, RISK_FREE),
    "sharpe0": ratios.sharpe,
    "sortino": lambda r: ratios.sortino(r, RISK_FREE),
    "sortino0": ratios.sortino,
    "downside_deviation": lambda r: ratios.downside_deviation(r, RISK_FREE),
    "max_drawdown": ratios.max_drawdown,
    "calmar": ratios.calmar,
    "omega": lambda r: ratios.omega(r, RISK_FREE),
    "value_at_risk": ratios.value_at_risk,
    "conditional_value_at_risk": ratios.conditional_value_at_risk,
    "tail_ratio": ratios.tail_ratio,
    "ulcer_index": ratios.ulcer_index,
    "skew": ratios.skew,
    "kurtosis": ratios.kurtosis,
}


def ours(name: str, figure: str) -> float | None:
    """Our figure for a series of the golden file."""
    if name.endswith(" against"):
        returns, benchmark = (np.array(one) for one in BENCHMARKED[name.removesuffix(" against")])
        compared = against(returns, benchmark, RISK_FREE)
        if figure == "r_squared":
            return None if compared.correlation is None else compared.correlation**2
        found = getattr(compared, figure)
        assert found is None or isinstance(found, float)
        return found
    if figure in OURS:
        return OURS[figure](np.array(SERIES[name]))
    stats = getattr(round_trip_stats([trip(x) for x in SERIES[name]]), figure)
    return None if stats is None else float(stats)


def trip(profit: float) -> RoundTrip:
    """A round trip that won so much."""
    at = datetime(2026, 1, 2, tzinfo=UTC)
    one = Decimal(1)
    won = Decimal(repr(profit))
    return RoundTrip("KO", "long", one, one, one, at, at, one, won, won * 0, won * 0, "", "", "us_equity", "", "")


def compared() -> Iterator[tuple[str, float | None, float | None]]:
    """Every figure of both libraries beside ours."""
    for library, by_series in json.loads(GOLDEN.read_text()).items():
        for name, by_figure in by_series.items():
            for figure, theirs in by_figure.items():
                where = f"{library} {name} {figure}"
                yield where, None if where in SAID_ZERO else theirs, ours(name, figure)


def apart(theirs: float | None, mine: float | None) -> float:
    """How far two figures are from each other; infinitely where one has none."""
    if theirs is None or mine is None:
        return 0.0 if theirs is mine else float("inf")
    return abs(theirs - mine) / max(1.0, abs(theirs))


def largest() -> tuple[float, str, int]:
    """The largest difference, where it is, and how many figures were compared."""
    found = [(apart(theirs, mine), where) for where, theirs, mine in compared()]
    return (*max(found), len(found))


def test_every_figure_is_that_of_the_libraries() -> None:
    different = {where: (theirs, mine) for where, theirs, mine in compared() if apart(theirs, mine) > MOST}
    assert different == {}
    assert largest()[2] > 250


def test_the_stored_figures_are_those_of_the_libraries() -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "tests.performance.oracles"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    told, stored = json.loads(ran.stdout), json.loads(GOLDEN.read_text())
    assert [(a, b, sorted(told[a][b])) for a in told for b in told[a]] == [
        (a, b, sorted(stored[a][b])) for a in stored for b in stored[a]
    ]
    for library, name, figure in ((a, b, c) for a in stored for b in stored[a] for c in stored[a][b]):
        assert apart(stored[library][name][figure], told[library][name][figure]) < 1e-12, (library, name, figure)


returns_of = st.lists(st.floats(-1.0, 10.0, allow_nan=False), max_size=40).map(np.array)


@given(returns_of, st.floats(-0.05, 0.5))
def test_no_figure_is_ever_infinite_or_not_a_number(returns: Series, risk_free: float) -> None:
    figures = {name: ask(returns) for name, ask in OURS.items()}
    figures["sharpe r"] = ratios.sharpe(returns, risk_free)
    figures["sortino r"] = ratios.sortino(returns, risk_free)
    figures |= dict(against(returns, np.roll(returns, 1), risk_free)._asdict())
    assert {name: x for name, x in figures.items() if x is not None and not np.isfinite(x)} == {}
    if not returns.size:
        assert {x for name, x in figures.items() if name != "days"} == {None}


@given(returns_of)
def test_a_drawdown_is_between_nothing_and_everything(returns: Series) -> None:
    fall = ratios.max_drawdown(returns)
    assert (fall is None) == (returns.size == 0)
    assert fall is None or -1.0 <= fall <= 0.0
    assert 0 <= ratios.drawdown_days(returns) <= returns.size


def test_the_longest_time_below_a_high() -> None:
    assert ratios.drawdown_days(np.array([0.1, -0.1, 0.05, -0.01, 0.2, -0.1, 0.0])) == 3


if __name__ == "__main__":
    print(largest())
