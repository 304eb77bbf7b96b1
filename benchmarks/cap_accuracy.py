"""Compare the cap projection with cvxpy + Clarabel: `python benchmarks/cap_accuracy.py [instances]`.

Prints the largest difference of a weight, the largest excess over a cap of both, and how far both are from the exact
conditions of the optimum: where they differ, the one with the smaller gap is right.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from time import perf_counter

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.planning.instances import (
    Floats,
    Instance,
    capped,
    instance,
    largest_excess,
    optimality_gap,
    solved_by_clarabel,
)


def clarabel_gap(weights: Floats, problem: Instance) -> float:
    """How far the solver's sums are from the limits that bind, relative to the true multiplicative form."""
    ours = capped(problem)
    worst = largest_excess(weights, problem)
    for family, factors in zip(problem.families, ours.factors, strict=True):
        inside = family.member >= 0
        sums = np.bincount(family.member[inside], np.abs(weights)[inside], len(family.labels))
        worst = max(worst, float(np.max(np.abs(sums - family.limits)[factors < 1], initial=0.0)))
    return worst


def main() -> None:
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 500
    difference = excess = gap = their_excess = their_gap = ours_s = theirs_s = 0.0
    binding, failed = [], 0
    for seed in range(count):
        problem = instance(seed)
        begun = perf_counter()
        found = capped(problem)
        ours_s += perf_counter() - begun
        binding.append(sum(int((f < 1).sum()) for f in found.factors))
        excess = max(excess, largest_excess(found.weights, problem))
        gap = max(gap, optimality_gap(found.weights, found.factors, problem))
        begun = perf_counter()
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # it warns when it stops short of the tolerance asked for
                reference, over = solved_by_clarabel(problem)
        except Exception as error:  # noqa: BLE001  # any failure of the solver is counted and shown
            failed += 1
            print(f"seed {seed}: Clarabel failed: {error}")
            continue
        theirs_s += perf_counter() - begun
        difference = max(difference, float(np.abs(found.weights - reference).max()))
        their_excess = max(their_excess, over)
        their_gap = max(their_gap, clarabel_gap(reference, problem))
    print(f"{count} instances, up to 300 names, {np.mean(binding):.1f} binding groups each (most {max(binding)})")
    print(f"largest difference of a weight     {difference:.2e}   (Clarabel failed {failed} times)")
    print(f"largest excess over a cap          {excess:.2e}   Clarabel {their_excess:.2e}")
    print(f"largest gap to the exact optimum   {gap:.2e}   Clarabel {their_gap:.2e} at the binding limits")
    print(
        f"mean time                          {ours_s / count * 1e3:.2f} ms   "
        f"cvxpy + Clarabel {theirs_s / count * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main()
