"""Live trading through the command line, and the question at a real terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

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
    assert command("arm-live", "--account", "1234").code == 78
    for name, value in {"EXECUTION__MODE": "live", "BROKER__ACCOUNT_ID": "account-1234"}.items():
        monkeypatch.setenv(f"REBALANCER__{name}", value)
    monkeypatch.setenv("APCA_API_KEY_ID", "AKX")
    assert command("arm-live", "--account", "9999").code == 78
    token = tmp_path / "state" / "rebalancer" / "live" / "live.armed"
    assert not token.exists()
    assert command("arm-live", "--account", "1234", "--hours", "1").code == 0
    assert token.stat().st_mode & 0o777 == 0o600


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
