"""The profile of a funded account, as the files that are shipped: its numbers, and what a plan under it does."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from rebalancer.core.documents import plain
from rebalancer.core.facts import Session
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from rebalancer.settings.load import load_rules
from tests.planning.examples import ACCOUNT, NOW, book, signal, snapshot

ROOT = Path(__file__).parents[2]
FILES = [ROOT / "config" / "execution.yaml", ROOT / "config" / "profiles" / "prop_firm.yaml"]
PROFILE = load_rules(FILES, {}).rules


def changed() -> dict[str, object]:
    ours, theirs = plain(PROFILE.model_dump()), plain(Rules().model_dump())
    return {
        f"{section}.{key}": value
        for section, values in ours.items()
        if isinstance(values, dict)
        for key, value in values.items()
        if str(value) != str(theirs[section][key])
    }


def ends(**facts: object) -> list[tuple[str, Outcome]]:
    decided = plan(snapshot("ABCDE", **facts), PROFILE)
    return [(v.symbol, v.outcome) for v in (*decided.verdicts, *decided.unsignalled)]


def test_the_numbers() -> None:
    assert changed() == {
        "position_sizing.capital_scaling": 1.0,
        "position_sizing.method": "fixed",
        "position_sizing.base_position_size": 0.03,
        "position_sizing.max_position_size": 0.03,
        "risk_management.max_daily_loss": 0.045,
        "risk_management.max_drawdown": 0.02,
        "risk_management.on_breach": "flatten",
        "risk_management.max_positions": 3,
        "risk_management.max_stop_distance": 0.015,
        "risk_management.default_stop_distance": 0.015,
        "risk_management.flat_by_minutes_before_close": 10,
        "signals.min_confidence": 0.82,
        "protection.stop_loss": 0.015,
    }


def test_three_positions_of_three_per_cent_of_equity() -> None:
    given = tuple(signal(s, 1 - i / 10) for i, s in enumerate("ABCDE"))
    decided = plan(snapshot("ABCDE", signals=given), PROFILE)
    assert [(o.symbol, o.qty) for o in decided.orders] == [("A", 30), ("B", 30), ("C", 30)]
    assert [v.outcome for v in decided.verdicts][3:] == [Outcome.DENIED_POSITIONS] * 2
    assert max(o.qty * o.price for o in decided.orders) == Decimal("0.03") * ACCOUNT.equity


def test_confidence_and_stop() -> None:
    far, near = signal("B", stop_price=Decimal("49.24")), signal("C", stop_price=Decimal("49.25"))
    unsure = signal("A", confidence=0.81, stop_price=Decimal("49.25"))
    sure = signal("D", confidence=0.82)
    assert ends(signals=(unsure, far, near, sure)) == [
        ("A", Outcome.REJECTED_LOW_CONFIDENCE),
        ("B", Outcome.DENIED_STOP_DISTANCE),
        ("C", Outcome.PLANNED),
        ("D", Outcome.PLANNED),
    ]


def test_two_per_cent_below_the_peak_closes_everything() -> None:
    lost = ACCOUNT._replace(equity=Decimal(49_000))
    decided = plan(snapshot("AB", account=lost, positions=book(A="10"), signals=(signal("A"), signal("B"))), PROFILE)
    assert decided.outcome is CycleOutcome.HALTED_DRAWDOWN
    assert [(o.side, o.qty, o.symbol) for o in decided.orders] == [("sell", 10, "A")]
    assert decided.verdicts[1].outcome is Outcome.DENIED_DRAWDOWN


def test_flat_by_ten_to_four() -> None:
    late = Session(True, NOW - timedelta(hours=5), NOW + timedelta(minutes=14))
    assert ends(session=late, positions=book(A="10"), signals=(signal("A"), signal("B"))) == [
        ("A", Outcome.PLANNED),
        ("B", Outcome.DENIED_FLAT_BY),
    ]
