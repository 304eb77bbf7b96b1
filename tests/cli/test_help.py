"""Help begins with examples that really are commands; the shell is offered what there is."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.main import get_command

from rebalancer.cli.commands import app
from tests.cli.conftest import Command

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
        "backtest kill resume arm-live doctor init logs config exchange alerts signals db web"
    )
    assert list(get_command(app).commands) == order.split()  # type: ignore[attr-defined]  # the root is a group


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
