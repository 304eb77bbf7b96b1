"""A limit of size, value, quantity, count or turnover spreads a reduction over cycles and never stops one."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal

import pytest

from rebalancer.core.decisions import Plan
from rebalancer.core.facts import Quote, Snapshot
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.rules import Rules
from rebalancer.planning import plan
from tests.planning.examples import NOW, book, instrument, rules, signal, snapshot
from tests.planning.test_fixed_point import after
from tests.planning.worlds import limited, world

D = Decimal
DEAR = Quote("A", D("7344.90"), D("7345.10"), D(7345), NOW)
SMALL = {"max_trade_size": "5000", "max_order_value": "5000"}


def dear(**changes: object) -> Snapshot:
    """A share dearer than any order may be, to be left."""
    return snapshot(**{"quotes": (DEAR,), "signals": (signal("A", 0.0),), **changes})


def parts(facts: Snapshot, by: Rules) -> list[str]:
    """The quantities that leave, one cycle after the other, until nothing more does."""
    found: list[str] = []
    for _ in range(20):
        decided = plan(facts, by)
        if not decided.orders:
            break
        found += [f"{order.side} {order.qty}" for order in decided.orders]
        facts = after(facts, decided)
    return found


ONE_BY_ONE = [
    # held, fractionable, fractional, lot, largest trade -> what leaves, cycle by cycle
    ("3", False, False, "1", "5000", ["sell 1"] * 3),
    ("2.5", True, False, "1", "5000", ["sell 1", "sell 1", "sell 0.5"]),
    ("2.5", False, False, "1", "5000", ["sell 1", "sell 1", "sell 0.5"]),
    ("0.5", False, False, "1", "5000", ["sell 0.5"]),
    ("0.9", False, False, "1", "5000", ["sell 0.9"]),
    ("250", False, False, "100", "5000", ["sell 100", "sell 100", "sell 50"]),
    ("37", False, False, "100", "5000", ["sell 37"]),
    ("5", False, False, "1", "15000", ["sell 2", "sell 2", "sell 1"]),
    ("-2", False, False, "1", "5000", ["buy 1", "buy 1"]),
    ("1", True, True, "1", "5000", ["sell 0.680735", "sell 0.319265"]),
]


@pytest.mark.parametrize("row", ONE_BY_ONE)
def test_what_is_dearer_than_any_order_leaves_lot_by_lot(row: tuple[str, bool, bool, str, str, list[str]]) -> None:
    held, fractionable, fractional, lot, most, wanted = row
    name = instrument("A", fractionable=fractionable, lot=D(lot))
    sizes = {"max_trade_size": most, "max_order_value": most, "fractional": fractional, "allow_short": True}
    assert parts(dear(instruments=(name,), positions=book(A=held)), rules(position_sizing=sizes)) == wanted


BELOW_THE_MINIMUM = [
    # held, price, lot, class, largest trade -> what leaves; the smallest trade is 100 USD
    ("201", "50", "1", "us_equity", "10000", ["sell 200", "sell 1"]),
    ("-201", "50", "1", "us_equity", "10000", ["buy 200", "buy 1"]),
    ("1", "0.98", "1", "us_equity", "10000", ["sell 1"]),
    ("-1", "0.98", "1", "us_equity", "10000", []),  # the venue refuses purchases below 1 USD
    ("1.5", "50", "1", "us_equity", "10000", ["sell 1", "sell 0.5"]),
    ("0.25", "50", "0.01", "crypto", "10000", ["sell 0.25"]),
    ("0.15", "50", "0.01", "crypto", "10000", []),  # and orders in crypto below 10 USD
]


@pytest.mark.parametrize("row", BELOW_THE_MINIMUM)
def test_what_closes_a_position_may_be_below_the_minimum(row: tuple[str, str, str, str, str, list[str]]) -> None:
    held, price, lot, kind, most, wanted = row
    facts = snapshot(
        quotes=(Quote("A", D(price), D(price), D(price), NOW),),
        instruments=(instrument("A", lot=D(lot), asset_class=kind),),
        positions=book(A=held),
        signals=(signal("A", 0.0),),
    )
    sizes = {"max_trade_size": most, "max_order_value": most, "allow_short": True}
    assert parts(facts, rules(position_sizing=sizes)) == wanted


def test_what_only_shrinks_a_position_may_not() -> None:
    """200 shares are wanted and 201 held, then 203."""
    none: dict[str, float] = {"absolute": 0.0, "relative": 0.0}
    by = rules(position_sizing={"no_trade_band": none})
    assert parts(snapshot(positions=book(A="201"), signals=(signal("A"),)), by) == []
    assert parts(snapshot(positions=book(A="203"), signals=(signal("A"),)), by) == ["sell 3"]


def test_a_cap_is_relieved_by_one_part_below_the_minimum() -> None:
    """The largest trade holds one share of 3,000 USD and the smallest is 5,000."""
    facts = snapshot(
        "AB",
        instruments=(instrument("A", sector="E"), instrument("B", sector="E")),
        quotes=tuple(Quote(name, D(3000), D(3000), D(3000), NOW) for name in "AB"),
        positions=book(A="3", B="3"),
        signals=(signal("A"), signal("B")),
    )
    sized = {**SMALL, "min_trade_size": "5000", "no_trade_band": {"absolute": 0.05}}
    by = rules(position_sizing=sized, risk_management={"max_sector_exposure": 0.16})
    assert parts(facts, by) == ["sell 1"]


def test_one_lot_goes_out_when_every_count_is_used_up() -> None:
    by = rules(
        position_sizing=SMALL,
        execution={"max_orders_per_execution": 0},
        risk_management={"max_orders_per_day": 0, "max_orders_per_symbol_per_day": 0},
        selection={"max_turnover": 1e-9},
        gate={"max_order_quantity": "0.5"},
    )
    assert parts(dear(instruments=(instrument("A"),), positions=book(A="2")), by) == ["sell 1", "sell 1"]


def test_a_cap_is_brought_back_by_one_lot_however_dear() -> None:
    """Both names lie inside the band and over their sector's cap."""
    facts = snapshot(
        "AB",
        instruments=(instrument("A", sector="E"), instrument("B", sector="E")),
        quotes=(DEAR, DEAR._replace(symbol="B")),
        positions=book(A="1", B="1"),
        signals=(signal("A"), signal("B")),
    )
    sized = {**SMALL, "no_trade_band": {"absolute": 0.05}}
    decided = plan(facts, rules(position_sizing=sized, risk_management={"max_sector_exposure": 0.14}))
    assert [(o.side, str(o.qty), str(o.because)) for o in decided.orders] == [
        ("sell", "1", "7.34 -> 0.00 %: a cap is exceeded, reduced although the drift is small")
    ]


def test_a_target_that_only_rounding_makes_smaller_sells_nothing() -> None:
    """1.5 shares are held, 1.9 are wanted, whole shares are traded."""
    facts = snapshot(quotes=(DEAR,), instruments=(instrument("A", fractionable=False),), positions=book(A="1.5"))
    facts = facts._replace(signals=(signal("A"),))
    by = rules(position_sizing={"base_position_size": 0.14, "no_trade_band": {"absolute": 0.0, "relative": 0.0}})
    decided = plan(facts, by)
    assert decided.orders == ()
    assert decided.verdicts[0].outcome is Outcome.HELD_BELOW_MINIMUM


def beyond(decided: Plan) -> set[str]:
    """Names whose target asks for less than is held, by more than the band."""
    return {
        t.symbol
        for t in decided.targets
        if t.drift * float(t.held_qty) < 0 and abs(t.drift) > t.band and not t.pending_qty
    }


def test_no_limit_but_availability_and_the_runaway_guard_denies_a_reduction() -> None:
    found: Counter[str] = Counter()
    for seed in range(400):
        facts, by = limited(world(seed, calm=True), seed) if seed % 2 else world(seed, calm=True)
        decided = plan(facts, by)
        if decided.outcome.startswith("SKIPPED"):
            continue
        reduced = {o.symbol for o in decided.orders if o.phase == "reduce"}
        said = {v.symbol: v.outcome for v in (*decided.verdicts, *decided.unsignalled) if "REJECTED" not in v.outcome}
        free = {p.symbol: abs(p.qty_available) for p in facts.positions}
        for symbol in beyond(decided) - reduced:
            found[said[symbol]] += 1
            assert said[symbol].startswith(("HELD_", "FROZEN_")) or (
                said[symbol] is Outcome.DENIED_NOT_AVAILABLE and free[symbol] < 1
            ), (seed, symbol, said[symbol])
        found["sent"] += len(reduced)
    assert found["sent"] > 300
    assert found[Outcome.DENIED_NOT_AVAILABLE] > 0


def test_every_book_can_be_left_whatever_the_sizes() -> None:
    """All opinions turn neutral: after enough cycles nothing is left but what is below the minimum or cannot trade."""
    emptied = 0
    for seed in range(120):
        facts, by = world(seed, calm=True)
        document = by.model_dump()
        document["execution"] |= {"neutral_signals": "exit", "unsignalled_positions": "exit"}
        document["risk_management"]["on_breach"] = "reduce_only"
        document["position_sizing"] |= {"max_trade_size": "3000", "max_order_value": "2000", "min_trade_size": "1"}
        by = Rules.model_validate(document)
        neutral = tuple(s._replace(score=0.0) for s in facts.signals)
        free = tuple(p._replace(qty_available=p.qty) for p in facts.positions)
        facts = facts._replace(signals=neutral, positions=free, open_orders=(), expected_positions=None)
        decided = plan(facts, by)
        for _ in range(300):
            if not decided.orders:
                break
            facts = after(facts, decided)
            decided = plan(facts, by)
        assert decided.outcome is CycleOutcome.HOLDING, seed
        stuck = {t.symbol for t in decided.targets if t.held_qty and abs(t.held_qty) * t.price >= 1 and not t.implied}
        assert stuck == set(), seed
        emptied += bool(decided.targets)
    assert emptied > 60
