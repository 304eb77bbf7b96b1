"""Exits kept at the broker, on a real exchange: placed, exchanged around trades, filled, lost and found again."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from contextlib import suppress
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest

from rebalancer.brokers.protocol import Allowed, ExitPair, SendResult
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.outcomes import OrderState
from rebalancer.execution.exit_orders import ExitOrdersSeen
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.pretrade.throttle import latch_throttle
from rebalancer.journal import Journal
from rebalancer.journal.backups import take
from rebalancer.planning.exit_levels import ExitLevel
from tests.execution.exit_orders.account_rig import PAIR, Desk
from tests.support.faults import Crash, Trip, Tripped
from tests.support.rig import by_hand

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")
D = Decimal


def test_a_pair_is_placed_once_and_left_alone_while_it_fits(desk: Desk) -> None:
    guard = desk.guard()
    for _ in range(3):
        desk.keeper().place([guard])
    assert desk.resting() == PAIR
    (kept,) = desk.keeper().kept().values()
    assert (kept.state, kept.qty, kept.stop, kept.target) == ("open", D(10), guard.stop, guard.target)
    assert [len(desk.broker.posts), len(kept.ids)] == [1, 2]
    seen = desk.keeper().look(None)
    assert (seen.held, seen.doubtful, seen.ids) == ({"KO": D(10)}, (), frozenset(kept.ids))


def test_another_guard_replaces_the_pair_and_no_guard_takes_it_down(desk: Desk) -> None:
    first, second = desk.guard(), desk.guard("0.95", "1.08")
    desk.keeper().place([first])
    desk.keeper().place([second])
    assert desk.resting() == PAIR
    assert [p.stop_price for p in desk.broker.posts] == [first.stop, second.stop]
    desk.keeper().place([])
    assert desk.resting() == []
    assert [e["state"] for e in desk.events("protection")] == ["intended", "open", "open", "gone"] * 2
    assert len({p.client_order_id for p in desk.broker.posts}) == 2


def test_release_frees_the_shares_for_a_trade(desk: Desk) -> None:
    desk.keeper().place([desk.guard()])
    (held,) = (p for p in desk.broker.positions() if p.symbol == "KO")
    assert held.qty_available == 0
    assert desk.keeper().release({"KO", "XOM"}) == {}
    (held,) = (p for p in desk.broker.positions() if p.symbol == "KO")
    assert held.qty_available == 10
    assert desk.keeper().look(None).held == {}


@pytest.mark.parametrize(("stop", "target", "kind"), [("0.97", "1.0001", "target"), ("0.9999", "1.05", "stop")])
def test_a_filled_exit_is_told_with_its_kind(desk: Desk, stop: str, target: str, kind: str) -> None:
    since = desk.broker.now()
    desk.keeper().place([desk.guard(stop, target)])
    for _ in range(400):
        desk.rig.exchange.clock.advance(30)
        if not any(p.symbol == "KO" for p in desk.broker.positions()):
            break
    exited = desk.broker.now()
    seen = desk.keeper().look(since)
    assert sorted((r.state, r.filled_qty) for r in seen.rows) == [
        (OrderState.CANCELED, D(0)),
        (OrderState.FILLED, D(10)),
    ]
    assert seen.held == {}
    (exit_,) = desk.events("protective_exit")
    assert (exit_["kind"], exit_["qty"]) == (kind, "10")
    (alert,) = desk.journal.events(kind="alert")
    assert (alert.body["level"], alert.at >= exited) == ("warning", True), (
        "dated when it was seen, not when it was placed"
    )
    again = desk.keeper().look(since)  # until a cycle has closed after it, its fills can be read again
    assert [(r.id, r.filled_qty) for r in again.rows] == [
        (r.id, r.filled_qty) for r in sorted(seen.rows, key=lambda r: r.id)
    ]
    assert desk.keeper().look(desk.broker.now()) == ExitOrdersSeen()
    assert len(desk.events("protective_exit")) == 1


@pytest.mark.parametrize("trip_at", range(1, 5))
def test_a_filled_exit_is_told_once_although_the_process_dies_over_it(desk: Desk, trip_at: int) -> None:
    """Killed before each of its writes in turn; the next process finds what is missing."""
    desk.keeper().place([desk.guard("0.9999")])
    for _ in range(400):
        desk.rig.exchange.clock.advance(30)
        if not any(p.symbol == "KO" for p in desk.broker.positions()):
            break
    dying: Any = Tripped(desk.journal, Trip(trip_at), ("record_event", "record_events"), "journal")
    with suppress(Crash):
        desk._replace(journal=dying).keeper().look(None)
    desk.keeper().look(None)
    assert [(e["kind"], e["qty"]) for e in desk.events("protective_exit")] == [("stop", "10")]
    assert desk.events("protection")[-1]["state"] == "gone"


def test_no_id_is_given_twice_though_an_older_copy_of_the_journal_takes_its_place(desk: Desk) -> None:
    """Put back with `cp`, together with its witness: nothing tells that it is an older one."""
    desk.keeper().place([desk.guard()])
    copy = take(desk.folder / "journal.sqlite", desk.folder / "copies", desk.broker.now()).path
    desk.keeper().place([desk.guard("0.96")])
    desk.broker.script = ["refused"]
    desk.keeper().place([desk.guard("0.95")])
    desk.rig.exchange.clock.advance(600)
    desk.keeper().place([desk.guard("0.94")])
    assert desk.resting() == PAIR
    desk.keeper().place([])
    desk.journal.close()
    for path in desk.folder.glob("journal.sqlite*"):
        path.unlink()
    shutil.copy(copy, desk.folder / "journal.sqlite")
    shutil.copy(f"{copy}.head", desk.folder / "journal.sqlite.head")
    with Journal.open(desk.folder / "journal.sqlite") as older:
        desk = desk._replace(journal=older)
        desk.keeper().look(None)
        desk.keeper().place([desk.guard("0.93")])
        assert desk.resting() == PAIR
        (kept,) = desk.keeper().kept().values()
        assert (kept.state, kept.failures) == ("open", 0)
    ids = [pair.client_order_id for pair in desk.broker.posts]
    assert len(ids) == len(set(ids)) == 5


def test_exits_of_a_hard_to_borrow_name_are_placed_for_the_day_and_again_on_the_next(desk: Desk) -> None:
    by_hand(desk.rig, "AMC", "10", "by-hand-2")
    price = desk.broker.quotes(["AMC"])[0].bid
    assert price is not None
    stop, target = ((price * D(share)).quantize(D("0.01")) for share in ("0.7", "1.5"))
    guard = ExitLevel("AMC", D(10), price, stop, target, "rules", "rules")
    for _ in range(3):
        desk.keeper().place([guard])
    assert desk.resting() == PAIR
    assert [pair.day for pair in desk.broker.posts] == [False, True]
    (told,) = desk.events("alert")
    assert (told["level"], told["text"]) == (
        "info",
        "AMC: the broker takes orders for one day only in this name: its exits are placed anew on each day",
    )
    desk.rig.exchange.clock.advance(24 * 3600)
    desk.keeper().look(None)
    assert desk.resting() == []
    desk.keeper().place([guard])
    assert desk.resting() == PAIR
    assert [pair.day for pair in desk.broker.posts] == [False, True, True]
    assert len(desk.events("alert")) == 1


def test_a_lost_answer_is_looked_up_and_never_sent_again(desk: Desk) -> None:
    desk.broker.script = ["lost after"]
    desk.keeper().place([desk.guard()])
    assert [k.state for k in desk.keeper().kept().values()] == ["unknown"]
    desk.keeper().place([desk.guard()])
    assert len(desk.broker.posts) == 1
    seen = desk.keeper().look(None)
    assert (seen.held, seen.doubtful, len(seen.ids)) == ({"KO": D(10)}, (), 2)
    assert desk.resting() == PAIR


def test_a_pair_that_never_arrived_freezes_its_symbol_until_every_timeout_has_passed(desk: Desk) -> None:
    desk.broker.script = ["lost before"]
    desk.keeper().place([desk.guard()])
    (doubt,) = desk.keeper().look(None).doubtful
    assert (doubt.symbol, doubt.side, doubt.qty, doubt.unknown, doubt.ours) == ("KO", "sell", D(10), True, True)
    assert desk.keeper().release({"KO"}) == {"KO": "the broker has not said whether it has the exits of this position"}
    desk.rig.exchange.clock.advance(2 * 30 + 61)
    desk.broker.account()  # any answer tells the time
    assert desk.keeper().look(None) == ExitOrdersSeen()
    desk.keeper().place([desk.guard()])
    assert desk.resting() == PAIR
    assert len({p.client_order_id for p in desk.broker.posts}) == 2


def test_a_crash_after_the_intent_is_taken_up_again(desk: Desk) -> None:
    class Dead(BaseException):
        pass

    def die(pair: ExitPair, *, allowed: Allowed = None) -> SendResult:
        raise Dead

    desk.broker.submit_pair = die  # type: ignore[method-assign]  # the process ends between intent and POST
    with pytest.raises(Dead):
        desk.keeper().place([desk.guard()])
    assert [k.state for k in desk.keeper().kept().values()] == ["intended"]
    assert len(desk.keeper().look(None).doubtful) == 1


def test_refusals_are_tried_again_after_growing_pauses_and_a_person_is_told_once(desk: Desk) -> None:
    desk.broker.script = ["refused"] * 8
    tried: list[float] = []
    while len(tried) < 8:
        desk.keeper(attempts=3, poll_seconds=5).place([desk.guard()._replace(stop=D("1"), target=D("900"))])
        if len(desk.broker.posts) > len(tried):
            tried.append(desk.broker.now().timestamp())
        desk.clock.wait(5)
    gaps = [later - one for one, later in pairwise(tried)]
    pauses = [10, 20, 40, 80, 160, 300, 300]
    assert all(pause - 1 <= gap < 2 * pause for gap, pause in zip(gaps, pauses, strict=True)), gaps
    (kept,) = desk.keeper().kept().values()
    assert (kept.state, kept.failures, kept.because) == (
        "gone", 8, "unprotected because the broker refused the pair (other): no"
    )  # fmt: skip
    told = [("warning", "unprotected"), ("action", "protection")]  # more than a minute before the third try
    assert sorted((a["level"], a["code"]) for a in desk.events("alert")) == sorted(told)
    assert desk.resting() == []
    desk.broker.script = []
    desk.keeper().place([desk.guard()])
    assert [(k.state, k.failures) for k in desk.keeper().kept().values()] == [("open", 0)]


def test_a_cancel_that_nobody_confirms_keeps_the_symbol_from_trading(desk: Desk) -> None:
    desk.keeper().place([desk.guard()])
    desk.broker.deaf = True
    refused = desk.keeper().release({"KO"})
    assert refused == {"KO": "its exits at the broker could not be cancelled: no answer"}
    with pytest.raises(BrokerUnavailable):
        desk.keeper().look(None)
    desk.broker.deaf = False
    assert desk.keeper().release({"KO"}) == {}


def throttled(desk: Desk) -> None:
    latch_throttle(desk.journal, desk.rig.account_id, None, desk.broker.now(), "61 orders within a minute")


def killed(desk: Desk) -> None:
    KillSwitch(desk.folder, desk.journal).engage(desk.rig.account_id, desk.broker.now(), "enough")


@pytest.mark.parametrize("hold", [killed, throttled])
def test_a_pair_that_could_not_be_replaced_stays_unless_it_is_of_no_use(
    desk: Desk, hold: Callable[[Desk], None]
) -> None:
    desk.keeper().place([desk.guard()])
    hold(desk)
    changed = desk.guard("0.95", "1.08")
    for held in (changed, changed._replace(qty=D(12))):
        desk.keeper().place([held])
        assert (desk.resting(), len(desk.broker.posts)) == (PAIR, 1)
    assert desk.keeper().look(None).held == {"KO": D(10)}
    desk.keeper().place([changed._replace(qty=D(7))])
    again = hold is throttled  # which lets a position have its exits back
    assert (desk.resting(), len(desk.broker.posts)) == (PAIR if again else [], 1 + again), "it would sell too many"


def test_the_kill_switch_lets_no_pair_out_but_takes_down_what_has_nothing_to_protect(desk: Desk) -> None:
    desk.keeper().place([desk.guard()])
    killed(desk)
    desk.keeper().place([])
    assert (desk.resting(), len(desk.broker.posts)) == ([], 1)


def test_the_kill_switch_holds_a_pair_that_waits_for_its_turn(desk: Desk) -> None:
    switch = KillSwitch(desk.folder, desk.journal)
    desk.broker.kill = lambda: switch.engage(desk.rig.account_id, desk.broker.now(), "enough")
    desk.broker.script = ["killed meanwhile"]
    desk.keeper().place([desk.guard()])
    (kept,) = desk.keeper().kept().values()
    assert (desk.resting(), kept.state, kept.sent) == ([], "gone", False)
    assert kept.because == "unprotected because the gate refused the pair (kill_switch): the kill switch is set: enough"


@pytest.mark.parametrize("mode", ["monitor", "off"])
def test_other_modes_place_nothing_and_take_down_what_is_there(desk: Desk, mode: str) -> None:
    desk.keeper().place([desk.guard()])
    desk.keeper(mode=mode).place([desk.guard()])
    assert desk.resting() == []


def test_fractions_and_coins_are_left_to_the_monitor(desk: Desk) -> None:
    desk.keeper().place([desk.guard(qty="0.5"), desk.guard()._replace(symbol="BTC/USD")])
    assert (desk.resting(), desk.broker.posts) == ([], [])
    by_hand(desk.rig, "KO", "0.75", "hand-2")
    desk.keeper().place([desk.guard(qty="10.75")])
    assert desk.resting() == PAIR


def test_a_pair_that_the_gate_refuses_is_told_once_a_stretch_and_kept_with_its_reason(desk: Desk) -> None:
    guard = desk.guard("1.20", "1.30")  # a stop above the price
    for _ in range(8):
        desk.keeper(attempts=99).place([guard])
        desk.clock.wait(60)
    assert desk.broker.posts == []
    (kept,) = desk.keeper().kept().values()
    assert (kept.state, kept.sent, kept.failures) == ("gone", False, 5)
    assert kept.because.startswith("unprotected because the gate refused the pair (form): the price ")
    assert [(a["level"], a["code"]) for a in desk.events("alert")] == [
        ("action", "protection"), ("warning", "unprotected"),
    ]  # fmt: skip
    desk.keeper().place([desk.guard()])
    assert [(k.state, k.failures) for k in desk.keeper().kept().values()] == [("open", 0)]
    desk.keeper().place([guard])
    limits = [a["limit"] for a in desk.events("alert") if a["code"] == "protection"]
    assert limits == ["gate:form"] * 2, "another stretch"


def test_the_quantity_is_that_of_the_moment(desk: Desk) -> None:
    guard = desk.guard()
    by_hand(desk.rig, "KO", "-3", "hand-2")
    desk.keeper().place([guard])
    assert desk.resting() == [("limit", "sell", D(7)), ("stop", "sell", D(7))]
    desk.keeper().place([])
    by_hand(desk.rig, "KO", "-7", "hand-3")
    desk.keeper().place([guard])
    assert (desk.resting(), len(desk.broker.posts)) == ([], 1)
    assert desk.events("alert") == [], "a position that has gone lacks nothing"


def test_the_kill_switch_leaves_a_position_bare_and_says_so_once(desk: Desk) -> None:
    KillSwitch(desk.folder, desk.journal).engage(desk.rig.account_id, desk.broker.now(), "enough")
    for _ in range(3):
        desk.keeper().place([desk.guard()])
    (kept,) = desk.keeper().kept().values()
    assert (kept.state, kept.because) == ("gone", "unprotected because the kill switch is set: enough")
    assert [a["level"] for a in desk.events("alert")] == ["warning"]
    KillSwitch(desk.folder, desk.journal).lift(desk.rig.account_id, desk.broker.now(), "go on")
    desk.keeper().place([desk.guard()])
    assert desk.resting() == PAIR
