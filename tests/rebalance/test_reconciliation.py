"""What changed between two cycles, by whose hand, and what is done about it."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.core.decisions import Order
from rebalancer.core.documents import sha256
from rebalancer.core.errors import JournalBroken, WrongAccount
from rebalancer.core.facts import Position
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.reasons import NOTHING
from rebalancer.journal import CycleStart, Intent, Journal
from rebalancer.rebalance.cycle import CycleResult
from rebalancer.testing import laws
from tests.rebalance.conftest import BASE, NEXT, MakeRig
from tests.support.faults import Crash, lost_after
from tests.support.rig import Rig, by_hand, held, rules


def findings(result: CycleResult) -> list[tuple[str, str, Decimal]]:
    return [(f.symbol, f.kind, f.qty) for f in result.findings]


def verdict(result: CycleResult, symbol: str) -> Outcome:
    (found,) = (v.outcome for v in (*result.verdicts, *result.unsignalled) if v.symbol == symbol)
    return found


def resting(rig: Rig, symbol: str, qty: int, price: str, name: str) -> str:
    """A limit order by hand that waits for its price; the broker's id."""
    client = rig.client()
    order = Order(
        client_order_id=name, phase="increase", symbol=symbol, side="buy", qty=Decimal(qty), notional=Decimal(0),
        type="limit", limit_price=Decimal(price), time_in_force="day", position_intent="buy_to_open", price=Decimal(1),
        reserve=Decimal(0), drift=0.0, because=NOTHING,
    )  # fmt: skip
    sent = client.submit(order)
    client.close()
    assert sent.order is not None, sent
    return sent.order.id


def test_a_trade_by_hand(settled: MakeRig) -> None:
    rig = settled()
    before = held(rig)["AAPL"]
    by_hand(rig, "AAPL", "-10", "sold-by-hand")
    by_hand(rig, "UNH", "5", "bought-by-hand")
    result = rig.run(BASE, rules())
    assert findings(result) == [("AAPL", "external_trade", Decimal(-10)), ("UNH", "external_trade", Decimal(5))]
    assert [(o.symbol, o.side) for o in result.orders] == [("AAPL", "buy")], "traded on from what is there"
    assert verdict(result, "UNH") is Outcome.HELD_AT_TARGET
    assert abs(held(rig)["AAPL"] - before) <= 1
    again = rig.run(BASE, rules())
    assert (findings(again), again.outcome) == ([], CycleOutcome.HOLDING)
    laws.check_laws(rig.url, rig.journal_file)


def test_an_order_by_hand_that_waits(settled: MakeRig) -> None:
    """It freezes its symbol as long as it works, over several cycles, and its fill is explained when it comes."""
    rig = settled()
    resting(rig, "MSFT", 3, "100", "patient")
    for _ in range(3):
        result = rig.run({"MSFT": 1.0}, rules())
        assert verdict(result, "MSFT") is Outcome.FROZEN_OPEN_ORDER
        assert result.orders == ()
        assert [o.client_order_id for o in result.snapshot.open_orders] == ["patient"]
    client = rig.client()
    (order,) = client.orders(None)
    client.cancel(order.id)
    client.close()
    rig.exchange.clock.advance(1)
    by_hand(rig, "MSFT", "3", "impatient")
    freed = rig.run({"MSFT": 1.0}, rules())
    assert findings(freed) == [("MSFT", "external_trade", Decimal(3))]
    assert verdict(freed, "MSFT") is Outcome.FILLED
    laws.check_laws(rig.url, rig.journal_file)


def test_trades_before_the_first_cycle_are_not_counted_twice(make_rig: MakeRig) -> None:
    """A waiting order makes the next cycle read orders from before the first one: what it had seen then is no news."""
    rig = make_rig()
    resting(rig, "MSFT", 3, "100", "patient")
    by_hand(rig, "AAPL", "7", "early")
    assert findings(rig.run({}, rules())) == [("AAPL", "adopted", Decimal(7))]
    for _ in range(2):
        assert findings(rig.run({}, rules())) == []
    laws.check_laws(rig.url, rig.journal_file)


def test_an_order_submitted_while_we_read_is_not_missed(settled: MakeRig) -> None:
    """It reaches the broker after the list of orders was read and before the snapshot's time."""
    rig = settled()

    def meanwhile(real: Any, after: Any) -> Any:
        found = real(after)
        if not rig.posts and "sneaky" not in {o.client_order_id for o in found}:
            by_hand(rig, "UNH", "5", "sneaky")
        return found

    first = rig.run(BASE, rules(), faults={"orders": meanwhile})
    assert findings(first) == []
    second = rig.run(BASE, rules())
    assert findings(second) == [("UNH", "external_trade", Decimal(5))]
    laws.check_laws(rig.url, rig.journal_file)


def test_positions_that_lag_freeze_their_symbol_once(settled: MakeRig) -> None:
    rig = settled()
    stale = {p.symbol: p for p in rig.client().positions()}

    def lagging(real: Any) -> Any:
        return tuple(stale.get(p.symbol, p) for p in real())

    by_hand(rig, "AAPL", "-10", "sold-by-hand")
    first = rig.run(BASE, rules(), faults={"positions": lagging})
    assert verdict(first, "AAPL") is Outcome.FROZEN_UNRECONCILED
    assert first.orders == ()
    second = rig.run(BASE, rules())
    assert (verdict(second, "AAPL"), findings(second)) == (Outcome.FILLED, []), "the fill was explained already"
    laws.check_laws(rig.url, rig.journal_file)


def test_an_unexplained_difference_freezes_once_and_is_adopted(settled: MakeRig) -> None:
    rig = settled()
    shares = held(rig)["AAPL"]

    def split(real: Any) -> tuple[Position, ...]:
        return tuple(
            p._replace(qty=p.qty - 10, qty_available=p.qty_available - 10) if p.symbol == "AAPL" else p for p in real()
        )

    rest = {**NEXT, "AAPL": 1.0}
    first = rig.run(rest, rules(), faults={"positions": split})
    assert verdict(first, "AAPL") is Outcome.FROZEN_UNRECONCILED
    assert findings(first) == [("AAPL", "unexplained", Decimal(-10))]
    assert {o.symbol for o in first.orders} == {"KO", "JNJ", "MSFT", "XOM"}, "the rest trades"
    second = rig.run(rest, rules(), faults={"positions": split})
    assert findings(second) == [("AAPL", "adopted", Decimal(-10))]
    assert [(o.symbol, o.side) for o in second.orders] == [("AAPL", "buy")]
    assert held(rig)["AAPL"] > shares


def test_too_much_in_doubt_halts_the_cycle(settled: MakeRig) -> None:
    rig = settled()
    strict = rules(risk_management__max_frozen_exposure=0.04)

    def gone(real: Any) -> tuple[Position, ...]:
        return tuple(p for p in real() if p.symbol != "AAPL")

    halted = rig.run(NEXT, strict, faults={"positions": gone})
    assert (halted.outcome, halted.orders) == (CycleOutcome.HALTED_UNRECONCILED, ())
    assert rig.run(NEXT, strict).outcome is CycleOutcome.COMPLETED, "it reads as before: nothing had happened"
    laws.check_laws(rig.url, rig.journal_file)


@pytest.mark.parametrize("fresh", [False, True])
def test_our_prefix_with_an_unknown_id_stops_everything(settled: MakeRig, make_rig: MakeRig, fresh: bool) -> None:
    """Someone else runs as us, or this journal is not the newest: also when it has no cycle at all."""
    rig = make_rig() if fresh else settled()
    resting(rig, "KO", 1, "10", "somebody")
    resting(rig, "MSFT", 3, "100", "rb-20261120T1500-MSFT-i1-0123456789ab")
    with pytest.raises(JournalBroken, match="not in this journal"):
        rig.run(NEXT, rules())
    assert rig.posts == []


def test_an_older_journal_is_noticed(settled: MakeRig) -> None:
    rig = settled()
    old = rig.journal_file.read_bytes()
    head = {p: p.read_bytes() for p in rig.folder.glob("journal.sqlite*") if p != rig.journal_file}
    rig.run(NEXT, rules())
    rig.end()
    rig.journal_file.write_bytes(old)
    for path, content in head.items():
        path.write_bytes(content)  # even its witness, so that only the broker can tell
    sent = len(rig.posts)
    with pytest.raises(JournalBroken, match="not in this journal"):
        rig.run(NEXT, rules())
    assert len(rig.posts) == sent


def test_another_account(settled: MakeRig, make_rig: MakeRig) -> None:
    """The key of another account sends nothing, and its not knowing our orders ends none of them."""
    rig, other = settled(), make_rig(seed=8)
    process = rig.process(rules=rules())
    process.broker.script["submit"] = lost_after
    process.trip.at = 10  # both are posted, the second answer is not written down
    with pytest.raises(Crash):
        rig.cycle(process, NEXT, rules())
    states = [i.state for i in laws.evidence_of(rig.url, rig.journal_file).intents.values()]
    assert states[-2:] == ["UNKNOWN", "INTENDED"]
    rig.exchange.clock.advance(3000)
    other.exchange.clock.advance(3000)
    here, rig.url = rig.url, other.url
    with pytest.raises(WrongAccount):
        rig.run(NEXT, rules())
    rig.url = here
    assert [i.state for i in laws.evidence_of(rig.url, rig.journal_file).intents.values()] == states
    assert other.requests()
    assert ("POST", "/v2/orders") not in other.requests()
    rig.run(NEXT, rules())
    rig.run(NEXT, rules())
    laws.check_laws(rig.url, rig.journal_file)


def test_two_accounts_in_one_journal(settled: MakeRig) -> None:
    """A dead cycle of one account is closed with its own orders, though another has a cycle of the same name."""
    rig = settled()
    slot = "2026-11-20T15:15Z"
    with pytest.raises(Crash):
        rig.run(NEXT, rules(), cycle_id=slot, trip_at=18)
    rig.end()
    with Journal.open(rig.journal_file) as journal:
        mine = journal.cycle(slot)
        assert mine is not None
        assert journal.begin_cycle(CycleStart("another", slot, "paper", mine.started_at, "test", mine.rules_sha256))
        body = "{}"
        foreign = Intent("foreign", slot, "reduce", "KO", "sell", Decimal(1), sha256(body), body, mine.started_at)
        journal.record_intents("another", [foreign])
    rig.run(NEXT, rules())
    with Journal.open(rig.journal_file) as journal:
        (end,) = journal.events(slot, kind="cycle_ended", account_id=rig.account_id)
        assert "foreign" not in end.body["carried"]
        closed = journal.cycle(slot, rig.account_id)
        assert closed is not None
        assert closed.outcome is CycleOutcome.ABANDONED
        assert [c.cycle_id for c in journal.open_cycles("another")] == [slot]


@pytest.mark.parametrize("ahead", [timedelta(minutes=10), timedelta(minutes=-10)])
def test_own_fills_are_known_by_id_when_the_brokers_clock_was_wrong_for_a_while(
    settled: MakeRig, monkeypatch: pytest.MonkeyPatch, ahead: timedelta
) -> None:
    """The broker's clock goes wrong for one cycle and comes back: what was booked is not found a second time."""
    rig, quiet = settled(), rules(quotes__max_age_seconds=3600, signals__max_age_minutes=60)
    assert rig.run(NEXT, quiet, later_seconds=1).outcome is CycleOutcome.COMPLETED
    right = AlpacaBroker.now
    with monkeypatch.context() as wrong:
        wrong.setattr(AlpacaBroker, "now", lambda self: right(self) + ahead)
        during = rig.run(NEXT, quiet, later_seconds=1)
    after = [rig.run(NEXT, quiet, later_seconds=1) for _ in range(4)]
    assert findings(during) == []
    assert [(r.outcome, findings(r)) for r in after] == [(CycleOutcome.HOLDING, [])] * 4
    rig.end()
    laws.check_laws(rig.url, rig.journal_file)
