"""Target weights: no sizing, all limits, above every score, and never out of date by themselves."""

from __future__ import annotations

import json
import math
from datetime import timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.codec import read_snapshot, snapshot_text
from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal, Snapshot
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from tests.planning.examples import HUGE, NOW, book, instrument, rules, signal, snapshot
from tests.planning.fills import watch
from tests.planning.worlds import World, limited, shuffled, world

D = Decimal
FREE = {  # nothing but the gross cap limits a weight
    "position_sizing": HUGE | {"capital_scaling": 2.0, "max_position_size": 1.0, "max_total_exposure": 2.0},
    "risk_management": {
        "max_position_risk": 1.0,
        "max_sector_exposure": 1.0,
        "max_correlation_exposure": 1.0,
        "max_overnight_leverage": 2.0,
    },
}


def target(symbol: str, weight: str, **changes: Any) -> Signal:
    """A target weight, one minute old, called t-SYMBOL."""
    given_at = NOW - timedelta(minutes=1)
    return Signal.of_target(f"t-{symbol}", symbol, D(weight), "book", given_at)._replace(**changes)


def free(**sections: Any) -> Rules:
    """The rules of `FREE` with changes per section."""
    return rules(**{name: FREE.get(name, {}) | sections.get(name, {}) for name in FREE | sections})


def raw(found: Snapshot, by: Rules) -> dict[str, float]:
    """The raw weight of every symbol, fractions of capital."""
    return {t.symbol: t.raw_weight for t in plan(found, by).targets}


def told(found: Snapshot, by: Rules) -> dict[str, tuple[Outcome, str]]:
    """Outcome and reason of every signal by its id."""
    return {v.signal_id: (v.outcome, str(v.because)) for v in plan(found, by).verdicts}


def with_targets(found: World, seed: int) -> World:
    """The same world, in which about half of the signals are target weights."""
    rng = np.random.default_rng([seed, 2])
    signals = tuple(
        Signal.of_target(
            s.id, s.symbol, D(str(round(float(rng.uniform(-0.2, 0.6)), 3))), s.source, s.issued_at, s.stop_price
        )
        if rng.random() < 0.5
        else s
        for s in found.snapshot.signals
    )
    document = found.rules.model_dump(mode="json")
    document["signals"] |= {
        "weights_of": str(rng.choice(["equity", "capital"])),
        "targets_max_age": [None, None, 30][int(rng.integers(0, 3))],
    }
    return World(found.snapshot._replace(signals=signals), Rules.model_validate(document))


SEED = st.integers(0, 2**32 - 1)


def test_a_target_skips_sizing_and_says_so() -> None:
    found = snapshot("AB", signals=(target("A", "0.6"), target("B", "0.4")))
    decided = plan(found, free())
    assert [(t.symbol, t.raw_weight, t.weight, t.volatility_scale, t.qty) for t in decided.targets] == [
        ("A", 0.3, 0.3, 1.0, D(600)),  # 0.6 of 50 000 USD at 50 USD
        ("B", 0.2, 0.2, 1.0, D(400)),
    ]
    assert [str(o.because) for o in decided.orders] == [
        "0.00 -> 30.00 %: new position; target 0.60 of equity = 0.30 of capital",
        "0.00 -> 20.00 %: new position; target 0.40 of equity = 0.20 of capital",
    ]


def test_a_target_may_be_a_fraction_of_capital() -> None:
    decided = plan(snapshot("A", signals=(target("A", "0.125"),)), free(signals={"weights_of": "capital"}))
    assert [(t.raw_weight, t.qty) for t in decided.targets] == [(0.125, D(250))]
    assert str(decided.orders[0].because) == "0.00 -> 12.50 %: new position; target 0.125 of capital"


@pytest.mark.parametrize("method", ["fixed_fraction", "proportional", "inverse_volatility", "equal", "fixed"])
def test_no_sizing_method_changes_a_target_nor_a_target_the_sizes_of_scores(method: str) -> None:
    by = free(position_sizing={"method": method}, execution={"signal_threshold": 1.0})
    alone = raw(snapshot("AB", signals=(signal("A"),)), by)
    both = raw(snapshot("AB", signals=(signal("A"), target("B", "0.3"))), by)
    assert both == {"A": alone["A"], "B": 0.15}


def test_no_volatility_changes_a_target() -> None:
    weights = []
    for volatility in (0.01, 0.3, 0.9, None):
        one = instrument("A", volatility=volatility)
        weights.append(raw(snapshot("A", instruments=(one,), signals=(target("A", "0.6"),)), free()))
    assert weights == [{"A": 0.3}] * 4


def test_a_target_passes_the_caps() -> None:
    found = snapshot("ABC", signals=(target("A", "0.6"), target("B", "0.3"), target("C", "0.1")))
    decided = plan(found, free(position_sizing={"capital_scaling": 1.0, "max_total_exposure": 0.5}))
    assert [round(t.weight, 9) for t in decided.targets] == [0.3, 0.15, 0.05]
    assert [dict(t.factors) for t in decided.targets] == [{"gross": pytest.approx(0.5)}] * 3
    reason = "0.00 -> 30.00 %: new position; target 0.60 of equity = 0.60 of capital; gross x 0.50"
    assert str(decided.orders[0].because) == reason


def test_a_target_of_zero_closes() -> None:
    decided = plan(snapshot("A", positions=book(A="100"), signals=(target("A", "0"),)), free())
    assert [(o.side, o.qty) for o in decided.orders] == [("sell", D(100))]
    assert str(decided.orders[0].because) == "5.00 -> 0.00 %: to be closed; a target weight of 0 asks for no position"


def test_a_short_target_needs_shorts() -> None:
    found = snapshot("A", signals=(target("A", "-0.2"),))
    outcome, why = told(found, free())["t-A"]
    assert (outcome, why) == (Outcome.DENIED_SHORT, "short selling is off (position_sizing.allow_short)")
    assert raw(found, free(position_sizing={"allow_short": True})) == {"A": -0.1}


def test_a_target_is_traded_to_no_closer_than_the_band() -> None:
    found = snapshot("A", positions=book(A="590"), signals=(target("A", "0.6"),))
    decided = plan(found, free())
    assert (decided.outcome, told(found, free())["t-A"][0]) == (CycleOutcome.HOLDING, Outcome.HELD_WITHIN_BAND)


def test_a_target_beats_every_score_and_the_verdict_says_so() -> None:
    signals = (
        signal("A", id="older", source="book", issued_at=NOW - timedelta(minutes=2)),
        signal("A", id="newer", source="book", issued_at=NOW),
        signal("A", id="other", score=-1.0),
        signal("A", id="stale", source="old", issued_at=NOW - timedelta(hours=2)),
        target("A", "0.6"),
    )
    found = told(snapshot("A", signals=signals), free())
    beaten = (Outcome.REJECTED_SUPERSEDED, "book gives a target weight, t-A, which stands above any score")
    assert found == {
        "older": (Outcome.REJECTED_SUPERSEDED, "book has a newer signal, newer"),
        "newer": beaten,
        "other": beaten,
        "stale": (Outcome.REJECTED_STALE, "issued 120 minutes ago; signals.max_age_minutes is 60"),
        "t-A": (Outcome.PLANNED, found["t-A"][1]),
    }


def test_an_unusable_target_beats_nothing() -> None:
    late = target("A", "0.6", issued_at=NOW + timedelta(minutes=1))
    found = told(snapshot("A", signals=(late, signal("A"))), free())
    assert (found["t-A"][0], found["s-A"][0]) == (Outcome.REJECTED_INVALID, Outcome.PLANNED)


def test_targets_hold_until_replaced_unless_the_rules_say_otherwise() -> None:
    old = target("A", "0.6", issued_at=NOW - timedelta(days=400))
    new = target("A", "0.5", id="t-new")
    assert told(snapshot("A", signals=(old,)), free())["t-A"][0] is Outcome.PLANNED
    assert told(snapshot("A", signals=(old,)), free(signals={"targets_max_age": 60}))["t-A"] == (
        Outcome.REJECTED_STALE,
        "issued 576,000 minutes ago; signals.targets_max_age is 60",
    )
    both = snapshot("A", signals=(old, new))
    assert told(both, free())["t-A"] == (Outcome.REJECTED_SUPERSEDED, "book has a newer signal, t-new")
    assert raw(both, free()) == {"A": 0.25}


def test_targets_of_several_sources_count_as_their_mean() -> None:
    found = snapshot("A", signals=(target("A", "0.6"), target("A", "0.2", id="u-A", source="other")))
    assert raw(found, free()) == {"A": pytest.approx(0.2)}
    assert raw(found, free(signals={"source_weights": {"other": 0}})) == {"A": 0.3}
    neither = free(signals={"source_weights": {"other": 0, "book": 0}})
    assert told(found, neither)["t-A"] == (
        Outcome.HELD_NEUTRAL,
        "none of its sources has a weight: no position is supported",
    )
    apart = snapshot("A", signals=(target("A", "0.2"), target("A", "-0.2", id="u-A", source="other")))
    why = "its target weights cancel out to 0, which asks for no position"
    assert told(apart, free())["t-A"] == (Outcome.HELD_NEUTRAL, why)


@pytest.mark.parametrize("weight", ["5.01", "-60", "NaN", "Infinity"])
def test_a_target_that_no_account_can_have_is_invalid(weight: str) -> None:
    found = plan(snapshot("A", signals=(target("A", "0.1")._replace(target=D(weight)),)), free())
    assert [v.outcome for v in found.verdicts] == [Outcome.REJECTED_INVALID]


@settings(max_examples=80, deadline=None)
@given(SEED)
def test_law_the_raw_weight_of_a_target_is_the_target(seed: int) -> None:
    seen, by = with_targets(world(seed, calm=True), seed)
    decided = plan(seen, by)
    said: dict[str, list[tuple[float, float]]] = {}
    for s, verdict in zip(seen.signals, decided.verdicts, strict=True):
        if s.target is not None and not verdict.outcome.startswith(("REJECTED_", "FROZEN_", "DENIED_")):
            said.setdefault(s.symbol, []).append((by.signals.source_weights.get(s.source, 1.0), float(s.target)))
    part = by.position_sizing.capital_scaling if by.signals.weights_of == "equity" else 1.0
    for t in decided.targets:
        if t.symbol in said and not t.implied and t.raw_weight != 0:
            mean = sum(w * x for w, x in said[t.symbol]) / sum(w for w, _ in said[t.symbol])
            assert math.isclose(t.raw_weight, mean / part, rel_tol=1e-9)
            assert (t.confidence, t.volatility_scale) == (1.0, 1.0)


@settings(max_examples=80, deadline=None)
@given(SEED)
def test_law_scores_below_a_target_change_nothing(seed: int) -> None:
    seen, by = with_targets(world(seed), seed)
    decided = plan(seen, by)
    verdicts = zip(seen.signals, decided.verdicts, strict=True)
    kept = tuple(s for s, verdict in verdicts if "stands above any score" not in str(verdict.because))
    again = plan(seen._replace(signals=kept), by)
    assert (again.targets, again.orders, again.outcome) == (decided.targets, decided.orders, decided.outcome)


@settings(max_examples=80, deadline=None)
@given(SEED)
def test_law_the_order_of_signals_changes_nothing(seed: int) -> None:
    found = with_targets(world(seed), seed)
    decided, mixed = plan(*found), plan(shuffled(found.snapshot, seed), found.rules)
    assert (mixed.targets, mixed.orders) == (decided.targets, decided.orders)
    assert sorted(map(str, mixed.verdicts)) == sorted(map(str, decided.verdicts))


def test_law_every_cap_holds_for_targets_after_every_fill() -> None:
    found = [with_targets(world(seed, calm=seed % 3 != 0), seed) for seed in range(120)]
    runs = [watch(limited(one, k) if k % 6 == 1 else one, k + 1) for k, one in enumerate(found)]
    assert [r.violations for r in runs if r.violations] == []
    assert sum(r.events for r in runs) > 500


@settings(max_examples=60, deadline=None)
@given(SEED)
def test_law_a_stored_snapshot_with_targets_reads_back_to_the_same_text(seed: int) -> None:
    found = with_targets(world(seed), seed).snapshot
    text = snapshot_text(found)
    assert read_snapshot(text) == found
    assert snapshot_text(read_snapshot(text)) == text
    rows = json.loads(text)["signals"]
    assert all(("target" in row) != ("score" in row) and ("target" in row) != ("confidence" in row) for row in rows)


def test_a_target_in_a_snapshot_stands_instead_of_score_and_confidence() -> None:
    document = json.loads(snapshot_text(snapshot("A", signals=(target("A", "0.30"),))))
    assert document["signals"][0] | {"id": "", "issued_at": ""} == {
        "id": "", "issued_at": "", "source": "book", "symbol": "A", "target": "0.3",
        "stop_price": None, "target_price": None,
    }  # fmt: skip
    row = document["signals"][0] | {"target": "0.30"}
    read = read_snapshot(json.dumps(document | {"signals": [row]}))
    assert read.signals == (target("A", "0.30"),)


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"score": 0.5}, "signals[0].score: stands together with a target"),
        ({"confidence": 1.0}, "signals[0].confidence: stands together with a target"),
        ({"hold": True}, "signals[0].hold: stands together with a target"),
        ({"target": "many"}, "signals[0].target: 'many' is not a number"),
        ({"target": "NaN"}, "signals[0].target: 'NaN' is not a number"),
        ({"target": None}, "signals[0].score: Field required"),
    ],
)
def test_a_contradictory_target_in_a_snapshot_is_refused(changes: dict[str, Any], problem: str) -> None:
    document = json.loads(snapshot_text(snapshot("A", signals=(target("A", "0.3"),))))
    document["signals"][0] |= changes
    with pytest.raises(BadDocument, match=problem.replace("[", r"\[")):
        read_snapshot(json.dumps(document))


def test_a_snapshot_without_targets_has_the_text_it_always_had() -> None:
    assert "target" not in json.loads(snapshot_text(snapshot("A", signals=(signal("A"),))))["signals"][0]
