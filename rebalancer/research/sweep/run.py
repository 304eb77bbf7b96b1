"""Run a sweep: read what is there, compute what is missing, count every result as a trial."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from rebalancer.research.sweep.points import PointResult, SweepPoint, read_result
from rebalancer.research.sweep.workers import computed_by_dask, computed_here
from rebalancer.research.trial_ledger import TrialLedger, append_trials, read_trials

Heard = Callable[[int, int, Sequence[PointResult]], object]  # done, of, the results since the last call


class Sweep(NamedTuple):
    """All points with their results, in the order of the points. computed: in this run. lost: points that no worker
    brought to an end, with the reason; the next run tries them again. ledger: all trials ever, these included."""

    points: tuple[SweepPoint, ...]
    results: tuple[PointResult, ...]
    computed: int
    lost: tuple[tuple[SweepPoint, str], ...]
    ledger: TrialLedger

    @property
    def done(self) -> tuple[PointResult, ...]:
        """The results that have figures."""
        return tuple(result for result in self.results if not result.problem)

    @property
    def failures(self) -> tuple[tuple[PointResult | SweepPoint, str], ...]:
        """What has none, and why."""
        refused = [(result, result.problem) for result in self.results if result.problem]
        return (*refused, *self.lost)


class SweepPlan(NamedTuple):
    """Where and by whom a sweep is computed. scheduler: the address of Dask's, or "" for processes here."""

    folder: Path
    ledger: Path
    workers: int = 1
    scheduler: str = ""
    kind: str = "grid"


def run_sweep(points: Sequence[SweepPoint], plan: SweepPlan, heard: Heard | None = None) -> Sweep:
    """Compute what is missing in the folder. Results are in the ledger before they are returned. Raises BadDocument for
    a ledger that cannot be used, ExternalError where nobody computes."""
    before = read_trials(plan.ledger)
    append_trials(plan.ledger, ())
    distinct = {point.id: point for point in points}
    found = {id_: result for id_, point in distinct.items() if (result := read_result(plan.folder, point)) is not None}
    known = {trial.key.setting for trial in before.trials}
    _count(plan, [result for result in found.values() if result.key.setting not in known])
    missing = [point for id_, point in distinct.items() if id_ not in found]
    done, lost = len(found), list[tuple[SweepPoint, str]]()
    if heard is not None:
        heard(done, len(distinct), list(found.values()))
    for point, what in _computed(plan, missing):
        done += 1
        if isinstance(what, str):
            lost.append((point, what))
        else:
            _count(plan, [what])
            found[point.id] = what
        if heard is not None:
            heard(done, len(distinct), () if isinstance(what, str) else (what,))
    return Sweep(
        tuple(distinct.values()),
        tuple(found[id_] for id_ in distinct if id_ in found),
        len(missing) - len(lost),
        tuple(lost),
        read_trials(plan.ledger),
    )


def _computed(plan: SweepPlan, missing: Sequence[SweepPoint]) -> Iterator[tuple[SweepPoint, PointResult | str]]:
    if not missing:
        return iter(())
    if plan.scheduler:
        return computed_by_dask(plan.folder, missing, plan.scheduler)
    return computed_here(plan.folder, missing, plan.workers)


def _count(plan: SweepPlan, results: Iterable[PointResult]) -> None:
    trials = [trial for result in results if (trial := result.trial(plan.kind)) is not None]
    if trials:
        append_trials(plan.ledger, trials)
