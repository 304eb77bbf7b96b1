"""The no-trade band that trading costs justify: the law of its width, what it never holds back, and what it says."""

from __future__ import annotations

import json
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.core.codec import BadDocument, read_rules, read_snapshot, rules_text, snapshot_text, stored_snapshot
from rebalancer.core.facts import Snapshot, TradingCosts
from rebalancer.core.outcomes import Outcome
from rebalancer.core.planning_keys import planning_hash
from rebalancer.core.reasons import ReasonCode
from rebalancer.core.rules import Rules
from rebalancer.core.venue_rules import ALPACA
from rebalancer.planning import plan
from rebalancer.planning.core import codes
from rebalancer.planning.core.cost_band import cube_root, worth_of_gap
from rebalancer.planning.core.trades import is_at_own_cap, is_shrunk
from rebalancer.planning.decided import Decided
from rebalancer.planning.trading_cost import UNKNOWN, trading_cost
from tests.planning.examples import HUGE, book, decided, rules, signal, snapshot
from tests.planning.test_targets import with_targets
from tests.planning.worlds import World, limited, with_costs, world

DAY = date(2026, 11, 19)
FREE = ALPACA._replace(crypto_fee_max=Decimal(0))


def costing(usual: float, **by_symbol: float) -> TradingCosts:
    """Basis points."""
    return TradingCosts(DAY, 60, usual, by_symbol)


def any_world(seed: int) -> World:
    """With equity: where there is none, no weight is decided."""
    seen = world(seed, calm=seed % 3 != 0)
    if seen.snapshot.account.equity == 0:
        seen = seen._replace(
            snapshot=seen.snapshot._replace(account=seen.snapshot.account._replace(equity=Decimal(50_000)))
        )
    seen = limited(seen, seed) if seed % 4 == 0 else seen
    return with_targets(seen, seed) if seed % 2 else seen


def by_cost(found: Rules, **band: Any) -> Rules:
    document = found.model_dump()
    document["position_sizing"]["no_trade_band"] |= {"width": "cost", **band}
    return Rules.model_validate(document)


def times(facts: Snapshot, factor: float) -> Snapshot:
    """The same facts with every cost so many times what it is."""
    costs = facts.trading_costs or costing(8.0)
    costs = costs._replace(
        usual=costs.usual * factor, by_symbol={symbol: cost * factor for symbol, cost in costs.by_symbol.items()}
    )
    return facts._replace(trading_costs=costs, venue=FREE)


@given(st.floats(1e-12, 1e3))
def test_the_root_is_the_root(number: float) -> None:
    assert cube_root(number) == pytest.approx(number ** (1 / 3), rel=1e-14)
    assert cube_root(0.0) == 0


@given(st.floats(0.01, 0.95), st.floats(1e-5, 0.02), st.floats(0.5, 20), st.floats(0.05, 1.5))
def test_the_width_is_where_gap_and_trading_together_cost_least(
    share: float, cost: float, aversion: float, volatility: float
) -> None:
    """A weight that wanders within a band, moved back from its edges, is spread evenly over it: its gaps cost
    aversion x variance x width^2 / 6 a year, and its trades cost x variance of the weight / (2 x width)."""
    variance = (volatility * share * (1 - share)) ** 2
    width = cube_root(1.5 / aversion * cost * (share * (1 - share)) ** 2)

    def a_year(half: float) -> float:
        return float(aversion * volatility**2 * half**2 / 6 + cost * variance / (2 * half))

    assert a_year(width) <= min(a_year(width * 0.97), a_year(width * 1.03))


@given(st.floats(0.0001, 0.05), st.floats(1e-4, 0.2), st.floats(0, 1), st.floats(0, 1))
def test_a_gap_is_worth_its_cost_at_the_edge_and_nothing_at_the_target(
    cost: float, width: float, part: float, other: float
) -> None:
    near, far = sorted((part, other))
    worth = [worth_of_gap(cost, sign * at * width, width) for sign in (1, -1) for at in (near, far)]
    assert worth[:2] == worth[2:]
    assert 0 <= worth[0] <= worth[1] + 1e-15
    assert worth[1] <= cost * (1 + 1e-9)
    assert worth_of_gap(cost, width, width) == pytest.approx(cost)


def test_by_default_known_costs_change_no_byte_of_a_plan() -> None:
    for seed in range(40):
        facts, by = any_world(seed)
        assert plan(facts._replace(trading_costs=costing(200.0)), by).to_json() == plan(facts, by).to_json()


@pytest.mark.parametrize("seed", range(0, 60, 5))
def test_a_cost_of_nothing_is_the_fixed_band(seed: int) -> None:
    facts, by = any_world(seed)
    for usual in (0.0, -3.0):
        free = facts._replace(trading_costs=costing(usual), venue=FREE)
        assert plan(free, by_cost(by)).to_json() == plan(free, by).to_json()


@pytest.mark.parametrize("seed", range(0, 60, 5))
def test_without_costs_the_fixed_band_counts_and_the_reasons_say_so(seed: int) -> None:
    facts, by = any_world(seed)
    found, fixed = plan(facts, by_cost(by)), plan(facts, by)
    assert (found.targets, found.outcome) == (fixed.targets, fixed.outcome)
    assert [order._replace(because=0) for order in found.orders] == [  # type: ignore[arg-type]  # all but the words
        order._replace(because=0)
        for order in fixed.orders  # type: ignore[arg-type]
    ]
    said = [order.because for order in found.orders if not order.because.has(ReasonCode.CAP_EXCEEDED)]
    said += [v.because for v in found.verdicts if v.outcome is Outcome.HELD_WITHIN_BAND]
    assert all(why.has(ReasonCode.COST_UNKNOWN) for why in said)


def wanted(found: Decided) -> set[str]:
    """The names that are worth trading."""
    return {s for s, code in zip(found.columns.symbols, found.decision.trades.code, strict=True) if code == codes.TRADE}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 100_000), st.floats(0, 20), st.floats(0, 20))
def test_law_a_name_not_worth_trading_is_not_at_a_higher_cost(seed: int, one: float, other: float) -> None:
    facts, by = with_costs(any_world(seed), seed)
    low, high = (decided(times(facts, factor), by) for factor in sorted((one, other)))
    assert wanted(high) <= wanted(low)
    careful = by_cost(by, risk_aversion=by.position_sizing.no_trade_band.risk_aversion * 2)  # a narrower band
    assert wanted(decided(times(facts, one), by)) <= wanted(decided(times(facts, one), careful))
    for less, more in zip(low.decision.trades.band, high.decision.trades.band, strict=True):
        assert less <= more


def demanded(found: Decided, i: int) -> bool:
    """Whether a cap, an exit or a way out demands that a position becomes smaller."""
    targets, drift, names = found.decision.targets, found.decision.trades.drift[i], found.columns.names
    weight = targets.weight[i]
    shrunk = is_shrunk(targets, targets.state[i], targets.raw[i], names.sector[i], names.cluster[i])
    return weight == 0 or (weight * drift < 0 and (shrunk or is_at_own_cap(targets, i)))


def test_law_no_cost_holds_back_an_exit_or_what_a_cap_demands() -> None:
    seen = 0
    for seed in range(250):
        facts, by = with_costs(any_world(seed), seed)
        dear, free = decided(times(facts, 50), by), decided(times(facts, 0), by)
        assert dear.decision.targets == free.decision.targets
        for i in range(len(dear.columns.symbols)):
            if demanded(dear, i):
                trades, others = dear.decision.trades, free.decision.trades
                assert (trades.reduce[i], trades.code[i], trades.band[i]) == (
                    others.reduce[i], others.code[i], others.band[i],
                ), seed  # fmt: skip
                seen += trades.reduce[i] != 0 and dear.decision.targets.weight[i] != 0
    assert seen > 300


def test_law_no_cap_stays_exceeded_for_its_cost() -> None:
    exceeded = 0
    for seed in range(250):
        facts, by = with_costs(any_world(seed), seed)
        dear, free = decided(times(facts, 50), by).decision.orders, decided(times(facts, 0), by).decision.orders
        most = decided(times(facts, 0), by)
        for g, limit in enumerate(most.columns.limits):
            if limit == codes.NO_LIMIT or dear.used_before[g] <= (
                allowed := most.columns.funds.capital * limit // 10**12
            ):
                continue
            exceeded += 1
            assert dear.used_after[g] <= max(allowed, free.used_after[g]), (seed, g)
    assert exceeded > 50


WIDE = {**HUGE, "base_position_size": 0.10}


def test_what_holds_a_name_back_is_said_with_its_numbers() -> None:
    facts = snapshot("A", signals=(signal("A"),), positions=book(A="188"), trading_costs=costing(3.8))
    found = plan(facts, by_cost(rules(position_sizing=WIDE)))
    (verdict,) = found.verdicts
    assert (found.orders, verdict.outcome) == ((), Outcome.HELD_WITHIN_BAND)
    assert str(verdict.because) == (
        "closing the gap of +0.60 pp is worth 3.7 bp of what it trades, and trading costs 3.8 bp "
        "(it is worth that from ±0.71 pp)"
    )
    assert found.targets[0].band == pytest.approx((1.5 / 5 * 3.8e-4 * (0.2 * 0.8) ** 2) ** (1 / 3) / 2)
    assert [str(o.qty) for o in plan(facts, rules(position_sizing=WIDE)).orders] == ["12"]
    near = facts._replace(positions=book(A="195"))
    assert str(plan(near, by_cost(rules(position_sizing=WIDE))).verdicts[0].because) == (
        "drift +0.25 pp is within the band of ±0.71 pp"
    )


def test_every_name_has_its_own_cost() -> None:
    said, held = (signal("A"), signal("B"), signal("C")), book(A="185", B="185", C="185")
    facts = snapshot("ABC", signals=said, positions=held, trading_costs=costing(1.0, A=0.5, B=12.0))
    found = plan(facts, by_cost(rules(position_sizing=WIDE)))
    assert {v.symbol: v.outcome for v in found.verdicts} == {
        "A": Outcome.PLANNED, "B": Outcome.HELD_WITHIN_BAND, "C": Outcome.PLANNED,
    }  # fmt: skip


def test_to_the_edge_is_to_the_edge_of_what_it_costs_and_toward_zero_to_the_fixed_one() -> None:
    facts = snapshot("A", signals=(signal("A"),), trading_costs=costing(12.5))
    by = by_cost(rules(position_sizing={**WIDE, "no_trade_band": {"to": "edge"}}))
    (more,), (less,) = (plan(facts._replace(positions=book(A=held)), by).orders for held in ("100", "300"))
    width = (1.5 / 5 * 12.5e-4 * (0.2 * 0.8) ** 2) ** (1 / 3) / 2
    assert (more.side, more.qty) == ("buy", int((0.10 - width) * 100_000 / 50) - 100)
    assert (less.side, less.qty) == ("sell", 300 - int(0.105 * 100_000 / 50))


@pytest.mark.parametrize("held", ["0", "-4"])
def test_a_small_position_is_opened_and_reversed_whatever_it_costs(held: str) -> None:
    sizing = {**HUGE, "base_position_size": 0.01, "min_trade_size": "1"}
    facts = snapshot("A", signals=(signal("A"),), positions=book(A=held) if held != "0" else ())
    found = plan(facts._replace(trading_costs=costing(3000.0)), by_cost(rules(position_sizing=sizing)))
    assert [str(o.qty) for o in found.orders] == [*(["4"] if held != "0" else []), "20"]
    assert found.targets[0].band == 0.0025


def test_a_position_is_opened_and_closed_whatever_it_costs() -> None:
    facts = snapshot("AB", signals=(signal("A"), signal("B", 0.0)), positions=book(B="4"), trading_costs=costing(90.0))
    found = plan(facts, by_cost(rules(position_sizing=WIDE)))
    assert [(o.symbol, o.side, str(o.qty)) for o in found.orders] == [("B", "sell", "4"), ("A", "buy", "200")]


def test_crypto_pays_its_fee_besides() -> None:
    costs = costing(2.0, **{"BTC/USD": 5.0, "A": -4.0})
    found = [trading_cost(costs, symbol, ALPACA) for symbol in ("BTC/USD", "ETH/USD", "A", "B")]
    assert found == [0.0005 + 0.003, 0.0002 + 0.003, 0.0, 0.0002]
    assert trading_cost(costing(1e9), "A", ALPACA) == 1.0
    assert trading_cost(None, "A", ALPACA) == UNKNOWN


def test_a_snapshot_carries_the_costs_through_text() -> None:
    facts = snapshot("A", trading_costs=costing(2.25, A=3.125))
    text = snapshot_text(facts)
    assert stored_snapshot(text) == read_snapshot(text) == facts
    assert '"trading_costs"' not in snapshot_text(facts._replace(trading_costs=None))
    document = json.loads(text)
    for key, wrong in (("as_of", 0), ("orders", "many"), ("usual", "dear"), ("by_symbol", [1])):
        bad = {**document, "trading_costs": {**document["trading_costs"], key: wrong}}
        with pytest.raises(BadDocument, match=f"trading_costs.{key}"):
            read_snapshot(json.dumps(bad))


def test_rules_without_the_keys_read_and_write_as_before() -> None:
    assert "width" not in rules_text(Rules())
    assert "risk_aversion" not in rules_text(Rules())
    asked = by_cost(Rules(), risk_aversion=3.0)
    assert read_rules(rules_text(asked)) == asked
    assert planning_hash(asked) != planning_hash(Rules())
