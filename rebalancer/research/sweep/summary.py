"""What a sweep comes to: ranking, the best point among all trials, and how much of it is selection."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple

import numpy as np

from rebalancer.research.market import Floats
from rebalancer.research.overfitting import BLOCKS, Overfitting, cscv
from rebalancer.research.sweep.points import Keys, PointResult, SweepPoint, shown
from rebalancer.research.sweep.run import Sweep
from rebalancer.research.trial_figures import TrialFigures, figures_of_trial

SWEEP_SCHEMA: Final = "rebalancer.sweep/1"
RANKED: Final = 20
FAILURES_SHOWN: Final = 20
RankBy = Literal["sharpe", "return_a_year", "total_return", "max_drawdown"]


class SweepSummary(NamedTuple):
    """ranking: the best first. best: the first of it, with its figures among all trials. overfitting: of the points
    that were run over the same days; None for too little data."""

    sweep: Sweep
    by: RankBy
    ranking: tuple[PointResult, ...]
    best: PointResult | None
    among_trials: TrialFigures | None
    overfitting: Overfitting | None

    @property
    def trials_ever(self) -> int:
        """Settings in the ledger."""
        return len(self.sweep.ledger.settings)

    def document(self) -> dict[str, Any]:
        """The `rebalancer.sweep/1` document; its numbers are JSON numbers."""
        sweep, best = self.sweep, self.best
        among = None if self.among_trials is None else self.among_trials.document()
        return {
            "schema": SWEEP_SCHEMA,
            "points": len(sweep.points),
            "done": len(sweep.done),
            "failed": len(sweep.failures),
            "computed": sweep.computed,
            "trials_ever": self.trials_ever,
            "ranked_by": self.by,
            "best": None if best is None else row_of(best) | {"overfitting": among},
            "overfitting": None if self.overfitting is None else self.overfitting._asdict(),
            "audit": {"bars": audited(sweep.done), "differences": differences(sweep.done)},
            "ranking": [row_of(result) for result in self.ranking[:RANKED]],
            "failures": [
                {"keys": keys_of(one.keys), "problem": problem} for one, problem in sweep.failures[:FAILURES_SHOWN]
            ],
        }


def summary_of(sweep: Sweep, by: RankBy = "sharpe") -> SweepSummary:
    """Rank the results. A result without the figure comes last; equal ones stay in the order of the points."""
    ranking = tuple(sorted(sweep.done, key=lambda result: -result.figures.get(by, -np.inf)))
    best = ranking[0] if ranking else None
    trial = None if best is None else best.trial("grid")
    among = None if trial is None else figures_of_trial(trial, sweep.ledger)
    return SweepSummary(sweep, by, ranking, best, among, overfitting_of_points(sweep.done))


def overfitting_of_points(results: Sequence[PointResult]) -> Overfitting | None:
    """Cross-validation over the points that were run over the days of the first one."""
    matrix = returns_matrix(results)
    if matrix.shape[1] < 2 or matrix.shape[0] < 2 * BLOCKS:
        return None
    return cscv(matrix)


def returns_matrix(results: Sequence[PointResult]) -> Floats:
    """Daily returns of the results over the days of the first one, shape (days, results)."""
    if not results:
        return np.zeros((0, 0))
    return np.array([one.returns for one in results if one.days == results[0].days]).T


def row_of(result: PointResult) -> dict[str, Any]:
    """A result as JSON."""
    return {"id": result.key.point, "keys": keys_of(result.keys), **result.figures}


def keys_of(keys: Keys) -> dict[str, Any]:
    """The values of a point as JSON."""
    return {key: shown(value) for key, value in keys.items()}


def audited(results: Sequence[PointResult]) -> int:
    """How many bars the live planner planned again."""
    return int(sum(result.figures.get("audited", 0.0) for result in results))


def differences(results: Sequence[PointResult]) -> int:
    """At how many of them it decided otherwise."""
    return int(sum(result.figures.get("audit_differences", 0.0) for result in results))


class KeyValue(NamedTuple):
    """One value of a key over all other keys: how many points, the best and the mean of the figure."""

    key: str
    value: str
    points: int
    best: float
    mean: float


def by_value(results: Sequence[PointResult], by: str) -> tuple[KeyValue, ...]:
    """Every value of every key that varies."""
    found = []
    for key, values in values_of(results).items():
        for value in values:
            mine = [r.figures[by] for r in results if text_of(r.keys.get(key)) == value and by in r.figures]
            if mine and len(values) > 1:
                found.append(KeyValue(key, value, len(mine), max(mine), float(np.mean(mine))))
    return tuple(found)


def values_of(results: Sequence[PointResult]) -> Mapping[str, tuple[str, ...]]:
    """The values of every key as texts, in their order."""
    found: dict[str, dict[str, None]] = {}
    for result in results:
        for key, value in result.keys.items():
            found.setdefault(key, {})[text_of(value)] = None
    return {key: tuple(values) for key, values in found.items()}


def text_of(value: Any) -> str:
    """A value of a key for people."""
    if value is None:
        return "none"
    if isinstance(value, float):
        return f"{value:.6g}"
    return ", ".join(map(str, value)) if isinstance(value, tuple) else str(value)


class HeatMap(NamedTuple):
    """The best figure for each pair of values of two keys, over all others; None where no point has both."""

    down: str
    across: str
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    cells: tuple[tuple[float | None, ...], ...]


def heat_maps(results: Sequence[PointResult], by: str, most: int = 3) -> tuple[HeatMap, ...]:
    """A map for each pair of the keys that vary, at most so many; one key alone has a map of one row."""
    values = {key: found for key, found in values_of(results).items() if len(found) > 1}
    keys = list(values)
    pairs = [(keys[i], keys[j]) for i in range(len(keys)) for j in range(i + 1, len(keys))][:most]
    found = []
    for down, across in pairs:
        best: dict[tuple[str, str], float] = {}
        for result in results:
            if by in result.figures:
                place = (text_of(result.keys.get(down)), text_of(result.keys.get(across)))
                best[place] = max(best.get(place, -np.inf), result.figures[by])
        cells = tuple(tuple(best.get((row, column)) for column in values[across]) for row in values[down])
        found.append(HeatMap(down, across, values[down], values[across], cells))
    return tuple(found)


def sentence(summary: SweepSummary) -> str:
    """The result in one sentence."""
    sweep, best = summary.sweep, summary.best
    counted = f"{len(sweep.done):,} of {len(sweep.points):,} points"
    if best is None:
        return f"{counted} have a result."
    settings = ", ".join(f"{key} {text_of(value)}" for key, value in best.keys.items())
    return f"{counted}; the best is {settings}: {summary.by} {best.figures.get(summary.by, float('nan')):.4g}."


def point_text(point: SweepPoint | PointResult) -> str:
    """The values of a point for people."""
    return ", ".join(f"{key} {text_of(value)}" for key, value in point.keys.items())
