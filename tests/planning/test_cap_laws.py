"""What the cap projection keeps to: never raises, never flips, no order matters, and it is the optimum."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.planning.core.project import newton_step
from tests.planning.instances import (
    Instance,
    cap_weights,
    capped,
    instance,
    largest_excess,
    optimality_gap,
    solved_by_clarabel,
)
from tests.planning.oracle import cap_weights as oracle
from tests.planning.oracle.cap_weights import Family, Floats

EXACT = 1e-12
instances = st.integers(0, 2**32 - 1).map(instance)


def close(a: Floats, b: Floats) -> bool:
    return bool(np.abs(a - b).max(initial=0.0) <= EXACT)


@settings(max_examples=80, deadline=None)
@given(instances)
def test_weights_never_rise_and_never_flip(problem: Instance) -> None:
    weights = capped(problem).weights
    assert (np.abs(weights) <= np.minimum(np.abs(problem.raw), problem.own)).all()
    assert (weights * problem.raw >= 0).all()


@settings(max_examples=80, deadline=None)
@given(instances)
def test_no_cap_is_exceeded_by_a_single_unit(problem: Instance) -> None:
    assert largest_excess(capped(problem).weights, problem) == 0.0


@settings(max_examples=80, deadline=None)
@given(instances)
def test_the_conditions_of_the_optimum_hold(problem: Instance) -> None:
    found = capped(problem)
    assert optimality_gap(found.weights, found.factors, problem) <= EXACT


@settings(max_examples=60, deadline=None)
@given(instances, st.integers(0, 1000))
def test_no_order_of_names_groups_or_families_matters(problem: Instance, seed: int) -> None:
    rng = np.random.default_rng(seed)
    names = rng.permutation(problem.raw.size)
    families = []
    for k in rng.permutation(len(problem.families)):
        family = problem.families[k]
        groups = rng.permutation(len(family.labels))
        place = np.append(np.argsort(groups), -1)
        families.append(Family(family.name, family.labels, place[family.member][names], family.limits[groups]))
    other = cap_weights(problem.raw[names], problem.own[names], families)
    assert close(other.weights, capped(problem).weights[names])


@settings(max_examples=60, deadline=None)
@given(instances)
def test_capping_twice_is_capping_once(problem: Instance) -> None:
    once = capped(problem).weights
    twice = cap_weights(once, problem.own, problem.families)
    assert twice.weights.tolist() == once.tolist()
    for family, factor in zip(problem.families, twice.factors, strict=True):
        assert factor.tolist() == [1.0 if limit > 0 else 0.0 for limit in family.limits]


@settings(max_examples=60, deadline=None)
@given(instances, st.sampled_from([0.001, 0.1, 3.0, 1000.0]))
def test_scaling_everything_scales_the_answer(problem: Instance, scale: float) -> None:
    families = [f._replace(limits=f.limits * scale) for f in problem.families]
    other = cap_weights(problem.raw * scale, problem.own * scale, families)
    assert close(other.weights / scale, capped(problem).weights)


@settings(max_examples=60, deadline=None)
@given(instances, st.integers(0, 5), st.floats(0.0, 1.0))
def test_a_tighter_limit_never_makes_room_in_its_own_group(problem: Instance, which: int, share: float) -> None:
    family = problem.families[which % len(problem.families)]
    limits = family.limits.copy()
    if np.isfinite(limits[0]):
        limits[0] *= share
    tight = family._replace(limits=limits)
    families = [tight if f is family else f for f in problem.families]
    inside = family.member == 0
    before = np.abs(capped(problem).weights[inside]).sum()
    assert np.abs(cap_weights(problem.raw, problem.own, families).weights[inside]).sum() <= before + EXACT


def test_a_factor_below_one_means_that_the_cap_binds() -> None:
    families = [Family("gross", ("gross",), np.zeros(3, np.int64), np.array([0.8]))]
    families.append(Family("sector", ("a", "b"), np.array([0, 0, 1]), np.array([0.3, 0.9])))
    found = cap_weights(np.array([0.2, -0.4, 0.1]), np.array([1.0, 1.0, 1.0]), families)
    assert close(found.weights, np.array([0.1, -0.2, 0.1]))
    assert [f.tolist() for f in found.factors] == [[1.0], [pytest.approx(0.5), 1.0]]


@settings(max_examples=200, deadline=None)
@given(instances)
def test_the_oracle_agrees(problem: Instance) -> None:
    assert close(capped(problem).weights, oracle.cap_weights(*problem).weights)


@pytest.mark.parametrize("seed", range(30))
def test_an_exponential_cone_solver_agrees(seed: int) -> None:
    problem = instance(seed, most=80)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # cvxpy warns when the solver stops short of 1e-13
        reference, excess = solved_by_clarabel(problem)
    assert excess < 1e-6
    assert np.abs(capped(problem).weights - reference).max() < 1e-6


def test_weights_that_are_nearly_nothing_divide_nothing() -> None:
    """Sums below the smallest normal number once overflowed in the elimination."""
    member = [0, 1, 4, 5, 0, 2, 4, 5, 3, 1, 4, 5]
    step = newton_step(member, [5e-314, 1e-315, 2.5e-315], [-0.3, -0.02, 0.1, 0.2, -0.1, 0.0])
    assert np.isfinite(step).all()
