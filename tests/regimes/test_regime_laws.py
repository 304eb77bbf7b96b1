"""The laws of the regime: minimum stay, CRISIS at once, single steps towards risk, caution without data."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from rebalancer.core.facts import BY_CAUTION, Regime
from rebalancer.core.regime_rules import RegimeLevels, RegimeRules
from rebalancer.regimes.machine import (
    more_careful,
    next_regime,
    regimes_through,
    session_without_close,
    stay_of,
    wanted_regime,
)
from rebalancer.regimes.measures import (
    BREADTH_SESSIONS,
    CLOSES_MIN,
    GONE_SESSIONS,
    Measures,
    SessionMeasures,
    breadths,
    measure_sessions,
)
from rebalancer.regimes.next_steps import measures_of, next_steps

FIRST = date(2024, 1, 1)
RULES = RegimeRules()


def day(n: int) -> date:
    return FIRST + timedelta(days=n)


SHARES = st.floats(0, 1).map(lambda x: round(x, 3))
TRENDS = st.floats(-0.3, 0.3).map(lambda x: round(x, 3))
MEASURES = st.builds(Measures, TRENDS, TRENDS, SHARES, SHARES, st.none() | SHARES)
NEAR = st.builds(  # near the levels, where hysteresis matters
    Measures,
    st.sampled_from([-0.04, -0.03, -0.02, -0.01, 0.0, 0.009, 0.01, 0.02, 0.03]),
    st.sampled_from([-0.01, 0.0, 0.01]),
    st.sampled_from([0.5, 0.8, 0.81, 0.9, 0.95, 0.99]),
    st.sampled_from([0.0, 0.04, 0.05, 0.09, 0.1, 0.2]),
    st.sampled_from([None, 0.2, 0.25, 0.5, 0.55, 0.7]),
)
LOST = st.just(None)


@st.composite
def histories(draw: Any) -> tuple[RegimeRules, tuple[SessionMeasures, ...]]:
    """Sessions with and without closes, and the counts of the rules."""
    kinds = draw(st.lists(st.one_of(MEASURES, NEAR, NEAR, LOST), min_size=1, max_size=60))
    young = draw(st.integers(0, 3))
    rules = RegimeRules(
        min_sessions=draw(st.integers(1, 8)),
        crisis_sessions=draw(st.integers(1, 12)),
        missing_sessions=draw(st.integers(1, 5)),
    )
    sessions = [SessionMeasures(day(n), has_close=True, values=None) for n in range(young)]
    sessions += [SessionMeasures(day(young + n), one is not None, one) for n, one in enumerate(kinds)]
    return rules, tuple(sessions)


def caution(regime: Regime) -> int:
    return BY_CAUTION.index(regime.name)


@given(histories())
def test_a_regime_lasts_at_least_its_minimum_unless_crisis_comes_or_data_is_missing(
    given_: tuple[RegimeRules, tuple[SessionMeasures, ...]],
) -> None:
    rules, sessions = given_
    for before, after in pairwise(regimes_through(None, sessions, rules)):
        if after.name != before.name and after.name != "CRISIS" and not after.missing:
            assert before.sessions >= stay_of(before.name, rules)


@given(histories())
def test_crisis_is_entered_at_once(given_: tuple[RegimeRules, tuple[SessionMeasures, ...]]) -> None:
    rules, sessions = given_
    levels = rules.levels
    for session, regime in zip(sessions, regimes_through(None, sessions, rules), strict=True):
        measured = session.values
        if measured is not None and (
            measured.volatility >= levels.crisis_volatility_in and measured.drawdown >= levels.crisis_drawdown_in
        ):
            assert regime.name == "CRISIS"


@given(histories())
def test_towards_risk_it_goes_one_step_at_a_time(given_: tuple[RegimeRules, tuple[SessionMeasures, ...]]) -> None:
    rules, sessions = given_
    assert all(caution(b) >= caution(a) - 1 for a, b in pairwise(regimes_through(None, sessions, rules)))


@given(histories(), st.integers(0, 40))
def test_missing_data_never_restores_risk_and_caution_grows_with_its_age(
    given_: tuple[RegimeRules, tuple[SessionMeasures, ...]], lost: int
) -> None:
    rules, sessions = given_
    *_, start = regimes_through(None, sessions, rules)
    blind = [session_without_close(day(1000 + n)) for n in range(lost)]
    found = [start, *regimes_through(start, blind, rules)]
    for before, after in pairwise(found):
        assert caution(after) >= caution(before)
        assert rules.gross.of(after.name) <= rules.gross.of(before.name)
        assert rules.confidence.of(after.name) <= rules.confidence.of(before.name)
    ages = found[0].missing + lost
    steps = ages // rules.missing_sessions - found[0].missing // rules.missing_sessions
    assert caution(found[-1]) == min(caution(start) + steps, len(BY_CAUTION) - 1)


@given(histories(), st.integers(0, 59))
def test_a_lost_close_never_makes_the_session_itself_less_careful(
    given_: tuple[RegimeRules, tuple[SessionMeasures, ...]], at: int
) -> None:
    rules, sessions = given_
    at %= len(sessions)
    before = None
    for session in sessions[:at]:
        before = next_regime(before, session, rules)
    if before is not None:
        assert caution(next_regime(before, session_without_close(sessions[at].day), rules)) >= caution(before)


@given(histories(), st.integers(0, 59))
def test_going_on_from_a_stored_regime_is_the_same_as_going_through_all(
    given_: tuple[RegimeRules, tuple[SessionMeasures, ...]], cut: int
) -> None:
    rules, sessions = given_
    whole = list(regimes_through(None, sessions, rules))
    kept = whole[min(cut, len(whole) - 1)]
    assert list(regimes_through(kept, sessions, rules)) == whole[whole.index(kept) + 1 :]


@given(NEAR | MEASURES)
def test_what_is_entered_is_not_left_on_the_same_measures(measured: Measures) -> None:
    for name in BY_CAUTION:
        wanted = wanted_regime(name, measured, RULES.levels)
        assert wanted_regime(wanted, measured, RULES.levels) == wanted


def test_every_regime_is_reached_and_left() -> None:
    calm = Measures(0.05, 0.01, 0.4, 0.0, 0.7)
    weak = calm._replace(trend=-0.02, breadth=0.4)
    falling = Measures(-0.08, -0.01, 0.7, 0.12, 0.2)
    panic = Measures(-0.15, -0.02, 0.99, 0.25, 0.05)
    back = Measures(0.04, 0.001, 0.5, 0.06, 0.8)
    told = [calm] * 6 + [weak] * 6 + [falling] * 6 + [panic] * 2 + [back] * 30
    sessions = [SessionMeasures(day(n), True, one) for n, one in enumerate(told)]
    names = [one.name for one in regimes_through(None, sessions, RULES)]
    assert names == (
        ["CHOP"] * 5 + ["BULL"] * 5 + ["CHOP"] * 5 + ["BEAR"] * 3 + ["CRISIS"] * 10 + ["BEAR"] * 5 + ["CHOP"] * 5
        + ["BULL"] * 12
    )  # fmt: skip


def test_the_history_before_the_first_measure_ages_nothing() -> None:
    young = [SessionMeasures(day(n), True, None) for n in range(30)]
    *_, found = regimes_through(None, young, RULES)
    assert found == Regime("CHOP", FIRST, 30, day(29))
    lost = [session_without_close(day(30 + n)) for n in range(4)]
    assert [one.name for one in regimes_through(found, lost, RULES)] == ["CHOP", "BEAR", "BEAR", "CRISIS"]


def test_a_benchmark_whose_history_is_gone_counts_as_missing() -> None:
    seen = next_regime(None, SessionMeasures(FIRST, True, Measures(0.05, 0.01, 0.4, 0.0)), RULES)
    short = [SessionMeasures(day(1 + n), True, None) for n in range(2)]
    assert [(one.name, one.missing) for one in regimes_through(seen, short, RULES)] == [("CHOP", 1), ("BEAR", 2)]
    assert more_careful("CRISIS") == "CRISIS"


@pytest.mark.parametrize(
    "wrong",
    [
        {"gross": {"bull": 0.5, "chop": 0.6}},
        {"confidence": {"crisis": 0.9}},
        {"gross": {"bull": 1.1}},
        {"gross": {"crisis": float("nan")}},
        {"levels": {"bull_trend_out": 0.02}},
        {"levels": {"bear_trend_in": 0.01, "bear_trend_out": 0.015}},
        {"levels": {"crisis_volatility_out": 0.95}},
        {"min_sessions": 0},
        {"benchmark": "not a symbol"},
    ],
)
def test_rules_under_which_the_laws_would_not_hold_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        RegimeRules.model_validate(wrong)


# measures


def walk(seed: int, sessions: int) -> np.ndarray[Any, Any]:
    """Closes with calm and rough stretches."""
    random = np.random.default_rng(seed)
    rough = np.repeat(random.choice([0.006, 0.012, 0.03], sessions // 40 + 1), 40)[:sessions]
    drift = np.repeat(random.choice([-0.002, 0.0, 0.001], sessions // 60 + 1), 60)[:sessions]
    return 100 * np.exp(np.cumsum(drift + rough * random.standard_normal(sessions)))


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000), st.integers(CLOSES_MIN - 5, 700), st.floats(0, 0.1))
def test_what_comes_later_changes_nothing_before(seed: int, cut: int, lost: float) -> None:
    random = np.random.default_rng(seed)
    closes = walk(seed, 700)
    names = np.column_stack([walk(seed + 1 + n, 700) for n in range(12)])
    closes[random.random(700) < lost] = np.nan
    names[random.random(names.shape) < lost] = np.nan
    days = [day(n) for n in range(700)]
    whole = measure_sessions(days, closes, names, 5)
    part = measure_sessions(days[:cut], closes[:cut], names[:cut], 5)
    assert part == whole[:cut]
    assert list(regimes_through(None, part, RULES)) == list(regimes_through(None, whole, RULES))[:cut]


def test_the_measures_of_a_straight_rise() -> None:
    closes = [100.0 + n for n in range(300)]
    found = measure_sessions([day(n) for n in range(300)], closes)[-1]
    mean, before = sum(closes[-200:]) / 200, sum(closes[-220:-20]) / 200
    assert found.values is not None
    assert found.values.trend == pytest.approx(closes[-1] / mean - 1)
    assert found.values.slope == pytest.approx(mean / before - 1)
    assert found.values.volatility == 0.0  # the returns become smaller and more even, day by day
    assert (found.values.drawdown, found.values.breadth) == (0.0, None)


def test_a_drawdown_counts_from_the_highest_close_of_a_year() -> None:
    closes = [100.0] * 300 + [80.0] * 251 + [80.0]
    found = [one.values for one in measure_sessions([day(n) for n in range(552)], closes)]
    assert [None if one is None else round(one.drawdown, 9) for one in found[549:]] == [0.2, 0.2, 0.0]


def test_before_there_are_enough_closes_there_is_no_measure() -> None:
    found = measure_sessions([day(n) for n in range(CLOSES_MIN)], walk(1, CLOSES_MIN))
    assert [one.values is None for one in found] == [True] * (CLOSES_MIN - 1) + [False]
    assert all(one.has_close for one in found)
    assert measure_sessions([FIRST], [float("nan")]) == (SessionMeasures(FIRST, False, None),)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.lists(st.integers(0, 11), min_size=1, max_size=12, unique=True), st.randoms())
def test_breadth_does_not_depend_on_the_order_of_names_and_a_lost_close_never_raises_it(
    seed: int, lost: list[int], random: Any
) -> None:
    names = np.column_stack([walk(seed + n, 80) for n in range(12)])
    order = list(range(12))
    random.shuffle(order)
    assert breadths(names[:, order], 5) == breadths(names, 5)
    holes = names.copy()
    holes[-1, lost] = np.nan
    before, after = breadths(names, 5)[-1], breadths(holes, 5)[-1]
    assert before is not None
    assert after is not None
    assert after <= before


def test_a_name_that_is_gone_leaves_breadth() -> None:
    names = np.column_stack([np.arange(1.0, 101.0), np.arange(1.0, 101.0)])
    names[60:, 1] = np.nan
    found = breadths(names, 1)
    assert found[BREADTH_SESSIONS - 2 : BREADTH_SESSIONS] == [None, 1.0]
    assert found[59:62] == [1.0, 0.5, 0.5]
    last = 59 + GONE_SESSIONS  # the last session at which it counts
    assert found[last : last + 2] == [0.5, 1.0]
    assert breadths(names, 3) == [None] * 100


# the distance


@given(NEAR | MEASURES, st.sampled_from(BY_CAUTION), st.integers(1, 20))
def test_when_what_is_needed_has_moved_the_next_regime_comes(measured: Measures, name: Any, stayed: int) -> None:
    if measured.trend <= -1:
        return
    before = Regime(name, FIRST, stayed, FIRST, 0, FIRST, **measured._asdict())
    for step in next_steps(before, RULES):
        moved, stay = measured, stayed
        for need in step.needs:
            match need.kind:
                case "price":
                    # Up: at least the level. Down: at most the level.
                    edge = 1e-12 if need.level > 0 else -1e-12
                    moved = moved._replace(trend=(1 + measured.trend) * (1 + need.level) - 1 + edge)
                case "volatility":
                    is_exit = name == "CRISIS"
                    moved = moved._replace(volatility=need.level - (1e-12 if is_exit else 0))
                case "sessions":
                    stay += int(need.level)
                case kind:
                    moved = moved._replace(**{kind: need.level})
        there = before._replace(sessions=stay)
        after = next_regime(there, SessionMeasures(day(1), True, moved), RULES)
        is_crisis = wanted_regime(name, moved, RULES.levels) == "CRISIS"
        if step.name == "CRISIS" or not is_crisis:
            careful = BY_CAUTION.index(step.name) > BY_CAUTION.index(name)
            reached = caution(after) >= BY_CAUTION.index(step.name) if careful else after.name == step.name
            assert reached or (step.name == "CHOP" and name == "BULL" and after.name == "BEAR"), (step, after)


def test_bull_needs_so_much_more() -> None:
    measured = Measures(0.008, 0.001, 0.4, 0.02, 0.61)
    levels = RegimeLevels(bull_breadth_in=0.65)
    regime = Regime("CHOP", FIRST, 2, day(1), 0, day(1), **measured._asdict())
    up, bear, crisis = next_steps(regime, RegimeRules(levels=levels))
    assert (up.name, [(n.kind, round(n.now, 3), round(n.level, 4)) for n in up.needs]) == (
        "BULL",
        [("price", 0.0, 0.0119), ("breadth", 0.61, 0.65), ("sessions", 2.0, 3.0)],
    )
    assert (bear.name, [n.kind for n in bear.needs]) == ("BEAR", ["price", "slope", "sessions"])
    assert (crisis.name, [n.kind for n in crisis.needs]) == ("CRISIS", ["volatility", "drawdown"])
    assert measures_of(regime) == measured
    assert next_steps(regime._replace(missing=1), RULES) == ()
    assert next_steps(Regime("CHOP", FIRST, 1, FIRST), RULES) == ()
