"""`import rebalancer`: what it offers, that it is documented, and that it gives what the commands give."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import rebalancer
import rebalancer.testing
from rebalancer.core import facts
from rebalancer.testing.laws import ALWAYS, AT_REST
from rebalancer.testing.record_laws import positions_agree
from tests.cli.conftest import Command, command, project  # noqa: F401 - fixtures
from tests.cli.contract import SNAPSHOT

ROOT = Path(__file__).parents[1]
HEAVY = ("pandas", "pydantic", "sqlalchemy", "requests", "numpy", "alpaca")


def test_importing_it_loads_nothing_heavy() -> None:
    words = [sys.executable, "-X", "importtime", "-c", "import rebalancer"]
    told = subprocess.run(words, cwd=ROOT, capture_output=True, text=True, check=True).stderr
    loaded = {line.rpartition("|")[2].strip() for line in told.splitlines()}
    assert {name for name in loaded if name.partition(".")[0] in HEAVY} == set()
    assert {name for name in loaded if name.partition(".")[0] == "rebalancer"} == {"rebalancer", "rebalancer.version"}


def test_every_public_name_is_there_and_documented_and_nothing_else_is() -> None:
    page = (ROOT / "docs" / "reference" / "python.md").read_text()
    documented = re.findall(r"^### `(\w+)", page, re.M)
    assert sorted(documented) == sorted(rebalancer.__all__) == sorted(dir(rebalancer))
    page = (ROOT / "docs" / "reference" / "testing.md").read_text()
    assert sorted(re.findall(r"^### `(\w+)", page, re.M)) == sorted(rebalancer.testing.__all__)
    laws = {law.__name__ for law in (*ALWAYS, *AT_REST, positions_agree)}
    assert set(re.findall(r"^\| `(\w+)` \|", page, re.M)) == laws
    assert all(getattr(rebalancer, name) is not None for name in rebalancer.__all__)
    with pytest.raises(AttributeError, match="no attribute 'plans'"):
        rebalancer.plans  # noqa: B018


def test_a_plan_is_what_the_command_prints(command: Command) -> None:  # noqa: F811
    Path("s.json").write_text(SNAPSHOT)
    printed = command("plan", "--snapshot", "s.json", "--config", "config/execution.yaml", "--json").out
    snapshot = rebalancer.Snapshot.from_json(SNAPSHOT)
    plan = rebalancer.plan(snapshot, rebalancer.load_rules([Path("config/execution.yaml")]))
    assert plan.to_json() + "\n" == printed
    assert (type(plan.orders[0].qty), plan.orders[0].qty) == (Decimal, Decimal(52))
    assert rebalancer.Snapshot.from_json(snapshot.to_json()) == snapshot
    assert isinstance(snapshot, facts.Snapshot)


def test_the_example_of_the_readme_runs(project: Path) -> None:  # noqa: F811
    block = re.search(r"    import rebalancer\n(?:(?:    .*)?\n)+", (ROOT / "README.md").read_text())
    assert block is not None
    assert block[0] in (ROOT / "docs" / "reference" / "python.md").read_text()
    Path("snapshot.json").write_text(SNAPSHOT)
    lines = "\n".join(line.removeprefix("    ") for line in block[0].splitlines())
    told = subprocess.run([sys.executable, "-c", lines], cwd=project, capture_output=True, text=True, check=False,
                          env={"PYTHONPATH": str(ROOT), "PATH": ""})  # fmt: skip
    assert (told.stderr, told.stdout) == ("", "COMPLETED [('AAPL', 'buy', Decimal('52'))]\n")


def frames(document: dict[str, Any]) -> dict[str, Any]:
    """The documented snapshot as frames of the types that pandas users have: floats, timestamps, NaN."""
    found = {name: pd.DataFrame(document[name]) for name in
             ("positions", "open_orders", "instruments", "quotes", "signals")}  # fmt: skip
    for name, columns in {
        "positions": ["qty", "qty_available", "avg_entry_price"],
        "quotes": ["bid", "ask", "last"],
    }.items():
        found[name][columns] = found[name][columns].astype(float)
    found["quotes"]["at"] = pd.to_datetime(found["quotes"]["at"])
    found["signals"]["stop_price"] = float("nan")
    found["positions"] = found["positions"].set_index("symbol")
    return found


def test_frames_give_the_same_snapshot_as_the_document() -> None:
    document = json.loads(SNAPSHOT)
    built = rebalancer.Snapshot.from_frames(
        cycle_id=document["cycle_id"],
        as_of=datetime(2026, 11, 20, 15, 35, 2, tzinfo=UTC),
        session=document["session"],
        account=document["account"],
        day=document["day"],
        expected_positions=document["expected_positions"],
        **frames(document),
    )
    assert built == rebalancer.Snapshot.from_json(SNAPSHOT)


def test_a_frame_with_a_wrong_column_is_one_error_that_names_it() -> None:
    document = json.loads(SNAPSHOT)
    wrong = frames(document)
    wrong["quotes"] = wrong["quotes"].rename(columns={"bid": "bidd"})
    with pytest.raises(rebalancer.BadDocument, match=r"quotes\[0\].bidd: is not known here") as error:
        rebalancer.Snapshot.from_frames(
            cycle_id="c", as_of=datetime(2026, 11, 20, tzinfo=UTC), session=document["session"],
            account=document["account"], **wrong,
        )  # fmt: skip
    assert error.value.hint == "did you mean 'bid'?"


def test_the_account_by_the_functions_is_what_the_cycle_left(project: Path) -> None:  # noqa: F811
    assert rebalancer.performance_summary().last is None
    assert rebalancer.recent_trades() == ()
    dry = rebalancer.run_once(dry_run=True)
    assert (dry.mode, rebalancer.recent_trades()) == ("dry_run", ())
    record = rebalancer.run_once()
    filled = [line for line in record.orders if line.filled_qty]
    assert (record.mode, bool(filled)) == ("simulated", True)
    assert (project / "reports").is_dir()

    ended, trades = rebalancer.orders("closed"), rebalancer.recent_trades()
    assert {line.client_order_id for line in filled} <= {order.client_order_id for order in ended}
    assert {trade.order_id for trade in trades} <= {order.id for order in ended}
    assert list(trades) == sorted(trades, key=lambda trade: (trade.at, trade.id), reverse=True)
    assert rebalancer.recent_trades(1) == trades[:1]
    assert len(rebalancer.orders("all", limit=2)) == 2
    assert {order.id for order in rebalancer.orders()} <= {order.id for order in rebalancer.orders("all")}

    account, after = rebalancer.account(), record.account_after
    assert after is not None
    assert account.id == after.id
    assert account.cash == after.cash
    assert [p.symbol for p in rebalancer.positions()] == sorted(p.symbol for p in rebalancer.positions())
    assert rebalancer.performance_summary().last is not None
    with pytest.raises(ValueError, match="status is open, closed or all"):
        rebalancer.orders("filled")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="limit=-1"):
        rebalancer.recent_trades(-1)
