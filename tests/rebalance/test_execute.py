"""One cycle put together from a configuration and files, as `run-now` does it, and the record that is shown of it."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from rebalancer.brokers.endpoints import Endpoints
from rebalancer.brokers.factory import Connection
from rebalancer.core.errors import LockHeld, WrongAccount
from rebalancer.core.outcomes import CycleOutcome, OrderState, Outcome
from rebalancer.execution.kill_switch import write_halt
from rebalancer.journal import Journal
from rebalancer.report.archive import past_record, past_summaries
from rebalancer.session.execute import execute
from rebalancer.session.setup import Setup
from rebalancer.settings.load import load_rules
from rebalancer.testing import laws
from tests.rebalance.conftest import MakeRig
from tests.support.rig import CREDENTIALS, Rig

RULES = """
position_sizing: {base_position_size: 0.05}
signals: {path: opinions, sample: never}
"""
PATHS = {
    "account": "/v2/account",
    "positions": "/v2/positions",
    "orders": "/v2/orders",
    "clock": "/v2/clock",
    "submit": "/v2/orders",
}


@pytest.fixture
def rig(make_rig: MakeRig) -> Rig:
    made = make_rig()
    setup_of(made)
    opinions(made, {"AAPL": 1.0, "KO": 0.5})
    return made


def setup_of(rig: Rig) -> Setup:
    root = rig.folder
    for name in ("opinions", "config", "state"):
        (root / name).mkdir(exist_ok=True)
    rows = "".join(f"{s},{row.sector},test,2026-11-01\n" for s, row in rig.sectors.items())
    (root / "config" / "sectors.csv").write_text(f"symbol,sector,source,as_of\n{rows}")
    config = root / "execution.yaml"
    config.write_text(RULES)
    return Setup(root, load_rules([config], {}), "simulated", root / "state", {})


def opinions(rig: Rig, scores: dict[str, float]) -> None:
    issued = rig.exchange.clock.now().isoformat()
    rows = [{"symbol": s, "score": score, "confidence": 1.0, "issued_at": issued} for s, score in scores.items()]
    (rig.folder / "opinions" / "all.json").write_text(json.dumps(rows))


def connection(rig: Rig) -> Connection:
    return Connection(CREDENTIALS, Endpoints(rig.url))


def test_from_files_to_a_record(rig: Rig) -> None:
    rig.requests()
    record = execute(setup_of(rig), connection(rig), dry_run=False)
    asked = Counter((method == "POST", path) for method, path in rig.requests())
    assert (record.outcome, record.because, record.mode) == (
        CycleOutcome.COMPLETED,
        "2 of 2 orders filled",
        "simulated",
    )
    assert {o.symbol: (o.state, o.filled_qty == o.funded_qty == o.planned_qty) for o in record.orders} == {
        "AAPL": (OrderState.FILLED, True),
        "KO": (OrderState.FILLED, True),
    }
    assert {name: record.broker_calls[name] for name in PATHS} == {
        name: asked[name == "submit", path] for name, path in PATHS.items()
    }
    assert list(record.rules_changed) == ["position_sizing.base_position_size", "signals.path", "signals.sample"]
    assert [t.step for t in record.timings][:3] == ["read", "plan", "journal"]
    assert all(o.sent_at is not None and o.ended_at is not None and o.sent_at <= o.ended_at for o in record.orders)
    laws.check_laws(rig.url, rig.folder / "state" / "journal.sqlite")
    with Journal.open(rig.folder / "state" / "journal.sqlite") as journal:
        past = past_record(journal, None)
        assert past is not None
        same = ("snapshot", "plan", "orders", "verdicts", "outcome", "because", "mode", "reconciled", "rules_changed")
        assert {f: getattr(past, f) for f in same} == {f: getattr(record, f) for f in same}
        assert len(list(past_summaries(journal, 10))) == 1


def test_a_dry_run(rig: Rig) -> None:
    rig.requests()
    record = execute(setup_of(rig), connection(rig), dry_run=True)
    assert {method for method, _ in rig.requests()} == {"GET"}
    assert record.mode == "dry_run"
    assert {v.outcome for v in record.verdicts} == {Outcome.WITHHELD}
    live = execute(setup_of(rig), connection(rig), dry_run=False)
    assert [(o.symbol, o.planned_qty) for o in live.orders] == [(o.symbol, o.planned_qty) for o in record.orders]


def test_a_slot_once_and_the_halt_file(rig: Rig) -> None:
    slot = "2026-11-20T15:05Z"
    execute(setup_of(rig), connection(rig), dry_run=False, cycle_id=slot)
    with pytest.raises(LockHeld):
        execute(setup_of(rig), connection(rig), dry_run=False, cycle_id=slot)
    write_halt(rig.folder / "state", "a test")
    opinions(rig, {"AAPL": 0.0})
    rig.requests()
    halted = execute(setup_of(rig), connection(rig), dry_run=False)
    assert halted.outcome is CycleOutcome.HALTED_KILL_SWITCH
    assert {method for method, _ in rig.requests()} == {"GET"}


def test_the_key_of_another_account(rig: Rig, make_rig: MakeRig) -> None:
    execute(setup_of(rig), connection(rig), dry_run=False)
    other = make_rig(seed=99)
    opinions(rig, {"AAPL": 0.0})
    other.requests()
    with pytest.raises(WrongAccount):
        execute(setup_of(rig), connection(other), dry_run=False)
    assert {method for method, _ in other.requests()} == {"GET"}


def test_without_signals_nothing_is_sold(rig: Rig) -> None:
    execute(setup_of(rig), connection(rig), dry_run=False)
    Path(rig.folder / "opinions" / "all.json").write_text("[]")
    silent = execute(setup_of(rig), connection(rig), dry_run=False)
    assert (silent.outcome, silent.orders) == (CycleOutcome.HOLDING, ())
