"""The exact arithmetic of the numeric core against rational numbers."""

from __future__ import annotations

import sys
from decimal import Decimal
from fractions import Fraction
from math import ceil, floor
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.planning import plan
from rebalancer.planning.core.units import affordable, needed, part_of, scaled, trillionths, value_down, value_up
from rebalancer.planning.numbers import rate
from tests.planning.examples import ACCOUNT, HUGE, book, decided, instrument, quote, rules, signal, snapshot

MOST = 2_000_000_000_000
LARGEST = 2**63 - 1
prices = st.integers(1, MOST) | st.integers(1, 1000)
divisors = st.integers(0, 12).map(lambda n: 10**n)


@given(st.integers(0, MOST), st.integers(0, MOST), st.integers(1, MOST))
@example(MOST - 1, MOST, MOST)
def test_a_product_over_a_third_number(part: int, factor: int, whole: int) -> None:
    assert scaled(part % whole, factor, whole) == floor(Fraction(part % whole * factor, whole))


@given(st.integers(0, 4 * 10**18), prices, divisors)
@example(10**12 + 1, MOST, 10**12)
def test_the_value_of_a_quantity(quantity: int, price: int, divisor: int) -> None:
    exact = Fraction(quantity * price, divisor)
    assert (value_down(quantity, price, divisor), value_up(quantity, price, divisor)) == (floor(exact), ceil(exact))


@given(st.integers(0, 4 * 10**18), prices, divisors, st.integers(1, 10**9))
def test_what_money_pays_for(money: int, price: int, divisor: int, lot: int) -> None:
    quantity = affordable(money, price, divisor, lot)
    assert quantity == floor(Fraction(money * divisor, price)) // lot * lot
    enough = needed(money, price, divisor, lot)
    assert enough % lot == 0
    assert (
        Fraction(enough * price, divisor) >= money > Fraction((enough - lot) * price, divisor) or enough == money == 0
    )


@given(st.integers(0, 4 * 10**18), st.integers(0, 2 * 10**12))
def test_a_part_of_an_amount(money: int, rate: int) -> None:
    assert part_of(money, rate) == money * rate // 10**12


@given(st.integers(0, 10**12))
def test_a_weight_of_whole_trillionths_is_found_again(count: int) -> None:
    assert trillionths(count / 1e12) == trillionths(-count / 1e12) == count


@given(
    st.sampled_from([5, 8, 10, 20]),
    st.integers(0, 100),
    st.integers(0, 20),
    st.integers(1, 40),
    st.integers(10_000, 90_000),
)
@example(5, 70, 6, 10, 50_000)  # 0.05 x 0.7 x 0.3 is 0.010499999999999999 in binary numbers
def test_a_target_without_caps_is_the_exact_one(base: int, score: int, trust: int, price: int, equity: int) -> None:
    """Base size x score x confidence, in whole shares of capital: no last bit of a float may lose one."""
    fractions = Fraction(base, 100), Fraction(score, 100), Fraction(trust, 20)
    weight = fractions[0] * fractions[1] * fractions[2]
    facts = snapshot(
        account=ACCOUNT._replace(equity=Decimal(equity), last_equity=Decimal(equity), peak_equity=Decimal(equity)),
        quotes=(quote("A", bid=Decimal(price) - Decimal("0.01"), ask=Decimal(price) + Decimal("0.01")),),
        signals=(signal("A", score / 100, confidence=trust / 20),),
    )
    loose = {**HUGE, "base_position_size": base / 100, "max_position_size": 1.0, "capital_scaling": 1.0}
    free = {"max_sector_exposure": 1.0, "max_correlation_exposure": 1.0, "max_position_risk": 1.0}
    free |= {"max_trade_heat": 1.0, "default_stop_distance": 0.01, "max_overnight_leverage": 2.0}
    found = decided(facts, rules(position_sizing=loose | {"max_total_exposure": 2}, risk_management=free,
                                 execution={"signal_threshold": 0.0}))  # fmt: skip
    assert found.decision.trades.target == [floor(weight * equity / price)]


OUT_OF_RANGE: list[tuple[dict[str, Any], str]] = [
    ({"quotes": (quote("A", bid=Decimal(3_000_000), ask=Decimal(3_000_000)),)}, "A: a price of 3000000"),
    ({"positions": book(A="100000000000")}, "A: 100000000000 shares at 50.00 USD are more than can be counted"),
    (
        {"account": ACCOUNT._replace(equity=Decimal("1e-7"), last_equity=Decimal("1e-7"), peak_equity=Decimal("1e-7"))},
        "a capital of 2.0E-7 USD is not between 0.000001 and 4,000,000,000,000 USD",
    ),
]


@pytest.mark.parametrize(("facts", "words"), OUT_OF_RANGE)
def test_what_cannot_be_counted_halts_the_cycle_and_says_what(facts: dict[str, Any], words: str) -> None:
    found = plan(snapshot(**{"signals": (signal("A"),)} | facts), rules())
    assert (found.outcome, found.orders) == (CycleOutcome.HALTED_ACCOUNT, ())
    assert [v.outcome for v in found.verdicts] == [Outcome.NOT_SENT]
    assert words in str(found.because)


@pytest.mark.parametrize(
    ("lot", "held", "sold"),
    [("1", "12.345678912", "12.345678912"), ("0.000000001", "0.123456789", "0.123456789"), ("0.0001", "2.5", "2.5")],
)
def test_every_decimal_of_a_quantity_is_sold(lot: str, held: str, sold: str) -> None:
    facts = snapshot(
        instruments=(instrument("A", fractionable=True, lot=Decimal(lot)),),
        positions=book(A=held),
        signals=(signal("A", 0.0),),
    )
    found = plan(facts, rules(position_sizing=HUGE))
    assert [(o.side, str(o.qty)) for o in found.orders] == [("sell", sold)]


def test_a_cheap_coin_and_a_dear_share_are_counted_exactly() -> None:
    names = (
        instrument("SHIB/USD", asset_class="crypto", lot=Decimal("0.000000001"), tick=Decimal("0.000000001")),
        instrument("BRK.A", fractionable=True),
    )
    quotes = (
        quote("SHIB/USD", bid=Decimal("0.000012344"), ask=Decimal("0.000012346"), last=None),
        quote("BRK.A", bid=Decimal("765432.10"), ask=Decimal("765432.12"), last=None),
    )
    facts = snapshot(instruments=names, quotes=quotes, signals=(signal("SHIB/USD"), signal("BRK.A")))
    found = plan(facts, rules(position_sizing={**HUGE, "fractional": True}))
    sizes = {t.symbol: t.qty * t.price for t in found.targets}
    assert {s: Decimal(10_000) - v < Decimal("0.8") for s, v in sizes.items()} == {"BRK.A": True, "SHIB/USD": True}
    assert all(v <= 10_000 for v in sizes.values())
    assert [o.symbol for o in found.orders] == ["BRK.A", "SHIB/USD"]


def test_a_plan_that_would_exceed_a_cap_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """The check in decimals shares nothing with the core: a group limit that the core was told wrong is noticed."""
    border = sys.modules["rebalancer.planning.to_columns"]
    monkeypatch.setattr(border, "rate", lambda fraction: rate(fraction) * 2)
    together = tuple(instrument(s, sector="E") for s in "AB")
    facts = snapshot("AB", instruments=together, signals=(signal("A"), signal("B")))
    tight = rules(position_sizing=HUGE, risk_management={"max_sector_exposure": 0.12})
    found = plan(facts, tight)
    assert (found.outcome, found.orders, found.targets) == (CycleOutcome.HALTED_PLAN, (), ())
    assert str(found.because) == (
        "the plan failed its last check, a fault of this program, and is withheld: sector:E would be 20.000000% of "
        "capital, its cap is 12%"
    )
    assert [(v.signal_id, v.outcome, v.because) for v in found.verdicts] == [
        (s.id, Outcome.NOT_SENT, found.because) for s in facts.signals
    ]
