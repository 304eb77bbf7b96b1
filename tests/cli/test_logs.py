"""`logs`: the newest lines, then what is added, also across a replaced file; systemd's log where the timer is."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from rebalancer.cli.logs import journal_words, tail
from tests.cli.conftest import Command


def test_the_newest_lines(command: Command, tmp_path: Path) -> None:
    folder = tmp_path / "state" / "rebalancer"
    missing = command("logs")
    assert (missing.code, missing.out) == (2, "")
    assert missing.err.startswith(f"error: {folder / 'session.log'}: there is no log\n  hint: ")
    (folder / "session.log").write_bytes(b"".join(b"line %d\n" % n for n in range(100)) + b"half \xff")
    assert command("logs", "-n", "2").out == "line 99\nhalf \\xff"
    assert command("logs").out.count("line") == 49
    assert command("logs", "--lines", "0").out == ""


def test_following_shows_what_is_added_replaced_and_cut_short(tmp_path: Path) -> None:
    log = tmp_path / "session.log"
    log.write_text("old\nlast\n")

    def add(text: str) -> None:
        with log.open("a") as file:
            file.write(text)

    steps: list[Callable[[], object]] = [
        lambda: None,
        lambda: add("more\n"),
        lambda: log.write_text("cut\n"),
        log.unlink,
        lambda: log.write_text("a new and longer file\n"),
        lambda: add("ü\n"),
    ]
    left = iter(steps)

    def wait() -> bool:
        step = next(left, None)
        if step is not None:
            step()
        return step is not None

    assert list(tail(log, 1, wait)) == ["last\n", "more\n", "cut\n", "a new and longer file\n", "ü\n"]


def test_with_the_timer_it_is_systemds(command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wants = tmp_path / "config" / "systemd" / "user" / "timers.target.wants"
    wants.mkdir(parents=True)
    (wants / "paper-trading-session.timer").symlink_to("/nowhere")
    tools = tmp_path / "bin"
    tools.mkdir()
    (tools / "journalctl").write_text("#!/bin/sh\n")
    (tools / "journalctl").chmod(0o755)
    monkeypatch.setenv("PATH", str(tools))
    called: list[tuple[str, list[str]]] = []

    def become(name: str, words: list[str]) -> None:
        called.append((name, words))
        raise SystemExit(0)

    monkeypatch.setattr(os, "execvp", become)
    command("logs", "-f", "-n", "7")
    words = ["journalctl", "--user", "--unit", "paper-trading-session.service", "--lines", "7", "--follow"]
    assert called == [("journalctl", words)]
    monkeypatch.setenv("REBALANCER_PROFILE", "growth")
    assert journal_words(5, follow=False)[2:] == ["--unit", "paper-trading-session@growth.service", "--lines", "5"]
