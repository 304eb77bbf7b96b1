"""Books that change by other hands than orders: deposits, splits, resets; and limits that stay latched for the day."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.accounting.acceptance import accept_books
from rebalancer.accounting.loss_latches import rearm
from rebalancer.brokers.protocol import Activity, BrokerFill
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import stated
from rebalancer.journal import Journal
from rebalancer.rebalance.cycle import CycleResult
from rebalancer.rebalance.immediate_exits import ExitRequest, exit_positions
from rebalancer.testing import laws
from tests.rebalance.conftest import BASE, NEXT, MakeRig
from tests.rebalance.hands import MONDAY, buy_coins, dividend, pay_in, split, until
from tests.support.faults import Crash
from tests.support.rig import Rig, by_hand, held, rules

STRICT = {"risk_management__max_daily_loss": 0.02, "risk_management__max_drawdown": 0.02}
NOON = datetime(2026, 11, 20, 17, 0, tzinfo=UTC)


def findings(result: CycleResult) -> list[tuple[str, str, Decimal]]:
    return [(f.symbol, f.kind, f.qty) for f in result.findings]


def outcomes(result: CycleResult) -> dict[str, Outcome]:
    return {v.symbol: v.outcome for v in (*result.verdicts, *result.unsignalled)}


def events(rig: Rig, kind: str) -> list[tuple[str, dict[str, Any]]]:
    """Straight from the file."""
    with closing(sqlite3.connect(f"file:{rig.journal_file}?mode=ro", uri=True)) as db:
        rows = db.execute("SELECT key, body FROM events WHERE kind = ? ORDER BY seq", (kind,)).fetchall()
    return [(key, json.loads(body)) for key, body in rows]


def activity_reads(rig: Rig) -> int:
    return sum(1 for _, path in rig.requests() if path == "/v2/account/activities")


# --- money in and out


@pytest.mark.parametrize("amount", ["20000", "-20000"])
def test_money_in_or_out_is_neither_profit_nor_loss(settled: MakeRig, amount: str) -> None:
    rig = settled()
    before = rig.run(BASE, rules()).snapshot.account
    pay_in(rig, amount)
    rig.requests()
    after = rig.run(BASE, rules(**STRICT))
    assert activity_reads(rig) == 1, "the jump of cash asks for its cause"
    account = after.snapshot.account
    assert after.outcome in (CycleOutcome.COMPLETED, CycleOutcome.HOLDING)
    assert account.last_equity - before.last_equity == Decimal(amount)
    assert abs(account.peak_equity - before.peak_equity - Decimal(amount)) < 300, "and what the market did"
    again = rig.run(BASE, rules(**STRICT)).snapshot.account
    assert activity_reads(rig) == 0, "it is known now"
    assert again.last_equity == account.last_equity
    assert [(b["type"], b["amount"]) for _, b in events(rig, "flow")] == [
        ("CSD" if amount[0] != "-" else "CSW", amount)
    ]
    until(rig, MONDAY)
    monday = rig.run(BASE, rules(**STRICT)).snapshot.account
    assert abs(monday.last_equity - monday.equity) < 1500, "the next day's last equity has it in it"
    assert len(events(rig, "flow")) == 1
    laws.check_laws(rig.url, rig.journal_file)


@pytest.mark.parametrize("amount", ["20000", "-20000"])
def test_money_in_or_out_just_before_an_exit_is_seen_all_the_same(settled: MakeRig, amount: str) -> None:
    """The exit reads the account for the screen; what the next cycle compares its cash with is not moved by that."""
    rig = settled()
    before = rig.run(BASE, rules()).snapshot.account
    pay_in(rig, amount)
    process = rig.process()
    (gone,) = exit_positions(process.world, rules(), [ExitRequest("KO", "stop", stated("a test"))], "exit")
    assert gone.problem == ""
    after = rig.run({s: v for s, v in BASE.items() if s != "KO"}, rules(**STRICT))
    assert after.outcome in (CycleOutcome.COMPLETED, CycleOutcome.HOLDING)
    assert after.snapshot.account.last_equity - before.last_equity == Decimal(amount)
    assert [b["amount"] for _, b in events(rig, "flow")] == [amount]


def test_money_that_came_overnight_and_a_real_loss(settled: MakeRig) -> None:
    """Without the deposit taken out, a loss of 3 % would be a gain of 17 %."""
    rig = settled()
    friday = rig.run(BASE, rules()).snapshot.account
    until(rig, MONDAY - timedelta(hours=3))
    pay_in(rig, "20000")
    until(rig, MONDAY)

    def fallen(real: Any) -> Any:
        now = real()
        return now._replace(equity=now.last_equity * Decimal("0.97") + 20_000, cash=now.cash)

    monday = rig.run(NEXT, rules(**STRICT), faults={"account": fallen})
    assert monday.outcome is CycleOutcome.HALTED_DAILY_LOSS
    assert monday.snapshot.account.peak_equity - friday.peak_equity == 20_000
    assert {o.phase for o in monday.orders} == {"reduce"}


def test_the_money_that_was_there_first_is_no_flow(make_rig: MakeRig) -> None:
    rig = make_rig()
    pay_in(rig, "5000")
    first = rig.run(BASE, rules())
    assert first.outcome is CycleOutcome.COMPLETED
    assert [b["type"] for _, b in events(rig, "activity")] == ["CSD", "CSD"]
    assert events(rig, "flow") == []
    until(rig, MONDAY)
    rig.run(BASE, rules())
    keys = [key for key, _ in events(rig, "activity")]
    assert len(keys) == len(set(keys)) == 2 + len(laws.evidence_of(rig.url, rig.journal_file).fills), "each once"
    assert events(rig, "flow") == []


def test_money_that_came_leaves_the_second_phase_alone(settled: MakeRig) -> None:
    """The account is read again between the phases: the deposit is no profit there either, and the loss is real."""
    rig = settled()
    pay_in(rig, "20000")

    def falls(real: Any) -> Any:
        now = real()
        return now._replace(equity=now.equity - 4_000) if rig.posts else now

    result = rig.run(NEXT, rules(**STRICT), faults={"account": falls})
    assert {outcomes(result)[s] for s in ("MSFT", "JNJ", "XOM")} == {Outcome.DENIED_DAILY_LOSS}
    assert result.account_after is not None
    assert result.account_after.last_equity == result.snapshot.account.last_equity
    dry = settled()
    pay_in(dry, "20000")
    said = dry.run(NEXT, rules(**STRICT), dry_run=True)
    assert {outcomes(said)[s] for s in ("MSFT", "JNJ", "XOM")} == {Outcome.WITHHELD}


def test_a_dividend_is_profit_and_no_flow(settled: MakeRig) -> None:
    rig = settled()
    dividend(rig, "KO", "0.50")
    until(rig, MONDAY)
    assert findings(rig.run(BASE, rules())) == []
    until(rig, MONDAY + timedelta(days=1))
    assert findings(rig.run(BASE, rules())) == []
    assert events(rig, "flow") == []
    (body,) = (b for _, b in events(rig, "activity") if b["type"] == "DIV")
    assert Decimal(body["amount"]) == Decimal(body["qty"]) / 2


# --- positions that change without an order


@pytest.mark.parametrize(("new", "old"), [(10, 1), (1, 20)])
def test_a_split_is_explained_in_the_same_cycle(settled: MakeRig, new: int, old: int) -> None:
    rig = settled()
    before = held(rig)["AAPL"]
    split(rig, "AAPL", new, old)
    until(rig, MONDAY)
    result = rig.run(BASE, rules())
    after = next(p.qty for p in result.snapshot.positions if p.symbol == "AAPL")
    assert findings(result) == [("AAPL", "corporate_action", after - before)]
    assert result.plan.frozen == {}
    assert abs(after - before * new / old) < 1
    again = rig.run(BASE, rules())
    assert (findings(again), again.plan.frozen) == ([], {}), "and is not told twice"
    laws.check_laws(rig.url, rig.journal_file)


def test_a_split_in_the_middle_of_a_day(settled: MakeRig) -> None:
    """The second cycle of Monday finds it: the position asks for its cause, no day has to begin."""
    rig = settled()
    until(rig, MONDAY)
    rig.run(BASE, rules())
    shares = held(rig)["AAPL"]
    activity = f"20261123100500000::{'0' * 8}"

    def doubled(real: Any) -> Any:
        return tuple(p._replace(qty=p.qty * 2, qty_available=p.qty * 2) if p.symbol == "AAPL" else p for p in real())

    def listed(real: Any, after: Any) -> Any:
        fills, others = real(after)
        return fills, (*others, Activity(activity, "SPLIT", "AAPL", shares, Decimal(0), MONDAY.date()))

    halved = {"positions": doubled, "activities": listed}
    result = rig.run(BASE, rules(), faults=halved)
    assert findings(result) == [("AAPL", "corporate_action", shares)]
    assert events(rig, "explained") == [(activity, {"symbol": "AAPL"})]


@pytest.mark.parametrize("life", ["dry run", "crash"])
def test_what_a_dry_run_or_a_dead_cycle_explained_is_explained_again(settled: MakeRig, life: str) -> None:
    rig = settled()
    before = held(rig)["AAPL"]
    split(rig, "AAPL", 2, 1)
    until(rig, MONDAY)
    if life == "dry run":
        assert [f[1] for f in findings(rig.run(BASE, rules(), dry_run=True))] == ["corporate_action"]
    else:
        process = rig.process(rules=rules())

        def dies(real: Any, order: Any) -> Any:
            raise Crash("before the first order")

        process.broker.script["submit"] = dies
        with pytest.raises(Crash):
            rig.cycle(process, NEXT, rules())
        rig.exchange.clock.advance(300)
    assert [key[:8] for key, _ in events(rig, "explained")] == ["20261123"]
    result = rig.run(BASE, rules())
    assert findings(result) == [("AAPL", "corporate_action", before)]
    assert result.plan.frozen.keys() <= {"KO"}, "at most the order that the dead cycle may have sent"


def test_a_fill_without_an_order_is_a_trade_by_others(settled: MakeRig) -> None:
    rig = settled()

    def more(real: Any) -> Any:
        return tuple(p._replace(qty=p.qty + 3, qty_available=p.qty + 3) if p.symbol == "KO" else p for p in real())

    def listed(real: Any, after: Any) -> Any:
        fills, others = real(after)
        late = rig.exchange.clock.now()
        return (*fills, BrokerFill("20261120101900000::f", "desk", "KO", Decimal(3), Decimal(70), late)), others

    result = rig.run(BASE, rules(), faults={"positions": more, "activities": listed})
    assert findings(result) == [("KO", "external_trade", Decimal(3))]
    assert result.plan.frozen == {}


def test_what_is_nearly_explained_is_frozen_and_told(settled: MakeRig) -> None:
    rig = settled()
    split(rig, "AAPL", 2, 1)
    until(rig, MONDAY)

    def one_less(real: Any) -> Any:
        return tuple(p._replace(qty=p.qty - 1, qty_available=p.qty - 1) if p.symbol == "AAPL" else p for p in real())

    result = rig.run(BASE, rules(), faults={"positions": one_less})
    assert outcomes(result)["AAPL"] is Outcome.FROZEN_UNRECONCILED
    told = [b for _, b in events(rig, "alert") if b.get("code") == "unexplained"]
    assert [b["level"] for b in told] == ["warning"]
    assert told[0]["text"].startswith("AAPL: ")


def test_coins_bought_by_hand_cost_a_fee(settled: MakeRig) -> None:
    rig = settled()
    buy_coins(rig, "0.01")
    result = rig.run(BASE, rules())
    assert [(s, k) for s, k, _ in findings(result)] == [("BTC/USD", "external_trade"), ("BTC/USD", "adopted")]
    assert result.plan.frozen == {}
    assert findings(rig.run(BASE, rules())) == []


# --- an order for dollars


def test_an_open_order_for_dollars_counts_against_the_caps(settled: MakeRig) -> None:
    """It has no quantity: at the last price its dollars would fill the gross limit, so nothing else is opened."""
    rig = settled()
    tight = rules(position_sizing__max_total_exposure=0.24)

    def with_one(real: Any, after: Any) -> Any:
        found = real(after)
        some = any_order(rig)
        waiting = some._replace(
            id="dollars", client_order_id="dollars", symbol="NVDA", side="buy", qty=None, notional=Decimal(20_000),
            filled_qty=Decimal(0), filled_avg_price=None, status="new", state=OrderState.OPEN,
        )  # fmt: skip
        return (*found, waiting)

    free = rig.run({"MSFT": 1.0}, tight, dry_run=True)
    assert outcomes(free)["MSFT"] is Outcome.WITHHELD
    taken = rig.run({"MSFT": 1.0}, tight, faults={"orders": with_one})
    assert outcomes(taken)["MSFT"] is Outcome.DENIED_CAP
    assert taken.plan.frozen.keys() == {"NVDA"}
    gross = next(use for use in taken.plan.limits if use.name == "gross")
    invested = sum(t.held_weight for t in taken.plan.targets)
    assert gross.before == pytest.approx(invested + 20_000 / float(taken.plan.capital), rel=1e-3)


def any_order(rig: Rig) -> Any:
    client = rig.client()
    found = client.orders(datetime(2026, 11, 19, tzinfo=UTC))[0]
    client.close()
    return found


# --- resets and readings that cannot be true


def vanished(real: Any) -> Any:
    del real
    return ()


def all_cash(real: Any) -> Any:
    now = real()
    return now._replace(equity=Decimal(100_000), cash=Decimal(100_000), buying_power=Decimal(200_000))


RESET = {"positions": vanished, "account": all_cash}


def test_a_reset_account_halts_until_a_person_accepts_it(settled: MakeRig) -> None:
    rig = settled()
    for _ in range(3):
        halted = rig.run(NEXT, rules(), faults=RESET)
        assert (halted.outcome, halted.orders) == (CycleOutcome.HALTED_UNRECONCILED, ())
        assert halted.because.startswith("all 3 positions are gone without a trade or transfer")
        assert "rebalancer resume --reason" in halted.because
    assert [b["code"] for _, b in events(rig, "alert")] == ["doubt"], "told once"
    rig.end()
    with Journal.open(rig.journal_file) as journal:
        assert accept_books(journal, rig.account_id, NOON, "a new paper account")
    dry = rig.run(NEXT, rules(), faults=RESET, dry_run=True)
    assert dry.outcome is CycleOutcome.COMPLETED
    accepted = rig.run({"AAPL": 0.0}, rules(), faults=RESET)
    assert (accepted.outcome, accepted.snapshot.expected_positions) == (CycleOutcome.HOLDING, None)
    assert accepted.snapshot.account.peak_equity == 100_000
    with Journal.open(rig.journal_file) as journal:
        assert not accept_books(journal, rig.account_id, NOON, "again"), "there is nothing to accept"


def test_positions_that_come_back_need_nobody(settled: MakeRig) -> None:
    rig = settled()
    assert rig.run(NEXT, rules(), faults=RESET).outcome is CycleOutcome.HALTED_UNRECONCILED
    assert rig.run(NEXT, rules()).because == "5 of 5 orders filled"
    laws.check_laws(rig.url, rig.journal_file)


def test_a_reading_that_contradicts_itself_is_made_again(settled: MakeRig) -> None:
    rig = settled()
    answers = iter([True, False])

    def halved(real: Any) -> Any:
        now = real()
        return now._replace(cash=now.cash / 2) if next(answers, False) else now

    assert rig.run(NEXT, rules(), faults={"account": halved}).because == "5 of 5 orders filled"

    def always(real: Any) -> Any:
        now = real()
        return now._replace(cash=now.cash / 2)

    halted = rig.run(BASE, rules(), faults={"account": always})
    assert (halted.outcome, halted.orders) == (CycleOutcome.HALTED_UNRECONCILED, ())
    assert "contradicts itself" in halted.because
    laws.check_laws(rig.url, rig.journal_file)


# --- latches


def lost(share: str) -> Any:
    def fallen(real: Any) -> Any:
        now = real()
        return now._replace(last_equity=now.equity / (1 - Decimal(share)))

    return fallen


def test_a_daily_loss_stays_latched_when_the_equity_comes_back(settled: MakeRig) -> None:
    rig = settled()
    strict = rules(risk_management__max_daily_loss=0.02)
    first = rig.run(NEXT, strict, faults={"account": lost("0.03")})
    assert first.outcome is CycleOutcome.HALTED_DAILY_LOSS
    assert {o.phase for o in first.orders} == {"reduce"}
    second = rig.run(NEXT, strict)
    assert second.outcome is CycleOutcome.HALTED_DAILY_LOSS
    assert "latched for the rest of the day: reductions only" in second.because
    assert outcomes(second)["MSFT"] is Outcome.DENIED_DAILY_LOSS
    ((key, body),) = events(rig, "latched")
    assert (key, body["day"], body["limit"], body["share"]) == ("daily_loss", "2026-11-20", "0.02", "0.030000")
    assert [(b["level"], b["code"]) for _, b in events(rig, "alert")] == [("action", "latched")], "told once"
    until(rig, MONDAY)
    monday = rig.run(NEXT, strict)
    assert monday.outcome is CycleOutcome.COMPLETED, "another day"
    assert monday.snapshot.latched == {}


def test_a_person_lifts_a_latch(settled: MakeRig) -> None:
    rig = settled()
    strict = rules(risk_management__max_drawdown=0.02)
    peak = rig.run(BASE, strict).snapshot.account.peak_equity

    def below(real: Any) -> Any:
        now = real()
        return now._replace(equity=peak * Decimal("0.97"))

    assert rig.run(NEXT, strict, faults={"account": below}).outcome is CycleOutcome.HALTED_DRAWDOWN
    assert rig.run(NEXT, strict).outcome is CycleOutcome.HALTED_DRAWDOWN
    rig.end()
    with Journal.open(rig.journal_file) as journal:
        assert rearm(journal, rig.account_id, NOON, "looked at it") == ("drawdown",)
        assert rearm(journal, rig.account_id, NOON, "looked at it") == ()
    lifted = rig.run(NEXT, strict)
    assert (lifted.outcome, lifted.snapshot.latched) == (CycleOutcome.COMPLETED, {})
    assert rig.run(NEXT, strict, faults={"account": below}).outcome is CycleOutcome.HALTED_DRAWDOWN, "and latches anew"
    assert len(events(rig, "latched")) == 2


def test_a_loss_between_the_phases_latches_too(settled: MakeRig) -> None:
    rig = settled()
    strict = rules(risk_management__max_daily_loss=0.02)

    def falls(real: Any) -> Any:
        now = real()
        return now._replace(last_equity=now.equity * 2) if rig.posts else now

    result = rig.run(NEXT, strict, faults={"account": falls})
    assert outcomes(result)["MSFT"] is Outcome.DENIED_DAILY_LOSS
    assert [key for key, _ in events(rig, "latched")] == ["daily_loss"]
    assert rig.run(NEXT, strict).outcome is CycleOutcome.HALTED_DAILY_LOSS


def test_a_breach_that_flattens(settled: MakeRig) -> None:
    rig = settled()
    strict = rules(risk_management__max_daily_loss=0.02, risk_management__on_breach="flatten")
    result = rig.run(BASE, strict, faults={"account": lost("0.03")})
    assert result.because.endswith("all positions are closed; 3 of 3 orders filled")
    assert held(rig) == {}
    assert rig.run(BASE, strict).orders == (), "and nothing is opened while it is latched"


# --- exits of the position monitor


def test_a_stop_is_not_answered_by_the_signal_it_contradicts(settled: MakeRig) -> None:
    rig = settled()
    issued = rig.exchange.clock.now() - timedelta(minutes=2)
    by_hand(rig, "AAPL", str(-held(rig)["AAPL"]), "the-stop")
    with Journal.open(rig.journal_file) as journal:
        journal.record_event(
            journal.cycles(None, 1)[0].account_id, None, issued + timedelta(minutes=1), "protective_exit", "AAPL", {}
        )
    old = Signal("s-old", "AAPL", 1.0, 1.0, "external", issued)
    stopped = rig.run([old], rules())
    assert outcomes(stopped)["AAPL"] is Outcome.DENIED_STOPPED_OUT
    assert stopped.orders == ()
    fresh = Signal("s-new", "AAPL", 1.0, 1.0, "external", issued + timedelta(minutes=1, seconds=1))
    assert outcomes(rig.run([fresh], rules()))["AAPL"] is Outcome.FILLED


# --- the close


def test_positions_come_down_to_what_may_stay_overnight(settled: MakeRig) -> None:
    """In the last two cycles of a half day, in real orders. 15 % of capital is held, 5 % may stay."""
    rig = settled(start=datetime(2026, 11, 27, 17, 50, tzinfo=UTC))
    low = rules(risk_management__max_overnight_leverage=0.1, quotes__max_age_seconds=900)
    shares = []
    for most in (0.05 + 0.75 * 5 / 60, 0.05):
        result = rig.run({}, low)
        assert {o.phase for o in result.orders} == {"reduce"}
        (gross,) = (use for use in result.plan.limits if use.name == "gross")
        assert gross.limit == pytest.approx(most, abs=1e-3)
        assert gross.after <= gross.limit < gross.before
        shares.append(sum(p.qty for p in result.positions_after))
    assert shares[1] < shares[0]


def test_flat_by_the_time_in_real_orders(settled: MakeRig) -> None:
    rig = settled(start=datetime(2026, 11, 27, 17, 46, tzinfo=UTC))
    flat = rules(risk_management__flat_by_minutes_before_close=10, quotes__max_age_seconds=900)
    result = rig.run(NEXT, flat)
    assert result.because.startswith("flat by 10 minutes before the close")
    assert held(rig) == {}
