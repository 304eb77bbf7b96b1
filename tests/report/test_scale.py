"""The laws of a scale: round ticks that cover the values, labels that differ and say their tick exactly."""

from __future__ import annotations

from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rebalancer.report.charting.scale import INTERVALS_MOST, scale_of

values_of = st.lists(
    st.one_of(st.floats(-1e6, 1e6), st.floats(-0.5, 0.5), st.floats(-1e-4, 1e-4), st.just(float("nan"))), max_size=40
)
bases = st.sampled_from([0.0, 1.0])
units: Any = st.sampled_from(["%", ""])


@given(values_of, bases, units)
@example([-0.0001, 0.0], 0.0, "%")
@example([0.2, 0.8], 0.0, "")
@example([5e-324, 0.0], 0.0, "%")
def test_a_scale_keeps_its_laws(values: list[float], base: float, unit: Any) -> None:
    scale = scale_of(values, base=base, unit=unit)
    steps = {after - before for before, after in pairwise(scale.ticks)}
    assert len(steps) == 1
    (step,) = steps
    assert step.normalize().as_tuple().digits in {(1,), (2,), (2, 5), (5,)}
    assert 1 <= len(scale.ticks) - 1 <= INTERVALS_MOST
    for value in [*(v for v in values if v == v), base]:
        slack = 1e-12 + 1e-9 * max(abs(scale.low), abs(scale.high))
        assert scale.low - slack <= value <= scale.high + slack
    assert len(set(scale.labels)) == len(scale.labels)
    for tick, text in zip(scale.ticks, scale.labels, strict=True):
        number = text.removesuffix(" %").replace("−", "-").replace("+", "").replace(",", "")
        assert Decimal(number) / (100 if unit else 1) == tick - Decimal(repr(base))
    assert sum(text.strip("0. %") == "" for text in scale.labels) == 1  # zero is on it, and is called so once


@pytest.mark.parametrize(
    ("values", "unit", "labels"),
    [
        ([-0.00008, 0.0], "%", ("−0.01 %", "0 %")),
        ([0.2, 0.8], "", ("0.0", "0.2", "0.4", "0.6", "0.8")),
        ([-0.012, 0.004], "%", ("−1.5 %", "−1.0 %", "−0.5 %", "0 %", "+0.5 %")),
        ([0.0], "%", ("0 %", "+0.01 %")),
        ([-1.0, 2.0], "", ("−1", "0", "1", "2")),
    ],
)
def test_the_labels(values: list[float], unit: Any, labels: tuple[str, ...]) -> None:
    assert scale_of(values, unit=unit).labels == labels
