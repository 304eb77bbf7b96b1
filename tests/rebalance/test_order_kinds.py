"""Limit orders, fractions of shares, shorts and crypto, each from signal to a settled account."""

from __future__ import annotations

from decimal import Decimal

from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.values import shares_toward_zero
from rebalancer.testing import laws
from tests.rebalance.conftest import NEXT, MakeRig
from tests.support.rig import held, rules


def test_limit_orders(settled: MakeRig) -> None:
    rig = settled()
    limits = rules(execution__order_type="limit", execution__limit_offset_bps=20)
    result = rig.run(NEXT, limits)
    assert result.because == "5 of 5 orders filled"
    for order in result.orders:
        end = result.ends[order.client_order_id]
        assert order.limit_price is not None
        assert end.filled_avg_price is not None
        better = end.filled_avg_price <= order.limit_price
        assert better if order.side == "buy" else end.filled_avg_price >= order.limit_price
    assert rig.run(NEXT, limits).outcome is CycleOutcome.HOLDING
    laws.check_laws(rig.url, rig.journal_file)


def test_limit_orders_that_never_fill_leave_nothing_behind(settled: MakeRig) -> None:
    """The market moves away before they arrive; they are cancelled, and tried again in the next cycle."""
    rig = settled()
    limits = rules(execution__order_type="limit", execution__limit_offset_bps=0)

    def at_the_wrong_price(real, order):  # type: ignore[no-untyped-def]  # a scripted fault
        away = Decimal("0.5") if order.side == "buy" else Decimal(2)
        moved = round(order.limit_price * away, 2)
        return real(order._replace(limit_price=moved))

    result = rig.run(NEXT, limits, faults={"submit": at_the_wrong_price})
    assert {e.state for e in result.ends.values()} == {OrderState.CANCELED}
    assert {v.outcome for v in result.verdicts} == {Outcome.UNFILLED, Outcome.HELD_WITHIN_BAND}
    assert rig.run(NEXT, limits).because == "5 of 5 orders filled"


def test_fractions_of_shares(make_rig: MakeRig) -> None:
    rig = make_rig()
    fractions = rules(position_sizing__fractional=True, position_sizing__no_trade_band={"absolute": 0.0001})
    first = rig.run({"AAPL": 1.0, "COST": 0.5, "KO": 0.31}, fractions)
    assert first.because == "3 of 3 orders filled"
    assert any(o.qty != shares_toward_zero(o.qty, Decimal(1)) for o in first.orders)
    second = rig.run({"AAPL": 0.0, "COST": 0.2, "KO": 0.5}, fractions)
    assert second.because == "3 of 3 orders filled"
    assert "AAPL" not in held(rig), "closed to the last millionth"
    assert second.plan.frozen == {}
    assert rig.run({"AAPL": 0.0, "COST": 0.2, "KO": 0.5}, fractions).findings == ()
    laws.check_laws(rig.url, rig.journal_file)


def test_shorts_and_a_trade_through_zero(make_rig: MakeRig) -> None:
    rig = make_rig()
    shorts = rules(position_sizing__allow_short=True)
    assert rig.run({"AAPL": 1.0, "V": -1.0}, shorts).because == "2 of 2 orders filled"
    flip = rig.run({"AAPL": -1.0, "V": 1.0}, shorts)
    assert sorted((o.symbol, o.phase, o.side, o.position_intent) for o in flip.orders) == [
        ("AAPL", "increase", "sell", "sell_to_open"),
        ("AAPL", "reduce", "sell", "sell_to_close"),
        ("V", "increase", "buy", "buy_to_open"),
        ("V", "reduce", "buy", "buy_to_close"),
    ]
    assert flip.because == "4 of 4 orders filled"
    positions = held(rig)
    assert positions["AAPL"] < 0 < positions["V"]
    laws.check_laws(rig.url, rig.journal_file)


def test_a_crypto_pair(make_rig: MakeRig) -> None:
    """The fee is taken from the coins, so less arrives than was bought; that is no difference to freeze for."""
    rig = make_rig()
    first = rig.run({"BTC/USD": 1.0, "AAPL": 1.0}, rules())
    assert first.because == "2 of 2 orders filled"
    (bought,) = (o.qty for o in first.orders if o.symbol == "BTC/USD")
    (position,) = (p for p in first.positions_after if p.symbol == "BTC/USD")
    assert Decimal("0.997") < position.qty / bought < 1
    second = rig.run({"BTC/USD": 1.0, "AAPL": 1.0}, rules())
    assert (second.outcome, second.findings, second.plan.frozen) == (CycleOutcome.HOLDING, (), {})
    third = rig.run({"BTC/USD": 0.0, "AAPL": 1.0}, rules())
    assert third.because == "1 of 1 order filled"
    fourth = rig.run({"BTC/USD": 0.0, "AAPL": 1.0}, rules())
    assert (fourth.outcome, fourth.findings) == (CycleOutcome.HOLDING, ())
    laws.check_laws(rig.url, rig.journal_file)
