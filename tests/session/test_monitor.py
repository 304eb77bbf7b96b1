"""The position monitor on a real exchange: positions are left at their stop or target, whatever keeps them."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from rebalancer.brokers.protocol import ExitPair, SendResult
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.facts import Quote
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Rules
from rebalancer.execution.exit_orders import ExitOrderManager
from rebalancer.execution.kill_switch import KillSwitch
from rebalancer.execution.order_manager import LiveOrderManager
from rebalancer.execution.pretrade import PreTradeCheck
from rebalancer.journal import Journal
from rebalancer.rebalance.immediate_exits import ExitRequest, ExitResult, exit_positions
from rebalancer.rebalance.world import World
from rebalancer.session.monitor import Monitor
from rebalancer.testing import laws
from tests.support.rig import Process, Rig, by_hand, held

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")
D = Decimal


class Moved:
    """The real broker, with the price of some symbols moved by a factor: the market has run while nobody looked."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner
        self.factor: dict[str, Decimal] = {}
        self.old: set[str] = set()
        self.silent = False
        self.lost_cancels = False
        self.empty = 0  # so many readings more find no position

    def positions(self) -> Any:
        if self.silent:
            self.silence()
        self.empty -= 1
        return () if self.empty >= 0 else self._inner.positions()

    def __getattr__(self, name: str) -> Any:
        if (self.silent and name == "orders") or (self.lost_cancels and name == "cancel"):
            return self.silence
        return getattr(self._inner, name)

    def silence(self, *_: object) -> Any:
        raise BrokerUnavailable("no answer")

    def quotes(self, symbols: Any) -> tuple[Quote, ...]:
        found = []
        for quote in self._inner.quotes(symbols):
            factor = self.factor.get(quote.symbol, D(1))
            at = quote.at.replace(year=2020) if quote.symbol in self.old else quote.at
            found.append(quote._replace(bid=quote.bid * factor, ask=quote.ask * factor, at=at))
        return tuple(found)


class Desk(NamedTuple):
    """An account that holds ten KO and five JPM, seen by a monitor."""

    rig: Rig
    process: Process
    broker: Moved
    folder: Path

    @property
    def journal(self) -> Journal:
        return self.process.journal

    def rules(self, **protection: Any) -> Rules:
        return Rules.model_validate({"protection": {"mode": "monitor", **protection}})

    def world(self, rules: Rules) -> World:
        world = self.process.world._replace(broker=self.broker)  # type: ignore[arg-type]  # it passes everything on
        kill = KillSwitch(self.folder, self.journal)
        broker: Any = self.broker
        keeper = ExitOrderManager(self.rig.account_id, broker, self.journal, kill, self.process.clock, rules)
        return world._replace(protection=keeper)

    def look(self, monitor: Monitor, rules: Rules, times: int = 1) -> list[ExitResult]:
        found: list[ExitResult] = []
        for _ in range(times):
            found += monitor.look(self.world(rules))
            self.process.clock.wait(30)
        return found

    def alerts(self) -> list[tuple[str, str, str | None]]:
        return [(e.body["level"], e.body["code"], e.key) for e in self.journal.events(kind="alert")]

    def exits(self) -> list[tuple[str | None, str, str]]:
        return [(e.key, e.body["kind"], e.body["qty"]) for e in self.journal.events(kind="protective_exit")]


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with Rig(tmp_path) as rig:
        process = rig.process()
        by_hand(rig, "KO", "10", "hand-1")
        by_hand(rig, "JPM", "5", "hand-2")
        yield Desk(rig, process, Moved(process.world.broker), tmp_path)


def test_calm_prices_leave_everything_alone(desk: Desk) -> None:
    rules = desk.rules()
    assert desk.look(Monitor(rules), rules, 3) == []
    assert held(desk.rig) == {"KO": D(10), "JPM": D(5)}
    assert desk.alerts() == []


@pytest.mark.parametrize(("poll", "told"), [(5, 2), (40, 0)])
def test_a_pause_between_two_looks_that_is_meant_is_not_told(desk: Desk, poll: float, told: int) -> None:
    """Seventy seconds without a look are a stretch where it should look every five, and none where every forty."""
    rules = desk.rules(poll_seconds=poll, max_unprotected_seconds=60)
    monitor = Monitor(rules)
    desk.look(monitor, rules)
    desk.process.clock.wait(40)
    desk.look(monitor, rules)
    assert desk.alerts() == [("warning", "unprotected", "JPM"), ("warning", "unprotected", "KO")][:told]


@pytest.mark.parametrize(("factor", "kind"), [("0.96", "stop"), ("1.06", "target")])
def test_a_reached_price_leaves_the_position_and_says_so(desk: Desk, factor: str, kind: str) -> None:
    rules = desk.rules()
    desk.broker.factor["KO"] = D(factor)
    (gone,) = desk.look(Monitor(rules), rules)
    assert (gone.symbol, gone.filled, gone.left, gone.problem) == ("KO", D(-10), D(0), "")
    assert held(desk.rig) == {"JPM": D(5)}
    assert desk.exits() == [("KO", kind, "10")]
    assert desk.alerts() == [("warning", "exit", "KO")]
    cycles = desk.journal.cycles(desk.rig.account_id)
    assert [(c.cycle_id[:5], c.outcome) for c in cycles] == [("exit-", "COMPLETED")]
    laws.check_laws(desk.rig.url, desk.rig.journal_file, books_match=False)


def test_mode_off_looks_at_nothing(desk: Desk) -> None:
    rules = desk.rules(mode="off")
    desk.broker.factor["KO"] = D("0.5")
    desk.broker.silent = True
    assert desk.look(Monitor(rules), rules) == []


def test_a_stale_price_trips_nothing_and_a_person_is_told_once(desk: Desk) -> None:
    rules = desk.rules(max_unprotected_seconds=60)
    desk.broker.factor["KO"], desk.broker.old = D("0.5"), {"KO"}
    monitor = Monitor(rules)
    assert desk.look(monitor, rules, 6) == []
    assert held(desk.rig) == {"KO": D(10), "JPM": D(5)}
    assert desk.alerts() == [("action", "unprotected", "KO")]
    desk.broker.old = set()
    assert [g.symbol for g in desk.look(monitor, rules)] == ["KO"]


def test_a_silent_broker_is_told_and_survived(desk: Desk) -> None:
    rules = desk.rules(max_unprotected_seconds=60)
    desk.broker.silent = True
    monitor = Monitor(rules)
    assert desk.look(monitor, rules, 5) == []
    assert desk.alerts() == [("action", "unprotected", "monitor")]


def test_the_kill_switch_stops_exits_too(desk: Desk) -> None:
    rules = desk.rules()
    KillSwitch(desk.folder, desk.journal).engage(desk.rig.account_id, desk.broker.now(), "enough")
    desk.broker.factor["KO"] = D("0.9")
    (gone,) = desk.look(Monitor(rules), rules)
    assert (gone.filled, gone.left) == (D(0), D(10))
    assert "kill switch" in gone.problem
    assert held(desk.rig) == {"KO": D(10), "JPM": D(5)}
    assert desk.alerts() == [("action", "exit_failed", "KO")]
    assert desk.journal.cycles(desk.rig.account_id) == ()


@pytest.mark.parametrize("stopped", ["kill", "signal"])
def test_exits_stay_where_the_order_in_their_place_could_not_leave(desk: Desk, stopped: str) -> None:
    rules = desk.rules(mode="broker")
    assert desk.look(Monitor(rules), rules, 2) == []
    resting = sorted((o.symbol, o.type) for o in desk.broker.orders(None))
    world = desk.world(rules)
    if stopped == "kill":
        KillSwitch(desk.folder, desk.journal).engage(desk.rig.account_id, desk.broker.now(), "enough")
    else:
        world = world._replace(is_stopping=lambda: True)
    (gone,) = exit_positions(world, rules, [ExitRequest("KO", "stop", stated("its stop was reached"))], "exit")
    assert (gone.filled, gone.left, gone.problem != "") == (D(0), D(10), True)
    assert sorted((o.symbol, o.type) for o in desk.broker.orders(None)) == resting


class StopsAfterRelease:
    """The exits of an account; a stop of the process is requested just after some of them have been withdrawn."""

    def __init__(self, inner: ExitOrderManager) -> None:
        self._inner = inner
        self.reason: str | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)

    def release(self, symbols: Collection[str]) -> Mapping[str, str]:
        refused = self._inner.release(symbols)
        self.reason = "the session is being stopped (SIGTERM)"
        return refused


def test_exits_are_placed_again_when_a_stop_arrives_after_they_were_withdrawn(desk: Desk) -> None:
    """The session ends with this check: no later one would place them."""
    rules = desk.rules(mode="broker")
    assert desk.look(Monitor(rules), rules, 2) == []
    resting = sorted((o.symbol, o.type, o.qty) for o in desk.broker.orders(None))
    world = desk.world(rules)
    assert isinstance(world.protection, ExitOrderManager)
    exits: Any = StopsAfterRelease(world.protection)
    real = desk.process.world.broker
    gate = PreTradeCheck(desk.rig.account_id, real, desk.journal, world.kill, rules, stopping=lambda: exits.reason)
    manager = LiveOrderManager(
        desk.rig.account_id, real, desk.journal, world.kill, world.clock, desk.rig.together, rules, gate
    )
    world = world._replace(protection=exits, order_manager=manager, is_stopping=lambda: exits.reason is not None)
    (gone,) = exit_positions(world, rules, [ExitRequest("KO", "stop", stated("its stop was reached"))], "exit")
    assert (gone.filled, gone.left) == (D(0), D(10))
    assert gone.problem == "gate:stopping: the session is being stopped (SIGTERM)"
    assert sorted((o.symbol, o.type, o.qty) for o in desk.broker.orders(None)) == resting


def test_broker_mode_keeps_pairs_and_the_monitor_watches_only_the_rest(desk: Desk) -> None:
    rules = desk.rules(mode="broker")
    by_hand(desk.rig, "BTC/USD", "0.01", "hand-3")
    monitor = Monitor(rules)
    assert desk.look(monitor, rules, 2) == []
    resting = sorted((o.symbol, o.type) for o in desk.broker.orders(None))
    assert resting == [("JPM", "limit"), ("JPM", "stop"), ("KO", "limit"), ("KO", "stop")]
    desk.broker.factor = {"KO": D("0.9"), "BTC/USD": D("0.9")}
    assert [g.symbol for g in desk.look(monitor, rules)] == ["BTC/USD"]  # the exchange itself watches KO
    assert held(desk.rig) == {"KO": D(10), "JPM": D(5)}


def test_a_price_beyond_the_limit_of_a_resting_stop_is_told(desk: Desk) -> None:
    rules = desk.rules(mode="broker", stop_type="stop_limit", max_unprotected_seconds=60)
    monitor = Monitor(rules)
    desk.look(monitor, rules, 3)
    assert desk.alerts() == []
    desk.broker.factor["KO"] = D("0.5")
    assert desk.look(monitor, rules, 5) == []
    assert desk.alerts() == [("action", "unprotected", "KO")]
    assert held(desk.rig) == {"KO": D(10), "JPM": D(5)}


def test_exits_stay_when_one_reading_finds_no_position(desk: Desk) -> None:
    rules = desk.rules(mode="broker", stop_loss=0.2, take_profit=0.3)
    monitor, pairs = Monitor(rules), [4]
    desk.look(monitor, rules, 2)
    for missed in (1, 0, 2):
        desk.broker.empty = missed
        for _ in range(max(missed, 1)):
            desk.look(monitor, rules)
            pairs.append(len(desk.process.world.broker.orders(None)))
    assert pairs == [4, 4, 4, 4, 0]


def test_a_pair_that_somebody_cancels_is_put_back(desk: Desk) -> None:
    rules = desk.rules(mode="broker")
    monitor = Monitor(rules)
    desk.look(monitor, rules)
    for order in desk.broker.orders(None):
        if order.symbol == "KO" and order.type == "limit":
            desk.broker.cancel(order.id)
    desk.rig.exchange.clock.advance(2)
    desk.look(monitor, rules)
    assert sorted(o.symbol for o in desk.broker.orders(None)) == ["JPM", "JPM", "KO", "KO"]


def silence_pairs(desk: Desk) -> None:
    """No answer to any further post of a pair, and none of them arrives."""

    def lost(pair: ExitPair, **_: Any) -> SendResult:
        return SendResult("unknown", None, "timeout", "")

    desk.broker.submit_pair = lost  # type: ignore[attr-defined]  # the instance's own goes first


def test_a_pair_in_doubt_is_watched_and_told_when_it_lasts(desk: Desk) -> None:
    rules = desk.rules(mode="broker", max_unprotected_seconds=60)
    silence_pairs(desk)
    monitor = Monitor(rules)
    assert desk.look(monitor, rules, 2) == []
    assert desk.alerts() == []
    assert desk.look(monitor, rules) == []
    assert desk.alerts() == [("action", "unprotected", "JPM"), ("action", "unprotected", "KO")]
    desk.broker.factor["KO"] = D("0.9")
    monitor.look(desk.world(rules))
    (gone,) = desk.look(monitor, rules)
    assert (gone.symbol, gone.left) == ("KO", D(10)), "nothing is sold while the broker may have the pair"
    assert desk.alerts()[2:] == [("action", "exit_failed", "KO")]
    assert [g.left for g in desk.look(monitor, rules, 3)][-1] == 0, "once the broker surely has none, it is left"
    assert [a for a in desk.alerts() if a[1] == "exit_failed"] == [("action", "exit_failed", "KO")], "told once"


def test_a_restart_does_not_begin_the_count_anew(desk: Desk) -> None:
    rules = desk.rules(max_unprotected_seconds=100)
    desk.broker.old = {"KO"}
    for _ in range(3):
        desk.look(Monitor(rules), rules, 2)
    assert desk.alerts() == [("action", "unprotected", "KO")]
    desk.look(Monitor(rules), rules, 8)
    assert desk.alerts() == [("action", "unprotected", "KO")], "a restart tells nobody twice"
    desk.broker.silent = True
    monitor = Monitor(rules)
    desk.look(monitor, rules)
    desk.broker.silent = False
    desk.look(monitor, rules, 2)
    desk.broker.old = set()
    desk.look(monitor, rules)
    states = [(e.key, e.body["state"]) for e in desk.journal.events(kind="unprotected")]
    assert states == [("KO", "begun"), ("KO", "told"), ("KO", "ended")]


def test_a_pair_that_was_asked_to_come_down_is_watched_and_told_of(desk: Desk) -> None:
    rules = desk.rules(mode="broker", max_unprotected_seconds=60)
    monitor = Monitor(rules)
    desk.look(monitor, rules)
    desk.broker.lost_cancels = True  # no answer to a cancel: it may have arrived
    desk.world(rules).protection.release({"KO"})
    assert desk.look(monitor, rules, 2) == []
    assert desk.alerts() == []
    desk.broker.factor["KO"] = D("0.9")
    (gone,) = desk.look(monitor, rules)
    assert (gone.symbol, gone.left) == ("KO", D(10)), "its price is watched, but its shares may be held"
    assert desk.alerts() == [("action", "exit_failed", "KO"), ("action", "unprotected", "KO")]
    desk.broker.factor.clear()
    desk.broker.lost_cancels = False
    desk.look(monitor, rules)
    assert [kept.stands for kept in desk.world(rules).protection.kept().values()] == [True, True]


def test_a_time_in_which_nobody_looked_is_told_when_it_was_too_long(desk: Desk) -> None:
    rules = desk.rules(max_unprotected_seconds=60)
    monitor = Monitor(rules)
    desk.look(monitor, rules)
    desk.process.clock.wait(60)  # a cycle, say
    desk.look(monitor, rules)
    assert desk.alerts() == [("warning", "unprotected", "JPM"), ("warning", "unprotected", "KO")]
    desk.look(monitor, rules)
    states = [e.body["state"] for e in desk.journal.events(kind="unprotected")]
    assert states == ["told", "told", "ended", "ended"]
    desk.process.clock.wait(24 * 3600)
    desk.look(monitor, rules)
    assert len(desk.alerts()) == 2, "nobody looks at night"


def test_an_exit_that_fails_after_a_time_in_which_nobody_looked_is_told_as_unprotected(desk: Desk) -> None:
    rules = desk.rules(max_unprotected_seconds=60)
    monitor = Monitor(rules)
    desk.look(monitor, rules)
    KillSwitch(desk.folder, desk.journal).engage(desk.rig.account_id, desk.broker.now(), "enough")
    desk.process.clock.wait(60)
    desk.broker.factor["KO"] = D("0.9")
    desk.look(monitor, rules)
    told = [(level, key) for level, code, key in desk.alerts() if code == "unprotected"]
    assert told == [("warning", "JPM"), ("action", "KO")]


def test_exits_that_rest_need_no_looks(desk: Desk) -> None:
    rules = desk.rules(mode="broker", max_unprotected_seconds=60)
    monitor = Monitor(rules)
    desk.look(monitor, rules)
    desk.process.clock.wait(300)
    desk.look(monitor, rules)
    assert desk.alerts() == []
    by_hand(desk.rig, "KO", "0.5", "hand-3")
    desk.process.clock.wait(60)
    desk.look(monitor, rules)
    assert desk.alerts() == [("warning", "unprotected", "KO")], "half a share that came at some time since"


def test_the_silence_after_a_cycle_counts_from_the_last_look(desk: Desk) -> None:
    rules = desk.rules(max_unprotected_seconds=100)
    monitor = Monitor(rules)
    desk.look(monitor, rules)
    desk.process.clock.wait(40)  # a cycle
    desk.broker.silent = True
    desk.look(monitor, rules)
    assert desk.alerts() == []
    desk.look(monitor, rules)
    assert desk.alerts() == [("action", "unprotected", "monitor")]


def test_a_broker_that_has_never_answered_is_told_too(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    rules = desk.rules(max_unprotected_seconds=60)
    desk.broker.silent = True
    monkeypatch.setattr(desk.broker, "now", desk.broker.silence, raising=False)
    clock, began = desk.process.clock, desk.process.clock.wall()
    monkeypatch.setattr(clock, "wall", lambda: began + timedelta(seconds=sum(clock.waits)))
    monitor = Monitor(rules)
    assert desk.look(monitor, rules, 4) == []
    assert desk.alerts() == [("action", "unprotected", "monitor")]


def test_a_look_asks_for_no_order_that_has_ended(desk: Desk) -> None:
    rules = desk.rules(mode="broker")
    monitor = Monitor(rules)
    desk.look(monitor, rules)
    desk.world(rules).protection.release({"KO", "JPM"})
    desk.look(monitor, rules)
    calls = desk.process.broker.calls
    calls.clear()
    desk.look(monitor, rules)
    assert calls.count("order") == 0, calls


def test_a_flatten_takes_the_pairs_down_and_leaves_everything(desk: Desk) -> None:
    rules = desk.rules(mode="broker")
    desk.look(Monitor(rules), rules)
    exits = [ExitRequest(symbol, "flatten", stated("asked for")) for symbol in ("JPM", "KO", "XOM")]
    answers = exit_positions(desk.world(rules), rules, exits, "kill")
    assert [(a.symbol, a.filled, a.left, a.problem) for a in answers] == [
        ("JPM", D(-5), D(0), ""),
        ("KO", D(-10), D(0), ""),
        ("XOM", D(0), D(0), ""),
    ]
    assert held(desk.rig) == {}
    assert desk.broker.orders(None) == ()
