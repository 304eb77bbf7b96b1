"""A day traded on the exchange: planned again, filled by the model, with costs learned and shadow books beside it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rebalancer.cli.arm_live import practice_days
from rebalancer.core.documents import BadDocument
from rebalancer.core.facts import TradingCosts
from rebalancer.core.new_york import day_in_new_york
from rebalancer.core.planning_keys import planning_hash
from rebalancer.core.rules import Rules
from rebalancer.core.values import ZERO
from rebalancer.journal import Journal
from rebalancer.performance.records import AccountHistory, OrderHistory
from rebalancer.report import archive
from rebalancer.report.period.parts.parity import row_of
from rebalancer.report.what_if import what_if
from rebalancer.report.words import parity_text
from rebalancer.research.learned_costs import FilledOrder, filled_orders, learned_costs, trading_costs
from rebalancer.research.market import NO_COSTS, CostModel
from rebalancer.research.model_fills import decision_prices
from rebalancer.research.parity import Divergence, StoredCycle, divergence, parity_of, parity_sentence, stored_cycles
from rebalancer.research.shadow_books import read_book, shadow_of
from rebalancer.session import evening, work
from rebalancer.session.evening import measured_day
from tests.research.test_recorded_cycles import NAMES, OPEN, RULES
from tests.support.rig import Rig, rules

CYCLES = 8
DAY = date(2026, 11, 20)


@pytest.fixture(scope="module")
def kept(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Journal, Path]]:
    """The journal of some cycles with scores that wander."""
    draw = np.random.default_rng(3)
    path = np.sin(np.cumsum(draw.normal(0, 0.25, (CYCLES, len(NAMES))), axis=0))
    with Rig(tmp_path_factory.mktemp("day"), start=OPEN) as rig:
        life = rig.process(rules=RULES)
        for bar in range(CYCLES):
            said = {name: round(float(score), 3) for name, score in zip(NAMES, path[bar], strict=True)}
            rig.cycle(life, said, RULES)
            left = OPEN + timedelta(minutes=5 * bar + 5) - life.broker.real.clock().now
            rig.exchange.clock.advance(left.total_seconds())
        rig.end()
        with Journal.open(rig.journal_file) as opened:
            yield opened, rig.journal_file


@pytest.fixture(scope="module")
def journal(kept: tuple[Journal, Path]) -> Journal:
    return kept[0]


@pytest.fixture(scope="module")
def account(journal: Journal) -> str:
    return journal.cycles(None, 1)[0].account_id


@pytest.fixture(scope="module")
def cycles(journal: Journal, account: str) -> tuple[StoredCycle, ...]:
    return stored_cycles(journal, account, None, CostModel())


def test_every_plan_is_equal_and_the_parts_are_all_there_is(
    journal: Journal, account: str, cycles: tuple[StoredCycle, ...]
) -> None:
    found = parity_of(journal, account, cycles)
    assert (found.cycles, found.plans_equal, found.unequal, found.days[0].day) == (CYCLES, CYCLES, (), DAY)
    assert sum(len(cycle.model) for cycle in cycles) > 20
    total = ZERO  # the law: what the fills earned until the next cycle, live less model
    for cycle, after in zip(cycles, [*cycles[1:], cycles[-1]], strict=True):
        ends = {**decision_prices(cycle.snapshot, cycle.rules), **decision_prices(after.snapshot, after.rules)}
        for order in cycle.orders:
            shares = order.filled_qty if order.side == "buy" else -order.filled_qty
            total += shares * (ends[order.symbol] - (order.filled_avg_price or ZERO))
        total -= sum((fill.qty * (ends[fill.symbol] - fill.price) for fill in cycle.model.values()), ZERO)
    parts = found.days[0].divergence
    assert parts.fills + parts.prices == total
    assert list(found.document()) == ["schema", "cycles", "plans_equal", "divergence_bp", "days", "unequal"]
    assert parity_sentence(found).startswith(f"{CYCLES} of {CYCLES} plans equal; live less model: fills ")


def test_fills_as_the_model_s_diverge_in_nothing(cycles: tuple[StoredCycle, ...]) -> None:
    one, after = cycles[0], cycles[1]
    same = tuple(
        order._replace(filled_qty=abs(fill.qty), filled_avg_price=fill.price)
        for order in one.orders
        if (fill := one.model.get(order.client_order_id)) is not None
    )
    assert divergence(one._replace(orders=same), after) == Divergence()
    dearer = tuple(
        order._replace(filled_avg_price=(order.filled_avg_price or ZERO) + (1 if order.side == "buy" else -1))
        for order in same
    )
    shares = sum((order.filled_qty for order in dearer), ZERO)
    assert divergence(one._replace(orders=dearer), after) == Divergence(prices=-shares)
    none = tuple(order._replace(filled_qty=ZERO, filled_avg_price=None) for order in same)
    missed = divergence(one._replace(orders=none), after)
    ends = decision_prices(after.snapshot, after.rules)
    assert missed.prices == ZERO
    assert missed.fills == -sum((f.qty * (ends[f.symbol] - f.price) for f in one.model.values()), ZERO)


def test_a_plan_that_comes_out_otherwise_is_named(
    journal: Journal, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = archive.plan
    monkeypatch.setattr(archive, "plan", lambda snapshot, rules: real(snapshot, rules)._replace(capital=Decimal(1)))
    found = parity_of(journal, account, stored_cycles(journal, account, DAY, CostModel()))
    assert (found.cycles, found.plans_equal, len(found.unequal)) == (CYCLES, 0, CYCLES)


def test_days_without_cycles(journal: Journal, account: str) -> None:
    with pytest.raises(BadDocument, match="no planned cycle"):
        stored_cycles(journal, account, date(2027, 1, 4), CostModel())


@pytest.mark.parametrize(("half_spread", "impact", "delay"), [(4.0, 0.6, 1.5), (0.5, 2.0, 0.0)])
def test_known_costs_are_recovered(half_spread: float, impact: float, delay: float) -> None:
    draw = np.random.default_rng(8)
    loads = draw.uniform(0.5, 12, 3000)
    noise, waits = draw.normal(0, 3, (2, 3000))
    orders = [
        FilledOrder(half_spread + impact * load + error, delay + wait, load, 1000.0)
        for load, error, wait in zip(loads.tolist(), noise.tolist(), waits.tolist(), strict=True)
    ]
    found = learned_costs(orders)
    for known, estimate in ((half_spread, found.half_spread), (impact, found.impact), (delay, found.delay)):
        assert abs(estimate.value - known) <= estimate.plus_minus < 0.5
    truth = half_spread + delay + impact * float(loads.mean())
    assert abs(found.live.value - truth) <= found.live.plus_minus
    assert found.model == pytest.approx(2 + float(loads.mean()))
    assert (
        found.sentence
        == f"model {found.model:.1f} bp, live {found.live.value:.1f} ± {found.live.plus_minus:.1f} bp over 3,000 orders"
    )
    learned = found.cost_model(CostModel())
    assert learned.half_spread_bps == pytest.approx(half_spread + delay, abs=0.6)


@given(st.integers(0, 400), st.floats(0, 30))
@settings(max_examples=40)
def test_few_orders_say_little(count: int, paid: float) -> None:
    found = learned_costs([FilledOrder(paid, 0.0, None, 1.0)] * count)
    expected = (20 * 2.0 + count * paid) / (20 + count)
    assert found.half_spread.value == pytest.approx(expected)
    assert (found.impact.value, found.with_volume) == (pytest.approx(1.0), 0)
    assert found.half_spread.plus_minus > 0


def test_planning_is_told_the_whole_cost_of_every_name_shrunk_to_all() -> None:
    paid = {"AAPL": (5.0, 1.0, 60), "KO": (1.0, None, 30), "NEW": (90.0, 10.0, 1)}
    orders = [
        FilledOrder(execution, delay, None, 1.0, symbol)
        for symbol, (execution, delay, count) in paid.items()
        for _ in range(count)
    ]
    usual = (20 * 2.0 + 60 * 6.0 + 30 * 1.0 + 100.0) / (20 + 91)
    assert trading_costs(orders, DAY) == TradingCosts(
        DAY, 91, round(usual, 4),
        {
            "AAPL": round((20 * usual + 60 * 6.0) / 80, 4), "KO": round((20 * usual + 30 * 1.0) / 50, 4),
            "NEW": round((20 * usual + 100.0) / 21, 4),
        },
    )  # fmt: skip
    assert trading_costs((), DAY) is None


@pytest.mark.parametrize("sign", [1, -1])
def test_one_order_at_a_wrong_quote_is_no_cost_of_all(sign: int) -> None:
    """A split between quote and fill, say. Taken as it is, it would stop most trading for 90 days."""
    wrong = FilledOrder(sign * 9_000.0, sign * 1_000.0, None, 1.0, "AAPL")
    usual = (20 * 2.0 + sign * 500.0) / 21
    assert trading_costs([wrong], DAY) == TradingCosts(
        DAY, 1, round(usual, 4), {"AAPL": round((20 * usual + sign * 500.0) / 21, 4)}
    )


def test_what_an_order_cost() -> None:
    one = OrderHistory(
        "b", "c", "2026", "AAPL", "sell", Decimal(100), Decimal(100), Decimal("99.90"), Decimal(100), Decimal("99.98"),
        Decimal("100.06"), datetime(2026, 11, 20, tzinfo=UTC), None,
    )  # fmt: skip
    (found,) = filled_orders(
        [one, one._replace(filled_qty=ZERO), one._replace(bid=None)], {"AAPL": 0.02}, {"AAPL": 1e6}
    )
    assert (found.delay, found.execution) == (pytest.approx(-2.0), pytest.approx(11.9976, abs=1e-3))
    assert found.load == pytest.approx(200 * 0.01)


def test_a_shadow_of_the_same_rules_trades_as_live_but_for_the_fills(
    cycles: tuple[StoredCycle, ...], tmp_path: Path
) -> None:
    book = shadow_of("same", RULES, cycles, AccountHistory(), NO_COSTS, tmp_path)
    assert book.cycles == CYCLES
    assert book.total_return == pytest.approx(book.live_return, abs=1e-3)
    first = {fill.symbol: fill.qty for fill in cycles[0].model.values()}
    alone = shadow_of("first", RULES, cycles[:1], AccountHistory(), NO_COSTS, tmp_path)
    held = {position.symbol: position.qty for position in cycles[0].snapshot.positions}
    changed = {symbol: alone.positions.get(symbol, ZERO) - held.get(symbol, ZERO) for symbol in first}
    assert changed == first


def test_shadow_books_go_on_where_they_were(cycles: tuple[StoredCycle, ...], tmp_path: Path) -> None:
    half = rules(
        protection__mode="off", execution__max_orders_per_execution=6, position_sizing__base_position_size=0.1,
        risk_management__max_orders_per_day=150, position_sizing__allow_short=True,
    )  # fmt: skip
    whole = shadow_of("whole", half, cycles, AccountHistory(), CostModel(), tmp_path)
    shadow_of("parts", half, cycles[:3], AccountHistory(), CostModel(), tmp_path)
    again = shadow_of("parts", half, cycles, AccountHistory(), CostModel(), tmp_path)
    assert again._replace(name="whole") == whole
    assert read_book(tmp_path / "shadow" / "parts.json") == again
    assert shadow_of("parts", half, cycles, AccountHistory(), CostModel(), tmp_path) == again
    other = shadow_of("parts", RULES, cycles, AccountHistory(), CostModel(), tmp_path)
    assert (other.config == again.config, other.cycles) == (False, CYCLES)
    (tmp_path / "shadow" / "parts.json").write_text("{")
    assert shadow_of("parts", half, cycles, AccountHistory(), CostModel(), tmp_path) == again
    assert list(again.row()) == ["name", "since", "cycles", "orders", "equity", "return", "live_return", "days"]


def test_days_of_a_journal_are_behind_its_configuration(
    kept: tuple[Journal, Path], cycles: tuple[StoredCycle, ...]
) -> None:
    place = kept[1]
    config, unread = planning_hash(cycles[0].rules), list[str]()
    assert practice_days(place, config, unread) == 1
    assert practice_days(place, "another", unread) == 0
    assert practice_days(place.with_name("none.sqlite"), config, unread) == 0
    assert unread == []


def test_what_other_rules_would_have_decided(journal: Journal, cycles: tuple[StoredCycle, ...]) -> None:
    records = [cycle.record for cycle in cycles]
    assert [one.differs for one in what_if(journal, records, RULES)] == [False] * CYCLES
    small = rules(
        protection__mode="off", execution__max_orders_per_execution=6, position_sizing__base_position_size=0.2,
        risk_management__max_orders_per_day=150, position_sizing__allow_short=True,
        position_sizing__max_position_size=0.02,
    )  # fmt: skip
    found = what_if(journal, records, small)
    assert any(one.differs for one in found)
    rows = found[0].rows
    assert all(abs(row.then.weight) <= 0.02 + 1e-9 for row in rows)
    assert all(row.was[:3] != row.then[:3] for row in rows)


BODY: dict[str, Any] = {
    "schema": "rebalancer.parity/1", "cycles": 78, "plans_equal": 78,
    "divergence_bp": {"fills": 0.1, "prices": -0.8, "cash": 0.0}, "unequal": [], "shadow_problems": [],
    "costs": {"sentence": "model 3.1 bp, live 3.8 ± 0.9 bp over 120 orders"},
    "trading_costs": {"as_of": "2026-11-20", "orders": 120, "usual": 3.8, "by_symbol": {"AAPL": 3.1}},
    "shadow_books": [{"name": "calm", "since": "2026-11-02", "orders": 12, "return": 0.01, "live_return": 0.02}],
}  # fmt: skip


def test_without_an_order_no_figure_is_called_live() -> None:
    assert learned_costs(()).sentence == "model 2.0 bp, no order to compare with"


def test_the_line_of_the_page_and_of_status() -> None:
    row = row_of(DAY, BODY)
    assert (row.plans_equal, row.prices, row.books[0].name, row.costs) == (78, -0.8, "calm", BODY["costs"]["sentence"])
    assert parity_text("2026-11-20", BODY) == (
        "2026-11-20: 78 of 78 plans equal, live less model in bp: fills +0.1, prices -0.8, cash +0.0; "
        "calm -1.00% beside live"
    )
    assert parity_text("2026-11-20", {}) == ""


def test_only_a_day_with_a_planned_cycle_is_measured(
    journal: Journal, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    newest = max(event.at for event in journal.events(kind="cycle_planned"))
    day, asked = day_in_new_york(newest), list[date]()
    monkeypatch.setattr(work, "measured_day", lambda _, measured, **__: asked.append(measured))
    session: Any = work.SessionWork.__new__(work.SessionWork)
    session._journal, session._setup, session._goes_on = journal, None, lambda: True
    for session._account_id in (journal.cycles()[0].account_id, "nobody"):
        for one in (day, day + timedelta(days=1)):
            session._measure(one)
    assert asked == [day]


@pytest.mark.parametrize("what", ["answers", "bad costs", "other words", "no schema", "killed", "hangs", "not there"])
def test_whatever_the_process_does_the_evening_goes_on(
    what: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    script = tmp_path / "python"
    acts = {
        "answers": f"cat <<'E'\n{json.dumps(BODY)}\nE",
        "bad costs": f"cat <<'E'\n{json.dumps(BODY | {'trading_costs': {'usual': 'dear'}})}\nE",
        "other words": "echo no",
        "no schema": "echo '{}'",
        "killed": "kill -9 $$",
        "hangs": "sleep 60",
        "not there": "",
    }
    script.write_text(f"#!/bin/sh\n{acts[what]}\n")
    script.chmod(0o755)
    monkeypatch.setattr(evening.sys, "executable", str(tmp_path / "none" if what == "not there" else script))
    setup: Any = SimpleNamespace(files=(), profile="", rules=Rules(), state=tmp_path)
    found = measured_day(setup, DAY, 0.5 if what == "hangs" else 60.0)
    if what == "answers":
        assert found == {name: value for name, value in BODY.items() if name != "schema"}
    else:
        assert found is None
        assert "parity of 2026-11-20 was not measured" in caplog.text


@pytest.mark.parametrize("stops", [False, True])
def test_a_long_measurement_ticks_and_ends_with_the_session(
    stops: bool, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    """The watchdog waits 180 seconds, the measurement may take 300."""
    script, ticks = tmp_path / "python", list[int]()
    script.write_text(
        f"#!/bin/sh\nwhile [ ! -e {tmp_path}/go ]; do sleep 0.05; done\ncat <<'E'\n{json.dumps(BODY)}\nE\n"
    )
    script.chmod(0o755)
    monkeypatch.setattr(evening.sys, "executable", str(script))
    monkeypatch.setattr(evening, "TICK_SECONDS", 0.05)

    def goes_on() -> bool:
        ticks.append(1)
        if len(ticks) == 3 and not stops:
            (tmp_path / "go").touch()
        return not (stops and len(ticks) == 3)

    setup: Any = SimpleNamespace(files=(), profile="", rules=Rules(), state=tmp_path)
    found = measured_day(setup, DAY, goes_on=goes_on)
    assert (found is None, len(ticks) >= 3) == (stops, True)
    assert ("the session is being stopped" in caplog.text) is stops
