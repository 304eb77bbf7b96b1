"""What empyrical-reloaded and quantstats say about the series of `series.py`, as JSON on stdout.

    python -m tests.performance.oracles > tests/performance/oracles.json

Both are heavy and import half of the plotting world, so they run in a process of their own, without a network.
"""

from __future__ import annotations

import json
import math
import socket
import sys
import warnings
from collections.abc import Callable
from typing import Any

from tests.performance.series import BENCHMARKED, SERIES, YEAR

RISK_FREE = 0.03
DAILY = RISK_FREE / YEAR


def no_network(*_: object, **__: object) -> None:
    raise OSError("an oracle has tried to reach the network")


def value(ask: Callable[[], Any]) -> float | None:
    """A figure; None when the library has none."""
    try:
        found = float(ask())
    except (ZeroDivisionError, ValueError):
        return None
    return found if math.isfinite(found) else None


def figures() -> dict[str, dict[str, dict[str, float | None]]]:
    """Every figure that a library has, by library, by series, by our name for it."""
    socket.socket.connect = no_network  # type: ignore[method-assign,assignment]  # the proof that none is needed
    warnings.simplefilter("ignore")
    import empyrical as ep
    import pandas as pd
    import quantstats.stats as qs

    found: dict[str, dict[str, dict[str, float | None]]] = {"empyrical": {}, "quantstats": {}}
    for name, numbers in SERIES.items():
        days = pd.bdate_range("2025-01-01", periods=len(numbers))
        r = pd.Series(numbers, index=days)
        found["empyrical"][name] = {
            "time_weighted": value(lambda r=r: ep.cum_returns_final(r)),
            "annual_return": value(lambda r=r: ep.annual_return(r)),
            "volatility": value(lambda r=r: ep.annual_volatility(r)),
            "sharpe": value(lambda r=r: ep.sharpe_ratio(r, DAILY)),
            "sortino": value(lambda r=r: ep.sortino_ratio(r, DAILY)),
            "downside_deviation": value(lambda r=r: ep.downside_risk(r, DAILY)),
            "max_drawdown": value(lambda r=r: ep.max_drawdown(r)),
            "calmar": value(lambda r=r: ep.calmar_ratio(r)),
            "omega": value(lambda r=r: ep.omega_ratio(r, 0.0, RISK_FREE)),
            "value_at_risk": value(lambda r=r: ep.value_at_risk(r)),
            "conditional_value_at_risk": value(lambda r=r: ep.conditional_value_at_risk(r)),
            "tail_ratio": value(lambda r=r: ep.tail_ratio(r)),
        }
        found["quantstats"][name] = {
            "time_weighted": value(lambda r=r: qs.comp(r)),
            "annual_return": value(lambda r=r: qs.cagr(r, periods=YEAR)),
            "volatility": value(lambda r=r: qs.volatility(r, YEAR)),
            "sharpe0": value(lambda r=r: qs.sharpe(r, 0.0, YEAR)),
            "sortino0": value(lambda r=r: qs.sortino(r, 0.0, YEAR)),
            "max_drawdown": value(lambda r=r: qs.max_drawdown(r)),
            "ulcer_index": value(lambda r=r: qs.ulcer_index(r)),
            "tail_ratio": value(lambda r=r: qs.tail_ratio(r)),
            "skew": value(lambda r=r: qs.skew(r)),
            "kurtosis": value(lambda r=r: qs.kurtosis(r)),
            "win_rate": value(lambda r=r: qs.win_rate(r)),
            "profit_factor": value(lambda r=r: qs.profit_factor(r)),
            "payoff": value(lambda r=r: qs.payoff_ratio(r)),
            "average_win": value(lambda r=r: qs.avg_win(r)),
            "average_loss": value(lambda r=r: qs.avg_loss(r)),
        }
    for name, (numbers, others) in BENCHMARKED.items():
        days = pd.bdate_range("2025-01-01", periods=len(numbers))
        r, b = pd.Series(numbers, index=days), pd.Series(others, index=days)
        found["empyrical"][f"{name} against"] = {
            "alpha": value(lambda r=r, b=b: ep.alpha(r, b, DAILY)),
            "beta": value(lambda r=r, b=b: ep.beta(r, b, DAILY)),
            "up_capture": value(lambda r=r, b=b: ep.up_capture(r, b)),
            "down_capture": value(lambda r=r, b=b: ep.down_capture(r, b)),
        }
        found["quantstats"][f"{name} against"] = {
            "beta": value(lambda r=r, b=b: qs.greeks(r, b, YEAR)["beta"]),
            "information": value(lambda r=r, b=b: qs.information_ratio(r, b)),
            "r_squared": value(lambda r=r, b=b: qs.r_squared(r, b)),
        }
    return found


if __name__ == "__main__":
    json.dump(figures(), sys.stdout, indent=1)
    sys.stdout.write("\n")
