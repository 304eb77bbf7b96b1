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


PYTHON = """#!/bin/sh
echo "python $*" >>"$HOME/log"
case "$*" in
  *kill*) exit 69 ;;
  *"sources list"*) echo xai ;;
esac
"""
SYSTEMCTL = """#!/bin/sh
echo "systemctl $*" >>"$HOME/log"
case "$*" in
  *REFUSED*) exit 1 ;;
  *show-environment*) exit 0 ;;
  *ActiveState*) echo inactive ;;
  *StatusText*) echo "the market is closed" ;;
esac
"""


def scripts_in(folder: Path, refused: str) -> dict[str, str]:
    """A project whose programs only write down what they are asked; systemd refuses what matches. Returns its
    environment."""
    for name in ("scripts", "systemd", "config"):
        shutil.copytree(ROOT / name, folder / name)
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for script in SCRIPTS:
        shutil.copy(ROOT / script, folder)
    for lock in ("requirements.txt", "requirements-web.txt"):
        shutil.copy(ROOT / lock, folder)
        text = subprocess.run(["cksum"], input=(ROOT / lock).read_bytes(), capture_output=True, check=True).stdout
        (folder / ".venv" / f"stamp-{lock}").write_bytes(text)
    stubs = {"python": PYTHON, "systemctl": SYSTEMCTL.replace("REFUSED", refused), "systemd-analyze": "#!/bin/sh\n",
             "loginctl": "#!/bin/sh\necho yes\n"}  # fmt: skip
    for name, text in stubs.items():
        (programs / name).write_text(text)
        (programs / name).chmod(0o755)
    return {"PATH": f"{programs}:{os.environ['PATH']}", "HOME": str(folder)}


def ran(folder: Path, environ: dict[str, str], script: str, *options: str) -> tuple[int, str, list[str]]:
    done = subprocess.run(
        [folder / script, *options], env=environ, capture_output=True, text=True, stdin=subprocess.DEVNULL, timeout=120
    )
    return done.returncode, done.stderr, (folder / "log").read_text().splitlines()


@pytest.mark.parametrize("refused", ["enable*rebalancer-sources", "start*rebalancer-sources", "enable*rebalancer-web"])
def test_what_stands_beside_trading_never_stops_its_start(refused: str, tmp_path: Path) -> None:
    environ = scripts_in(tmp_path, refused)
    code, said, log = ran(tmp_path, environ, "start_execution_trading.sh")
    assert "systemctl --user start --no-block paper-trading-session.service" in log, said
    assert (code, said.splitlines()[-1][:7]) == (0, "status:")


def test_a_flatten_that_fails_leaves_nothing_running_and_says_so(tmp_path: Path) -> None:
    environ = scripts_in(tmp_path, "nothing")
    ran(tmp_path, environ, "start_execution_trading.sh")
    code, said, log = ran(tmp_path, environ, "stop_execution_trading.sh", "--flatten")
    stopped = [line.rpartition(" ")[2] for line in log if line.startswith("systemctl --user stop ")]
    beside = ["rebalancer-web.service", "rebalancer-drill.timer", "rebalancer-sources.service"]
    assert stopped == ["paper-trading-session.service", *beside], said
    assert (code, log[-1]) == (69, "python -m rebalancer status")
