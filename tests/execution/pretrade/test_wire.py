"""The gate in whole cycles on a real exchange: a plan gone wrong is stopped at the wire, and says so everywhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from rebalancer.brokers.protocol import SendResult
from rebalancer.core.decisions import Order
from rebalancer.core.errors import JournalBroken
from rebalancer.core.outcomes import OrderState, Outcome
from rebalancer.execution.pretrade import rearm_throttle
from rebalancer.planning.verdicts import OrderEnd
from rebalancer.rebalance.world import World
from rebalancer.testing import laws
from tests.support.rig import Rig, held, rules

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")
WANTED = {"AAPL": 1.0, "KO": 1.0, "V": 1.0}


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path / "rig") as made:
        yield made


class Wrong:
    """A desk between plan and wire that a mistake has crept into: it makes orders larger."""

    def __init__(self, inner: Any, symbol: str, times: int) -> None:
        self._inner, self._symbol, self._times = inner, symbol, times

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def trade(self, cycle_id: str, orders: Sequence[Order], *, is_last: bool = False) -> Mapping[str, OrderEnd]:
        bent = [o._replace(qty=o.qty * self._times) if o.symbol == self._symbol else o for o in orders]
        ends: Mapping[str, OrderEnd] = self._inner.trade(cycle_id, bent)
        return ends


def with_order_manager(rig: Rig, process: Any, order_manager: Any) -> Any:
    world: World = process.world._replace(order_manager=order_manager)
    return process._replace(world=world)


def test_an_order_made_too_large_never_leaves(rig: Rig) -> None:
    own = rules()
    process = rig.process(rules=own)
    result = rig.cycle(with_order_manager(rig, process, Wrong(process.world.order_manager, "KO", 3)), WANTED, own)
    (verdict,) = [v for v in result.verdicts if v.symbol == "KO"]
    assert verdict.outcome is Outcome.NOT_SENT
    assert "; gate:order_value: $" in str(verdict.because)
    (record,) = [o for o in process.journal.orders_of(result.snapshot.cycle_id) if o.symbol == "KO"]
    assert (record.state, record.reason) == (OrderState.NOT_SENT, "gate:order_value")
    assert sorted(held(rig)) == ["AAPL", "V"]
    assert process.journal.orders_sent(rig.account_id, result.snapshot.as_of).orders_sent == 2


def test_a_sale_made_too_large_never_leaves(rig: Rig) -> None:
    own = rules()
    rig.run(WANTED, own)
    process = rig.process(rules=own)
    before = held(rig)
    faulty = with_order_manager(rig, process, Wrong(process.world.order_manager, "KO", 4))
    result = rig.cycle(faulty, WANTED | {"KO": 0.4}, own)
    (verdict,) = [v for v in result.verdicts if v.symbol == "KO"]
    assert "; gate:oversell: " in str(verdict.because)
    assert held(rig) == before
    assert "sell" not in {o.side for o, _ in rig.posts}


def test_a_runaway_is_latched_and_a_person_opens_the_gate(rig: Rig) -> None:
    """A plan never has as many orders as this; it was made with other rules."""
    own = rules(gate__max_orders_per_minute=2)
    first = rig.cycle(rig.process(rules=own), WANTED, rules())
    rig.exchange.clock.advance(300)
    assert sorted(e.state for e in first.ends.values()) == ["FILLED", "FILLED", "NOT_SENT"]
    said = [str(e.message) for e in first.ends.values() if e.state is OrderState.NOT_SENT]
    assert said == ["gate:orders_per_minute: 3 orders within a minute; gate.max_orders_per_minute is 2"]
    second = rig.run(dict.fromkeys(WANTED, 0.0), own)
    assert {e.state for e in second.ends.values()} == {OrderState.NOT_SENT}
    assert all(str(e.message).startswith("gate:throttle: ") for e in second.ends.values())
    journal = rig.process().journal
    told = [(e.key, e.body["level"], e.body["code"]) for e in journal.events(kind="alert")]
    assert told[0] == ("throttle", "action", "latched")
    assert {code for _, _, code in told[1:]} == {"orders_per_minute", "throttle"}, "and each order that was not sent"
    assert rearm_throttle(journal, rig.account_id, rig.process().world.broker.now(), "a test")
    third = rig.run(dict.fromkeys(WANTED, 0.0), own)
    assert {e.state for e in third.ends.values()} == {OrderState.FILLED}
    assert held(rig) == {}


@pytest.mark.parametrize("same", [True, False])
def test_an_id_that_the_broker_has_already_is_looked_up_and_compared(rig: Rig, same: bool) -> None:
    """Our first attempt landed and its answer was lost; or somebody else's order bears our id."""

    def twice(real: Any, order: Order) -> SendResult:
        before = order if same else order._replace(type="limit", limit_price=round(order.price * 2, 2))
        assert real(before).kind == "accepted"
        answer: SendResult = real(order)
        assert (answer.kind, answer.reason) == ("unknown", "duplicate_id"), answer
        return answer

    if same:
        result = rig.run({"KO": 1.0}, rules(), faults={"submit": twice})
        assert [e.state for e in result.ends.values()] == [OrderState.FILLED]
        laws.check_laws(rig.url, rig.journal_file)
    else:
        with pytest.raises(JournalBroken, match="under our order id"):
            rig.run({"KO": 1.0}, rules(), faults={"submit": twice})


def test_a_refusal_after_an_unknown_attempt_is_not_final(rig: Rig) -> None:
    """The answer was lost; a second POST of the same id would be refused, and that says nothing about the first."""

    def lost(real: Any, order: Order) -> SendResult:
        assert real(order).kind == "accepted"
        return SendResult("unknown", None, "timeout", "no answer within 20 s")

    def hidden(real: Any, name: str) -> None:
        return None

    result = rig.run(
        {"KO": 1.0}, rules(), faults={"submit": lost, "find_order": hidden, "orders": lambda real, after: ()}
    )
    (end,) = result.ends.values()
    assert end.state is OrderState.UNKNOWN
    process = rig.process()
    with pytest.raises(JournalBroken, match="only a look-up"):
        process.journal.record_order(
            rig.account_id,
            end.client_order_id,
            process.world.broker.now(),
            OrderState.REFUSED,
            end.filled_qty,
            None,
            None,
        )
    rig.run({}, rules())
    record = rig.process().journal.order(end.client_order_id)
    assert record is not None
    assert record.state is OrderState.FILLED
