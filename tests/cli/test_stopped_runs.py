"""What a run by hand answers when a signal arrives, and that no error text carries a secret past the redaction."""

from __future__ import annotations

import ast
import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from rebalancer.cli.exit_codes import ExitCode
from rebalancer.cli.run import exit_of
from rebalancer.core.errors import BrokerUnavailable
from rebalancer.core.outcomes import CycleOutcome
from rebalancer.report.files import write_report as real_write
from rebalancer.session.execute import execute as real_execute
from tests.cli.conftest import Command
from tests.report.sample import sample_record

CLI = Path(__file__).parents[2] / "rebalancer" / "cli"
SECRET = "canary-of-a-stopped-run-41"
Act = Callable[[], object]


def ring() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def around(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[Act, Act], None]]:
    """Have something happen just before the cycle, and just after it."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}

    def act(before: Act, after: Act) -> None:
        def execute(*given: Any, **options: Any) -> Any:
            before()
            return real_execute(*given, **options)

        def write_report(*given: Any) -> Any:
            after()
            return real_write(*given)

        monkeypatch.setattr("rebalancer.session.execute.execute", execute)
        monkeypatch.setattr("rebalancer.report.files.write_report", write_report)

    yield act
    for number, handler in handlers.items():
        signal.signal(number, handler)


def nothing() -> None:
    return


def test_a_signal_before_the_cycle_ends_is_answered_with_its_code(
    command: Command, around: Callable[[Act, Act], None]
) -> None:
    around(ring, nothing)
    done = command("run-now", "--json")
    assert done.code == 143
    assert {order["state"] for order in json.loads(done.out)["orders"]} == {"NOT_SENT"}


def test_a_signal_after_the_cycle_ended_nothing_early(command: Command, around: Callable[[Act, Act], None]) -> None:
    around(nothing, ring)
    done = command("run-now", "--json")
    assert (done.code, json.loads(done.out)["outcome"]) == (0, "COMPLETED")


def test_an_error_of_a_stopped_run_carries_no_secret(
    command: Command, around: Callable[[Act, Act], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("APCA_API_SECRET_KEY", SECRET)

    def fail() -> None:
        ring()
        raise BrokerUnavailable(f"https://user:{SECRET}@broker.invalid does not answer")

    around(fail, nothing)
    done = command("run-now")
    assert done.code == 143
    assert "error: " in done.err
    assert "does not answer" in done.err
    assert SECRET not in done.err + done.out


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (CycleOutcome.COMPLETED, 143),
        (CycleOutcome.HOLDING, 143),
        (CycleOutcome.CONSTRAINED, 143),
        (CycleOutcome.HALTED_DRAWDOWN, ExitCode.HALTED),
        (CycleOutcome.HALTED_KILL_SWITCH, ExitCode.HALTED),
        (CycleOutcome.HALTED_BROKER_DOWN, ExitCode.UNAVAILABLE),
    ],
)
def test_a_halt_keeps_its_own_code(outcome: CycleOutcome, code: int) -> None:
    assert exit_of(sample_record()._replace(outcome=outcome), trades_due=False, stopped=143) == code


def test_no_error_text_is_written_past_the_redaction() -> None:
    """The text of an exception goes through `errors.said` or `screen.warn`, never straight to stderr."""
    found = []
    for path in sorted(CLI.rglob("*.py")):
        if path.name in ("errors.py", "screen.py"):
            continue
        tree = ast.parse(path.read_text())
        caught = {node.name for node in ast.walk(tree) if isinstance(node, ast.ExceptHandler) and node.name}
        for call in ast.walk(tree):
            if isinstance(call, ast.Call) and ast.unparse(call.func) == "sys.stderr.write":
                names = {node.id for node in ast.walk(call) if isinstance(node, ast.Name)}
                found += [f"{path.name}:{call.lineno}"] if names & (caught | {"problem"}) else []
    assert found == []
