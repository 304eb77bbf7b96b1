"""Ctrl-C says what was stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rebalancer.cli import demo
from tests.cli.conftest import ROOT, Command


@pytest.mark.parametrize(
    ("words", "called"),
    [("plan", "run.run_and_show"), ("report", "report.make_report"), ("config show", "configuration.show_rules"),
     ("replay --all", "history.replay_cycles"), ("doctor", "doctor.run_doctor")],
)  # fmt: skip
def test_a_command_that_is_interrupted_is_named(
    command: Command, monkeypatch: pytest.MonkeyPatch, words: str, called: str
) -> None:
    def interrupted(*_: object, **__: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(f"rebalancer.cli.{called}", interrupted)
    name = words.partition(" --")[0]
    assert command(*words.split()) == (130, "", f"stopped by Ctrl-C: rebalancer {name} has not finished\n")


def interrupted_after(line: str, folder: Path, *words: str) -> tuple[int, str]:
    """The exit code and the messages of a command that gets SIGINT once it has written this line."""
    process = subprocess.Popen(
        [sys.executable, "-m", "rebalancer", *words], cwd=folder, text=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, env=os.environ | {"PYTHONPATH": str(ROOT)}, start_new_session=True,
    )  # fmt: skip
    assert process.stdout is not None
    seen = ""
    while line not in seen:
        read = process.stdout.readline()
        assert read, seen
        seen += read
    process.send_signal(signal.SIGINT)
    rest = process.communicate(timeout=300)[0]
    return process.returncode, rest


def test_servers_say_that_they_have_stopped(project: Path) -> None:
    alone = interrupted_after("listening", project, "exchange", "serve", "--port", "0")
    assert alone == (0, "exchange stopped; nothing of it is kept\n")
    kept = interrupted_after("listening", project, "exchange", "serve", "--port", "0", "--state", "x.sqlite")
    assert kept == (0, "exchange stopped; it goes on from x.sqlite when it is started again\n")


def test_a_demo_that_is_stopped_says_so_and_still_writes_its_page(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    browser = project / "browser"
    browser.write_text(f"#!/bin/sh\ngrep SigIgn /proc/self/status > {project}/ignored; echo $1 > {project}/shown\n")
    browser.chmod(0o700)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    code, rest = interrupted_after("09:30", project, "demo", "--open")
    assert (project / "shown").read_text().endswith("reports/demo/2026/2026-11-20_simulated_day.html\n")
    ignored = int((project / "ignored").read_text().split()[1], 16)
    assert not [one for one in (signal.SIGINT, signal.SIGTERM) if ignored >> (one - 1) & 1], "a browser can be stopped"
    assert (code, "the demo was stopped; its report is of the day until then\n" in rest) == (0, True)
    assert rest.splitlines()[-1] == "report: reports/demo/2026/2026-11-20_simulated_day.html"
    assert "HALTED_DRAWDOWN" not in rest


def test_a_demo_that_is_stopped_before_its_first_cycle_has_no_report(
    project: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert demo._end(demo._setup(), True, is_stopped=True) == 0
    assert capsys.readouterr().out == "\nthe demo was stopped before its first cycle; there is no report\n"
