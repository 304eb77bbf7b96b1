"""Training: folds that never see their future, labels that come after the features, the same bytes again, and votes
only where something was there to learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from rebalancer.core.documents import BadDocument
from rebalancer.research.model.calibration import never_falling, score_table
from rebalancer.research.model.samples import Samples, samples_of
from rebalancer.research.model.training import TrainedFiles, train
from rebalancer.research.model.validation import folds_of, mean_with_error, rank_correlations
from rebalancer.signals.model.booster import Booster, BoosterSettings
from rebalancer.signals.model.features import NAMES, WINDOW
from rebalancer.signals.model.files import read_card, usable_model, write_model
from rebalancer.signals.model.opinion import Calibration, confidence_of, scores_of
from rebalancer.signals.model.paths import ModelFiles
from rebalancer.signals.sources.contract import Vote
from rebalancer.signals.sources.trained_model import opinions
from tests.research.model.prices import LAST, history

SETTINGS = BoosterSettings(rounds=30)


@dataclass
class Trained:
    """One model that learned something, and its samples."""

    found: TrainedFiles
    samples: Samples


@pytest.fixture(scope="module")
def trained() -> Trained:
    prices = history(trend=0.9)
    return Trained(train(prices, SETTINGS, 5, 3), samples_of(prices, 5))


# samples


def test_a_label_begins_after_its_features_are_known() -> None:
    prices = history(names=6, bars=270)
    found = samples_of(prices, 5)
    assert found.bar.min() == WINDOW - 1
    assert found.label_bar.max() == 269
    assert (found.label_bar == found.bar + 6).all()
    logs = np.log(prices.market.close)
    daily = np.exp(found.features[:, NAMES.index("volatility")]) / 252**0.5
    own = (logs[found.bar + 6, found.name] - logs[found.bar + 1, found.name]) / (daily * 5**0.5)
    for bar in np.unique(found.bar):
        here = found.bar == bar
        assert found.move[here] == pytest.approx(own[here] - np.median(own[here]))
    assert (found.label == (found.move > 0)).all()


def test_later_prices_change_neither_features_nor_known_labels() -> None:
    """Truncation of the whole table: rows whose label is known by a day are the same bits when nothing later exists."""
    prices = history(names=6, bars=300)
    market = prices.market
    cut = 285
    shorter = prices._replace(market=market._replace(
        close=market.close[:cut], times=market.times[:cut], day=market.day[:cut],
        is_last_of_day=market.is_last_of_day[:cut]))  # fmt: skip
    whole, part = samples_of(prices, 5), samples_of(shorter, 5)
    known = whole.label_bar < cut
    assert whole.features[known].tobytes() == part.features.tobytes()
    assert whole.move[known].tobytes() == part.move.tobytes()
    assert (whole.bar[known] == part.bar).all()


def test_a_missing_price_costs_the_rows_that_need_it() -> None:
    prices = history(names=6, bars=300)
    close = prices.market.close.copy()
    close[280, 0] = np.nan
    found = samples_of(prices._replace(market=prices.market._replace(close=close)), 5)
    assert set(range(252, 294)) - set(found.bar[found.name == 0]) == {274, 279, 280}
    assert set(found.bar[found.name == 1]) == set(range(252, 294))


# validation


@settings(max_examples=30, deadline=None)
@given(st.integers(300, 420), st.integers(2, 6), st.integers(1, 20))
def test_no_fold_sees_its_own_future(bars: int, count: int, horizon: int) -> None:
    samples = samples_of(history(names=8, bars=bars), horizon)
    try:
        folds = folds_of(samples, count)
    except BadDocument:
        return
    tested = np.sum([fold.tested for fold in folds], axis=0)
    assert tested.max() == 1
    for fold in folds:
        first = samples.bar[fold.tested].min()
        assert samples.label_bar[fold.trained].max() < first
        left_out = ~fold.trained & (samples.bar < first)
        assert (samples.label_bar[left_out] >= first).all()
    firsts = [samples.bar[fold.tested].min() for fold in folds]
    assert firsts == sorted(firsts)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), st.integers(-3, 3), st.integers(-3, 3)), min_size=1, max_size=40))
def test_rank_correlations_are_those_of_scipy(rows: list[tuple[int, int, int]]) -> None:
    rows.sort(key=lambda row: row[0])
    days, one, other = (np.array(column) for column in zip(*rows, strict=True))
    found = dict(rank_correlations(days.astype(np.int64), one.astype(float), other.astype(float)))
    for day in set(days.tolist()):
        a, b = one[days == day], other[days == day]
        if len(a) < 5 or len(set(a.tolist())) == 1 or len(set(b.tolist())) == 1:
            assert day not in found
        else:
            assert found[day] == pytest.approx(float(spearmanr(a, b).statistic))


def test_the_error_counts_blocks_and_not_rows() -> None:
    values = np.array([1.0, 0.0, 1.0, 1.0, 0.0, 0.0])
    mean, error = mean_with_error(values, np.arange(6))
    assert (mean, error) == (0.5, pytest.approx(np.std(values, ddof=1) / 6**0.5))
    repeated, blocks = np.repeat(values, 10), np.repeat(np.arange(6), 10)
    assert mean_with_error(repeated, blocks) == (0.5, pytest.approx(error))
    assert mean_with_error(values, np.zeros(6, dtype=np.int64)) == (0.5, float("inf"))


# calibration


@settings(max_examples=100, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=200), st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_a_higher_chance_never_has_a_lower_score(seen: list[float], asked: list[float]) -> None:
    table = Calibration(*score_table(np.array(seen)), ())
    scores = scores_of(np.sort(np.array(asked)), table)
    assert (np.diff(scores) >= 0).all()
    assert (np.abs(scores) <= 1).all()
    if len(set(seen)) == 1:
        assert (scores == 0).all()


@settings(max_examples=100, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.integers(0, 50)), min_size=1, max_size=8))
def test_confidence_never_falls_with_the_size_of_a_score(rows: list[tuple[float, int]]) -> None:
    values, weights = (np.array(column, dtype=float) for column in zip(*rows, strict=True))
    found = never_falling(values, weights)
    assert (np.diff(found) >= 0).all()
    assert values.min() - 1e-9 <= found.min() <= found.max() <= values.max() + 1e-9
    assert never_falling(found, weights) == pytest.approx(found)
    if (np.diff(values) >= 0).all():
        assert (found == values).all()


# training


def test_equal_prices_give_equal_bytes_and_another_seed_other_ones(trained: Trained) -> None:
    again = train(history(trend=0.9), SETTINGS, 5, 3)
    assert (again.raw, again.card.written()) == (trained.found.raw, trained.found.card.written())
    other = train(history(trend=0.9), SETTINGS._replace(seed=1), 5, 3)
    assert other.card.version != again.card.version


def test_what_was_written_scores_the_same_bits(trained: Trained, tmp_path: Path) -> None:
    files = ModelFiles(tmp_path / "m" / "model.json", tmp_path / "m" / "features.json")
    write_model(files, trained.found.raw, trained.found.card)
    card, raw = usable_model(files, LAST.replace(day=20), 30)
    assert (card, raw) == (trained.found.card, trained.found.raw)
    assert read_card(files) == card
    rows = trained.samples.features[-40:]
    before, after = Booster(trained.found.raw).chances(rows), Booster(raw).chances(rows)
    assert before.tobytes() == after.tobytes()
    assert b"".join(Booster(raw).chances(row[None]).tobytes() for row in rows) == after.tobytes()
    assert {path.stat().st_mode & 0o777 for path in files} == {0o600}


def test_what_can_be_learned_is_learned_and_trusted(trained: Trained) -> None:
    card = trained.found.card
    seen = card.validation
    assert seen.rank_ic is not None
    assert seen.rank_ic_error is not None
    assert seen.rank_ic > 4 * seen.rank_ic_error > 0
    assert seen.brier < 0.25
    assert seen.hit_rate > 0.54
    bins = card.calibration.bins
    assert [one.confidence for one in bins] == sorted(one.confidence for one in bins)
    assert bins[-1].confidence == 1
    assert sum(one.rows for one in bins) == seen.rows == sum(fold.tested_rows for fold in seen.folds)
    rows = dict(zip("ABCDEFGHIJKL", trained.samples.features[-12:], strict=True))
    found = opinions(card, trained.found.raw, rows)
    votes = {symbol: vote for symbol, vote in found.items() if isinstance(vote, Vote)}
    assert votes
    for symbol, vote in votes.items():
        assert vote == Vote(symbol, vote.score, vote.confidence, vote.because, (), card.revision)
        assert -1 <= vote.score <= 1
        assert vote.confidence == confidence_of(vote.score, bins) > 0
        assert card.version[:8] in vote.because
        assert card.features_hash[:8] in vote.because
    week = NAMES.index("move_of_week")
    ranked = sorted(votes.values(), key=lambda vote: vote.score)
    assert rows[ranked[0].symbol][week] < rows[ranked[-1].symbol][week]


def test_where_nothing_is_to_be_learned_nobody_is_trusted() -> None:
    prices = history(names=20, seed=11)
    found = train(prices, SETTINGS, 5, 3)
    assert max(one.confidence for one in found.card.calibration.bins) <= 0.2
    assert abs(found.card.validation.brier - 0.25) < 0.01
    silent = found.card._replace(calibration=found.card.calibration._replace(bins=tuple(
        one._replace(confidence=0.0) for one in found.card.calibration.bins)))  # fmt: skip
    rows = {"A": samples_of(prices, 5).features[-1]}
    assert isinstance(opinions(silent, found.raw, rows)["A"], str)


@pytest.mark.parametrize(
    ("names", "bars", "horizon", "folds", "problem"),
    [
        (6, 258, 5, 3, "has no name with 259 daily closes: 253 for the features, 6 after"),
        (6, 290, 5, 3, "32 days have a label, too few for 3 folds of 10 days"),
        (2, 340, 5, 3, "the first fold has 52 rows to train on, 200 are needed"),
    ],
)
def test_too_little_is_refused(names: int, bars: int, horizon: int, folds: int, problem: str) -> None:
    with pytest.raises(BadDocument) as caught:
        train(history(names=names, bars=bars), SETTINGS, horizon, folds)
    assert problem in str(caught.value)


def test_prices_within_days_and_pairs_alone_are_refused() -> None:
    prices = history(names=6, bars=300)
    with pytest.raises(BadDocument, match="several bars a day"):
        train(prices._replace(is_daily=False), SETTINGS, 5, 3)
    pairs = prices._replace(
        market=prices.market._replace(symbols=("A/USD", "B/USD", "C/USD", "D/USD", "E/USD", "F/USD"))
    )
    with pytest.raises(BadDocument, match="crypto pairs alone"):
        train(pairs, SETTINGS, 5, 3)
