"""A newcomer's runs, one after the other, on the embedded exchange."""

from __future__ import annotations

import json
import re
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from rebalancer.ops.run_lock import RunLock
from rebalancer.session.setup import load_setup
from tests.cli.conftest import ROOT, Command


def orders_at_the_exchange(state: Path) -> int:
    """How many orders of ours the exchange has booked, by its own file."""
    with closing(sqlite3.connect(f"file:{state}/rebalancer/simulated/exchange.sqlite?mode=ro", uri=True)) as base:
        tables = [row[0] for row in base.execute("SELECT name FROM sqlite_master WHERE type='table'")]
        assert "orders" in tables
        return int(base.execute("SELECT count(*) FROM orders WHERE client_order_id LIKE 'rb-%'").fetchone()[0])


def test_a_first_run_trades_and_a_second_one_holds(command: Command, project: Path, tmp_path: Path) -> None:
    first = command("run-now")
    assert first.code == 0
    assert "✔ completed" in first.out
    assert re.search(r"(\d+) orders placed and filled \((\d+) sells, (\d+) buys\)", first.out)
    sent = orders_at_the_exchange(tmp_path / "state")
    assert 0 < sent <= 10
    page = (project / "reports" / "latest.html").read_text()
    assert "SIMULATED" in page
    assert "http" not in page.replace("http-equiv", "")

    second = command("run-now")
    assert second.code == 0
    assert "✔ holding" in second.out
    assert orders_at_the_exchange(tmp_path / "state") == sent

    assert command("replay", "--all") == (0, "", "")
    explained = command("explain", "XOM")
    assert explained.code == 0
    for word in ("signal", "weight", "caps", "target", "band", "outcome"):
        assert word in explained.out
    cycles = json.loads(command("history", "--json").out)["cycles"]
    assert [(c["outcome"], c["orders"], c["filled"]) for c in cycles] == [("HOLDING", 0, 0), ("COMPLETED", sent, sent)]
    status = json.loads(command("status", "--json").out)
    assert (status["last"]["outcome"], status["unknown_orders"], status["mode"]) == ("HOLDING", 0, "simulated")
    assert status["last_cycle"] == status["last"]
    assert [cycle["constrained"] for cycle in (*cycles, status["last_cycle"])] == [None] * 3

    dry = command("plan")
    assert dry.code == 0
    assert "DRY RUN" in dry.out
    assert orders_at_the_exchange(tmp_path / "state") == sent


def test_a_dry_run_sends_nothing_and_leaves_the_next_run_as_it_was(command: Command, tmp_path: Path) -> None:
    dry = command("run-now", "--dry-run", "--json")
    record = json.loads(dry.out)
    assert dry.code == 0
    assert {order["state"] for order in record["orders"]} == {"WITHHELD"}
    assert orders_at_the_exchange(tmp_path / "state") == 0
    assert command("plan", "--exit-code").code == 3
    live = json.loads(command("run-now", "--json").out)
    assert [(o["symbol"], o["side"], o["planned_qty"]) for o in live["orders"]] == [
        (o["symbol"], o["side"], o["planned_qty"]) for o in record["orders"]
    ]


def test_nothing_leaves_while_the_kill_switch_is_set(command: Command, tmp_path: Path) -> None:
    assert command("kill", "--reason", "a test").code == 0
    stopped = command("run-now")
    assert stopped.code == 5
    assert orders_at_the_exchange(tmp_path / "state") == 0
    assert "stopped: a test" in command("status").out
    assert command("kill", "--cancel").code == 0
    assert command("resume", "--reason", "the test is over").code == 0
    assert command("run-now").code in (0, 4)
    assert orders_at_the_exchange(tmp_path / "state") > 0


def test_own_signals_replace_the_sample(command: Command, project: Path) -> None:
    (project / "signals").mkdir()
    (project / "signals" / "mine.csv").write_text("symbol,action,confidence\nKO,BUY,80\nNOPE,BUY,80\nXOM,HOLD,50\n")
    record = json.loads(command("run-now", "--json").out)
    assert [(v["symbol"], v["outcome"]) for v in record["verdicts"]] == [
        ("KO", "FILLED"),
        ("NOPE", "REJECTED_UNKNOWN_SYMBOL"),
        ("XOM", "HELD_NEUTRAL"),
    ]
    assert [(o["symbol"], o["side"]) for o in record["orders"]] == [("KO", "buy")]  # silence is not a sell


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("symbol,score,confidence\nAAPL,0.5,0.9\nMSFT,oops,0.9\n", "mine.csv:3: score: 'oops' is not a number"),
        ("symbol,score,confidence\nAAPL,0.5,0.9\nMSFT,0.4", "mine.csv:3: "),
        ("", "mine.csv: is empty"),
    ],
)
def test_a_bad_signal_file_stops_the_run_before_anything_is_sent(
    command: Command, project: Path, tmp_path: Path, text: str, error: str
) -> None:
    (project / "signals").mkdir()
    (project / "signals" / "mine.csv").write_text(text)
    said = command("run-now")
    assert said.code == 78
    assert error in said.err
    assert orders_at_the_exchange(tmp_path / "state") == 0
    assert command("history", "--json").out == '{\n "schema": "rebalancer.history/1",\n "cycles": []\n}\n'


def test_a_second_run_at_the_same_time_is_turned_away(command: Command, tmp_path: Path) -> None:
    state = tmp_path / "state" / "rebalancer" / "simulated"
    state.mkdir(parents=True)
    with RunLock(state / "run.lock"):
        said = command("run-now")
    assert said.code == 75
    assert re.search(r"\b\d+\b", said.err)  # the holder's process


@pytest.mark.parametrize(
    ("environment", "code"),
    [
        ({"APCA_API_BASE_URL": "http://127.0.0.1:9", "APCA_API_KEY_ID": "k", "APCA_API_SECRET_KEY": "s"}, 69),
        ({"APCA_API_BASE_URL": "https://api.alpaca.markets", "APCA_API_KEY_ID": "k", "APCA_API_SECRET_KEY": "s"}, 78),
        ({"APCA_API_BASE_URL": "https://example.invalid", "APCA_API_KEY_ID": "k", "APCA_API_SECRET_KEY": "s"}, 78),
        ({"APCA_API_KEY_ID": "k"}, 77),
        ({"REBALANCER__EXECUTION__MODE": "live"}, 78),
        ({"REBALANCER__EXECUTION__ENABLD": "true"}, 78),
    ],
)
def test_a_broker_that_cannot_be_used_has_its_own_exit_code(
    command: Command, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], code: int
) -> None:
    monkeypatch.setenv("REBALANCER__BROKER__TOTAL_TIMEOUT_SECONDS", "1")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    said = command("run-now")
    assert (said.code, said.out) == (code, "")
    assert said.err.splitlines()[-1].startswith(("error: ", "  hint: "))


def test_status_imports_nothing_heavy(project: Path) -> None:
    heavy = {"pydantic", "numpy", "pandas", "sqlalchemy", "alpaca", "typer", "requests", "jinja2", "yaml", "starlette"}
    code = (
        "import sys\nsys.argv = ['rebalancer', 'status']\nfrom rebalancer.cli.main import main\n"
        "try:\n    main()\nexcept SystemExit as stop:\n    assert stop.code == 0\n"
        f"print(sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_init_writes_a_project_that_runs_and_overwrites_nothing(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh = tmp_path / "fresh"
    assert command("init", str(fresh)).code == 0
    (fresh / "config" / "sectors.csv").write_text(
        "symbol,sector,correlation_group,source,as_of\nKO,Drinks,,mine,2026-01-02\n"
    )
    assert command("init", str(fresh)).out == ""
    assert (
        fresh / "config" / "sectors.csv"
    ).read_text() == "symbol,sector,correlation_group,source,as_of\nKO,Drinks,,mine,2026-01-02\n"
    monkeypatch.chdir(fresh)
    assert command("config", "check").code == 0


def test_config_check_warns_of_a_band_by_costs_that_nobody_learns(
    command: Command, project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calm = command("config", "check").err
    monkeypatch.setenv("REBALANCER__POSITION_SIZING__NO_TRADE_BAND__WIDTH", "cost")
    assert command("config", "check").err == calm
    monkeypatch.setenv("REBALANCER__REPORTING__PARITY", "false")
    (warning,) = load_setup(None).loaded.warnings
    done = command("config", "check")
    assert (done.code, done.err) == (0, f"warning: {warning}\n{calm}")


@pytest.mark.parametrize("words", [["frobnicate"], ["replay"], ["explain"], ["history", "--limit", "0"]])
def test_wrong_usage_is_exit_code_2(command: Command, words: list[str]) -> None:
    assert command(*words).code == 2
