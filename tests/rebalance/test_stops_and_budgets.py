"""What stops a cycle or makes it smaller: the kill switch, the clock, losses, and how many orders may still be sent."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.execution.kill_switch import FILE_NAME, halt_reason
from rebalancer.rebalance.cycle import CycleResult
from rebalancer.testing import laws
from tests.rebalance.conftest import BASE, NEXT, MakeRig
from tests.support.faults import lost_before
from tests.support.rig import Process, Rig, rules

NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


def posts(rig: Rig) -> int:
    return sum(1 for method, path in rig.requests() if method == "POST")


def outcomes(result: CycleResult) -> dict[str, Outcome]:
    return {v.symbol: v.outcome for v in (*result.verdicts, *result.unsignalled)}


def pull(process: Process, rig: Rig) -> None:
    process.world.kill.engage(rig.account_id, NOON, "a test")


def test_the_kill_switch_outlives_restarts(settled: MakeRig) -> None:
    rig = settled()
    pull(rig.process(), rig)
    rig.requests()
    for _ in range(2):
        result = rig.run(NEXT, rules())
        assert (result.outcome, result.orders) == (CycleOutcome.HALTED_KILL_SWITCH, ())
        assert set(outcomes(result).values()) == {Outcome.NOT_SENT}
    assert posts(rig) == 0
    rig.process().world.kill.lift(rig.account_id, NOON, "the test goes on")
    assert rig.run(NEXT, rules()).because == "5 of 5 orders filled"
    laws.check_laws(rig.url, rig.journal_file)


@pytest.mark.parametrize("kind", ["a folder", "a link to nothing"])
def test_a_kill_switch_that_cannot_be_read_is_set(settled: MakeRig, kind: str) -> None:
    """A person put something there: what it says is unknown, that it is there is not."""
    rig = settled()
    rig.requests()
    halt = rig.folder / FILE_NAME
    if kind == "a folder":
        halt.mkdir()
    else:
        halt.symlink_to(halt.parent / "nowhere")
    assert "cannot be read" in str(halt_reason(halt.parent))
    result = rig.run(NEXT, rules())
    assert (result.outcome, result.orders) == (CycleOutcome.HALTED_KILL_SWITCH, ())
    assert posts(rig) == 0


def test_pulled_while_phase_one_works(settled: MakeRig) -> None:
    """Nothing but cancels leaves after it: the increases end as denied."""
    rig = settled(fill_latency_seconds=2.0)
    process = rig.process(rules=rules())

    def pulled(real: Any, after: Any) -> Any:
        if len(rig.posts) == 2:
            pull(process, rig)
        return real(after)

    process.broker.script["orders"] = pulled
    result = rig.cycle(process, NEXT, rules())
    assert [o.phase for o in result.orders] == ["reduce", "reduce"]
    found = outcomes(result)
    assert {found[s] for s in ("JNJ", "MSFT", "XOM")} == {Outcome.DENIED_RESTRICTED}
    assert len(rig.posts) == 2
    laws.check_laws(rig.url, rig.journal_file)


def test_pulled_between_two_orders_of_a_phase(settled: MakeRig) -> None:
    rig = settled()
    process = rig.process(rules=rules())

    def pulled(real: Any, order: Any) -> Any:
        answer = real(order)
        pull(process, rig)
        return answer

    process.broker.script["submit"] = pulled
    result = rig.cycle(process, NEXT, rules())
    assert len(rig.posts) == 1, "the one that was on its way when it was pulled"
    states = [result.ends[o.client_order_id].state for o in result.orders if o.phase == "reduce"]
    assert states == [OrderState.FILLED, OrderState.NOT_SENT]
    said = {v.symbol: str(v.because) for v in result.verdicts}[result.orders[1].symbol]
    assert "the kill switch is set: a test" in said
    laws.check_laws(rig.url, rig.journal_file)


@pytest.mark.parametrize(
    ("start", "outcome"),
    [
        (datetime(2026, 11, 21, 15, 0, tzinfo=UTC), CycleOutcome.SKIPPED_MARKET_CLOSED),
        (datetime(2026, 11, 23, 13, 0, tzinfo=UTC), CycleOutcome.SKIPPED_MARKET_CLOSED),
        (datetime(2026, 11, 20, 21, 5, tzinfo=UTC), CycleOutcome.SKIPPED_MARKET_CLOSED),
        (datetime(2026, 11, 20, 20, 59, 30, tzinfo=UTC), CycleOutcome.SKIPPED_TOO_LATE),
    ],
)
def test_the_clock(settled: MakeRig, start: datetime, outcome: CycleOutcome) -> None:
    rig = settled(start=start)
    result = rig.run(NEXT, rules())
    assert (result.outcome, result.orders) == (outcome, ())
    assert set(BASE) <= set(outcomes(result))
    assert set(outcomes(result).values()) <= {Outcome.NOT_SENT, Outcome.REJECTED_NO_PRICE}, "quotes rest as well"
    assert rig.posts == []
    laws.check_laws(rig.url, rig.journal_file)


def test_the_market_closes_between_the_phases(settled: MakeRig) -> None:
    """A day order sent after the close would wait for the next morning: nothing is sent any more."""
    rig = settled(start=datetime(2026, 11, 20, 20, 57, 0, tzinfo=UTC), fill_latency_seconds=9.0)
    late = rules(execution__close_buffer_seconds=1, execution__phase_timeout_seconds=600, quotes__max_age_seconds=900)

    def slow(real: Any, after: Any) -> Any:
        if rig.posts:
            rig.exchange.clock.advance(200)
        return real(after)

    result = rig.run(NEXT, late, faults={"orders": slow})
    found = outcomes(result)
    assert {found[s] for s in ("AAPL", "KO")} == {Outcome.FILLED}
    assert {found[s] for s in ("JNJ", "MSFT", "XOM")} == {Outcome.NOT_SENT}
    assert len(rig.posts) == 2
    laws.check_laws(rig.url, rig.journal_file)


@pytest.mark.parametrize(
    ("change", "outcome", "denial"),
    [
        ({"risk_management__max_daily_loss": 0.02}, CycleOutcome.HALTED_DAILY_LOSS, Outcome.DENIED_DAILY_LOSS),
        ({"risk_management__max_drawdown": 0.10}, CycleOutcome.HALTED_DRAWDOWN, Outcome.DENIED_DRAWDOWN),
    ],
)
def test_losses_let_only_reductions_through(
    settled: MakeRig, change: dict[str, Any], outcome: CycleOutcome, denial: Outcome
) -> None:
    rig = settled()

    def poorer(real: Any) -> Any:
        now = real()
        worse = now.equity * 10 / 8
        return now._replace(last_equity=worse, peak_equity=worse)

    def high_water(real: Any) -> Any:
        return real()._replace(equity=real().equity * 10 / 8)

    if outcome is CycleOutcome.HALTED_DRAWDOWN:
        rig.run(BASE, rules(execution__enabled=False), faults={"account": high_water})
        result = rig.run(NEXT, rules(**change))
    else:
        result = rig.run(NEXT, rules(**change), faults={"account": poorer})
    assert result.outcome is outcome
    assert {o.phase for o in result.orders} == {"reduce"}
    assert {outcomes(result)[s] for s in ("JNJ", "MSFT", "XOM")} == {denial}
    laws.check_laws(rig.url, rig.journal_file)


def test_a_loss_during_phase_one_stops_phase_two(settled: MakeRig) -> None:
    def falls(real: Any) -> Any:
        now = real()
        return now._replace(last_equity=now.equity * 2) if rig.posts else now

    rig = settled()
    result = rig.run(NEXT, rules(risk_management__max_daily_loss=0.02), faults={"account": falls})
    assert {outcomes(result)[s] for s in ("JNJ", "MSFT", "XOM")} == {Outcome.DENIED_DAILY_LOSS}
    assert len(rig.posts) == 2


def test_orders_per_day_over_cycles_and_restarts(settled: MakeRig) -> None:
    """Three orders went out when the account was laid out; eight may; two of these are for reductions only."""
    few = rules(risk_management__max_orders_per_day=8, risk_management__reserved_order_fraction=0.25)
    rig = settled()
    first = rig.run({**NEXT, "AAPL": 1.0, "KO": 1.0}, few)
    assert {o.symbol for o in first.orders} == {"XOM", "JNJ", "MSFT"}
    second = rig.run({"WMT": 1.0}, few)
    assert outcomes(second)["WMT"] is Outcome.DENIED_ORDERS_PER_DAY
    third = rig.run({"AAPL": 0.0, "KO": 0.0, "V": 0.0}, few)
    assert [o.phase for o in third.plan.orders] == ["reduce"] * 3, "no count holds back a reduction in the plan"
    assert [third.ends[o.client_order_id].state for o in third.orders[:2]] == [OrderState.FILLED] * 2
    laws.check_laws(rig.url, rig.journal_file)


def test_orders_per_symbol_and_per_execution(settled: MakeRig) -> None:
    rig = settled()
    few = rules(execution__max_orders_per_execution=3, risk_management__max_orders_per_symbol_per_day=2)
    first = rig.run(NEXT, few)
    assert [o.phase for o in first.orders] == ["reduce", "reduce", "increase"]
    assert sorted(outcomes(first).values()).count(Outcome.DENIED_ORDERS_PER_EXECUTION) == 2
    again = rig.run({"AAPL": 1.0, "KO": 1.0}, few)
    assert {outcomes(again)[s] for s in ("AAPL", "KO")} == {Outcome.DENIED_ORDERS_PER_SYMBOL}
    laws.check_laws(rig.url, rig.journal_file)


def test_unanswered_orders_count_as_sent(settled: MakeRig) -> None:
    few = rules(risk_management__max_orders_per_day=6, risk_management__reserved_order_fraction=0.0)
    rig = settled()
    rig.run({**NEXT, "AAPL": 1.0, "KO": 1.0}, few, faults={"submit": lost_before})
    later = rig.run(NEXT, few)
    assert later.snapshot.day.orders_sent == 6
    assert {o.phase for o in later.orders} == {"reduce"}
    assert outcomes(later)["MSFT"] is Outcome.DENIED_ORDERS_PER_DAY


def signal(score: float, at: datetime = datetime(2026, 11, 20, 15, 9, tzinfo=UTC)) -> Signal:
    return Signal("s-1", "MSFT", score, 1.0, "external", at)


def test_one_signal_on_two_ways_has_one_verdict(settled: MakeRig) -> None:
    rig = settled()
    result = rig.run((signal(1.0), signal(1.0)), rules())
    assert [(v.signal_id, v.outcome) for v in result.verdicts] == [("s-1", Outcome.FILLED)]
    laws.check_laws(rig.url, rig.journal_file)


def test_an_id_with_two_meanings_is_refused_before_anything_is_sent(settled: MakeRig) -> None:
    rig = settled()
    with pytest.raises(BadDocument, match="stands for two signals about MSFT"):
        rig.run((signal(1.0), signal(-1.0)), rules())
    assert rig.posts == []
    seen = laws.check_laws(rig.url, rig.journal_file)
    assert len(seen.cycles) == 1


def test_a_stop_that_is_urgent_cancels_what_works_instead_of_waiting_for_it(settled: MakeRig) -> None:
    rig = settled(fill_latency_seconds=15.0)
    rig.urgent = True
    slow = rules(execution__phase_timeout_seconds=3000)
    process = rig.process(rules=slow)
    result = rig.cycle(process, NEXT, slow)
    sent = [name for name, end in result.ends.items() if end.state is not OrderState.NOT_SENT]
    assert len(sent) > 1
    assert {result.ends[name].state for name in sent} == {OrderState.CANCELED}
    laws.check_laws(rig.url, rig.journal_file)
