"""What the market's regime does to a plan: factors on scores and targets, the limit on all of them, reasons, laws."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rebalancer.core.codec import BadDocument, read_rules, read_snapshot, rules_text, snapshot_text, stored_snapshot
from rebalancer.core.decisions import Plan
from rebalancer.core.facts import BY_CAUTION, Regime, RegimeName, Signal, Snapshot
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.core.snapshot import Snapshot as PublicSnapshot
from rebalancer.core.venue_rules import ALPACA
from rebalancer.planning import plan
from rebalancer.planning.core import codes
from rebalancer.planning.core.columns import Funds, SignalRows
from rebalancer.planning.core.size import gross_limit
from rebalancer.planning.numbers import numbers_of
from rebalancer.planning.reconcile import reconcile
from rebalancer.planning.refit_increases import refit_increases
from rebalancer.planning.regime_factors import regime_factors
from tests.planning.examples import NOW, book, rules, signal, snapshot
from tests.planning.test_targets import with_targets
from tests.planning.worlds import limited, world

DAY = date(2026, 11, 19)
WIDE = {"max_position_size": 0.5, "base_position_size": 0.2, "max_total_exposure": 0.8, "max_trade_size": 1_000_000,
        "max_order_value": 1_000_000}  # fmt: skip
LOOSE = {"max_sector_exposure": 1.0, "max_correlation_exposure": 1.0, "max_position_risk": 1.0}


def regime(name: RegimeName, **changes: Any) -> Regime:
    return Regime(name, DAY, 7, DAY, 0, DAY, 0.01, 0.001, 0.4, 0.02, 0.6)._replace(**changes)


def in_regime(facts: Snapshot, by: Rules, name: RegimeName | None, **changes: Any) -> Plan:
    judged = Rules.model_validate({**by.model_dump(), "regime": {"enabled": True, **changes}})
    return plan(facts._replace(regime=None if name is None else regime(name)), judged)


def weights(found: Plan) -> dict[str, float]:
    return {t.symbol: t.weight for t in found.targets}


def scores(names: str, confidence: float = 1.0) -> Snapshot:
    return snapshot(names, signals=tuple(signal(s, confidence=confidence) for s in names))


def targets(**shares: str) -> Snapshot:
    said = tuple(Signal.of_target(f"t-{s}", s, Decimal(w), "file", NOW) for s, w in shares.items())
    return snapshot("".join(shares), signals=said)


def of_scores() -> Rules:
    return rules(position_sizing=WIDE, risk_management=LOOSE)


def test_by_default_a_regime_changes_no_byte_of_a_plan() -> None:
    for seed in range(40):
        facts, by = world(seed, calm=seed % 3 != 0)
        assert plan(facts._replace(regime=regime("CRISIS")), by).to_json() == plan(facts, by).to_json()


@pytest.mark.parametrize("seed", range(12))
def test_factors_of_one_change_no_byte_either(seed: int) -> None:
    facts, by = limited(world(seed, calm=True), seed)
    even = dict.fromkeys(("bull", "chop", "bear", "crisis"), 1.0)
    for name in (*BY_CAUTION, None):
        found = in_regime(facts, by, name, confidence=even, gross=even, targets=True)
        assert found.to_json() == plan(facts, by).to_json()


@pytest.mark.parametrize("names", ["AB", "ABCDEFG"])  # below the limit on all of them, and at it
@pytest.mark.parametrize("name", BY_CAUTION)
def test_gross_scales_every_weight_of_scores(names: str, name: RegimeName) -> None:
    facts, by = scores(names), of_scores()
    factor = regime_factors(regime(name), Rules.model_validate({"regime": {"enabled": True}}).regime).gross
    even = dict.fromkeys(("bull", "chop", "bear", "crisis"), 1.0)
    found, before = in_regime(facts, by, name, confidence=even), plan(facts, by)
    assert weights(found) == pytest.approx({s: w * factor for s, w in weights(before).items()})
    gross = next(use for use in found.limits if use.name == "gross")
    assert gross.limit == pytest.approx(0.8 * factor)


def test_confidence_is_lowered_before_the_thresholds() -> None:
    facts, by = scores("A", confidence=0.12), of_scores()
    even = dict.fromkeys(("bull", "chop", "bear", "crisis"), 1.0)
    bull, crisis = (in_regime(facts, by, name, gross=even) for name in ("BULL", "CRISIS"))  # type: ignore[arg-type]
    assert [v.outcome for v in (*bull.verdicts, *crisis.verdicts)] == [Outcome.PLANNED, Outcome.HELD_NEUTRAL]
    assert str(crisis.verdicts[0].because) == (
        "|score x confidence| 0.07 is below 0.10: no position is supported; CRISIS: confidence x 0.60, gross x 1.00"
    )


def test_targets_are_instructions_unless_the_rules_say_otherwise() -> None:
    facts, by = targets(A="0.6", B="0.4"), of_scores()
    assert in_regime(facts, by, "CRISIS").orders == plan(facts, by).orders
    found = in_regime(facts, by, "BEAR", targets=True)
    assert weights(found) == pytest.approx({"A": 0.15, "B": 0.1})
    assert str(found.orders[0].because) == (
        "0.00 -> 15.00 %: new position; target 0.60 of equity = 0.30 of capital; BEAR: x 0.50"
    )


def test_scores_share_what_targets_leave_and_targets_do_not_shrink_for_the_regime() -> None:
    said = (Signal.of_target("t", "A", Decimal("0.8"), "file", NOW), *(signal(s) for s in "BCDEF"))
    facts, by = snapshot("ABCDEF", signals=said), of_scores()
    even = dict.fromkeys(("bull", "chop", "bear", "crisis"), 1.0)
    before, found = plan(facts, by), in_regime(facts, by, "BEAR", confidence=even)
    assert weights(found)["A"] >= weights(before)["A"]
    assert sum(weights(found).values()) == pytest.approx(0.4 + 0.5 * (0.8 - 0.4))
    assert weights(found)["B"] < weights(before)["B"] / 1.5


def test_gross_of_zero_closes_and_says_so() -> None:
    held = snapshot("AB", signals=(signal("A"), signal("B")), positions=book(A="10"))
    found = in_regime(held, of_scores(), "CRISIS", gross={"crisis": 0})
    assert [(o.symbol, o.side, o.qty) for o in found.orders] == [("A", "sell", Decimal(10))]
    assert {v.symbol: v.outcome for v in found.verdicts} == {"A": Outcome.PLANNED, "B": Outcome.HELD_NEUTRAL}
    assert "CRISIS: nothing is held in this regime" in str(found.orders[0].because)
    assert str(found.verdicts[1].because) == "CRISIS: nothing is held in this regime"


def test_an_unknown_regime_counts_as_the_most_careful_one() -> None:
    facts, by = scores("AB"), of_scores()
    assert weights(in_regime(facts, by, None)) == weights(in_regime(facts, by, "CRISIS"))
    assert "no regime is known, as in CRISIS: confidence x 0.60, gross x 0.25" in str(
        in_regime(facts, by, None).orders[0].because
    )


def test_what_is_left_after_the_reductions_is_fitted_to_the_same_limit() -> None:
    facts, by = targets(A="0.6", B="0.4"), of_scores()
    judged = Rules.model_validate({**by.model_dump(), "regime": {"enabled": True}})
    facts = facts._replace(regime=regime("CRISIS"))
    found = plan(facts, judged)
    refitted = refit_increases(found, facts, reconcile(facts), judged, facts.account, {})
    assert (refitted.orders, refitted.denied) == (found.orders, {})
    assert found.orders


@given(
    st.integers(0, 10**12), st.integers(0, 2 * 10**12),
    st.lists(st.floats(-0.5, 0.5), max_size=5), st.booleans(), st.integers(0, 10**12),
)  # fmt: skip
def test_the_limit_never_rises_with_caution_and_targets_keep_their_room(
    rate: int, limit: int, shares: list[float], scaled: bool, lower: int
) -> None:
    by = Rules.model_validate({"regime": {"targets": scaled}, "signals": {"weights_of": "capital"}})
    count = len(shares)
    rows = SignalRows([1] * count, shares, [0.0] * count, [1.0] * count, [1.0] * count, [0] * count)

    def left(gross: int) -> int:
        funds = Funds(10**9, 0, 0, 1, 0, 0, codes.RATE, gross)
        return gross_limit(rows, list(range(count + 1)), limit, numbers_of(by, ALPACA), funds)

    low, high = sorted((rate, lower))
    assert 0 <= left(low) <= left(high) <= left(codes.RATE) == limit
    kept = 0.0 if scaled else sum(min(abs(s), 0.15) for s in shares)
    assert left(low) >= min(int(kept * 10**12) - count, limit)
    if not count or scaled:
        assert left(low) == limit * low // 10**12


def test_a_snapshot_carries_the_regime_through_text() -> None:
    facts = scores("A")._replace(regime=regime("BEAR", breadth=None))
    text = snapshot_text(facts)
    assert stored_snapshot(text) == read_snapshot(text) == PublicSnapshot.from_json(text) == facts
    assert '"regime"' not in snapshot_text(facts._replace(regime=None))
    document = json.loads(text)
    for key, wrong in (("since", 0), ("since", "19/11/2026"), ("name", "CALM"), ("trend", "up")):
        bad = {**document, "regime": {**document["regime"], key: wrong}}
        with pytest.raises(BadDocument, match=f"regime.{key}"):
            read_snapshot(json.dumps(bad))


def test_rules_without_the_section_read_and_write_as_before() -> None:
    assert "regime" not in rules_text(Rules())
    judged = Rules.model_validate({"regime": {"enabled": True, "gross": {"crisis": 0.1}}})
    assert read_rules(rules_text(judged)) == judged
    assert json.loads(rules_text(judged))["regime"] == {"enabled": True, "gross": {"crisis": 0.1}}


@pytest.mark.parametrize("seed", range(30))
def test_the_targets_of_any_world_in_any_regime_are_within_the_lowered_limit(seed: int) -> None:
    seen = world(seed, calm=seed % 3 != 0)
    facts, by = with_targets(seen, seed) if seed % 2 else seen
    found = in_regime(facts, by, BY_CAUTION[seed % 4], targets=seed % 5 == 0)
    limits = {use.name: use.limit for use in found.limits}
    assert sum(abs(t.weight) for t in found.targets) <= limits.get("gross", 0.0) * (1 + 1e-9)
