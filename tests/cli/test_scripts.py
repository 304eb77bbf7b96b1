"""The four scripts of the project folder: what they print for help, without installing anything."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.cli.conftest import ROOT

SCRIPTS = sorted(path.name for path in ROOT.glob("*_execution_trading*.sh"))


@pytest.mark.parametrize("option", ["-h", "--help"])
@pytest.mark.parametrize("script", SCRIPTS)
def test_help_says_what_a_script_does_and_takes_and_changes_nothing(script: str, option: str, tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    shutil.copy(ROOT / script, project)
    shutil.copytree(ROOT / "scripts", project / "scripts")
    environ = {"PATH": os.environ["PATH"], "HOME": str(tmp_path)}
    before = sorted(tmp_path.rglob("*"))
    done = subprocess.run([project / script, option], cwd="/", env=environ, capture_output=True, text=True)
    assert (done.returncode, done.stderr, sorted(tmp_path.rglob("*"))) == (0, "", before)
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert any(re.match(rf"  \./{script}( {{2}}|$)", line) for line in lines)
    assert any(line.startswith(f"  ./{script} --profile NAME") for line in lines)
    assert not any(line.startswith(("#", "set -eu")) for line in lines)


def test_there_are_four_scripts() -> None:
    assert SCRIPTS == [
        "run_execution_trading_now.sh",
        "start_execution_trading.sh",
        "status_execution_trading.sh",
        "stop_execution_trading.sh",
    ]


def test_the_environment_has_the_command_for_people(tmp_path: Path) -> None:
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    python = tmp_path / ".venv" / "bin" / "python"
    python.write_text('#!/bin/sh\necho "$PYTHONPATH" "$@"\n')
    python.chmod(0o755)
    ask = (
        f". {ROOT}/scripts/environment.sh; write_command; write_command; PATH=.venv/bin:$PATH rebalancer status --json"
    )
    done = subprocess.run(
        ["sh", "-c", ask], cwd=tmp_path, env={"PATH": os.environ["PATH"]}, capture_output=True, text=True
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, f"{tmp_path} -m rebalancer status --json\n", "")
