"""What a name is, its asset class says; how its symbol is spelled says nothing."""

from __future__ import annotations

import re
from decimal import Decimal

import pytest
from hypothesis import given, settings

from rebalancer.core.codec import canonical, read_snapshot
from rebalancer.core.decisions import Plan
from rebalancer.core.facts import Explanation, Position
from rebalancer.core.outcomes import Outcome
from rebalancer.execution.pretrade import readings_of
from rebalancer.execution.pretrade.readings import collared
from rebalancer.planning import plan
from rebalancer.planning.reconcile import reconcile
from rebalancer.planning.refit_increases import refit_increases
from tests.planning.examples import ACCOUNT, HUGE, instrument, quote, rules, signal, snapshot
from tests.planning.worlds import World, limited, worlds

D = Decimal
SPELLINGS = ("BTC/USD", "BTC-USD", "BTCUSD", "A")


@pytest.mark.parametrize("name", SPELLINGS)
@pytest.mark.parametrize("kind", ["crypto", "us_equity"])
def test_crypto_is_never_bought_beyond_cash_and_shares_are(name: str, kind: str) -> None:
    facts = snapshot(
        instruments=(instrument(name, asset_class=kind),),
        quotes=(quote(name),),
        signals=(signal(name),),
        account=ACCOUNT._replace(cash=D(0)),
    )
    decided = plan(facts, rules(position_sizing=HUGE))
    if kind == "crypto":
        assert (decided.orders, decided.verdicts[0].outcome) == ((), Outcome.DENIED_BUYING_POWER)
        return
    (order,) = decided.orders
    assert (order.qty, order.time_in_force, order.reserve) == (200, "day", D("10252.05"))
    assert (
        refit_increases(decided, facts, reconcile(facts), rules(), facts.account, {}).orders[0].reserve == order.reserve
    )


@pytest.mark.parametrize("name", SPELLINGS)
def test_a_fee_in_coins_is_one_of_crypto_alone(name: str) -> None:
    for kind, frozen in (("crypto", False), ("us_equity", True)):
        facts = snapshot(
            instruments=(instrument(name, asset_class=kind, lot=D("0.0001")),),
            quotes=(quote(name),),
            signals=(signal(name),),
            positions=(Position(name, D("1.0"), D("1.0"), D(48)),),
            expected_positions={name: D("0.002")},
            explanations=(Explanation(name, D(1), "late_fill", "order 1"),),
        )
        assert (name in plan(facts, rules()).frozen) is frozen


@pytest.mark.parametrize("name", SPELLINGS)
def test_the_gate_goes_by_the_asset_class(name: str) -> None:
    for kind, dearest in (("crypto", "51.0102"), ("us_equity", "51.26025")):
        facts = snapshot(instruments=(instrument(name, asset_class=kind),), quotes=(quote(name),))
        readings = readings_of(facts)
        assert (collared(readings, name, rules().quotes), set(readings.coins)) == (
            D(dearest),
            {name} if kind == "crypto" else set(),
        )


def respelled(text: str) -> str:
    """Coins without a slash and shares with one, in an order of names that stays as it was."""
    text = re.sub(r"\bC(\d+)/USD", r"C\1-USD", text)
    return re.sub(r"\bS(\d+)\b", r"S\1/USD", text)


@settings(max_examples=150, deadline=None)
@given(worlds())
def test_another_spelling_of_every_symbol_gives_the_same_plan(given_world: World) -> None:
    facts, rules_ = limited(given_world, 7)
    rules_ = rules_.model_copy(update={"selection": rules().selection})
    other = read_snapshot(respelled(canonical(facts)))
    first, second = nameless(plan(facts, rules_)), nameless(plan(other, rules_))
    assert respelled(canonical(first)) == canonical(second)


def nameless(decided: Plan) -> Plan:
    """The plan without order ids, which are computed from symbols."""
    return decided._replace(orders=tuple(order._replace(client_order_id="") for order in decided.orders))


@pytest.mark.parametrize(("kind", "sold"), [("crypto", D(0)), ("us_equity", D("0.06"))])
def test_a_forced_reduction_that_the_venue_would_refuse_is_not_sent(kind: str, sold: Decimal) -> None:
    """3 USD are left when everything is to be closed after a loss: too little for any order in crypto."""
    facts = snapshot(
        instruments=(instrument("BTC/USD", asset_class=kind, lot=D("0.0001")),),
        quotes=(quote("BTC/USD"),),
        positions=(Position("BTC/USD", D("0.06"), D("0.06"), D(48)),),
        account=ACCOUNT._replace(equity=D(50_000), last_equity=D(100_000)),
    )
    decided = plan(facts, rules(risk_management={"on_breach": "flatten", "max_daily_loss": 0.1}))
    assert sum((o.qty for o in decided.orders), D(0)) == sold
    outcome = Outcome.PLANNED if sold else Outcome.HELD_BELOW_MINIMUM
    assert [v.outcome for v in decided.unsignalled] == [outcome]
