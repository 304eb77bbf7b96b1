"""Correlation groups that do not flicker: two weeks that agree, a margin, nothing that looks ahead."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.market_data.stable_groups import (
    StableGroups,
    average_clusters,
    groups_through,
    next_groups,
    shrunk_correlation,
    week_ends,
)

DAYS = [date(2025, 1, 6) + timedelta(days=7 * (n // 5) + n % 5) for n in range(260)]
NAMES = ("AA", "BB", "CC", "DD", "EE", "FF")


def returns(seed: int, shared: float = 0.9) -> np.ndarray[Any, Any]:
    """Two blocks of three names each."""
    draw = np.random.default_rng(seed)
    blocks = np.repeat(draw.standard_normal((260, 2)), 3, axis=1)
    return 0.01 * (shared * blocks + (1 - shared**2) ** 0.5 * draw.standard_normal((260, 6)))


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 1000), st.floats(0, 0.99), st.integers(2, 8))
def test_shrinking_moves_every_correlation_towards_their_mean(seed: int, shared: float, names: int) -> None:
    draw = np.random.default_rng(seed)
    rows = shared * draw.standard_normal((60, 1)) + draw.standard_normal((60, names))
    sample, shrunk = np.corrcoef(rows, rowvar=False), shrunk_correlation(rows)
    off = ~np.eye(names, dtype=bool)
    mean = sample[off].mean()
    assert np.allclose(np.diag(shrunk), 1)
    assert np.allclose(shrunk, shrunk.T)
    assert (np.linalg.eigvalsh(shrunk) > -1e-9).all()
    assert (np.abs(shrunk - mean)[off] <= np.abs(sample - mean)[off] + 1e-9).all()
    if names > 2:
        assert ((shrunk - mean)[off] * (sample - mean)[off] >= -1e-9).all()


def test_clusters_of_average_linkage() -> None:
    near = np.array([[1, 0.9, 0.6], [0.9, 1, 0.5], [0.6, 0.5, 1]])
    assert average_clusters(near, 0.7) == [0, 0, 2]
    assert average_clusters(near, 0.54) == [0, 0, 0]  # (0.6 + 0.5) / 2
    assert average_clusters(near, 0.95) == [0, 1, 2]


def test_two_blocks_are_two_groups_and_stay_so() -> None:
    data = returns(1)
    found = None
    for end in week_ends(DAYS):
        found = next_groups(found, DAYS[end], NAMES, data[: end + 1], 0.6) or found
        if found is not None:
            assert found.named() == dict(zip(NAMES, ["AA", "AA", "AA", "DD", "DD", "DD"], strict=True))


def test_a_name_moves_when_two_weeks_agree() -> None:
    data = returns(2)
    before = next_groups(None, DAYS[199], NAMES, data[:200], 0.6)
    assert before is not None
    other = data.copy()
    other[:, 0] = data[:, 4] + 0.001 * np.random.default_rng(3).standard_normal(260)  # AA is of the other block now
    first = next_groups(before, DAYS[204], NAMES, other[:205], 0.6)
    assert first is not None
    assert first.of == before.of
    assert first.wanted["AA"] == before.of["EE"]
    calm = next_groups(first, DAYS[209], NAMES, data[:210], 0.6)
    assert calm == StableGroups(DAYS[209], before.of, {})  # one week was noise
    second = next_groups(first, DAYS[209], NAMES, other[:210], 0.6)
    assert second is not None
    assert second.named()["AA"] == second.named()["EE"]
    assert second.wanted == {}


def test_a_name_that_is_like_no_other_any_more_leaves() -> None:
    data = returns(4)
    before = next_groups(None, DAYS[199], NAMES, data[:200], 0.6)
    assert before is not None
    other = data.copy()
    other[:, 0] = 0.01 * np.random.default_rng(5).standard_normal(260)
    first = next_groups(before, DAYS[204], NAMES, other[:205], 0.6)
    second = next_groups(first, DAYS[209], NAMES, other[:210], 0.6)
    assert second is not None
    assert second.named() == {**before.named(), "AA": "AA", "BB": "BB", "CC": "BB"}


@pytest.mark.parametrize("seed", range(4))
def test_nothing_after_a_week_changes_its_groups_and_it_goes_on_from_any_of_them(seed: int) -> None:
    data = returns(seed, shared=0.75)
    data[np.random.default_rng(seed).random(data.shape) < 0.01] = np.nan
    whole = groups_through(None, DAYS, NAMES, data, 0.55)
    for cut in (150, 200, 233):
        part = groups_through(None, DAYS[:cut], NAMES, data[:cut], 0.55)
        assert part is not None
        assert part.week < DAYS[cut - 1]
        later = data.copy()
        later[cut:] = 0.0
        assert groups_through(None, DAYS[:cut], NAMES, later[:cut], 0.55) == part
        assert groups_through(part, DAYS, NAMES, data, 0.55) == whole


def test_too_few_returns_are_no_group() -> None:
    assert groups_through(None, DAYS[:30], NAMES, returns(1)[:30], 0.6) is None
    assert next_groups(None, DAYS[0], (), np.zeros((100, 0)), 0.6) is None
