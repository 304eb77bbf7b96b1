"""Latency: the ranks are measured durations, and in order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from rebalancer.report.operations import Latency, latency_of


@given(st.lists(st.floats(0, 1e4).map(lambda seconds: round(seconds, 6)), min_size=1))
def test_every_rank_is_a_measured_duration(seconds: list[float]) -> None:
    found = latency_of(seconds)
    milliseconds = sorted(round(one * 1000, 3) for one in seconds)
    assert found.measured == len(seconds)
    assert found.longest == milliseconds[-1]
    for rank, share in ((found.p50, 0.5), (found.p95, 0.95)):
        assert rank in milliseconds
        assert sum(one <= rank for one in milliseconds) >= share * len(milliseconds)
        assert sum(one < rank for one in milliseconds) < share * len(milliseconds)


def test_nothing_measured_is_not_known() -> None:
    assert latency_of([]) == Latency(0, None, None, None)
    assert latency_of([0.2, -0.1]) == Latency(2, 0.0, 200.0, 200.0)
