"""Help begins with examples that really are commands; the shell is offered what there is."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from typer.main import get_command

from rebalancer.cli.commands import app
from rebalancer.cli.options import COMMON
from tests.cli.conftest import ROOT, Command

NAMES = sorted(
    [name] if not hasattr(command, "commands") else [name, sub]
    for name, command in get_command(app).commands.items()  # type: ignore[attr-defined]  # the root is a group
    for sub in (command.commands if hasattr(command, "commands") else [""])
)


@pytest.mark.parametrize("words", NAMES, ids=" ".join)
def test_examples_come_first_and_each_is_understood(words: list[str], command: Command) -> None:
    done = command(*words, "--help")
    assert (done.code, done.err) == (0, "")
    lines = done.out.splitlines()
    assert max(map(len, lines)) <= 80
    assert lines[0].startswith(f"Usage: rebalancer {' '.join(words)}".rstrip())
    assert set(COMMON) <= {line.strip().partition("  ")[0] for line in lines}
    assert not re.search(r"<\w|list\[|\.\.\.$|[{}]", done.out.replace("[ARGS]...", "").replace("volatility ...", "")), (
        done.out
    )
    if "Examples:" not in lines:
        return
    assert lines.index("Examples:") == 2
    examples = lines[3 : lines.index("", 3)]
    for example in examples:
        typed = shlex.split(example)
        assert typed[: 1 + len(words)] == ["rebalancer", *words]
        node = get_command(app)
        for word in words:
            node = node.commands[word]  # type: ignore[attr-defined]
        known = {name for option in node.params for name in option.opts}
        assert {word.partition("=")[0] for word in typed if word.startswith("--")} <= known


def test_most_commands_have_examples(command: Command) -> None:
    without = [" ".join(words) for words in NAMES if "Examples:" not in command(*words, "--help").out]
    assert len(without) <= 6, without


def test_help_lists_commands_by_what_people_do_first() -> None:
    order = (
        "run-now plan demo session status monitor positions orders explain history performance export report replay "
        "backtest grid search walk-forward parity kill resume arm-live doctor init logs config exchange alerts signals "
        "sources sectors model db desk evidence lease mirror web"
    )
    assert list(get_command(app).commands) == order.split()  # type: ignore[attr-defined]  # the root is a group


def test_completion_is_installed_for_the_command_alone(tmp_path: Path) -> None:
    environ = os.environ | {
        "HOME": str(tmp_path),
        "PYTHONPATH": str(ROOT),
        "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
    }
    program = [sys.executable, "-m", "rebalancer"]
    done = subprocess.run([*program, "--install-completion", "bash"], env=environ, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (file,) = (tmp_path / ".bash_completions").iterdir()
    assert file.name == "rebalancer.sh"
    assert re.findall(r"^complete .*$", file.read_text(), re.M) == [
        "complete -o default -F _rebalancer_completion rebalancer"
    ]
    (tmp_path / "rebalancer").write_text(f'#!/bin/sh\nexec {sys.executable} -m rebalancer "$@"\n')
    (tmp_path / "rebalancer").chmod(0o755)
    typed = "COMP_WORDS=(rebalancer expo); COMP_CWORD=1; _rebalancer_completion rebalancer"
    ask = f". {file}; {typed}; echo ${{COMPREPLY[*]}}"
    offered = subprocess.run(
        ["bash", "-c", ask], env=environ | {"PATH": f"{tmp_path}:{os.environ['PATH']}"}, capture_output=True, text=True
    )
    assert (offered.stdout, offered.stderr) == ("export\n", "")


def test_the_shell_is_offered_what_there_is(
    command: Command, project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from rebalancer.cli import complete

    assert complete.symbols("") == complete.cycles("") == []
    (project / "signals").mkdir()
    (project / "signals" / "mine.csv").write_text("symbol,action,confidence\nAAPL,buy,90\nAMZN,buy,90\nMSFT,buy,90\n")
    assert command("run-now").code in (0, 4)
    assert {"AAPL", "AMZN"} <= set(complete.symbols("a")) <= {"AAPL", "AMZN"} | set(complete.symbols(""))
    assert all(symbol.startswith("A") for symbol in complete.symbols("a"))
    (cycle,) = complete.cycles("20")
    assert command("explain", "AAPL", "--cycle", cycle).code == 0
    assert complete.periods("w") == ["week"]
    monkeypatch.setenv("XDG_STATE_HOME", "/dev/null/nowhere")
    assert complete.symbols("") == []
