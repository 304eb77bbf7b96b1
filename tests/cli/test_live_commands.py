"""Live trading through the command line, and the question at a real terminal."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from rebalancer import load_rules
from rebalancer.core.planning_keys import planning_hash
from rebalancer.research.trial_ledger import Trial, TrialKey, append_trials
from rebalancer.session.live import typed
from tests.cli.conftest import Command, command, project

__all__ = ["command", "project"]


@pytest.mark.parametrize("words", [("run-now",), ("session",)])
def test_live_on_the_embedded_exchange_is_refused(words: tuple[str, ...], command: Command) -> None:
    said = command(*words, "--live")
    assert (said.code, "there is no live account" in said.err) == (78, True)


@pytest.mark.parametrize("words", [("run-now", "--live"), ("session", "--live")])
def test_live_alone_names_what_is_missing(
    words: tuple[str, ...], command: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in {"KEY_ID": "PKX", "SECRET_KEY": "x", "BASE_URL": "http://127.0.0.1:9"}.items():
        monkeypatch.setenv(f"APCA_API_{name}", value)
    said = command(*words)
    assert said.code == 78
    assert "execution.mode: live in the configuration" in said.err
    assert "broker.account_id in the configuration" in said.err


def test_arm_live_writes_a_token_only_when_the_configuration_is_live(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REBALANCER_TRIALS", str(tmp_path / "none.jsonl"))  # not that of the other tests
    assert command("arm-live", "--account", "1234").code == 78
    for name, value in {"EXECUTION__MODE": "live", "BROKER__ACCOUNT_ID": "account-1234"}.items():
        monkeypatch.setenv(f"REBALANCER__{name}", value)
    monkeypatch.setenv("APCA_API_KEY_ID", "AKX")
    assert command("arm-live", "--account", "9999").code == 78
    token = tmp_path / "state" / "rebalancer" / "live" / "live.armed"
    assert not token.exists()
    said = command("arm-live", "--account", "1234", "--hours", "1")
    assert (said.code, token.exists()) == (78, False)
    assert "nothing is behind this configuration" in said.err
    assert "has 0 backtests, 0 days as a shadow book, 0 days on paper and 0 on the simulated exchange" in said.err
    assert command("arm-live", "--account", "1234", "--hours", "1", "--reason", "a small account").code == 0
    assert token.stat().st_mode & 0o777 == 0o600
    assert json.loads(token.read_text())["reason"] == "a small account"


def test_backtests_of_the_same_keys_are_behind_it(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rules = load_rules([Path("config/execution.yaml")])
    returns = np.zeros(30)
    days = (date(2026, 1, 2), date(2026, 2, 12), 30)
    key = TrialKey("c", "d", "e")
    one = Trial(datetime(2026, 3, 1, tzinfo=UTC), "backtest", key, days, returns, planning_hash(rules))
    monkeypatch.setenv("REBALANCER_TRIALS", str(tmp_path / "own.jsonl"))
    append_trials(tmp_path / "own.jsonl", [one, one, one._replace(rules="other")])
    for name, value in {"EXECUTION__MODE": "live", "BROKER__ACCOUNT_ID": "account-1234"}.items():
        monkeypatch.setenv(f"REBALANCER__{name}", value)
    monkeypatch.setenv("APCA_API_KEY_ID", "AKX")
    said = command("arm-live", "--account", "1234", "--hours", "1")
    assert said.code == 0, said.err
    assert "has 1 backtest, 0 days as a shadow book, 0 days on paper and 0 on the simulated exchange" in said.err
    monkeypatch.setenv("REBALANCER__POSITION_SIZING__MAX_POSITION_SIZE", "0.07")
    assert command("arm-live", "--account", "1234", "--hours", "1").code == 78
    monkeypatch.delenv("REBALANCER__POSITION_SIZING__MAX_POSITION_SIZE")
    monkeypatch.setenv("REBALANCER__REPORTING__KEEP_DAYS", "7")  # planning does not read it
    assert command("arm-live", "--account", "1234", "--hours", "1").code == 0


def test_what_other_rules_would_have_decided(command: Command) -> None:
    assert command("run-now").code in (0, 4)
    (cycle,) = json.loads(command("history", "--json").out)["cycles"]
    same = command("replay", cycle["cycle_id"], "--config", "config/execution.yaml", "--json")
    assert (same.code, json.loads(same.out)["changed"]) == (0, 0)
    Path("other.yaml").write_text("position_sizing: {max_position_size: 0.02}\n")
    words = ("--config", "config/execution.yaml", "--config", "other.yaml")
    found = json.loads(command("replay", cycle["cycle_id"], *words, "--json").out)
    assert (found["schema"], found["cycles"], found["changed"]) == ("rebalancer.what_if/1", 1, 1)
    rows = found["differences"][0]["symbols"]
    assert rows
    assert all(abs(row["then"]["weight"]) <= 0.02 + 1e-9 for row in rows)
    said = command("replay", "--since", "2026-01-02", *words, "--no-color")
    assert (said.code, "1 of 1 cycles would have been decided otherwise." in said.out) == (0, True)
    assert command("replay", "--since", "2036-01-02", *words).code == 2
    assert command("replay", "--since", "2026-01-02").code == 2


@pytest.mark.parametrize(("answer", "agreed"), [("1234\n", True), ("9999\n", False), ("\n", False), ("\x04", False)])
def test_the_question_is_asked_at_a_terminal(answer: str, agreed: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    ours, theirs = pty.openpty()
    try:
        with os.fdopen(theirs, encoding="utf-8") as terminal:
            monkeypatch.setattr("sys.stdin", terminal)
            os.write(ours, answer.encode())
            assert typed("account-1234", terminal.readline) is agreed
    finally:
        os.close(ours)


@pytest.mark.parametrize(("name", "code"), [("SIGTERM", 143), ("SIGINT", 130)])
def test_a_signal_ends_the_question(name: str, code: int) -> None:
    """Also where an earlier handler only remembers the signal, as that of a run does."""
    program = f"""
import os, signal, sys, time
from rebalancer.session.live import typed
signal.signal(signal.{name}, lambda *_: None)
sys.stdin = type("Terminal", (), {{"isatty": lambda _: True}})()
def ask():
    os.kill(os.getpid(), signal.{name})
    time.sleep(600)
typed("account-1234", ask)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=300, check=False)
    assert done.returncode == code, done.stderr
