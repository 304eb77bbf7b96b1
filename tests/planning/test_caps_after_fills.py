"""Every cap holds after every fill event, whatever fills, in whatever order, and however little of it."""

from __future__ import annotations

import pytest

from tests.planning.fills import Watched, watch
from tests.planning.worlds import limited, world


def total(seeds: range) -> Watched:
    """All runs together."""
    given = [world(seed, calm=seed % 3 != 0) for seed in seeds]
    runs = [watch(limited(w, s) if s % 6 == 1 else w, s + 1) for s, w in zip(seeds, given, strict=True)]
    return Watched(
        sum(r.events for r in runs),
        sum(r.reductions for r in runs),
        sum(r.increases for r in runs),
        tuple(f"seed {seed}: {what}" for seed, r in zip(seeds, runs, strict=True) for what in r.violations),
    )


def test_no_cap_is_ever_broken_by_a_fill() -> None:
    seen = total(range(300))
    assert seen.violations == ()
    assert min(seen.events, seen.reductions, seen.increases) > 200


@pytest.mark.campaign
def test_no_cap_is_ever_broken_by_a_fill_in_a_thousand_plans() -> None:
    seen = total(range(1_000, 2_500))
    print(f"1500 plans, {seen.reductions} reductions, {seen.increases} increases, {seen.events} fill events")
    assert seen.violations == ()
