"""The profile with the reference system's numbers, as it is shipped: what it changes, and what a plan under it does."""

from __future__ import annotations

from pathlib import Path

import pytest

from rebalancer.core.documents import plain
from rebalancer.core.outcomes import Outcome
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from rebalancer.settings.load import load_rules
from tests.planning.examples import instrument, signal, snapshot

ROOT = Path(__file__).parents[2]
PROFILE = load_rules([ROOT / "config" / "execution.yaml", ROOT / "config" / "profiles" / "standard.yaml"], {}).rules


def test_the_numbers() -> None:
    ours, theirs = plain(PROFILE.model_dump()), plain(Rules().model_dump())
    assert {
        f"{section}.{key}": value
        for section, values in ours.items()
        if isinstance(values, dict)
        for key, value in values.items()
        if value != theirs[section][key]
    } == {
        "position_sizing.confidence_scaling": "above_75",
        "position_sizing.crypto_floor": 0.005,
        "risk_management.max_daily_loss": 0.05,
        "risk_management.max_correlated_positions": 3,
        "signals.min_confidence": 0.75,
    }
    assert (PROFILE.position_sizing.base_position_size, PROFILE.position_sizing.max_position_size) == (0.10, 0.15)
    assert (PROFILE.protection.stop_loss, PROFILE.protection.take_profit) == (0.03, 0.05)
    assert PROFILE.risk_management.max_drawdown == 0.10


@pytest.mark.parametrize(("confidence", "weight"), [(0.75, 0.10), (0.80, 0.11), (0.90, 0.13), (1.0, 0.15)])
def test_ten_per_cent_at_75_and_fifteen_at_100(confidence: float, weight: float) -> None:
    decided = plan(snapshot("A", signals=(signal("A", confidence=confidence),)), PROFILE)
    assert [round(t.raw_weight, 12) for t in decided.targets] == [weight]


def test_the_fourth_of_a_group_waits_and_the_unsure_are_turned_away() -> None:
    names = tuple(instrument(s, correlation_group="g") for s in "ABCD")
    given = (*(signal(s, 1 - i / 10) for i, s in enumerate("ABCD")), signal("E", confidence=0.74))
    decided = plan(snapshot("ABCDE", instruments=(*names, instrument("E")), signals=given), PROFILE)
    assert [v.outcome for v in decided.verdicts if v.symbol in "DE"] == [
        Outcome.DENIED_CORRELATED_POSITIONS,
        Outcome.REJECTED_LOW_CONFIDENCE,
    ]
