"""A whole cycle on the real exchange: what is sent, in which order, how it ends, and what stays behind."""

from __future__ import annotations

from decimal import Decimal

import pytest

from rebalancer.brokers.read_only import ReadOnlyBroker
from rebalancer.core.decisions import PLANNER_EDITION
from rebalancer.core.errors import LockHeld
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.core.reasons import stated
from rebalancer.report.archive import Replayed, past_record, replayed
from rebalancer.testing import laws
from tests.rebalance.conftest import BASE, NEXT, MakeRig
from tests.support.rig import Rig, held, rules

CHANGES = ("POST", "DELETE", "PATCH", "PUT")


def changes(rig: Rig) -> list[tuple[str, str]]:
    return [request for request in rig.requests() if request[0] in CHANGES]


def test_reductions_then_increases(settled: MakeRig) -> None:
    rig = settled()
    result = rig.run(NEXT, rules())
    assert (result.outcome, result.because) == (CycleOutcome.COMPLETED, "5 of 5 orders filled")
    by_phase = [("reduce", {"AAPL", "KO"}, {"sell"}), ("increase", {"JNJ", "MSFT", "XOM"}, {"buy"})]
    for orders, (phase, symbols, sides) in zip((result.orders[:2], result.orders[2:]), by_phase, strict=True):
        assert {o.phase for o in orders} == {phase}
        assert {o.symbol for o in orders} == symbols
        assert {o.side for o in orders} == sides
        assert [o.drift for o in orders] == sorted((o.drift for o in orders), reverse=True)
    assert [v.outcome for v in result.verdicts] == [
        Outcome.FILLED if v.symbol != "V" else Outcome.HELD_WITHIN_BAND for v in result.verdicts
    ]
    assert [e.state for e in result.ends.values()] == [OrderState.FILLED] * 5
    seen = laws.check_laws(rig.url, rig.journal_file)
    assert all(written for _, written in rig.posts)
    cycle = result.snapshot.cycle_id
    at_exchange = {
        (o["client_order_id"], o["symbol"], o["side"], Decimal(o["qty"]), Decimal(o["filled_qty"]))
        for o in seen.ours()
        if o["client_order_id"] in result.ends
    }
    in_journal = {(i.id, i.symbol, i.side, i.qty, i.filled) for i in seen.intents.values() if i.cycle == cycle}
    assert at_exchange == in_journal == {(o.client_order_id, o.symbol, o.side, o.qty, o.qty) for o in result.orders}
    assert {p.symbol: p.qty for p in result.positions_after} == held(rig)


def test_the_phases_by_the_exchange_s_own_times(settled: MakeRig) -> None:
    rig = settled(fill_latency_seconds=0.01, partial_fill_probability=1.0)
    result = rig.run(NEXT, rules())
    assert result.because == "5 of 5 orders filled"
    seen = laws.check_laws(rig.url, rig.journal_file)
    orders = {o["symbol"]: o for o in seen.ours() if o["client_order_id"] in result.ends}
    fills = [f for f in seen.fills if f["order_id"] in {o["id"] for o in orders.values()}]
    assert len(fills) > 5, "every order filled in parts"
    last_sale = max(f["transaction_time"] for f in fills if f["side"].startswith("sell"))
    assert last_sale < min(o["submitted_at"] for o in orders.values() if o["side"] == "buy")


def test_the_same_signals_again_send_nothing(settled: MakeRig) -> None:
    rig = settled()
    assert rig.run(NEXT, rules()).outcome is CycleOutcome.COMPLETED
    rig.requests()
    process = rig.process(rules=rules())  # a restart; then twice in the same life
    for result in (rig.cycle(process, NEXT, rules()), rig.cycle(process, NEXT, rules())):
        assert (result.outcome, result.orders) == (CycleOutcome.HOLDING, ())
        assert {v.outcome for v in result.verdicts} <= {Outcome.HELD_WITHIN_BAND, Outcome.HELD_AT_TARGET}
    assert changes(rig) == []
    laws.check_laws(rig.url, rig.journal_file)


def test_changing_signals_and_silent_replay(make_rig: MakeRig) -> None:
    rig = make_rig(holdings="starter", partial_fill_probability=0.5, fill_latency_seconds=0.002)
    programme = [BASE, NEXT, {}, {"MSFT": -1.0, "XOM": 0.0}, NEXT, {"WMT": 0.9, "UNH": 0.7, "AAPL": 0.0}]
    results = [rig.run(signals, rules()) for signals in programme]
    assert [r.outcome for r in results] == [CycleOutcome.COMPLETED] * 2 + [CycleOutcome.HOLDING] + [
        CycleOutcome.COMPLETED
    ] * 3
    laws.check_laws(rig.url, rig.journal_file)
    journal = rig.process().journal
    for result in results:
        assert replayed(journal, result.snapshot.cycle_id) == Replayed(PLANNER_EDITION, (), ())
        record = past_record(journal, result.snapshot.cycle_id)
        assert record is not None
        assert (record.outcome, record.plan, record.verdicts) == (result.outcome, result.plan, result.verdicts)
        assert {o.client_order_id: (o.state, o.filled_qty) for o in record.orders} == {
            o.client_order_id: (result.ends[o.client_order_id].state, result.ends[o.client_order_id].filled_qty)
            for o in result.plan.orders
        }


def test_replay_notices_a_difference(settled: MakeRig, monkeypatch: pytest.MonkeyPatch) -> None:
    rig = settled()
    result = rig.run(NEXT, rules())
    import rebalancer.report.archive as archive

    real = archive.plan
    monkeypatch.setattr(archive, "plan", lambda s, r: real(s, r)._replace(because=stated("another")))
    found = list(replayed(rig.process().journal, result.snapshot.cycle_id).wrong)
    assert found
    assert all("another" in line for line in found)


def test_a_dry_run_sends_nothing_and_changes_nothing_later(settled: MakeRig) -> None:
    rig, twin = settled(), settled()
    assert not hasattr(ReadOnlyBroker, "submit")
    assert not hasattr(ReadOnlyBroker, "cancel")
    rig.requests()
    dry = rig.run(NEXT, rules(), dry_run=True, later_seconds=0)
    assert changes(rig) == []
    assert {e.state for e in dry.ends.values()} == {OrderState.WITHHELD}
    assert {v.outcome for v in dry.verdicts} == {Outcome.WITHHELD, Outcome.HELD_WITHIN_BAND}
    live, alone = rig.run(NEXT, rules()), twin.run(NEXT, rules())
    assert [(o.phase, o.symbol, o.qty) for o in live.orders] == [(o.phase, o.symbol, o.qty) for o in dry.orders]
    assert [(o.phase, o.symbol, o.qty) for o in live.orders] == [(o.phase, o.symbol, o.qty) for o in alone.orders]
    assert live.findings == alone.findings == ()
    laws.check_laws(rig.url, rig.journal_file)


def test_a_slot_is_run_once(settled: MakeRig) -> None:
    rig = settled()
    rig.run(NEXT, rules(), cycle_id="2026-11-20T15:10Z")
    rig.requests()
    with pytest.raises(LockHeld, match="has been run already"):
        rig.run(BASE, rules(), cycle_id="2026-11-20T15:10Z")
    assert changes(rig) == []
    laws.check_laws(rig.url, rig.journal_file)
