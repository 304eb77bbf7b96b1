"""One small example per rule of each stage (see `examples` for what stands unless written)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.core.facts import Explanation
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.reasons import ReasonCode, stated
from rebalancer.planning import plan
from rebalancer.planning.build_order import LEAD, order_id
from rebalancer.planning.core import codes
from rebalancer.planning.core.trades import split
from rebalancer.planning.reconcile import PositionFinding, reconcile
from rebalancer.planning.refit_increases import refit_increases
from rebalancer.planning.trading_halt import check_trading_halt
from rebalancer.planning.validate_signals import usable_prices
from tests.planning.examples import ACCOUNT, HUGE, NOW, book, decided, instrument, order, quote, rules, signal, snapshot

D = Decimal


JUDGED = [
    ({}, {}, None),
    ({"kill_switch": True}, {}, CycleOutcome.HALTED_KILL_SWITCH),
    ({}, {"execution": {"enabled": False}}, CycleOutcome.SKIPPED_PAUSED),
    ({"as_of": NOW + timedelta(hours=5)}, {}, CycleOutcome.SKIPPED_MARKET_CLOSED),
    ({"as_of": NOW + timedelta(hours=5, seconds=-59)}, {}, CycleOutcome.SKIPPED_TOO_LATE),
    ({"as_of": NOW + timedelta(hours=5, seconds=-60)}, {}, None),
    ({"account": ACCOUNT._replace(restrictions=("trading_blocked",))}, {}, CycleOutcome.HALTED_ACCOUNT),
    ({"account": ACCOUNT._replace(equity=D(0))}, {}, CycleOutcome.HALTED_ACCOUNT),
    ({"account": ACCOUNT._replace(last_equity=D(0))}, {}, CycleOutcome.HALTED_DAILY_LOSS),
    ({"account": ACCOUNT._replace(equity=D("49000.01"))}, {}, None),
    ({"account": ACCOUNT._replace(equity=D(49_000))}, {}, CycleOutcome.HALTED_DAILY_LOSS),
    ({"account": ACCOUNT._replace(peak_equity=D(0))}, {}, CycleOutcome.HALTED_DRAWDOWN),
    ({"account": ACCOUNT._replace(peak_equity=D(60_000))}, {}, CycleOutcome.HALTED_DRAWDOWN),
]


@pytest.mark.parametrize(("facts", "sections", "outcome"), JUDGED)
def test_judge(facts: dict[str, Any], sections: dict[str, Any], outcome: CycleOutcome | None) -> None:
    assert check_trading_halt(snapshot(**facts), rules(**sections)).outcome is outcome


def test_half_of_the_names_may_be_without_a_price_but_not_more() -> None:
    signals = (signal("A", 0.0), signal("B", 0.0), signal("C", 0.0), signal("D", 0.0))
    halves = [
        plan(snapshot("ABCD", quotes=tuple(quote(s) for s in good), signals=signals), rules()) for good in ("AB", "A")
    ]
    assert [p.outcome for p in halves] == [CycleOutcome.HOLDING, CycleOutcome.HALTED_STALE_QUOTES]
    assert str(halves[1].because) == "3 of 4 names have no usable price"


def test_too_much_in_doubt_halts() -> None:
    facts = {"positions": book(A="600"), "expected_positions": {"A": D(1)}, "signals": (signal("B"),)}
    decided = plan(snapshot(**facts), rules())
    assert (decided.outcome, decided.orders) == (CycleOutcome.HALTED_UNRECONCILED, ())
    assert str(decided.because) == "$30,000 of positions do not match the expected positions; the limit is $25,000"


def test_an_order_in_a_name_without_any_price_denies_increases() -> None:
    facts = {"open_orders": (order("Z", "buy", "5", ours=False),), "signals": (signal("A"),)}
    decided = plan(snapshot(**facts), rules())
    assert [v.outcome for v in decided.verdicts] == [Outcome.DENIED_CAP]
    valued = {**facts, "open_orders": (order("Z", "buy", "5", ours=False, limit_price=D(20)),)}
    assert [v.outcome for v in plan(snapshot(**valued), rules()).verdicts] == [Outcome.PLANNED]


def test_reconcile_tells_every_difference_and_the_worst_case() -> None:
    facts = snapshot(
        positions=book(A="10", B="-4", C="3"),
        open_orders=(order("A", "sell", "4"), order("A", "buy", "7", client_order_id="o-2", filled_qty=D(2))),
        expected_positions={"A": D(10), "B": D(-6), "C": D(1)},
        explanations=(Explanation("B", D(2), "external_trade", "fill 9"),),
    )
    found = reconcile(facts)
    assert found.findings == (
        PositionFinding("B", "external_trade", D(2), stated("external trade of 2 shares (fill 9)")),
        PositionFinding("C", "unexplained", D(2), stated("3 shares, expected 1")),
    )
    assert found.pending == {"A": D(1)}
    assert found.worst_case == {"A": D(15), "B": D(-4), "C": D(3)}
    assert (set(found.frozen), found.unexplained) == ({"A", "C"}, {"C": D(3)})


def test_a_consensus_weighs_sources_and_confidence() -> None:
    signals = (signal("A", 1.0, confidence=0.5), signal("A", -1.0, id="s-2", source="news", confidence=1.0))
    rules_ = rules(signals={"source_weights": {"external": 4.0}})
    found = decided(snapshot(signals=signals), rules_).decision.opinions
    assert ([round(score, 12) for score in found.score], found.confidence) == ([round(1 / 3, 12)], [0.6])


@pytest.mark.parametrize(
    ("method", "weights"),
    [
        ("fixed_fraction", [0.1, 0.025]),  # base x score x confidence x target / volatility
        ("proportional", [0.8 * 2 / 3, 0.8 / 3]),
        ("inverse_volatility", [0.8 * 2 / 3, 0.8 / 3]),
        ("equal", [0.4, 0.4]),
        ("fixed", [0.1, 0.1]),
    ],
)
def test_the_five_sizing_methods(method: str, weights: list[float]) -> None:
    facts = snapshot(
        "AB",
        instruments=(instrument("A"), instrument("B", volatility=0.6)),
        signals=(signal("A"), signal("B", 0.5)),
    )
    found = decided(facts, rules(position_sizing={"method": method})).decision.opinions
    assert [round(raw, 12) for raw in found.raw] == [round(w, 12) for w in weights]


def test_aim_serves_what_cannot_move_first_then_what_is_silent_then_the_opinions() -> None:
    facts = snapshot(
        instruments=tuple(instrument(s, sector="E", tradable=s != "C") for s in "ABC"),
        positions=book(B="300", C="200"),
        signals=(signal("A"),),
    )
    rules_ = rules(risk_management={"max_sector_exposure": 0.28})
    found = decided(facts, rules_)
    targets = found.decision.targets
    assert (found.columns.symbols, targets.state) == (("A", "B", "C"), [codes.SPOKEN, codes.SILENT, codes.FIXED])
    assert ([round(w, 9) for w in targets.weight], targets.raw[2]) == ([0.03, 0.15, 0.0], 0.1)


def test_a_stop_on_the_winning_side_says_nothing_about_the_loss() -> None:
    """Two sources disagree; the newest stop belongs to the one that lost the vote."""
    signals = (
        signal("A", stop_price=D(45)),
        signal("A", -0.2, id="s-2", source="news", issued_at=NOW, stop_price=D("50.5")),
    )
    decided = plan(snapshot(signals=signals), rules(risk_management={"max_trade_heat": 0.002}))
    assert round(decided.targets[0].own_cap, 9) == 0.01  # 0.2 % of equity = 0.1 % of capital, lost at 10 %


SPLITS = [
    # held, pending, target -> reduce, increase
    ("10", "0", "4", "-6", "0"),
    ("10", "0", "25", "0", "15"),
    ("-10", "0", "5", "10", "5"),
    ("10.5", "0", "4", "-7", "0"),  # whole shares only: rounded up, so that it ends within the target
    ("10.5", "0", "0", "-10", "0"),  # the fraction goes after the whole shares
    ("0.5", "0", "0", "-0.5", "0"),  # all of it at once
    ("10.5", "-10", "0", "-0.5", "0"),
    ("0.5", "0", "-4", "-0.5", "-4"),
    ("10", "5", "12", "-3", "0"),
    ("0", "5", "0", "0", "0"),  # what is not there yet cannot be sold
    ("10", "5", "-4", "-10", "0"),  # no flip while an order is working
]


@pytest.mark.parametrize("row", SPLITS)
def test_split(row: tuple[str, str, str, str, str]) -> None:
    held, pending, target, reduce, increase = (int(D(number) * 10) for number in row)
    assert split(held, pending, target, 10, 10) == (reduce, increase)


def test_diff_trades_to_the_edge_of_the_band_unless_a_cap_binds() -> None:
    to_edge = {"no_trade_band": {"absolute": 0.01, "to": "edge"}, "base_position_size": 0.10}
    for cap, target in ((0.3, "220"), (0.05, "100")):
        facts = snapshot(signals=(signal("A"),), positions=book(A="400"))
        rules_ = rules(position_sizing=to_edge, risk_management={"max_sector_exposure": cap})
        found = decided(facts, rules_).decision.trades
        wanted = int(target)
        assert (found.target, found.reduce, found.increase) == ([wanted], [wanted - 400], [0])


def test_reductions_go_first_and_the_largest_drift_first() -> None:
    facts = snapshot(
        "ABCD",
        positions=book(A="300", B="20", C="150"),
        signals=(signal("A", 0.3), signal("B", 0.9), signal("C", 0.05), signal("D", 0.5)),
    )
    decided = plan(facts, rules(position_sizing=HUGE))
    assert [(o.phase, o.side, str(o.qty), o.symbol) for o in decided.orders] == [
        ("reduce", "sell", "240", "A"),
        ("reduce", "sell", "150", "C"),
        ("increase", "buy", "160", "B"),
        ("increase", "buy", "100", "D"),
    ]


def test_a_cap_calls_upon_reductions_that_the_band_would_hold_back() -> None:
    facts = snapshot(
        "AB",
        instruments=(instrument("A", sector="E"), instrument("B", sector="E")),
        positions=book(A="154", B="150"),
        signals=(signal("A"), signal("B")),
    )
    sized = {**HUGE, "no_trade_band": {"absolute": 0.01}}
    decided = plan(facts, rules(position_sizing=sized, risk_management={"max_sector_exposure": 0.15}))
    assert [(o.side, str(o.qty), o.symbol, str(o.because)) for o in decided.orders] == [
        ("sell", "4", "A", "7.70 -> 7.50 %: a cap is exceeded, reduced although the drift is small")
    ]


RESTRICTED = [
    # what forbids to open more, and what is sold all the same: A and B together may be 300 shares, and are 304
    ({"max_stop_distance": 0.02}, {}, {"A": "3", "B": "2"}),
    ({"max_positions": 0}, {}, {"A": "4"}),
    ({}, {"A": NOW, "B": NOW}, {"A": "3", "B": "2"}),
]


@pytest.mark.parametrize(("risk", "stopped_out", "sold"), RESTRICTED)
def test_a_bar_on_opening_never_stops_a_reduction_that_a_cap_demands(
    risk: dict[str, Any], stopped_out: dict[str, Any], sold: dict[str, str]
) -> None:
    facts = snapshot(
        "AB",
        instruments=(instrument("A", sector="E"), instrument("B", sector="E")),
        positions=book(A="154", B="150"),
        signals=(signal("A"), signal("B")),
        stopped_out=stopped_out,
    )
    sized = {**HUGE, "no_trade_band": {"absolute": 0.01}}
    decided = plan(facts, rules(position_sizing=sized, risk_management={"max_sector_exposure": 0.15, **risk}))
    assert {o.symbol: f"{o.qty:f}" for o in decided.orders if o.phase == "reduce"} == sold
    assert all(o.because.has(ReasonCode.CAP_EXCEEDED) for o in decided.orders)


def test_what_a_cap_demands_is_not_sold_against_an_order_of_ours_that_still_buys() -> None:
    facts = snapshot(
        "AB",
        instruments=(instrument("A", sector="E"), instrument("B", sector="E")),
        positions=book(A="154", B="150"),
        signals=(signal("A"), signal("B")),
        open_orders=(order("A", "buy", "3"),),
    )
    sized = {**HUGE, "no_trade_band": {"absolute": 0.01}}
    decided = plan(facts, rules(position_sizing=sized, risk_management={"max_sector_exposure": 0.15}))
    assert {(o.side, o.symbol) for o in decided.orders} <= {("sell", "B")}


def test_draft_writes_market_and_limit_orders() -> None:
    market = plan(snapshot(signals=(signal("A"),)), rules()).orders[0]
    by_limit = rules(execution={"order_type": "limit"}, position_sizing=HUGE)
    limit = plan(snapshot(signals=(signal("A"),)), by_limit).orders[0]
    wanted = {
        "client_order_id": order_id("paper-1", "2026-11-20T15:35Z", "increase", LEAD, 1),
        "phase": "increase",
        "symbol": "A",
        "side": "buy",
        "qty": D(200),
        "notional": D("10000.00"),
        "type": "market",
        "limit_price": None,
        "time_in_force": "day",
        "position_intent": "buy_to_open",
        "price": D(50),
        "reserve": D("10252.05"),  # 200 x the ask of 50.01 x 1.025
        "drift": 0.1,
        "because": stated("0.00 -> 10.00 %: new position; score +1.00 x confidence 1.00"),
    }
    assert market._asdict() == wanted
    limited = {"type": "limit", "limit_price": D("50.06"), "notional": D("10012.00")}  # 50.01 + 10 bp, rounded down
    assert limit._asdict() == {**wanted, **limited}
    assert market.client_order_id == "rb-20261120T1535Z-1ST-i1-" + market.client_order_id[-12:]


def test_both_orders_of_a_flip_count_for_the_symbol() -> None:
    facts = snapshot(signals=(signal("A", -1.0),), positions=book(A="50"))
    one = rules(position_sizing={**HUGE, "allow_short": True}, risk_management={"max_orders_per_symbol_per_day": 1})
    decided = plan(facts, one)
    assert [(o.phase, o.qty) for o in decided.orders] == [("reduce", D(50))]
    assert str(decided.verdicts[0].because).endswith("; 1 orders for this symbol today")


AFFORDED = [
    # what phase one filled of the 50 shares to sell, buying power then -> shares sold short, or why not
    ("-50", "100000", "200"),
    ("-50", "5000", "95"),  # 5 000 less 1 %, at 50.01 x 1.04 a share; whole shares only
    ("-50", "1", Outcome.DENIED_BUYING_POWER),
    ("-20", "100000", Outcome.DENIED_NOT_AVAILABLE),
]


@pytest.mark.parametrize(("sold", "power", "ends"), AFFORDED)
def test_afford(sold: str, power: str, ends: str | Outcome) -> None:
    names = tuple(instrument(s, fractionable=True) for s in "ABC")
    facts = snapshot(instruments=names, signals=(signal("A", -1.0),), positions=book(A="50"))
    fractions = rules(position_sizing={**HUGE, "allow_short": True, "fractional": True})
    decided = plan(facts, fractions)
    account = ACCOUNT._replace(buying_power=D(power))
    afforded = refit_increases(decided, facts, reconcile(facts), fractions, account, {"A": D(sold)})
    opening = decided.orders[1].client_order_id
    if not isinstance(ends, Outcome):
        assert [(o.client_order_id, o.qty, dict(afforded.denied)) for o in afforded.orders] == [(opening, D(ends), {})]
    else:
        assert (afforded.orders, {name: d.outcome for name, d in afforded.denied.items()}) == ((), {opening: ends})


def test_nothing_is_afforded_once_a_loss_limit_is_reached_or_the_account_is_restricted() -> None:
    facts = snapshot(signals=(signal("A"),))
    decided = plan(facts, rules())
    (bought,) = decided.orders
    for change, outcome in (
        ({"equity": D(49_000)}, Outcome.DENIED_DAILY_LOSS),
        ({"equity": D(49_500), "peak_equity": D(55_000)}, Outcome.DENIED_DRAWDOWN),
        ({"restrictions": ("trading_blocked",)}, Outcome.DENIED_RESTRICTED),
    ):
        afforded = refit_increases(decided, facts, reconcile(facts), rules(), ACCOUNT._replace(**change), {})
        assert (afforded.orders, [d.outcome for d in afforded.denied.values()]) == ((), [outcome])
        assert list(afforded.denied) == [bought.client_order_id]


def test_room_that_a_reduction_has_not_made_yet_is_not_given_away() -> None:
    """A may sell 20 of its 300 surplus shares now, so B gets 20 of the 200 it wants; the cap that did it is named."""
    facts = snapshot(
        "AB",
        instruments=(instrument("A", sector="E"), instrument("B", sector="E")),
        positions=book(A="400"),
        signals=(signal("A", 0.5), signal("B")),
    )
    sized = {"max_trade_size": "1000"}
    decided = plan(facts, rules(position_sizing=sized, risk_management={"max_sector_exposure": 0.195}))
    assert [(o.side, f"{o.qty:f}", o.symbol) for o in decided.orders] == [("sell", "20", "A"), ("buy", "10", "B")]
    assert str(decided.verdicts[1].because).endswith("cut from 20 to 10 shares by sector E; 10 shares to buy")
    assert {use.name for use in decided.limits if use.binds} == {"sector:E"}
    assert [t.factors for t in decided.targets] == [{}, {}]


@pytest.mark.parametrize(
    ("changes", "worth"),
    [
        ({"bid": D("50.04"), "ask": D("50.00"), "last": D("50.00")}, "50.02"),  # crossed: the caps count the more
        ({"bid": D("50.04"), "ask": D("50.00"), "last": D("50.10")}, "50.10"),
        ({"bid": D("40"), "ask": D("9000")}, "50"),  # too wide: the last trade
        ({"bid": D("40"), "ask": D("9000"), "last": None}, "9000"),
        ({"bid": None}, "50"),
        ({"bid": None, "last": None}, "50.01"),
        ({"bid": D(0), "ask": D(0), "last": D("51")}, "51"),
        ({"bid": None, "ask": None, "last": None}, "48"),  # nothing: what was paid for it
    ],
)
def test_what_a_share_counts_for_without_a_usable_price(changes: dict[str, Any], worth: str) -> None:
    facts = snapshot(quotes=(quote("A", **changes),), positions=book(A="10"))
    prices = usable_prices(facts, rules().quotes)
    assert (dict(prices.usable), prices.value["A"]) == ({}, D(worth))
