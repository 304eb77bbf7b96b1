"""All commands that only read: plain and whole in a pipe, readable at 80 columns on a terminal, colour on request."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from decimal import Decimal
from pathlib import Path

import pytest

from rebalancer.core.outcomes import CycleOutcome
from rebalancer.journal import Journal
from rebalancer.report.columns import cells_wide
from tests.cli.conftest import ROOT, Command

READ = (
    ("status",), ("history",), ("explain", "XOM"), ("performance",), ("alerts",), ("config", "show"),
    ("config", "show", "--origin"), ("db", "check"), ("export", "orders"),
)  # fmt: skip
COLOURED = READ[:5]
LONG = "the feed said nothing for a while and then too much, " * 40
ALL = """
import sys
from rebalancer.cli.main import main
for line in sys.argv[1:]:
    sys.argv = ["rebalancer", *line.split()]
    try:
        main()
    except SystemExit as stop:
        assert not stop.code, (line, stop.code)
    print("=====")
"""


def on_a_terminal(commands: list[str], environ: dict[str, str]) -> list[str]:
    """What each command shows on a terminal of 80 columns."""
    master, slave = pty.openpty()
    fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 80, 0, 0))
    inherited = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    ran = subprocess.Popen(
        [sys.executable, "-c", ALL, *commands], stdout=slave, stderr=subprocess.DEVNULL, stdin=slave,
        env=inherited | {"TERM": "xterm", "PYTHONPATH": str(ROOT)} | environ,
    )  # fmt: skip
    os.close(slave)
    seen = b""
    while True:
        try:
            piece = os.read(master, 65536)
        except OSError:  # the other end is closed
            break
        if not piece:
            break
        seen += piece
    os.close(master)
    assert ran.wait(600) == 0, seen.decode()
    return seen.decode().replace("\r\n", "\n").split("=====\n")[:-1]


@pytest.fixture
def with_history(command: Command, tmp_path: Path) -> Command:
    """A run and an alert with a long text."""
    assert command("run-now").code in (0, 4)
    with Journal.open(tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite") as journal:
        cycle = journal.cycles(None, 1)[0]
        body = {"level": "warning", "code": "test", "text": LONG + "end"}
        journal.record_event(cycle.account_id, None, cycle.started_at, "alert", "test", body)
    return command


def test_a_pipe_gets_everything_and_no_escape_codes(with_history: Command) -> None:
    for words in READ:
        said = with_history(*words)
        assert (said.code, "\x1b" in said.out + said.err) == (0, False), words
    assert LONG + "end" in with_history("alerts").out
    assert LONG + "end" in with_history("status").out
    reason = "because " * 50 + "of it"
    assert with_history("kill", "--reason", reason).code == 0
    assert reason in with_history("status").out.splitlines()[0]
    assert max(map(len, with_history("explain", "XOM").out.splitlines())) > 80  # one line a link, whatever its length


def test_80_columns_on_a_terminal_are_enough_and_colour_can_be_left_away(with_history: Command) -> None:
    lines = [" ".join(words) for words in COLOURED]
    plain = on_a_terminal([f"{line} --no-color" for line in lines], {})
    assert not any("\x1b" in text for text in plain)
    assert max(cells_wide(line) for text in plain for line in text.splitlines()) <= 80
    assert "…" not in plain[1]  # history is not cut
    assert "✔ completed" in plain[1]
    assert "end" in " ".join(plain[4].split())
    quiet = on_a_terminal(lines, {"NO_COLOR": "1"})
    painted = on_a_terminal(lines, {})
    for line, without, none, some in zip(lines, plain, quiet, painted, strict=True):
        assert "\x1b" not in none, line
        assert "\x1b[" in some, line
        if line != "status":  # its ages go on
            assert none == without == re.sub(r"\x1b\[\d*m", "", some), line


@pytest.mark.parametrize("outcome", list(CycleOutcome))
def test_every_outcome_is_readable_in_the_history(outcome: CycleOutcome) -> None:
    from rebalancer.report.text import history_table
    from rebalancer.report.words import cycle_word
    from tests.cli.test_status_screen import VIEW

    assert VIEW.last is not None
    run = VIEW.last._replace(outcome=outcome, mode="simulated", orders=100, filled=100, turnover=Decimal(344_158_710))
    text = history_table([run], width=80, colour=False)
    assert str(cycle_word(outcome)) in text
    assert max(cells_wide(line) for line in text.splitlines()) <= 80
