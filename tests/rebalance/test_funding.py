"""Increases are paid with what the reductions really left: buying power is never exceeded, and verdicts say why."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from rebalancer.brokers.protocol import SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.errors import CredentialsRefused, WrongAccount
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.rules import Rules
from rebalancer.rebalance.cycle import CycleResult
from rebalancer.testing import laws
from tests.rebalance.conftest import MakeRig
from tests.support.rig import Rig, rules

BEFORE = {"AAPL": 1.0, "KO": 1.0, "V": 1.0}
AFTER = {"AAPL": 0.0, "KO": 0.0, "V": 1.0, "MSFT": 1.0, "JNJ": 1.0}  # sells two thirds, buys as much


def invested(scaling: int, **changes: Any) -> Rules:
    """Rules that put 90 % of what can be bought into three names."""
    wide: dict[str, Any] = {
        "position_sizing__capital_scaling": scaling,
        "position_sizing__base_position_size": 0.3,
        "position_sizing__max_position_size": 0.3,
        "position_sizing__max_total_exposure": 2.0,  # so that money binds, not the cap
        "risk_management__max_sector_exposure": 1.0,
        "risk_management__max_correlation_exposure": 1.0,
    }
    return rules(**(wide | changes))


def invested_rig(make_rig: MakeRig, multiplier: int, **options: Any) -> Rig:
    """An account that has bought BEFORE, on an exchange that then behaves as the options say."""
    rig = make_rig(cash=Decimal(30_000 // multiplier), multiplier=multiplier)
    first = rig.run(BEFORE, invested(multiplier))
    assert first.because == "3 of 3 orders filled"
    rig.exchange.exchange.behaviour = rig.exchange.exchange.behaviour._replace(**options)
    return rig


def outcomes(result: CycleResult) -> dict[str, Outcome]:
    return {v.symbol: v.outcome for v in (*result.verdicts, *result.unsignalled)}


def refused(rig: Rig) -> list[str]:
    return [i.id for i in laws.evidence_of(rig.url, rig.journal_file).intents.values() if i.state == "REFUSED"]


@pytest.mark.parametrize("multiplier", [1, 2])
def test_buys_that_fit_only_after_the_sells(make_rig: MakeRig, multiplier: int) -> None:
    rig = invested_rig(make_rig, multiplier)
    result = rig.run(AFTER, invested(multiplier))
    buys = sum(o.reserve for o in result.orders if o.phase == "increase")
    assert buys > result.snapshot.account.buying_power, "or this shows nothing"
    assert outcomes(result) == {
        "AAPL": Outcome.FILLED,
        "KO": Outcome.FILLED,
        "V": Outcome.HELD_WITHIN_BAND,
        "MSFT": Outcome.FILLED,
        "JNJ": Outcome.FILLED,
    }
    assert refused(rig) == []
    assert rig.run(AFTER, invested(multiplier)).outcome is CycleOutcome.HOLDING
    laws.check_laws(rig.url, rig.journal_file)


@pytest.mark.parametrize("multiplier", [1, 2])
def test_sells_that_do_not_fill_pay_for_nothing(make_rig: MakeRig, multiplier: int) -> None:
    """Too slow for the phase: they are cancelled, confirmed, and the buys get what there is without them."""
    rig = invested_rig(make_rig, multiplier, fill_latency_seconds=55.0)
    patient = invested(multiplier, execution__phase_timeout_seconds=20, execution__cancel_timeout_seconds=40)
    result = rig.run(AFTER, patient)
    sent = [o for o in result.orders if o.phase == "increase"]
    assert sum(o.reserve for o in sent) <= result.snapshot.account.buying_power
    assert {o.symbol: result.ends[o.client_order_id].state for o in result.orders if o.phase == "reduce"} == {
        "AAPL": OrderState.CANCELED,
        "KO": OrderState.CANCELED,
    }
    because = {v.symbol: (v.outcome, str(v.because)) for v in result.verdicts}
    assert because["AAPL"][0] is because["KO"][0] is Outcome.UNFILLED
    for symbol in ("MSFT", "JNJ"):
        assert because[symbol][0] in (Outcome.DENIED_BUYING_POWER, Outcome.UNFILLED)
        assert "buying power" in because[symbol][1]
    assert refused(rig) == []
    laws.check_laws(rig.url, rig.journal_file)
    client = rig.client()
    assert client.orders(None) == (), "nothing is left working"
    client.close()


def test_sells_that_the_broker_refuses_pay_for_nothing(make_rig: MakeRig) -> None:
    def no(real: Any, order: Order) -> SendResult:
        if order.side == "sell":
            return SendResult("refused", None, "wash_trade", "potential wash trade detected")
        result: SendResult = real(order)
        return result

    rig = invested_rig(make_rig, 1)
    result = rig.run(AFTER, invested(1), faults={"submit": no})
    found = outcomes(result)
    assert (found["AAPL"], found["KO"]) == (Outcome.REFUSED_BY_BROKER, Outcome.REFUSED_BY_BROKER)
    assert sum(o.reserve for o in result.orders if o.phase == "increase") <= result.snapshot.account.buying_power
    assert refused(rig), "the sells themselves"
    assert all("-r1-" in name for name in refused(rig)), "and no buy was sent that could not be paid"
    laws.check_laws(rig.url, rig.journal_file)


def test_a_part_of_the_sells_pays_for_a_part_of_the_buys(make_rig: MakeRig) -> None:
    """Each sell fills in part by the deadline; the rest is cancelled; the buys are cut, and say so."""
    rig = invested_rig(make_rig, 1, fill_latency_seconds=10.0, partial_fill_probability=1.0)
    result = rig.run(AFTER, invested(1, execution__phase_timeout_seconds=20))
    for order in result.orders:
        if order.phase == "reduce":
            end = result.ends[order.client_order_id]
            assert end.state is OrderState.CANCELED
            assert 0 < end.filled_qty < order.qty
    planned = {o.symbol: o.qty for o in result.plan.orders if o.phase == "increase"}
    sent = {o.symbol: o.qty for o in result.orders if o.phase == "increase"}
    assert sent
    because = {v.symbol: str(v.because) for v in result.verdicts}
    cut = [symbol for symbol in planned if sent.get(symbol) != planned[symbol]]
    assert cut
    assert all("buying power" in because[symbol] for symbol in cut)
    assert refused(rig) == []
    laws.check_laws(rig.url, rig.journal_file)


@pytest.mark.parametrize("error", [CredentialsRefused("revoked"), WrongAccount("another")])
def test_without_the_account_nothing_is_bought(make_rig: MakeRig, error: Exception) -> None:
    """The key is revoked between the phases: the cycle still ends, with a verdict for everything."""
    rig = invested_rig(make_rig, 2)

    def revoked(real: Any) -> Any:
        if rig.posts[3:]:
            raise error
        return real()

    result = rig.run(AFTER, invested(2), faults={"account": revoked})
    found = outcomes(result)
    assert (found["AAPL"], found["KO"]) == (Outcome.FILLED, Outcome.FILLED)
    assert (found["MSFT"], found["JNJ"]) == (Outcome.NOT_SENT, Outcome.NOT_SENT)
    assert result.account_after is None
    laws.check_laws(rig.url, rig.journal_file)


def test_the_key_is_revoked_while_orders_work(make_rig: MakeRig) -> None:
    def revoked(real: Any, *args: Any) -> Any:
        if rig.posts[3:]:
            raise CredentialsRefused("revoked")
        return real(*args)

    rig = invested_rig(make_rig, 2, fill_latency_seconds=5.0)
    names = ("account", "positions", "orders", "find_order", "cancel")
    result = rig.run(AFTER, invested(2), faults=dict.fromkeys(names, revoked))
    assert {e.state for e in result.ends.values()} == {OrderState.OPEN, OrderState.NOT_SENT}
    after = rig.run(AFTER, invested(2))
    assert [f.kind for f in after.findings] == ["late_fill", "late_fill"]
    laws.check_laws(rig.url, rig.journal_file)
