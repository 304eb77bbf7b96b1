"""The shape of Boyd et al. 2017, section 7: `python -m benchmarks.backtest_aversion --skfolio DIR`.

Multi-Period Trading via Convex Optimization (Foundations and Trends in Optimization 3-1) simulates single-period
policies of different trading aversion on S&P 500 stocks of 2012 to 2016, with return forecasts that are the realised
return of the day plus noise (variance 0.02, shrunk by 0.024: forecasts of this quality are given, not found), a half
spread of 5 basis points and trades at the price from which the return is counted. Its findings: with more aversion
turnover and costs fall; without aversion costs eat the forecasts; the dearer trading is, the more aversion pays.

Here the prices are those that come with skfolio (20 stocks; DIR is an environment of its own with skfolio in it,
nothing of which is kept), aversion is the no-trade band, and the costs are 0, 1, 2 and 4 times 5 basis points. The
command exits 1 when the shape is another one.

Below it stands the band by cost (`no_trade_band.width: cost`) with the same weights, and with equal ones: these stay,
so that prices alone move a name away from its target.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from datetime import date
from itertools import pairwise
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np

from rebalancer.core.rules import Rules
from rebalancer.research.audit import audited
from rebalancer.research.bar_times import closes_of_days
from rebalancer.research.market import NO_COSTS, CostModel, Instructions, Market, SimulationSetup
from rebalancer.research.presets import with_preset
from rebalancer.research.price_files import last_of_day
from rebalancer.research.reference_columns import reference_columns
from rebalancer.research.simulate import simulated

FIRST, LAST = "2012-01-03", "2016-12-29"
BANDS: Final = (0.0, 0.005, 0.01, 0.02, 0.04, 0.08)  # of capital
HALF_SPREADS: Final = (0.0, 5.0, 10.0, 20.0)  # basis points
AVERSIONS: Final = (5.0, 1.0)  # relative risk aversion of the band by cost
NOISE, SHRINKAGE = 0.02, 0.024
TILT: Final = 0.6  # of the equal weight, for a forecast one deviation above the mean
DAYS_A_YEAR: Final = 252
AUDITED: Final = 20  # bars of every run


class Run(NamedTuple):
    """One run: returns, costs and turnover a year; bars that live planning planned otherwise."""

    band: float
    half_spread: float
    annual_return: float
    annual_cost: float
    annual_turnover: float
    differences: int


def market_of(path: Path) -> Market:
    """The prices of skfolio."""
    data = np.load(path)
    days = data["day"].astype(np.int64)
    times = closes_of_days([date.fromordinal(int(day)) for day in days])
    order = np.argsort(data["symbols"])
    symbols = tuple(str(name) for name in data["symbols"][order])
    return Market(symbols, times, np.ascontiguousarray(data["close"][:, order]), None, None, days, last_of_day(days))


def weights_of(market: Market) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Long-only weights around equal ones, tilted by forecasts of the next day."""
    close = market.close
    returns = np.append(close[1:] / close[:-1] - 1, np.zeros((1, close.shape[1])), axis=0)
    noise = np.random.default_rng(1).normal(0, NOISE**0.5, returns.shape)
    forecast = SHRINKAGE * (returns + noise)
    tilt = (forecast - forecast.mean(axis=1, keepdims=True)) / forecast.std(axis=1, keepdims=True)
    raw = np.maximum(1 + TILT * tilt, 0.0)
    return np.asarray(np.round(raw / raw.sum(axis=1, keepdims=True), 6))


def run(
    market: Market, weights: np.ndarray[Any, np.dtype[np.float64]], band: float, half_spread: float, **by_cost: Any
) -> Run:
    """One simulation: no limits but the band. by_cost: further keys of the band."""
    rules, terms = with_preset(Rules(), "bare")
    sizing = rules.position_sizing
    banded = sizing.no_trade_band.model_copy(update={"absolute": band, **by_cost})
    rules = rules.model_copy(update={"position_sizing": sizing.model_copy(update={"no_trade_band": banded})})
    costs = NO_COSTS if half_spread == 0 else CostModel(half_spread, 0.0, float("inf"), False, 0.0, 0.0)
    bars = len(market.times)
    found = simulated(
        SimulationSetup(
            market, Instructions("targets", weights), rules, costs, 1_000_000.0, "same_close",
            np.ones(bars, dtype=bool), reference_columns(market, {}, rules), terms,
        )
    )  # fmt: skip
    result, years = found.result, bars / DAYS_A_YEAR
    growth = float(result.equity[-1]) / 1_000_000.0
    paid = float(np.sum(found.fills().cost / result.equity[found.fills().bar]))
    differences = audited(found, AUDITED).differences
    return Run(band, half_spread, growth ** (1 / years) - 1, paid / years, result.turnover / years, differences)


def shape_problems(runs: list[Run]) -> list[str]:
    """What is unlike the paper."""
    at = {(one.band, one.half_spread): one for one in runs}
    found, best = [], []
    for half_spread in HALF_SPREADS:
        column = [at[band, half_spread] for band in BANDS]
        if not all(a.annual_turnover > b.annual_turnover for a, b in pairwise(column)):
            found.append(f"turnover does not fall with the band at {half_spread:g} bp")
        if half_spread and not all(a.annual_cost > b.annual_cost for a, b in pairwise(column)):
            found.append(f"costs do not fall with the band at {half_spread:g} bp")
        best.append(max(column, key=lambda one: one.annual_return).band)
    if best != sorted(best):
        found.append(f"the band that earns most does not grow with costs: {best}")
    if at[BANDS[-1], 0.0].annual_return >= at[0.0, 0.0].annual_return:
        found.append("without costs the widest band earns more than none")
    if at[BANDS[-1], HALF_SPREADS[-1]].annual_return <= at[0.0, HALF_SPREADS[-1]].annual_return:
        found.append("with high costs no band earns more than the widest")
    for band in BANDS:
        row = [at[band, half_spread] for half_spread in HALF_SPREADS]
        if not all(a.annual_return > b.annual_return for a, b in pairwise(row)):
            found.append(f"the return does not fall with costs at a band of {band:g}")
    if any(one.differences for one in runs):
        found.append("live planning decided otherwise")
    return found


def main() -> int:
    """Print the table; 1 when its shape is another one."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--skfolio", type=Path, required=True, help="an environment with skfolio")
    given = arguments.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "data.npz"
        script = Path(__file__).with_name("peers") / "skfolio_prices.py"
        command = [str(given.skfolio / "bin/python"), str(script), str(path), FIRST, LAST]
        version = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
        market = market_of(path)
    weights = weights_of(market)
    print(f"skfolio {version}: {len(market.times)} days x {len(market.symbols)} names")
    runs = [run(market, weights, band, half_spread) for half_spread in HALF_SPREADS for band in BANDS]
    print(f"{'half spread':>11} {'band':>6} {'turnover':>9} {'costs':>8} {'return':>8}   (a year)")
    for one in runs:
        print(
            f"{one.half_spread:>8g} bp {one.band:>6.1%} {one.annual_turnover:>9.1f} {one.annual_cost:>8.2%} "
            f"{one.annual_return:>8.2%}"
        )
    print(f"{'half spread':>11} {'by cost':>16} {'turnover':>9} {'costs':>8} {'return':>8}   (a year)")
    for words, said in (("these weights", weights), ("equal weights", np.full_like(weights, 1 / weights.shape[1]))):
        for half_spread in HALF_SPREADS:
            for aversion in (None, *AVERSIONS):
                keys = {} if aversion is None else {"width": "cost", "risk_aversion": aversion}
                one = run(market, said, 0.0, half_spread, **keys)
                runs.append(one._replace(band=-1.0))
                print(
                    f"{half_spread:>8g} bp {'none' if aversion is None else f'aversion {aversion:g}':>16} "
                    f"{one.annual_turnover:>9.2f} {one.annual_cost:>8.2%} {one.annual_return:>8.2%}   {words}"
                )
    problems = shape_problems(runs)
    print(
        *(problems or [f"the shape is that of the paper; {AUDITED * len(runs)} bars audited: 0 differences"]), sep="\n"
    )
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
