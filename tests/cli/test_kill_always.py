"""`kill` sets the switch whatever is broken, and a run afterwards refuses."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command, command, project

__all__ = ["command", "project"]
STATE = Path("state", "rebalancer")


def break_rules(folder: Path) -> Path:
    path = folder / "project" / "config" / "execution.yaml"
    path.write_text("execution: [\n")
    return path


def break_env_file(folder: Path) -> Path:
    path = folder / "config" / "paper-trading.env"
    path.parent.mkdir(exist_ok=True)
    path.write_text("A=1\n")
    path.chmod(0o644)
    return path


@pytest.mark.parametrize("broken", [break_rules, break_env_file])
@pytest.mark.parametrize("asked", [(), ("--cancel",), ("--flatten",)])
def test_what_cannot_be_read_does_not_keep_it_from_stopping(
    broken: object, asked: tuple[str, ...], command: Command, tmp_path: Path
) -> None:
    assert callable(broken)
    path = broken(tmp_path)
    before = (Path(__file__).parents[2] / "config" / "execution.yaml").read_text()
    said = command("kill", "--reason", "enough", *asked)
    assert (said.code, "the kill switch IS set" in said.err) == (78, True)
    assert ("Nothing was cancelled or closed" in said.err) == bool(asked)
    halts = [(tmp_path / STATE / mode / "HALT").read_text() for mode in ("simulated", "paper", "live")]
    assert halts == ["enough\n"] * 3
    assert command("run-now").code == 78
    path.write_text(before) if path.suffix == ".yaml" else path.chmod(0o600)
    assert command("run-now").code == 5, "it is still set when the file has been mended"


def test_an_unreadable_journal_and_a_wrong_environment_do_not_either(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / STATE / "simulated"
    state.mkdir(parents=True)
    (state / "journal.sqlite").write_bytes(b"no journal at all" * 500)
    said = command("kill")
    assert (said.code, "could not be journalled" in said.err, (state / "HALT").exists()) == (0, True, True)
    assert command("run-now").code != 0
    (state / "HALT").unlink()
    monkeypatch.setenv("REBALANCER_ENVIRONMENT", "prod")
    assert (command("kill").code, (state / "HALT").exists()) == (78, True)


def test_a_misspelt_profile_is_not_said_to_be_stopped(
    command: Command, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REBALANCER_PROFILE", "")
    said = command("kill", "--profile", "prop_frm")
    assert (said.code, "IS set" in said.err, (tmp_path / STATE).exists()) == (78, False, False)
