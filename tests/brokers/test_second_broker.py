"""Another broker is one folder and one line: a broker in memory runs whole cycles, from configuration to record."""

from __future__ import annotations

import ast
import json
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.brokers import factory
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.brokers.factory import Connection
from rebalancer.core.codec import snapshot_text, stored_snapshot
from rebalancer.core.outcomes import CycleOutcome, Outcome
from rebalancer.core.venue_rules import ALPACA
from rebalancer.journal import Journal
from rebalancer.planning import plan
from rebalancer.report.records import RunRecord
from rebalancer.session.execute import execute
from rebalancer.session.setup import Setup
from rebalancer.settings.load import load_rules
from rebalancer.testing.memory_broker import START, VENUE, MemoryBroker, MemoryClock

D, ZERO = Decimal, Decimal(0)
ROOT = Path(__file__).parents[2]
PRICES = {"A": D(100), "B": D(40), "C": D(20), "D": D(10), "E": D("0.50")}
RULES = """
execution: {order_type: limit, limit_offset_bps: 12}
position_sizing: {base_position_size: 0.05, max_trade_size: 15000}
risk_management: {max_sector_exposure: 1.0, max_correlation_exposure: 1.0, max_position_risk: 1.0, max_trade_heat: 1.0}
signals: {path: opinions, sample: never}
broker: {kind: embedded, max_concurrent_calls: 1}
"""


@pytest.fixture
def broker(monkeypatch: pytest.MonkeyPatch) -> MemoryBroker:
    """The broker, and its one line."""
    made = MemoryBroker(PRICES)
    monkeypatch.setitem(factory.ADAPTERS, "embedded", lambda connection, rules, monotonic: made)
    return made


def cycle(folder: Path, broker: MemoryBroker, scores: dict[str, float]) -> RunRecord:
    for name in ("opinions", "config", "state"):
        (folder / name).mkdir(exist_ok=True)
    rows = "".join(f"{s},sector {s},test,2026-11-01\n" for s in PRICES)
    (folder / "config" / "sectors.csv").write_text(f"symbol,sector,source,as_of\n{rows}")
    issued = broker.now().isoformat()
    signals = [{"symbol": s, "score": x, "confidence": 1.0, "issued_at": issued} for s, x in scores.items()]
    (folder / "opinions" / "all.json").write_text(json.dumps(signals))
    config = folder / "execution.yaml"
    config.write_text(RULES)
    setup = Setup(folder, load_rules([config], {}), "simulated", folder / "state", {})
    connection = Connection(Credentials("key", "secret"), Endpoints("http://127.0.0.1:9"))
    record = execute(setup, connection, dry_run=False, clock=MemoryClock(broker))
    broker.advance(300)
    return record


def ends(record: RunRecord) -> dict[str, Outcome]:
    return {v.symbol: v.outcome for v in record.verdicts}


def test_whole_cycles_on_another_broker(tmp_path: Path, broker: MemoryBroker) -> None:
    first = cycle(tmp_path, broker, {"A": 1.0, "B": 1.0, "E": 1.0})
    assert (first.outcome, first.because) == (CycleOutcome.COMPLETED, "3 of 3 orders filled")
    before = {p.symbol: p.qty for p in broker.positions()}
    broker.refuse, broker.part = {"C"}, {"D": D(30)}
    broker.calls.clear()
    second = cycle(tmp_path, broker, {"A": 0.5, "B": 0.0, "C": 1.0, "D": 1.0, "E": 1.0})
    assert ends(second) == {
        "A": Outcome.FILLED, "B": Outcome.FILLED, "C": Outcome.REFUSED_BY_BROKER, "D": Outcome.PARTLY_FILLED,
        "E": Outcome.HELD_WITHIN_BAND,
    }  # fmt: skip
    assert second.because == "2 of 4 orders filled"
    held = {p.symbol: p.qty for p in broker.positions()}
    assert held == {"A": held["A"], "D": D(30), "E": before["E"]}
    assert ZERO < held["A"] < before["A"]
    posts = [call for call in broker.calls if call.startswith("submit") or call == "account"]
    assert sorted(posts[1:3]) == ["submit A", "submit B"], "first the reductions"
    assert posts[3] == "account", "then the account is read again"
    assert sorted(posts[4:6]) == ["submit C", "submit D"]
    assert broker.calls.count("cancel") == 1
    third = cycle(tmp_path, broker, {"A": 0.5, "D": 0.0, "E": 1.0})
    assert ends(third) == {"A": Outcome.HELD_WITHIN_BAND, "D": Outcome.FILLED, "E": Outcome.HELD_WITHIN_BAND}
    assert not [line for line in third.reconciled if line.kind == "unexplained"]


def test_the_rules_of_its_venue_reach_planning_and_the_journal(tmp_path: Path, broker: MemoryBroker) -> None:
    record = cycle(tmp_path, broker, {"A": 1.0, "E": 1.0})
    orders = {o.symbol: o for o in record.plan.orders}
    assert orders["A"].limit_price == D("100.10"), "100.01 and 12 basis points, in steps of five cents, passive"
    assert orders["E"].limit_price == D("0.51")
    assert orders["A"].reserve == D("100.01") * D("1.10") * orders["A"].qty
    with Journal.open(tmp_path / "state" / "journal.sqlite") as journal:
        text = journal.snapshot_text(record.plan.cycle_id) or ""
    stored = stored_snapshot(text)
    assert stored.venue == VENUE
    assert snapshot_text(stored) == text
    rules = load_rules([tmp_path / "execution.yaml"], {}).rules
    assert plan(stored, rules)._replace(snapshot_sha256="", rules_sha256="") == record.plan._replace(
        snapshot_sha256="", rules_sha256=""
    )


def test_a_snapshot_that_names_no_venue_has_the_rules_of_alpaca(tmp_path: Path, broker: MemoryBroker) -> None:
    seen = cycle(tmp_path, broker, {"A": 1.0}).snapshot
    assert json.loads(snapshot_text(seen))["venue"]["name"] == "memory"
    silent = snapshot_text(seen._replace(venue=ALPACA))
    assert "venue" not in json.loads(silent)
    assert stored_snapshot(silent).venue == ALPACA


def test_the_clock_and_calendar_of_the_broker_in_memory(broker: MemoryBroker) -> None:
    assert broker.clock().session.is_open
    assert [hours.day for hours in broker.calendar(START.date(), START.date())] == [START.date()]


def test_adapters_are_known_to_the_factory_alone() -> None:
    """No file but the factory imports an adapter, no file decides by the spelling of a symbol."""
    importing, spelling = set(), set()
    for path in (ROOT / "rebalancer").rglob("*.py"):
        name = str(path.relative_to(ROOT / "rebalancer"))
        tree = ast.parse(path.read_text())
        named = {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
        if not name.startswith("brokers/alpaca/") and any(m.startswith("rebalancer.brokers.alpaca") for m in named):
            importing.add(name)
        slash = [
            node for node in ast.walk(tree)
            if isinstance(node, ast.Compare) and isinstance(node.left, ast.Constant) and node.left.value == "/"
        ]  # fmt: skip
        if slash and not name.startswith(("brokers/alpaca/", "exchange/")):
            spelling.add(name)
    assert (importing, spelling) == ({"brokers/factory.py"}, set())
