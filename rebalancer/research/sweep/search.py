"""A search: Optuna proposes points, this program computes them as those of a grid.

Proposals come in batches of as many as there are workers, and results are told in the order of the proposals, with a
seed from the file: the same file and data give the same points again. So a search that was killed proposes what it had
proposed, finds the results in the folder, and goes on.
"""

from __future__ import annotations

import hashlib
import importlib
from decimal import Decimal
from typing import Any

from rebalancer.core.documents import BadDocument
from rebalancer.core.extras import install_hint
from rebalancer.core.rules import Rules
from rebalancer.research.sweep.grid_file import GridAxis, GridFile
from rebalancer.research.sweep.points import PointMaker, SweepPoint
from rebalancer.research.sweep.run import Heard, Sweep, SweepPlan, run_sweep
from rebalancer.research.sweep.summary import RankBy
from rebalancer.settings.kinds import Kind, kinds_of

WORST = -1e9
DIGITS = 6


def run_search(
    grid: GridFile, make: PointMaker, trials: int, batch: int, plan: SweepPlan, by: RankBy, heard: Heard | None = None
) -> Sweep:
    """Propose and compute `trials` points, `batch` at a time; a batch does not depend on the number of workers.

    Raises BadDocument without the extra `search`, and as `run_sweep` does.
    """
    study = _study(grid)
    points: list[SweepPoint] = []
    computed, lost = 0, list[tuple[SweepPoint, str]]()
    while len(points) < trials:
        asked = [study.ask() for _ in range(min(batch, trials - len(points)))]
        batch_points = [make({axis.key: _suggested(trial, axis) for axis in grid.axes}) for trial in asked]
        found = run_sweep(batch_points, plan)
        results = {result.key.point: result for result in found.results}
        for trial, point in zip(asked, batch_points, strict=True):
            result = results.get(point.id)
            study.tell(trial, WORST if result is None else result.figures.get(by, WORST))
        points += batch_points
        computed += found.computed
        lost += found.lost
        if heard is not None:
            heard(len(points), trials, found.results)
    whole = run_sweep([point for point in points if point.id not in {one.id for one, _ in lost}], plan)
    every = {point.id: point for point in points}
    return Sweep(tuple(every.values()), whole.results, computed, tuple(lost), whole.ledger)


def _study(grid: GridFile) -> Any:
    try:
        optuna = importlib.import_module("optuna")
    except ImportError:
        raise BadDocument("search", "Optuna is not installed", install_hint("search")) from None
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    seed = int.from_bytes(hashlib.sha256(repr(grid.axes).encode()).digest()[:4], "big")
    sampler = optuna.samplers.TPESampler(seed=seed, constant_liar=True)
    return optuna.create_study(direction="maximize", sampler=sampler)


def _suggested(trial: Any, axis: GridAxis) -> Any:
    """The value that a trial proposes for a key, as the configuration reads it."""
    if axis.span is None:
        return axis.values[trial.suggest_categorical(axis.key, list(range(len(axis.values))))]
    low, high, log = axis.span
    if axis.whole:
        return trial.suggest_int(axis.key, round(low), round(high), log=log)
    value = float(f"{trial.suggest_float(axis.key, low, high, log=log):.{DIGITS}g}")
    return Decimal(repr(value)) if _is_money(axis.key) else value


def _is_money(key: str) -> bool:
    kind: Kind | None = Kind("section", model=Rules)
    for part in key.split("."):
        kind = None if kind is None or kind.model is None else kinds_of(kind.model).get(part)
    return kind is not None and kind.name == "money"
