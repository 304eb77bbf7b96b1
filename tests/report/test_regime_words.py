"""The market's regime in words: in `status`, `explain`, pages and JSON; nothing of it where nobody judges it."""

from __future__ import annotations

import json
from datetime import date
from typing import Any

import pytest

from rebalancer.core.documents import plain
from rebalancer.core.facts import Regime
from rebalancer.core.rules import Rules
from rebalancer.rebalance.market_regime import regime_rows
from rebalancer.regimes.steps import Need, NextStep
from rebalancer.report.document import json_of, read_report
from rebalancer.report.explain import explain_text
from rebalancer.report.page import html_of
from rebalancer.report.regime import needs_text, regime_of_event, regime_view
from tests.report.sample import sample_record

DAY = date(2026, 11, 19)
CHOP = Regime("CHOP", date(2026, 11, 9), 9, DAY, 0, DAY, 0.008, 0.001, 0.6, 0.02, 0.51)
TEXT = (
    "CHOP, session 9, since 2026-11-09; confidence × 0.90, gross × 0.80; BULL needs SPY 1.2 % higher, "
    "breadth 51 → 55 %; BEAR needs SPY 3.8 % lower, a 200-day mean that does not rise; "
    "CRISIS needs volatility 60 → 95 %, drawdown 2 → 10 %"
)


def judging(**changes: Any) -> Rules:
    return Rules.model_validate({"regime": {"enabled": True, **changes}})


def test_it_says_what_would_have_to_move() -> None:
    view = regime_view(CHOP, judging())
    assert view is not None
    assert view.text == TEXT
    assert (view.confidence, view.gross, view.targets, view.benchmark) == (0.9, 0.8, False, "SPY")
    assert regime_view(CHOP, Rules()) is None
    assert regime_view(None, judging()) is None


@pytest.mark.parametrize("regime", [CHOP, CHOP._replace(missing=3), Regime("CHOP", DAY, 4, DAY)])
def test_the_event_of_the_journal_gives_the_same_view(regime: Regime) -> None:
    rules = judging(targets=True)
    (_, _, body), *_ = regime_rows(regime, None, "SPY", rules.regime)
    assert regime_of_event(json.loads(json.dumps(body))) == regime_view(regime, rules)


def test_what_is_missing_is_said() -> None:
    texts = [
        view.text
        for one in (CHOP._replace(missing=3), Regime("CHOP", DAY, 4, DAY))
        if (view := regime_view(one, judging())) is not None
    ]
    assert texts == [
        "CHOP, session 9, since 2026-11-09; confidence × 0.90, gross × 0.80; ! SPY has no close for 3 sessions: "
        "until it has one, the regime only becomes more careful",
        "CHOP, session 4, since 2026-11-19; confidence × 0.90, gross × 0.80; "
        "SPY has too few closes so far to be judged",
    ]


def test_a_step_that_comes_by_itself() -> None:
    assert needs_text(NextStep("CHOP", ()), "SPY") == "comes with the next session"
    assert needs_text(NextStep("CHOP", (Need("sessions", 4, 1),)), "SPY") == "needs 1 more session"
    assert needs_text(NextStep("BULL", (Need("slope", -0.01, 0),)), "SPY") == "needs a 200-day mean that does not fall"


def test_page_explain_and_document_have_it_and_plain_ones_do_not() -> None:
    record = sample_record()
    judged = record._replace(snapshot=record.snapshot._replace(regime=CHOP), regime=regime_view(CHOP, judging()))
    symbol = next(t.symbol for t in record.plan.targets if not t.implied)
    assert f"regime    {TEXT}" in explain_text(symbol, judged)
    assert "regime" not in explain_text(symbol, record)
    assert TEXT.replace(" %", "\u00a0%").partition(";")[0] in html_of(judged)
    assert "Market regime" not in html_of(record)
    document = json.loads(json_of(judged))
    assert document["regime"] == plain(judged.regime)
    assert "regime" not in json.loads(json_of(record))
    assert read_report(json_of(judged)).regime == judged.regime
    assert read_report(json_of(record)).regime is None
