"""An error in a file or lock is the first thing on stderr, also when that is a pipe, and says what to do."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rebalancer.cli.errors import default_hint, guarded
from rebalancer.core.documents import BadDocument


def said(project: Path, *words: str) -> tuple[int, str]:
    """Run the command in a process of its own with stderr as a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "rebalancer", *words],
        cwd=project,
        capture_output=True,
        text=True,
        timeout=600,
        check=False,
    )
    return done.returncode, done.stderr


def broken_config(project: Path, state: Path) -> Path:
    path = project / "config" / "execution.yaml"
    path.write_text("model: {enabled: true}\nexecution: {interval_minutes: 0}\n")
    return path


def broken_sectors(project: Path, state: Path) -> Path:
    path = project / "config" / "sectors.csv"
    path.write_bytes(b"\xff\n")
    return path


def broken_signals(project: Path, state: Path) -> Path:
    path = project / "signals" / "desk.csv"
    path.parent.mkdir()
    path.write_text("symbol,score,confidence\nKO,abc,1\n")
    return path


def broken_lock(name: str) -> Callable[[Path, Path], Path]:
    def make(project: Path, state: Path) -> Path:
        (state / name).mkdir(parents=True)
        return state / name

    return make


def broken_journal(project: Path, state: Path) -> Path:
    (state / "journal.sqlite").mkdir(parents=True)
    return state / "journal.sqlite"


SESSION = ("session", "--speed", "100000")


@pytest.mark.parametrize(
    ("words", "broken", "code"),
    [
        (SESSION, broken_config, 78),
        (SESSION, broken_sectors, 78),
        (SESSION, broken_lock("session.lock"), 75),
        (SESSION, broken_lock("exchange.sqlite.lock"), 75),
        (SESSION, broken_journal, 78),
        (("run-now",), broken_config, 78),
        (("run-now",), broken_sectors, 78),
        (("run-now",), broken_signals, 78),
        (("run-now",), broken_lock("run.lock"), 75),
        (("run-now",), broken_journal, 78),
    ],
)
def test_an_error_comes_first(
    words: tuple[str, ...], broken: Callable[[Path, Path], Path], code: int, project: Path, tmp_path: Path
) -> None:
    config = project / "config" / "execution.yaml"
    config.write_text("model: {enabled: true}\n")  # which gives a warning
    bad = broken(project, tmp_path / "state" / "rebalancer" / "simulated")
    found, err = said(project, *words)
    assert found == code, err
    names = {bad, bad.relative_to(project) if bad.is_relative_to(project) else bad}
    assert err.startswith(tuple(f"error: {name}:" for name in names)), err
    assert "\n  hint: " in err


def test_the_warnings_of_a_run_follow_its_error(project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "config" / "execution.yaml").write_text("model: {enabled: true}\n")
    (tmp_path / "sitecustomize.py").write_text("import sys\nsys.modules['xgboost'] = None\n")  # it is not installed
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{os.environ.get('PYTHONPATH', '')}")
    broken_signals(project, project)
    _, err = said(project, "run-now")
    assert err.index("error: ") < err.index("  hint: ") < err.index("warning: model.enabled: ")


@pytest.mark.parametrize(
    ("where", "hint"),
    [
        ("faults.json: #/rules/0/status", "correct the value at /rules/0/status, then run it again"),
        ("bars/KO.csv:17: high", "correct line 17 of this file, then run it again"),
        ("arm-live --hours", "give another value on the command line; --help says what is taken"),
        ("--tolerance", "give another value on the command line; --help says what is taken"),
        ("environment", "correct the variable in the environment or in the env file, then run it again"),
        (
            "signals table, id 7: score",
            "correct or delete this row of the journal's signals table, then run it again",
        ),
        ("bars", "correct or replace it, then run it again"),
    ],
)
def test_every_kind_of_place_has_a_hint_of_its_own(where: str, hint: str, capsys: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        raise BadDocument(where, "is wrong")

    assert guarded(fails) == 78
    assert capsys.readouterr().err == f"error: {where}: is wrong\n  hint: {hint}\n"
    assert default_hint(where) == hint
