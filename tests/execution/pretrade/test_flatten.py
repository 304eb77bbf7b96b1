"""Close everything because a person asked: with the kill switch set, against held shares, and told truly when not."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from rebalancer.brokers.protocol import SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.facts import Signal
from rebalancer.core.outcomes import Outcome
from rebalancer.core.reasons import NOTHING
from rebalancer.execution.exit_orders import ExitOrderManager
from rebalancer.rebalance.exits_around_trades import exit_levels_of
from rebalancer.rebalance.flatten import CLOSED, Flattened, flatten
from rebalancer.rebalance.recover import recover
from rebalancer.testing import laws
from tests.support.faults import Crash, lost_before
from tests.support.rig import Rig, by_hand, held, rules

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")
D = Decimal
RULES = rules(risk_management__max_orders_per_day=2, risk_management__reserved_order_fraction=0.0)


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path / "rig") as made:
        made.process()
        by_hand(made, "KO", "10", "hand-1")
        by_hand(made, "JPM", "5", "hand-2")
        made.run({}, RULES)
        yield made


def run(rig: Rig, *, killed: bool = True, **faults: Any) -> Flattened:
    process = rig.process(rules=RULES)
    world = process.world
    if killed:
        world.kill.engage(rig.account_id, world.broker.now(), "enough")
    process.broker.script.update(faults)
    broker: Any = world.broker
    return flatten(world, broker, RULES, prefix="kill", because="enough")


def rest(rig: Rig, symbol: str, qty: str, price: str, name: str) -> None:
    """Somebody's limit order that rests."""
    client = rig.client()
    order = Order(
        name,
        "reduce",
        symbol,
        "sell",
        D(qty),
        D(0),
        "limit",
        D(price),
        "day",
        "sell_to_close",
        D(1),
        D(0),
        0.0,
        NOTHING,
    )
    assert client.submit(order).kind == "accepted"
    client.close()


def test_everything_is_closed_while_the_kill_switch_is_set(rig: Rig) -> None:
    done = run(rig)
    assert done == Flattened(0, 0, (("JPM", D(-5)), ("KO", D(-10))), ())
    assert done.is_flat
    assert held(rig) == {}
    assert all(written for _, written in rig.posts), "every intent stood in the journal before its POST"
    journal = rig.process().journal
    newest = journal.cycles(rig.account_id, 1)[0]
    assert newest.cycle_id.startswith("kill-")
    assert newest.orders == 2
    end = journal.last_end(rig.account_id)
    assert end is not None
    assert end.expected_positions == {}
    assert journal.newest_claim(rig.account_id)[:2] == "20", "the newest slot is still found by its time"  # type: ignore[index]  # there is one
    assert rig.run({"KO": 1.0}, RULES).outcome == "HALTED_KILL_SWITCH"
    laws.check_laws(rig.url, rig.journal_file)


def test_an_older_opinion_does_not_buy_back_what_a_kill_closed(rig: Rig) -> None:
    process = rig.process(rules=RULES)
    older = Signal("s-1", "KO", 1.0, 1.0, "test", process.world.broker.now())
    run(rig)
    process = rig.process(rules=RULES)
    process.world.kill.lift(rig.account_id, process.world.broker.now(), "looked at it")
    (verdict,) = rig.run([older], RULES).verdicts
    assert verdict.outcome is Outcome.DENIED_STOPPED_OUT
    assert str(verdict.because).startswith("closed by kill at ")


def test_shares_that_orders_hold_are_freed_first(rig: Rig) -> None:
    rest(rig, "KO", "10", "500", "by-hand-1")
    rest(rig, "JPM", "2", "900", "by-hand-2")
    done = run(rig)
    assert (done.cancelled, done.still_open, done.left) == (2, 0, ())
    assert held(rig) == {}
    assert done.lines == ("2 open orders cancelled", "closed: JPM 5", "closed: KO 10", "nothing is held")


def test_what_did_not_close_is_tried_again(rig: Rig) -> None:
    lost: list[str] = []

    def first_fails(real: Any, order: Order) -> SendResult:
        if order.symbol == "KO" and not lost:
            lost.append(order.symbol)
            return SendResult("refused", None, "buying_power", "insufficient qty available for order")
        answer: SendResult = real(order)
        return answer

    done = run(rig, submit=first_fails)
    assert done.is_flat
    assert held(rig) == {}
    assert len([c for c in rig.process().journal.cycles(rig.account_id) if c.cycle_id.startswith("kill-")]) == 2


def test_an_order_without_an_answer_is_not_sent_again_blindly(rig: Rig) -> None:
    done = run(rig, submit=lambda real, order: lost_before(real, order) if order.symbol == "KO" else real(order))
    assert [(one.symbol, one.qty) for one in done.left] == [("KO", D(10))]
    assert not done.is_flat
    assert done.lines[-1].startswith("NOT FLAT")
    assert len([o for o, _ in rig.posts if o.symbol == "KO"]) == 0
    assert held(rig) == {"KO": D(10)}


def test_a_closed_market_queues_nothing(rig: Rig) -> None:
    rig.exchange.clock.advance(12 * 3600)
    done = run(rig)
    assert [(one.symbol, one.qty, one.why) for one in done.left] == [("JPM", D(5), CLOSED), ("KO", D(10), CLOSED)]
    assert rig.posts == []
    client = rig.client()
    assert client.orders(None) == ()
    client.close()


@pytest.mark.parametrize("is_open", [True, False])
def test_exits_of_what_cannot_be_closed_now_stay(rig: Rig, *, is_open: bool) -> None:
    guarded = rules(protection__mode="broker", protection__stop_loss=0.2, protection__take_profit=0.3)
    process = rig.process(rules=guarded)
    broker: Any = process.world.broker
    keeper = ExitOrderManager(rig.account_id, broker, process.journal, process.world.kill, process.clock, guarded)
    world = process.world._replace(protection=keeper)
    keeper.place(exit_levels_of(world, guarded, broker.positions()))
    resting = {o.id for o in broker.orders(None)}
    assert len(resting) == 4
    if not is_open:
        rig.exchange.clock.advance(12 * 3600)
    done = flatten(world, broker, guarded, prefix="kill", because="enough")
    assert {o.id for o in broker.orders(None)} == (set() if is_open else resting)
    assert (done.still_open, done.is_flat, sorted(held(rig))) == (0, is_open, [] if is_open else ["JPM", "KO"])


def test_a_cancel_that_is_not_confirmed_is_told(rig: Rig) -> None:
    rest(rig, "KO", "4", "500", "by-hand-1")
    done = run(rig, cancel=lambda real, name: None)
    assert done.still_open == 1
    assert [(one.symbol, one.qty) for one in done.left] == [("KO", D(4))]
    assert held(rig) == {"KO": D(4)}


def test_a_silent_broker_raises_before_anything_is_sent(rig: Rig) -> None:
    def silent(*_: Any) -> Any:
        raise BrokerUnavailable("no answer")

    with pytest.raises(BrokerUnavailable):
        run(rig, positions=silent)
    assert rig.posts == []


def test_without_a_kill_switch_as_stop_calls_it(rig: Rig) -> None:
    assert run(rig, killed=False).is_flat
    after = rig.run({}, RULES)
    assert after.findings == ()


def test_after_a_crash_anywhere_the_books_agree(rig: Rig, tmp_path: Path) -> None:
    rig.end()
    rig.exchange.stop()
    number = 0
    while True:
        number += 3
        with Rig(tmp_path / f"again{number}", template=rig.folder) as again:
            again.account_id = rig.account_id
            process = again.process(trip_at=number, rules=RULES)
            world, broker = process.world, process.world.broker
            tripped: Any = broker
            try:
                flatten(world, tripped, RULES, prefix="kill", because="enough")
                survived = True
            except Crash:
                survived = False
            process = again.process(rules=RULES)
            live: Any = process.world.broker
            recover(process.world, live, RULES)
            after = again.run({}, RULES)
            assert after.findings == () or {f.kind for f in after.findings} == {"late_fill"}, f"crash at {number}"
            if survived:
                assert number > 12
                break
