"""The laws of a scale: round ticks that cover the values, labels that differ and say their tick exactly."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rebalancer.report.charting.scale import INTERVALS_MOST, scale_of

from .read_back import number_of

values_of = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.floats(-0.5, 0.5), st.floats(-1e-4, 1e-4), st.just(float("nan"))), max_size=40
)
bases = st.sampled_from([0.0, 1.0])
units: Any = st.sampled_from(["%", "", "$", "bp", "×", "s", "n"])


@given(values_of, bases, units, st.integers(3, INTERVALS_MOST))
@example([-0.0001, 0.0], 0.0, "%", 6)
@example([0.2, 0.8], 0.0, "", 6)
@example([5e-324, 0.0], 0.0, "%", 6)
@example([12_345_678.0], 0.0, "$", 5)
@example([5.0], 0.0, "n", 3)
def test_a_scale_keeps_its_laws(values: list[float], base: float, unit: Any, intervals: int) -> None:
    scale = scale_of(values, base=base, unit=unit, intervals=intervals)
    steps = {after - before for before, after in pairwise(scale.ticks)}
    assert len(steps) == 1
    (step,) = steps
    assert step.normalize().as_tuple().digits in {(1,), (2,), (2, 5), (5,)}
    assert 1 <= len(scale.ticks) - 1 <= intervals
    assert unit != "n" or step % 1 == 0
    for value in [*(v for v in values if v == v), base]:
        slack = 1e-12 + 1e-9 * max(abs(scale.low), abs(scale.high))
        assert scale.low - slack <= value <= scale.high + slack
    assert len(set(scale.labels)) == len(scale.labels)
    for tick, text in zip(scale.ticks, scale.labels, strict=True):
        assert number_of(text) == tick - Decimal(repr(base))
    assert [number_of(text) for text in scale.labels].count(Decimal(0)) == 1  # zero is on it, and is called so once


@pytest.mark.parametrize(
    ("values", "unit", "labels"),
    [
        ([-0.00008, 0.0], "%", ("−0.01 %", "0 %")),
        ([0.2, 0.8], "", ("0.0", "0.2", "0.4", "0.6", "0.8")),
        ([-0.012, 0.004], "%", ("−1.5 %", "−1.0 %", "−0.5 %", "0 %", "+0.5 %")),
        ([0.0], "%", ("0 %", "+0.01 %")),
        ([-1.0, 2.0], "", ("−1", "0", "1", "2")),
        ([1.0], "n", ("0", "1")),
        ([7.0], "n", ("0", "2", "4", "6", "8")),
        ([-14.31, 906.08], "$", ("−$200", "$0", "+$200", "+$400", "+$600", "+$800", "+$1,000")),
        ([0.0, 98_404.11], "$", ("$0", "+$20k", "+$40k", "+$60k", "+$80k", "+$100k")),
        ([0.0, 2_500_000.0], "$", ("$0", "+$0.5M", "+$1.0M", "+$1.5M", "+$2.0M", "+$2.5M")),
        ([-3.0, 9.0], "bp", ("−5.0 bp", "−2.5 bp", "0 bp", "+2.5 bp", "+5.0 bp", "+7.5 bp", "+10.0 bp")),
    ],
)
def test_the_labels(values: list[float], unit: Any, labels: tuple[str, ...]) -> None:
    assert scale_of(values, unit=unit).labels == labels
