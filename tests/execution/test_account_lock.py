"""One account, two state folders, two real processes; and a lock whose holder was killed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from rebalancer.core.errors import LockHeld
from rebalancer.execution.account_lock import account_lock
from rebalancer.ops.paths import accounts_directory

HOLD = """
import sys
from pathlib import Path
from rebalancer.execution.account_lock import account_lock
from rebalancer.ops.paths import accounts_directory, state_directory
with account_lock(accounts_directory(), "a", state_directory()):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_two_state_folders_share_the_lock_and_a_killed_holder_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "one"))
    words = [sys.executable, "-c", HOLD]
    with subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "held\n"
        monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "two"))
        refused = pytest.raises(LockHeld, match=f"another state folder: {tmp_path / 'one'}")
        with refused, account_lock(accounts_directory(), "a", tmp_path / "two"):
            pass
        other.kill()
    with account_lock(accounts_directory(), "a", tmp_path / "two"):
        pass


def test_without_a_runtime_folder_it_is_below_the_state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "none"))
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path))
    monkeypatch.setattr("os.geteuid", lambda: 999_999_999)
    assert accounts_directory() == tmp_path / "accounts"
