"""The features: the same bits for training and scoring, from no price that is not known yet."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.signals.model import features
from rebalancer.signals.model.features import NAMES, WINDOW, Floats, features_hash, features_of, windows_of

series = st.builds(
    lambda seed, count, scale: 50 * np.exp(np.cumsum(np.random.default_rng(seed).normal(0, scale, count))),
    st.integers(0, 2**32), st.integers(WINDOW, WINDOW + 40), st.sampled_from([0.001, 0.02, 0.2]),
)  # fmt: skip


def all_rows(closes: Floats) -> Floats:
    return np.concatenate([features_of(windows) for _, windows in windows_of(closes)])


@settings(max_examples=40, deadline=None)
@given(series, st.data())
def test_a_row_is_the_same_bits_however_much_was_known(closes: Floats, data: st.DataObject) -> None:
    """Truncation: neither what comes after a day, nor what is computed beside it, changes a bit of its features."""
    rows = all_rows(closes)
    at = data.draw(st.integers(WINDOW - 1, len(closes) - 1))
    known = closes[: at + 1]
    alone = features_of(known[-WINDOW:][None])[0]
    assert rows[at - WINDOW + 1].tobytes() == alone.tobytes() == all_rows(known)[-1].tobytes()
    other = np.concatenate([known, closes[at + 1 :] * 3])
    assert all_rows(other)[at - WINDOW + 1].tobytes() == alone.tobytes()


def test_chunks_are_seamless(monkeypatch: pytest.MonkeyPatch) -> None:
    closes = 50 * np.exp(np.cumsum(np.random.default_rng(3).normal(0, 0.02, WINDOW + 30)))
    whole = all_rows(closes)
    monkeypatch.setattr(features, "_ROWS", 7)
    assert all_rows(closes).tobytes() == whole.tobytes()
    assert [first for first, _ in windows_of(closes)] == [252, 259, 266, 273, 280]


@settings(max_examples=20, deadline=None)
@given(series, st.floats(0.01, 100))
def test_the_unit_of_the_price_does_not_matter(closes: Floats, factor: float) -> None:
    assert np.allclose(all_rows(closes * factor), all_rows(closes), rtol=1e-6, atol=1e-6)


def test_features_in_plain_python() -> None:
    closes = 50 * np.exp(np.cumsum(np.random.default_rng(5).normal(0, 0.02, WINDOW)))
    logs = [float(value) for value in np.log(closes)]
    steps = [b - a for a, b in pairwise(logs)]
    mean = sum(steps) / 252
    daily = (sum((step - mean) ** 2 for step in steps) / 251) ** 0.5
    twenty = sum(steps[-20:]) / 20
    found = dict(zip(NAMES, features_of(closes[None])[0], strict=True))
    expected = {
        "momentum_12_1": (logs[-22] - logs[0]) / (daily * 231**0.5),
        "momentum_6_1": (logs[-22] - logs[-127]) / (daily * 105**0.5),
        "momentum_3_1": (logs[-22] - logs[-64]) / (daily * 42**0.5),
        "move_of_month": (logs[-1] - logs[-22]) / (daily * 21**0.5),
        "move_of_week": (logs[-1] - logs[-6]) / (daily * 5**0.5),
        "move_of_day": (logs[-1] - logs[-2]) / daily,
        "volatility": np.log(daily * 252**0.5),
        "volatility_20_to_year": np.log((sum((step - twenty) ** 2 for step in steps[-20:]) / 19) ** 0.5 / daily),
        "below_high": (logs[-1] - max(logs)) / (daily * 252**0.5),
        "above_mean_50": (logs[-1] - sum(logs[-50:]) / 50) / (daily * 50**0.5),
        "above_mean_200": (logs[-1] - sum(logs[-200:]) / 200) / (daily * 200**0.5),
        "rising_days_60": sum(step > 0 for step in steps[-60:]) / 60,
        "skewness": sum((step - mean) ** 3 for step in steps) / 252 / daily**3,
        "largest_fall_21": min(steps[-21:]) / daily,
    }
    assert {name: pytest.approx(float(value), rel=1e-9) for name, value in expected.items()} | {
        "volatility_60_to_year": found["volatility_60_to_year"]
    } == found


def test_a_price_that_does_not_move_has_no_features() -> None:
    assert np.isnan(features_of(np.full((1, WINDOW), 7.0))).all()
    quiet = np.r_[
        np.exp(np.cumsum(np.full(WINDOW - 30, 0.01) * np.tile([1, -2], 112)[: WINDOW - 30])), np.full(30, 7.0)
    ]
    found = dict(zip(NAMES, features_of(quiet[None])[0], strict=True))
    assert np.isnan(found["volatility_20_to_year"])
    assert np.isfinite(found["volatility"])


def test_the_day_that_is_not_over_does_not_count() -> None:
    today = date(2026, 11, 20)
    known = {today - timedelta(days=k): 100.0 + k for k in range(4)} | {today - timedelta(days=9): float("nan")}
    days, prices = features.known_closes(known | {today + timedelta(days=1): 5.0}, today)
    assert days == [date(2026, 11, 17), date(2026, 11, 18), date(2026, 11, 19)]
    assert prices.tolist() == [103.0, 102.0, 101.0]


def test_the_hash_changes_with_the_computation(monkeypatch: pytest.MonkeyPatch) -> None:
    before = features_hash()
    features_hash.cache_clear()
    assert features_hash() == before
    features_hash.cache_clear()
    move = features._move
    monkeypatch.setattr(features, "_move", lambda x, end, begin, daily: move(x, end, begin, daily) * 1.001)
    assert features_hash() != before
    features_hash.cache_clear()
