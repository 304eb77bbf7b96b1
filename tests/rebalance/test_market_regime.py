"""The market's regime in whole cycles: judged once a session, kept in the journal, aged without its benchmark."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pytest

from rebalancer.brokers.protocol import DailyCloses
from rebalancer.core.codec import stored_snapshot
from rebalancer.core.facts import Regime
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.regime_rules import RegimeRules
from rebalancer.core.rules import Rules
from rebalancer.journal.regime_row import regime_of_body
from rebalancer.market_data.reference import NO_CLOSES, Reference, ReferenceSnapshot
from rebalancer.market_data.regime_sessions import regime_sessions, sessions_before
from rebalancer.market_data.stored_closes import closes_of
from rebalancer.planning import plan
from rebalancer.rebalance.market_regime import current_regime, regime_rows
from rebalancer.regimes.measures import HISTORY_SESSIONS
from rebalancer.report.archive import planned_anew
from rebalancer.report.regime import regime_view
from tests.rebalance.conftest import NEXT, MakeRig
from tests.rebalance.test_reference_snapshot import SESSION
from tests.support.rig import Rig, rules

JUDGED = {"enabled": True, "breadth_names": 5}
DAY = date(2026, 11, 20)


def judging(**changes: Any) -> Rules:
    found = rules()
    return Rules.model_validate({**found.model_dump(), "regime": {**JUDGED, **changes}})


def regimes(rig: Rig) -> list[dict[str, Any]]:
    process = rig.process()
    return [dict(event.body) for event in process.journal.recall(rig.account_id, "regime")]


def test_it_is_judged_once_a_session_and_stands_in_journal_and_snapshot(settled: MakeRig) -> None:
    rig = settled()
    first = rig.run(NEXT, judging())
    regime = first.snapshot.regime
    assert regime is not None
    assert (regime.missing, regime.measured_on == regime.as_of, regime.breadth is None) == (0, True, False)
    day = day_in_new_york(first.snapshot.session.open)
    assert regime.as_of == sessions_before(day)[-1]
    rig.requests()
    second = rig.run(NEXT, judging())
    assert ("GET", "/v2/stocks/bars") not in rig.requests()
    assert second.snapshot.regime == regime
    (row,) = regimes(rig)
    assert regime_of_body(row) == regime
    assert (row["benchmark"], row["was"]) == ("SPY", None)
    assert {step["name"] for step in row["next"]} <= {"BULL", "CHOP", "BEAR", "CRISIS"}
    journal = rig.process().journal
    stored = journal.snapshot_text(second.snapshot.cycle_id)
    assert stored is not None
    assert plan(stored_snapshot(stored), judging()) == second.plan._replace(snapshot_sha256="", rules_sha256="")
    cycle = journal.cycle(second.snapshot.cycle_id)
    assert cycle is not None
    shown = planned_anew(journal, cycle, judging()).regime
    assert shown is not None
    assert shown == regime_view(regime, judging())


def test_nobody_judges_it_by_default(settled: MakeRig) -> None:
    rig = settled()
    found = rig.run(NEXT, rules())
    assert found.snapshot.regime is None
    assert regimes(rig) == []
    assert Reference(rig.client(), rig.folder, {}, rules()).read([], rig.exchange.clock.now()).judged == NO_CLOSES


def test_an_unknown_benchmark_ages_from_the_first_day(settled: MakeRig) -> None:
    rig = settled()
    found = rig.run(NEXT, judging(benchmark="ZZZZ"))
    assert found.snapshot.regime is not None
    assert found.snapshot.regime.name == "CRISIS"
    assert found.snapshot.regime.missing == HISTORY_SESSIONS
    gross = next(use.limit for use in found.plan.limits if use.name == "gross")
    assert gross == pytest.approx(0.8 * 0.25)


def test_another_benchmark_begins_anew(settled: MakeRig) -> None:
    rig = settled()
    rig.run(NEXT, judging(benchmark="ZZZZ"))
    found = rig.run(NEXT, judging())
    assert found.snapshot.regime is not None
    assert found.snapshot.regime.missing == 0
    assert [row["benchmark"] for row in regimes(rig)] == ["ZZZZ", "SPY"]


def test_the_long_history_is_kept_for_the_day(settled: MakeRig) -> None:
    rig = settled()
    rig.run(NEXT, judging())
    rig.end()
    kept = closes_of(rig.folder, "SPY")
    assert kept is not None
    assert len(kept.days) == HISTORY_SESSIONS


# without an exchange


def reference(make: Callable[[tuple[date, ...]], list[float]], before: date = DAY) -> ReferenceSnapshot:
    days = sessions_before(before)
    ago = timedelta(days=(DAY - before).days)
    session = SESSION._replace(open=SESSION.open - ago, close=SESSION.close - ago)
    closes = DailyCloses(("SPY",), days, {"SPY": tuple(make(days))})
    return ReferenceSnapshot(session, (), (), NO_CLOSES, NO_CLOSES, closes)


def rising(days: tuple[date, ...]) -> list[float]:
    draw = np.random.default_rng(4)
    return (100 * np.exp(np.cumsum(draw.normal(0.001, 0.004, len(days))))).tolist()


def test_the_sessions_are_those_of_the_exchange() -> None:
    days = sessions_before(DAY)
    assert (len(days), days[-2:]) == (HISTORY_SESSIONS, (date(2026, 11, 18), date(2026, 11, 19)))
    assert not {day.weekday() for day in days} & {5, 6}


def test_sessions_that_nobody_looked_at_are_made_up_for() -> None:
    by = RegimeRules(enabled=True)
    whole = current_regime(None, reference(rising), by)
    early = current_regime(None, reference(rising, date(2026, 11, 9)), by)
    assert whole is not None
    assert early is not None
    later = reference(rising)
    first = sessions_before(date(2026, 11, 9))
    # the same closes on the same days, seen from two days
    prices = dict(zip(later.judged.days, later.judged.closes["SPY"], strict=True))
    early = current_regime(None, reference(lambda days: [prices.get(d, 100.0) for d in days], date(2026, 11, 9)), by)
    assert early is not None
    assert early.as_of == first[-1]
    found = current_regime(early, later, by)
    assert found is not None
    assert (found.name, found.as_of) == (whole.name, whole.as_of)
    assert current_regime(found, later, by) is found


def test_without_its_benchmark_it_becomes_more_careful_and_says_so() -> None:
    by = RegimeRules(enabled=True)
    judged = current_regime(None, reference(rising, date(2026, 11, 13)), by)
    assert judged is not None
    before = judged._replace(name="BULL")
    gone = reference(lambda days: [float("nan")] * len(days))
    after = current_regime(before, gone, by)
    assert after is not None
    assert (after.name, after.missing, after.measured_on) == ("BEAR", 5, before.measured_on)
    (kind, key, body), (alert, _, said) = regime_rows(after, before, "SPY", by)
    assert (kind, key, body["was"], body["gross"], body["next"]) == ("regime", "2026-11-19", "BULL", 0.5, [])
    assert (alert, said["level"], said["text"]) == (
        "alert",
        "warning",
        "the market's regime is BEAR, it was BULL (no close of SPY for 5 sessions): confidence x 0.80, gross x 0.50",
    )
    assert regime_rows(after, after, "SPY", by) == []
    up = regime_rows(before, Regime("CHOP", DAY, 9, DAY), "SPY", by)
    assert [row[2].get("level") for row in up] == [None, "info"]


def test_a_late_bar_of_the_newest_session_counts_as_missing() -> None:
    def late(days: tuple[date, ...]) -> list[float]:
        return [*rising(days)[:-1], float("nan")]

    found = current_regime(None, reference(late), RegimeRules(enabled=True))
    assert found is not None
    assert (found.missing, found.as_of, found.measured_on) == (1, date(2026, 11, 19), date(2026, 11, 18))


def test_closes_on_days_without_a_session_are_left_out() -> None:
    days = sessions_before(DAY)
    every = tuple(days[0] + timedelta(days=n) for n in range((days[-1] - days[0]).days + 1))
    coin = DailyCloses(("BTC/USD",), every, {"BTC/USD": tuple(rising(every))})
    assert [one.day for one in regime_sessions(coin, NO_CLOSES, DAY, 1)] == list(days)
