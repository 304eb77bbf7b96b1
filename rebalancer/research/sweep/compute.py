"""One point, computed in a worker: paths come in, a small file and a record go out."""

from __future__ import annotations

import os
import threading
from functools import lru_cache
from multiprocessing import connection, parent_process
from pathlib import Path
from typing import Final

import numpy as np

from rebalancer.core.documents import BadDocument
from rebalancer.ops.clock import SystemClock
from rebalancer.performance import ratios
from rebalancer.planning.to_columns import OutOfRange
from rebalancer.research.audit import difference_at
from rebalancer.research.backtest import DAYS_A_YEAR, BacktestRequest, prepared
from rebalancer.research.price_files import PriceHistory, read_prices
from rebalancer.research.simulate import SimulatedRun, simulated
from rebalancer.research.sweep.points import PointResult, SweepPoint, write_result
from rebalancer.research.trial_figures import daily_returns
from rebalancer.research.trial_key import trial_key

AUDITED: Final = 3  # bars of every point that the live planner plans again


class OtherInputs(Exception):
    """What was computed is not the point: the files changed since the sweep began, or this worker has none, other ones
    or another version of the program."""


def compute_point(folder: Path, point: SweepPoint) -> PointResult:
    """Run a point and write its result. A point that cannot be run has a result too, which says why. Raises OtherInputs
    before anything is written, and OSError where the result cannot be written."""
    at = SystemClock().wall()
    try:
        result = _run(point)._replace(at=at)
    except (BadDocument, OutOfRange) as error:
        result = PointResult(point.keys, point.key, at, problem=str(error).splitlines()[0])
    except OSError as error:
        raise OtherInputs(f"its files cannot be read: {error}") from None
    _refuse_other_inputs(point)
    write_result(folder, result)
    return result


def _refuse_other_inputs(point: SweepPoint) -> None:
    if point.request is None:
        return
    try:
        here = trial_key(point.request)
    except (BadDocument, OSError) as error:
        raise OtherInputs(f"its files cannot be read: {str(error).splitlines()[0]}") from None
    if here != point.key:
        what = "program" if here.code != point.key.code else "data"
        raise OtherInputs(f"computed with other {what} than the sweep began with: begin it again")


def _run(point: SweepPoint) -> PointResult:
    request = point.request
    if request is None:
        raise BadDocument("rules", point.problem)
    assert isinstance(request.prices, Path)
    setup = prepared(request._replace(prices=_prices(request.prices, *_seen(request)))).setup
    run = simulated(setup)
    days, returns = daily_returns(setup, run.result.equity)
    kept = returns.astype(np.float32).astype(np.float64)
    return PointResult(
        point.keys,
        point.key,
        SystemClock().wall(),
        (days[0], days[-1], len(days)),
        tuple(kept.tolist()),
        _figures(run, kept),
    )


def _figures(run: SimulatedRun, returns: np.ndarray[tuple[int], np.dtype[np.float64]]) -> dict[str, float]:
    result, start = run.result, run.setup.equity
    high = np.maximum.accumulate(np.append(start, result.equity))[1:]
    years = len(np.unique(run.setup.market.day)) / DAYS_A_YEAR
    found = {
        "sharpe": ratios.sharpe(returns),
        "return_a_year": ratios.annual_return(returns),
        "volatility": ratios.volatility(returns),
        "total_return": float(result.equity[-1] / start - 1),
        "max_drawdown": float((result.equity / high - 1).min()),
        "turnover_a_year": float(result.turnover / years),
        "costs": float(sum(result.costs)),
        "orders": float(result.orders),
        "fills": float(result.fills),
        "seconds": round(run.seconds, 4),
        **_audited(run),
    }
    return {name: float(value) for name, value in found.items() if value is not None and np.isfinite(value)}


def _audited(run: SimulatedRun) -> dict[str, float]:
    """A few bars, evenly chosen among those at which a cycle decided, planned again by the live planner."""
    decided = np.flatnonzero(np.asarray(run.history.equity_decided))
    if not len(decided):
        return {"audited": 0.0, "audit_differences": 0.0}
    bars = decided[np.unique(np.linspace(0, len(decided) - 1, min(AUDITED, len(decided))).astype(int))]
    unlike = sum(difference_at(run, int(bar)) is not None for bar in bars)
    return {"audited": float(len(bars)), "audit_differences": float(unlike)}


def _seen(request: BacktestRequest) -> tuple[int, int]:
    assert isinstance(request.prices, Path)
    found = request.prices.stat()
    return found.st_size, found.st_mtime_ns


@lru_cache(maxsize=2)
def _prices(path: Path, *_: int) -> PriceHistory:
    return read_prices(path)


def end_with_parent() -> None:
    """Let this worker end when the process that started it does, however that ended."""
    parent = parent_process()
    if parent is None:
        return

    def watch() -> None:
        connection.wait([parent.sentinel])
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
