"""A quiet cycle is HOLDING only when positions match what the rules want."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.codec import read_plan
from rebalancer.core.decisions import Constrained
from rebalancer.core.facts import Day
from rebalancer.core.outcomes import CONSTRAINING, CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import stated
from rebalancer.planning import plan
from rebalancer.planning.constrain import constrain_after
from rebalancer.planning.verdicts import OrderEnd
from tests.planning.examples import ACCOUNT, HUGE, book, order, rules, signal, snapshot
from tests.planning.worlds import limited, world

D = Decimal
WANTED = {"signals": (signal("A"), signal("B", 0.5))}
HELD = {"signals": (signal("A", 0.0),), "positions": book(A="200")}
ASIDE = {**HELD, "positions": tuple(p._replace(qty_available=D(0)) for p in book(A="200"))}

DENIED: list[tuple[Outcome, int, str, dict[str, Any], dict[str, Any]]] = [
    (Outcome.DENIED_ORDERS_PER_DAY, 2, "0.1", {**WANTED, "day": Day(100)}, {}),
    (Outcome.DENIED_ORDERS_PER_SYMBOL, 1, "0.1", {"signals": (signal("A"),), "day": Day(10, {"A": 10})}, {}),
    (Outcome.DENIED_ORDERS_PER_EXECUTION, 2, "0.1", WANTED, {"execution": {"max_orders_per_execution": 0}}),
    (
        Outcome.DENIED_ORDER_VALUE,
        2,
        "0.1",
        WANTED,
        {"position_sizing": {"max_trade_size": "40", "min_trade_size": "1"}},
    ),
    (Outcome.DENIED_TURNOVER, 2, "0.1", WANTED, {"selection": {"max_turnover": 0.01}}),
    (Outcome.DENIED_BUYING_POWER, 2, "0.1", {**WANTED, "account": ACCOUNT._replace(buying_power=D(0))}, {}),
    (Outcome.DENIED_NOT_AVAILABLE, 1, "0.1", ASIDE, {}),
]


@pytest.mark.parametrize("row", DENIED, ids=lambda row: str(row[0]))
def test_a_limit_on_sending_that_denies_everything(
    row: tuple[Outcome, int, str, dict[str, Any], dict[str, Any]],
) -> None:
    outcome, trades, drift, facts, by = row
    decided = plan(snapshot("AB", **facts), rules(**by))
    assert (decided.outcome, decided.orders) == (CycleOutcome.CONSTRAINED, ())
    assert decided.constrained == Constrained(trades, outcome, D(drift))
    counted = f"{trades} trade{'s' if trades > 1 else ''} beyond the band denied"
    assert str(decided.because) == f"{counted}, the largest a drift of 10.00 pp: {outcome}"
    told = json.loads(decided.to_json())
    assert told["constrained"] == {"trades": trades, "largest": outcome, "drift": drift}
    assert read_plan(decided.to_json()) == decided


def test_with_some_orders_it_is_completed_and_says_so_too() -> None:
    facts = snapshot("AB", **WANTED)
    decided = plan(facts, rules(position_sizing=HUGE, execution={"max_orders_per_execution": 1}))
    assert decided.outcome is CycleOutcome.COMPLETED
    assert decided.constrained == Constrained(1, Outcome.DENIED_ORDERS_PER_EXECUTION, D("0.05"))
    said = "1 trade beyond the band denied, the largest a drift of 5.00 pp: DENIED_ORDERS_PER_EXECUTION"
    assert str(decided.because) == f"1 order: 0 reduce, 1 increase; {said}"


@pytest.mark.parametrize(
    ("facts", "by"),
    [
        ({"signals": (signal("A", -1.0),)}, {}),  # no shorts
        ({"signals": (signal("A", stop_price=D(1)),)}, {"risk_management": {"max_stop_distance": 0.05}}),
        ({"positions": book(A="200"), "signals": (signal("A"),)}, {}),
        ({"signals": ()}, {}),
    ],
)
def test_what_is_no_target_is_not_wanted(facts: dict[str, Any], by: dict[str, Any]) -> None:
    decided = plan(snapshot("AB", **facts), rules(**by))
    assert (decided.outcome, decided.constrained) == (CycleOutcome.HOLDING, None)
    assert str(decided.because) == "positions match their targets"
    assert "constrained" not in json.loads(decided.to_json())


def test_a_match_that_leaves_names_out_says_which() -> None:
    facts = snapshot("AB", signals=(signal("A"),), open_orders=(order("A", "buy", "5", ours=False),))
    decided = plan(facts, rules())
    assert decided.outcome is CycleOutcome.HOLDING
    assert str(decided.because) == "positions match their targets but for FROZEN_OPEN_ORDER"


@pytest.mark.parametrize(
    ("held", "sizing", "said"),
    [
        ({"A": "200"}, {}, "positions match their targets"),
        ({"A": "199.5"}, {}, "positions match their targets; 1 name off by less than one lot or the minimum trade"),
        ({"A": "197", "B": "203"}, {"min_trade_size": 1000},
         "positions match their targets; 2 names off by less than one lot or the minimum trade"),
    ],
)  # fmt: skip
def test_a_match_but_for_what_is_too_small_to_trade_says_so(
    held: dict[str, str], sizing: dict[str, Any], said: str
) -> None:
    """Both names are to have 200 shares, 10 % of capital."""
    facts = snapshot("AB", positions=book(**held), signals=tuple(signal(s) for s in held))
    decided = plan(facts, rules(position_sizing=HUGE | {"no_trade_band": {"absolute": 0, "relative": 0}} | sizing))
    assert [v.outcome for v in decided.verdicts if v.outcome is Outcome.HELD_BELOW_MINIMUM] == [
        Outcome.HELD_BELOW_MINIMUM
    ] * ("off" in said) * len(held)
    assert (decided.outcome, str(decided.because)) == (CycleOutcome.HOLDING, said)


def test_holding_and_constrained_are_told_apart_in_every_world() -> None:
    seen: dict[CycleOutcome, int] = {}
    for seed in range(500):
        facts, by = limited(world(seed), seed) if seed % 2 else world(seed)
        decided = plan(facts, by)
        seen[decided.outcome] = seen.get(decided.outcome, 0) + 1
        beyond = {t.symbol: abs(t.drift) for t in decided.targets if abs(t.drift) > t.band}
        said = {v.symbol: v.outcome for v in (*decided.verdicts, *decided.unsignalled) if "REJECTED" not in v.outcome}
        denied = {s for s in beyond if said.get(s) in CONSTRAINING}
        if not decided.orders and decided.outcome in (CycleOutcome.HOLDING, CycleOutcome.CONSTRAINED):
            assert (decided.outcome is CycleOutcome.CONSTRAINED) == bool(denied), seed
        if not decided.orders and denied:
            assert decided.constrained is not None
            assert decided.constrained.trades == len(denied), seed
            assert abs(float(decided.constrained.drift) - max(beyond[s] for s in denied)) <= 0.00005
    assert min(seen[o] for o in (CycleOutcome.HOLDING, CycleOutcome.CONSTRAINED, CycleOutcome.COMPLETED)) > 5


def test_orders_that_could_not_be_funded_after_the_reductions_count_too() -> None:
    facts = snapshot("AB", **WANTED)
    decided = plan(facts, rules(position_sizing=HUGE, execution={"max_orders_per_execution": 1}))
    (one,) = decided.orders
    poor = OrderEnd(one.client_order_id, OrderState.NOT_SENT, D(0), None, stated("$0"), Outcome.DENIED_BUYING_POWER)
    assert constrain_after(decided, {}) == decided.constrained
    assert constrain_after(decided, {one.client_order_id: poor}) == Constrained(
        2, Outcome.DENIED_BUYING_POWER, D("0.1")
    )
    capped = {one.client_order_id: poor._replace(denied=Outcome.DENIED_CAP)}
    assert constrain_after(decided._replace(constrained=None), capped) is None


def test_the_other_side_of_a_flip_that_is_too_small_constrains_nothing() -> None:
    account = ACCOUNT._replace(equity=D(1000), last_equity=D(1000), peak_equity=D(1000))
    by = rules(position_sizing={"allow_short": True, "min_trade_size": "150"})
    decided = plan(snapshot("A", account=account, positions=book(A="4"), signals=(signal("A", -0.5),)), by)
    assert [(o.side, o.qty) for o in decided.orders] == [("sell", D(4))]
    assert decided.constrained is None
