"""The stable groups between days: kept in a file, the same after a restart, and not lost with a smaller universe."""

from __future__ import annotations

import json
from datetime import date, timedelta
from pathlib import Path

import numpy as np
import pytest

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.documents import BadDocument
from rebalancer.core.rules import Rules
from rebalancer.market_data.group_history import NAME, GroupHistory
from rebalancer.market_data.stable_groups import groups_through
from rebalancer.research.refused_rules import refuse_what_is_not_simulated

FIRST = date(2026, 1, 5)
NAMES = ("A", "B", "C", "D", "E", "F")


def weekdays(count: int) -> tuple[date, ...]:
    days = (FIRST + timedelta(days=n) for n in range(count * 2))
    return tuple(day for day in days if day.weekday() < 5)[:count]


def world(count: int, seed: int = 3) -> DailyCloses:
    """Six names in two families of three."""
    rng = np.random.default_rng(seed)
    family = np.repeat(rng.normal(0, 0.01, (count, 2)), 3, axis=1)
    prices = 100 * np.exp(np.cumsum(family + rng.normal(0, 0.004, (count, 6)), axis=0))
    return DailyCloses(NAMES, weekdays(count), {s: tuple(prices[:, i].tolist()) for i, s in enumerate(NAMES)}, {})


def until(closes: DailyCloses, count: int, names: tuple[str, ...] = NAMES) -> DailyCloses:
    return DailyCloses(names, closes.days[:count], {s: closes.closes[s][:count] for s in names}, {})


def test_day_by_day_with_restarts_gives_what_one_pass_gives(tmp_path: Path) -> None:
    closes = world(160)
    returns = np.diff(np.log(np.array([closes.closes[s] for s in NAMES])), axis=1).T
    returns = np.vstack([np.full((1, 6), np.nan), returns])
    for count in range(60, 160):
        today = closes.days[count]
        found = GroupHistory(tmp_path).groups(until(closes, count), today, 0.5)
        whole = groups_through(None, closes.days[: count + 1], NAMES, returns[:count], 0.5)
        assert whole is not None
        assert found == whole.named()
    assert found == {"A": "A", "B": "A", "C": "A", "D": "D", "E": "D", "F": "D"}


def test_today_s_bar_and_later_ones_change_nothing(tmp_path: Path) -> None:
    closes = world(120)
    first = GroupHistory(tmp_path / "a")
    second = GroupHistory(tmp_path / "b")
    (tmp_path / "a").mkdir()
    (tmp_path / "b").mkdir()
    today = closes.days[100]
    assert first.groups(until(closes, 101), today, 0.5) == second.groups(until(closes, 100), today, 0.5)


def test_a_smaller_universe_loses_nobody(tmp_path: Path) -> None:
    closes, history = world(140), GroupHistory(tmp_path)
    before = history.groups(until(closes, 100), closes.days[100], 0.5)
    few = history.groups(until(closes, 112, ("A", "D")), closes.days[112], 0.5)
    assert few.keys() == {"A", "D"}
    assert set(json.loads((tmp_path / NAME).read_text())["of"]) == set(NAMES)
    after = history.groups(until(closes, 113), closes.days[113], 0.5)
    assert {s: after[s] for s in ("B", "C", "E", "F")} == {s: before[s] for s in ("B", "C", "E", "F")}


def test_another_threshold_a_damaged_file_and_too_little_history(tmp_path: Path) -> None:
    closes, history = world(120), GroupHistory(tmp_path)
    assert history.groups(until(closes, 20), closes.days[20], 0.5) == {}
    assert not (tmp_path / NAME).exists()
    found = history.groups(closes, closes.days[-1] + timedelta(days=3), 0.5)
    (tmp_path / NAME).write_text("{")
    assert history.groups(closes, closes.days[-1] + timedelta(days=3), 0.5) == found
    alone = history.groups(closes, closes.days[-1] + timedelta(days=3), 1.0)
    assert alone == {s: s for s in NAMES}


def test_a_backtest_refuses_it() -> None:
    rules = Rules.model_validate({"risk_management": {"correlation_groups": "stable"}})
    with pytest.raises(BadDocument, match="correlation_groups: stable cannot be simulated yet"):
        refuse_what_is_not_simulated(rules)
