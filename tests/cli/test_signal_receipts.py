"""`signals list | stats | why | sources` after real runs, and runs whose receipts cannot be written."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from rebalancer.signals.receipts import receive
from tests.cli.conftest import ROOT, Command, command, project  # noqa: F401 - fixtures

ROWS = "symbol,score,confidence,id\nAAPL,0.3,0.9,s-1\nMSFT,0.3,0.9,s-2\nKO,0,0.9,s-3\nZZZZ,0.5,0.9,s-4\n"
KEYS = ["id", "received_at", "source", "symbol", "outcome", "because", "cycle_id", "orders", "fills"]


@pytest.fixture
def state(project: Path, tmp_path: Path) -> Path:  # noqa: F811
    """The state folder; the project has four signals."""
    (project / "signals").mkdir()
    (project / "signals" / "mine.csv").write_text(ROWS)
    return tmp_path / "state" / "rebalancer" / "simulated"


def answer(command: Command, *words: str) -> Any:  # noqa: F811
    said = command(*words, "--json")
    assert said.code == 0, said.err
    return json.loads(said.out)


def sent(command: Command) -> list[tuple[str, ...]]:  # noqa: F811
    """Every order of the account with what was filled, in the order of their symbols."""
    rows = csv.DictReader(io.StringIO(command("export", "orders").out))
    return sorted((row["symbol"], row["qty"], row["filled_qty"]) for row in rows)


def test_from_signals_to_fills(
    command: Command,  # noqa: F811
    state: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert command("run-now").code == 0
    listed = answer(command, "signals", "list")
    assert (listed["schema"], listed["total"], listed["next"]) == ("rebalancer.signals/1", 4, None)
    outcomes = {row["signal_id"]: row["outcome"] for row in listed["signals"]}
    assert outcomes == {
        "s-1": "FILLED", "s-2": "FILLED", "s-3": "HELD_NEUTRAL", "s-4": "REJECTED_UNKNOWN_SYMBOL"
    }  # fmt: skip
    ids = {row["signal_id"]: row["id"] for row in listed["signals"]}
    why = answer(command, "signals", "why", ids["s-1"])
    assert why == answer(command, "signals", "why", "s-1")
    assert {key: why[key] for key in KEYS[2:5]} == {"source": "mine", "symbol": "AAPL", "outcome": "FILLED"}
    (order,) = why["orders"]
    assert (order["symbol"], order["qty"], order["filled_qty"]) == sent(command)[0]
    assert (order["state"], order["cycle_id"]) == ("FILLED", why["cycle_id"])
    assert sum(int(fill["qty"]) for fill in why["fills"]) == int(order["qty"])
    assert {fill["client_order_id"] for fill in why["fills"]} == {order["client_order_id"]}
    other = answer(command, "signals", "why", "s-4")
    assert (other["orders"], other["fills"], set(KEYS) <= set(other)) == ([], [], True)

    stats = answer(command, "signals", "stats")
    figures = {
        "received": 4, "pending": 0, "admitted": 3, "executed": 2, "execution_rate": "0.5000",
        "outcomes": {"FILLED": 2, "HELD_NEUTRAL": 1, "REJECTED_UNKNOWN_SYMBOL": 1},
    }  # fmt: skip
    assert {name: stats[name] for name in figures} == figures
    assert stats["sources"] == [{"source": "mine", **figures}]
    assert (stats["store"]["receipts"], stats["store"]["keep_days"]) == (4, 90)
    (source,) = answer(command, "signals", "sources")["sources"]
    assert {name: source[name] for name in figures} == figures
    assert source["last_received_at"] == source["first_received_at"] == listed["signals"][0]["received_at"]

    for words in (["list"], ["stats"], ["sources"], ["why", "s-1"], ["why", "s-4"]):
        said = command("signals", *words)
        assert (said.code, said.out != "") == (0, True)
    monkeypatch.setattr("rebalancer.cli.signal_receipts.terminal_width", lambda: 80)
    lines = command("signals", "sources").out.splitlines()
    assert lines[0].split("  ")[-1] == "last executed"
    assert max(map(len, lines)) <= 80
    assert lines[2] == "    most often not executed: HELD_NEUTRAL (1)"


def test_pages(command: Command, state: Path) -> None:  # noqa: F811
    assert command("run-now").code == 0
    found, after = [], []
    for left in (3, 2, 1, 0):
        page = answer(command, "signals", "list", "--limit", "1", *after)
        found += [row["id"] for row in page["signals"]]
        assert (page["total"], page["next"] is None) == (4, left == 0)
        after = ["--after", str(page["next"])]
    assert found == [row["id"] for row in answer(command, "signals", "list")["signals"]]
    assert [r["symbol"] for r in answer(command, "signals", "list", "--symbol", "ko")["signals"]] == ["KO"]
    assert [r["symbol"] for r in answer(command, "signals", "list", "--outcome", "held_neutral")["signals"]] == ["KO"]
    assert answer(command, "signals", "list", "--source", "nobody")["signals"] == []
    assert answer(command, "signals", "list", "--since", "2999-01-01")["total"] == 0


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["why", "r-0"], 2, "error: there is no receipt or signal 'r-0'"),
        (["list", "--after", "r-0"], 2, "error: there is no receipt or signal 'r-0'"),
        (["list", "--symbol", "not a symbol"], 78, "error: --symbol: "),
        (["stats", "--since", "yesterday"], 78, "error: --since: 'yesterday' is not a day"),
    ],
)
def test_what_is_unknown(command: Command, state: Path, words: list[str], code: int, said: str) -> None:  # noqa: F811
    found = command("signals", *words)
    assert (found.code, found.out, found.err.startswith(said), "hint: " in found.err) == (code, "", True, True)


def test_nothing_received_yet(command: Command, state: Path) -> None:  # noqa: F811
    assert answer(command, "signals", "list")["signals"] == []
    assert answer(command, "signals", "stats")["execution_rate"] is None
    assert answer(command, "signals", "sources")["sources"] == []
    assert command("signals", "stats").out == "no signals\n"


def test_inserted_signals_are_traded(command: Command, state: Path) -> None:  # noqa: F811
    rows = [{"symbol": "AAPL", "score": 0.9, "confidence": 0.9, "id": "w-1"}, {"symbol": "V", "score": 7}]
    first, bad = receive(state / "inbox.sqlite", rows, source="web", at=datetime.now(UTC))
    assert answer(command, "signals", "why", first.id)["outcome"] == "PENDING"
    assert command("run-now", "--dry-run").code == 0
    assert answer(command, "signals", "why", first.id)["outcome"] == "PENDING"
    assert command("run-now").code == 0
    why = answer(command, "signals", "why", "w-1")
    assert (why["id"], why["source"], why["outcome"], len(why["fills"])) == (first.id, "web", "FILLED", 1)
    assert answer(command, "signals", "why", bad.id)["outcome"] == "REJECTED_INVALID"
    counts = {one["source"]: one["received"] for one in answer(command, "signals", "stats")["sources"]}
    assert counts == {"mine": 4, "web": 2}


def test_an_inserted_id_that_a_file_uses_stops_nothing(command: Command, state: Path) -> None:  # noqa: F811
    row = {"symbol": "AAPL", "score": -0.9, "confidence": 0.9, "id": "s-1"}
    receive(state / "inbox.sqlite", [row], source="web", at=datetime.now(UTC))
    said = command("run-now")
    assert (said.code, "the id 's-1' of the inbox stands for another signal" in said.err) == (0, True)
    why = answer(command, "signals", "list", "--source", "mine", "--symbol", "AAPL")["signals"]
    assert [row["outcome"] for row in why] == ["FILLED"]


def test_an_inbox_that_cannot_be_read_sends_nothing(command: Command, state: Path) -> None:  # noqa: F811
    state.mkdir(parents=True)
    (state / "inbox.sqlite").write_bytes(b"no database" * 1000)
    said = command("run-now")
    assert (said.code, said.out, "inbox.sqlite: the database failed" in said.err) == (78, "", True)
    assert "hint: " in said.err


def spoil_with_garbage(path: Path) -> None:
    path.write_bytes(b"no database" * 1000)


def spoil_with_fifo(path: Path) -> None:
    os.mkfifo(path)


def spoil_with_folder(path: Path) -> None:
    path.mkdir()


def spoil_with_link(path: Path) -> None:
    path.symlink_to("/nowhere/at/all")


def spoil_with_other_tables(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE receipts (other)")
        connection.execute("PRAGMA user_version = 1")


SPOILERS = [spoil_with_garbage, spoil_with_fifo, spoil_with_folder, spoil_with_link, spoil_with_other_tables]


@pytest.mark.parametrize("spoil", SPOILERS)
def test_receipts_that_cannot_be_written_stop_nothing(
    command: Command,  # noqa: F811
    state: Path,
    spoil: Callable[[Path], None],
) -> None:
    state.mkdir(parents=True)
    path = state / "signals.sqlite"
    spoil(path)
    said = command("run-now")
    assert (said.code, "receipts of signals were not written" in said.err) == (0, True)
    orders = sent(command)
    assert [row[0] for row in orders] == ["AAPL", "MSFT"]
    alerts = [a for a in answer(command, "alerts")["alerts"] if a["code"] == "signal_receipts"]
    assert [(a["level"], str(path) in a["text"]) for a in alerts] == [("warning", True)]

    assert command("run-now").code == 0  # the next cycle sends nothing twice, and the alert is not repeated
    assert sent(command) == orders
    assert len([a for a in answer(command, "alerts")["alerts"] if a["code"] == "signal_receipts"]) == 1

    path.rename(path.with_name("aside"))  # moved away, it is built again
    assert [row["outcome"] for row in answer(command, "signals", "list")["signals"]].count("FILLED") == 2


def test_receipts_that_another_program_locks_wait_for_the_next_cycle(command: Command, state: Path) -> None:  # noqa: F811
    assert command("signals", "list").code == 0
    with closing(sqlite3.connect(state / "signals.sqlite", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert command("run-now").code == 0
        assert [row[0] for row in sent(command)] == ["AAPL", "MSFT"]
        other.execute("ROLLBACK")
    assert answer(command, "alerts")["alerts"] == []
    assert answer(command, "signals", "stats")["executed"] == 2


KILLED_BEFORE = """
import os, signal
from rebalancer.session import execute
from rebalancer.cli.main import main

execute.keep_receipts = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
main()
"""


def test_a_run_killed_after_its_cycle_has_its_receipts(command: Command, state: Path) -> None:  # noqa: F811
    ended = subprocess.run([sys.executable, "-c", KILLED_BEFORE, "run-now"], env=os.environ | {"PYTHONPATH": str(ROOT)})
    assert ended.returncode == -signal.SIGKILL
    assert not (state / "signals.sqlite").exists()
    orders = sent(command)
    listed = answer(command, "signals", "list")["signals"]
    assert sorted(row["outcome"] for row in listed) == [
        "FILLED", "FILLED", "HELD_NEUTRAL", "REJECTED_UNKNOWN_SYMBOL"
    ]  # fmt: skip
    assert command("run-now").code == 0
    assert sent(command) == orders
    assert answer(command, "signals", "list")["signals"] == listed
