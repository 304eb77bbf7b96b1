"""A day traded live on the exchange, and the backtest of its journal: the same plans, at every cycle."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import MappingProxyType

import numpy as np
import pytest

from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import Signal
from rebalancer.core.reasons import stated
from rebalancer.core.rules import Rules
from rebalancer.core.values import decimal_near
from rebalancer.journal import Journal
from rebalancer.rebalance.immediate_exits import ExitRequest, exit_positions
from rebalancer.research.audit import audited
from rebalancer.research.exposure import exposure_of
from rebalancer.research.recorded_cycles import LiveAgreement, LiveRecord, agreement, live_record, setup_of_record
from rebalancer.research.simulate import simulated
from tests.support.rig import Rig, rules

OPEN = datetime(2026, 11, 20, 14, 30, tzinfo=UTC)
NAMES = ("AAPL", "MSFT", "NVDA", "JPM", "XOM", "KO", "JNJ", "CAT")
RULES = rules(
    protection__mode="off", execution__max_orders_per_execution=6, position_sizing__base_position_size=0.2,
    risk_management__max_orders_per_day=150, position_sizing__allow_short=True,
)  # fmt: skip


Exits = Mapping[int, Mapping[str, str]]


def day(folder: Path, by: Rules, cycles: int, targets: bool = False, exits: Exits = MappingProxyType({})) -> LiveRecord:
    """Cycles from the open on, five minutes apart, with scores or weights that wander. exits: after some of the cycles
    positions are closed, by symbol what for."""
    draw = np.random.default_rng(3)
    path = np.sin(np.cumsum(draw.normal(0, 0.25, (cycles, len(NAMES))), axis=0))
    with Rig(folder, start=OPEN) as rig:
        life = rig.process(rules=by)
        for bar in range(cycles):
            now = OPEN + timedelta(minutes=5 * bar)
            before = now - timedelta(seconds=1)
            said = {name: round(float(score), 3) for name, score in zip(NAMES, path[bar], strict=True)}
            signals: object = said
            if targets:
                signals = [
                    Signal.of_target(f"t{bar}-{name}", name, decimal_near(round(score / 8, 4)), "book", before)
                    for name, score in said.items()
                ]
            rig.cycle(life, signals, by)  # type: ignore[arg-type]  # either form
            if bar in exits:
                rig.exchange.clock.advance(40)
                wanted = [ExitRequest(symbol, kind, stated("a test")) for symbol, kind in exits[bar].items()]  # type: ignore[arg-type]
                gone = exit_positions(life.world, by, wanted, "exit")
                assert all(one.filled and not one.left for one in gone), gone
            left = now + timedelta(minutes=5) - life.broker.real.clock().now
            rig.exchange.clock.advance(left.total_seconds())
        rig.end()
        with Journal.open(rig.journal_file) as journal:
            return live_record(journal)


@pytest.mark.parametrize(("cycles", "targets"), [(78, False), (12, True)])
def test_every_plan_of_a_live_day_is_the_backtest_s(cycles: int, targets: bool, tmp_path: Path) -> None:
    record = day(tmp_path, RULES, cycles, targets)
    setup, _, said = setup_of_record(record)
    run = simulated(setup, interpreted=True)
    found = agreement(run, record)
    outcomes = Counter(str(cycle.plan.outcome) for cycle in record.cycles)
    orders = sum(len(cycle.plan.orders) for cycle in record.cycles)
    print(f"{found.equal} of {found.cycles} plans equal, {orders} orders, {dict(outcomes)}")
    assert (found.cycles, found.unequal) == (cycles, ())
    assert orders > cycles
    assert audited(run).differences == 0
    assert said.format == ("recorded targets" if targets else "recorded scores")
    last = record.cycles[-1].snapshot
    assert run.account(cycles - 1).shares == {p.symbol: p.qty for p in last.positions}
    assert float(run.account(cycles - 1).cash) == pytest.approx(float(last.account.cash), abs=0.01 * orders)


def test_a_day_that_begins_with_positions(tmp_path: Path) -> None:
    """The first cycles are left out, so that the first one left holds what they bought. Their orders count in no
    budget, so that budgets are wide here."""
    risk = {"max_orders_per_day": 5000, "max_orders_per_symbol_per_day": 1000}
    record = day(
        tmp_path, RULES.model_copy(update={"risk_management": RULES.risk_management.model_copy(update=risk)}), 12
    )
    later = record._replace(cycles=record.cycles[4:])
    assert later.cycles[0].snapshot.positions
    run = simulated(setup_of_record(later)[0], interpreted=True)
    assert agreement(run, later).unequal == ()
    assert audited(run).differences == 0
    last = later.cycles[-1].snapshot
    assert run.account(7).shares == {p.symbol: p.qty for p in last.positions}
    profit = exposure_of(run.fills(), run.setup.market.close, run.events()).profit
    assert profit.sum() == pytest.approx(run.result.equity[-1] - run.result.equity[0], abs=20)


WATCHED = RULES.model_copy(update={"protection": rules(protection__mode="monitor", protection__cool_off=20).protection})


def test_a_day_with_exits_between_its_cycles(tmp_path: Path) -> None:
    """A stop, a target and a kill, two at a time among them: positions, budgets and cool-off follow as they did live.
    Without them the backtest is another one."""
    exits = {4: {"AAPL": "stop", "MSFT": "target"}, 7: {"NVDA": "flatten"}, 11: {"KO": "stop"}}
    record = day(tmp_path, WATCHED, 24, exits=exits)
    assert [(one.symbol, one.kind) for one in record.exits] == [
        ("AAPL", "stop"), ("MSFT", "target"), ("NVDA", "flatten"), ("KO", "stop"),
    ]  # fmt: skip
    run = simulated(setup_of_record(record)[0], interpreted=True)
    assert agreement(run, record) == LiveAgreement(24, 24, ())
    assert audited(run).differences == 0
    last = record.cycles[-1].snapshot
    assert run.account(23).shares == {p.symbol: p.qty for p in last.positions}
    assert float(run.account(23).cash) == pytest.approx(float(last.account.cash), abs=2)
    assert run.account(23).stop_exits == last.stop_exits
    assert run.result.exits == {"stop": 2, "target": 1, "kill": 1, "both_reached": 0, "orders_dropped": 0}
    assert 5 in agreement(simulated(setup_of_record(record._replace(exits=()))[0], interpreted=True), record).unequal


def test_a_plan_that_was_another_one_is_found(tmp_path: Path) -> None:
    record = day(tmp_path, RULES, 3)
    cycle = record.cycles[1]
    changed = cycle._replace(plan=cycle.plan._replace(orders=cycle.plan.orders[:-1]))
    run = simulated(setup_of_record(record)[0], interpreted=True)
    found = agreement(run, record._replace(cycles=(record.cycles[0], changed, record.cycles[2])))
    assert (found.cycles, found.equal, found.unequal) == (3, 2, (1,))


def test_what_cannot_be_run_again(tmp_path: Path) -> None:
    with Rig(tmp_path, start=OPEN) as rig:
        rig.run({"AAPL": 0.5}, RULES)
        rig.run({"AAPL": 0.5}, rules(protection__mode="off", execution__signal_threshold=0.2))
        rig.end()
        with Journal.open(rig.journal_file) as journal:
            with pytest.raises(BadDocument, match="the rules changed at 2026-11-20T14:35"):
                live_record(journal)
            with pytest.raises(BadDocument, match="holds no planned cycle of these days"):
                live_record(journal, first=(OPEN + timedelta(days=1)).date())
