"""A stop in the middle of a batch: no order leaves any more, but the exits of what has been traded are put up again,
also when the throttle is what stops it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

import pytest

from rebalancer.core.decisions import Order
from rebalancer.core.outcomes import OrderState
from rebalancer.core.reasons import stated
from rebalancer.execution.kill_switch import write_halt
from rebalancer.execution.pretrade.throttle import latch_throttle
from rebalancer.journal import Journal
from rebalancer.planning.verdicts import OrderEnd
from rebalancer.rebalance.exits_around_trades import withdraw_exits
from rebalancer.rebalance.immediate_exits import ExitRequest, exit_positions
from rebalancer.rebalance.world import World
from rebalancer.session.execute import execute, opened_world
from rebalancer.session.setup import Setup
from rebalancer.session.stop import NEVER
from rebalancer.settings.load import load_rules
from tests.rebalance.conftest import MakeRig
from tests.rebalance.test_execute import connection, opinions, setup_of
from tests.support.rig import Rig, held

GUARDED = """
position_sizing: {base_position_size: 0.05}
signals: {path: opinions, sample: never}
protection: {mode: broker, stop_loss: 0.2, take_profit: 0.3}
"""


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    return make_rig()


def guarded(rig: Rig, more: str = "") -> Setup:
    setup = setup_of(rig)
    config = rig.folder / "guarded.yaml"
    config.write_text(f"{GUARDED}{more}\n")
    return setup._replace(loaded=load_rules([config], {}))


def resting(rig: Rig) -> list[tuple[str, str, Decimal | None]]:
    client = rig.client()
    found = sorted((o.symbol, o.type, o.qty) for o in client.orders(None))
    client.close()
    return found


def pairs(*symbols: str, of: dict[str, Decimal]) -> list[tuple[str, str, Decimal | None]]:
    return [(symbol, kind, of[symbol]) for symbol in symbols for kind in ("limit", "stop")]


class Middle:
    """Hears the calls of a cycle, and acts at the first one after its first order has left."""

    def __init__(self, act: Callable[[], object]) -> None:
        self._act, self._sent, self.reason = act, False, ""

    def heard(self, name: str) -> None:
        if self._sent and not self.reason:
            self.reason = "the session is being stopped (SIGTERM)"
            self._act()
        self._sent = self._sent or name == "submit"


class Asked:
    """A stop for the reason that the middle has found."""

    def __init__(self, middle: Middle) -> None:
        self._middle = middle

    def reason(self) -> str | None:
        return self._middle.reason or None

    def is_urgent(self) -> bool:
        return False

    @property
    def exit_code(self) -> int | None:
        return 143 if self.reason() else None


def interrupted(rig: Rig, *, stop: bool) -> dict[str, OrderState]:
    """KO is cut, AAPL would have grown next; a person stops the program, or all trading, between the two."""
    setup = guarded(rig)
    opinions(rig, {"AAPL": 0.5, "KO": 1.0})
    execute(setup, connection(rig), dry_run=False)
    assert resting(rig) == pairs("AAPL", "KO", of=held(rig))
    opinions(rig, {"AAPL": 1.0, "KO": 0.4})
    middle = Middle((lambda: None) if stop else lambda: write_halt(rig.folder / "state", "enough"))
    stopping = Asked(middle) if stop else NEVER
    record = execute(setup, connection(rig), dry_run=False, stopping=stopping, heard=middle.heard)
    assert middle.reason
    return {order.symbol: order.state for order in record.orders}


def test_a_stop_in_the_middle_puts_the_exits_of_what_was_traded_up_again(rig: Rig) -> None:
    assert interrupted(rig, stop=True) == {"KO": OrderState.FILLED, "AAPL": OrderState.NOT_SENT}
    assert resting(rig) == pairs("AAPL", "KO", of=held(rig))


def test_a_stop_says_what_it_is_and_raises_no_alert(rig: Rig) -> None:
    interrupted(rig, stop=True)
    with Journal.open(guarded(rig).journal) as journal:
        (order,) = [o for o in journal.orders_of(journal.cycles(limit=1)[0].cycle_id) if o.symbol == "AAPL"]
        said = [str(v.because) for v in journal.verdicts(order.cycle_id) if v.symbol == "AAPL"]
        alerts = [e.body for e in journal.events(kind="alert")]
    assert (order.state, order.reason) == (OrderState.NOT_SENT, "gate:stopping")
    assert all(text.endswith("; gate:stopping: the session is being stopped (SIGTERM)") for text in said), said
    assert alerts == []


def test_a_kill_in_the_middle_holds_them_back(rig: Rig) -> None:
    assert interrupted(rig, stop=False) == {"KO": OrderState.FILLED, "AAPL": OrderState.NOT_SENT}
    assert set(held(rig)) == {"AAPL", "KO"}
    assert resting(rig) == pairs("AAPL", of=held(rig))


def test_a_kill_just_before_a_batch_takes_nothing_down_for_it(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = guarded(rig)
    opinions(rig, {"AAPL": 0.5, "KO": 1.0})
    execute(setup, connection(rig), dry_run=False)
    before = resting(rig)

    def killed(world: World, orders: Sequence[Order]) -> Mapping[str, OrderEnd]:
        write_halt(rig.folder / "state", "enough")
        return withdraw_exits(world, orders)

    monkeypatch.setattr("rebalancer.rebalance.cycle.withdraw_exits", killed)
    opinions(rig, {"AAPL": 0.5, "KO": 0.4})
    record = execute(setup, connection(rig), dry_run=False)
    assert {order.symbol: order.state for order in record.orders} == {"KO": OrderState.NOT_SENT}
    assert resting(rig) == before == pairs("AAPL", "KO", of=held(rig))


def test_a_throttle_that_latches_in_the_middle_of_a_phase_leaves_nothing_without_its_exits(rig: Rig) -> None:
    """Both pairs were withdrawn for the phase; its second order is one too many for the minute."""
    setup = guarded(rig, "gate: {max_orders_per_minute: 3}")
    opinions(rig, {"AAPL": 1.0, "KO": 1.0})
    execute(setup, connection(rig), dry_run=False)
    opinions(rig, {"AAPL": 0.5, "KO": 0.4})
    record = execute(setup, connection(rig), dry_run=False)
    with Journal.open(setup.journal) as journal:
        reasons = {o.symbol: o.reason for o in journal.orders_of(journal.cycles(limit=1)[0].cycle_id)}
        gaps = {e.key: e.body["is_up"] for e in journal.events(kind="protection_gap")}
    assert {o.symbol: o.state for o in record.orders} == {"AAPL": OrderState.FILLED, "KO": OrderState.NOT_SENT}
    assert reasons["KO"] == "gate:orders_per_minute"
    assert resting(rig) == pairs("AAPL", "KO", of=held(rig))
    assert gaps == {"AAPL": True, "KO": True}


def test_a_latched_throttle_leaves_the_exits_where_they_are(rig: Rig) -> None:
    """No order is sent until a person lifts it, so no exit is withdrawn for one."""
    setup = guarded(rig)
    opinions(rig, {"AAPL": 0.5, "KO": 1.0})
    execute(setup, connection(rig), dry_run=False)
    before = resting(rig)
    assert before == pairs("AAPL", "KO", of=held(rig))
    with Journal.open(setup.journal) as journal:
        account_id = journal.cycles(limit=1)[0].account_id
        latch_throttle(journal, account_id, None, rig.exchange.clock.now(), "61 orders within a minute")
    rig.exchange.clock.advance(300)
    opinions(rig, {"AAPL": 1.0, "KO": 0.4})
    record = execute(setup, connection(rig), dry_run=False)
    assert {o.symbol: o.state for o in record.orders} == {"KO": OrderState.NOT_SENT, "AAPL": OrderState.NOT_SENT}
    assert resting(rig) == before
    with opened_world(setup, connection(rig), dry_run=False) as (world, _):
        (left,) = exit_positions(world, setup.rules, [ExitRequest("KO", "stop", stated("a test"))], "exit")
    assert "61 orders within a minute" in left.problem
    assert resting(rig) == before
