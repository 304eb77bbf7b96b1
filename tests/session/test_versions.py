"""Two versions on one machine: the older one stops before it sends anything."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

import rebalancer.session.execute
from rebalancer.cli.main import main
from tests.cli.conftest import ROOT


def ran(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], version: str) -> tuple[int, str, str]:
    monkeypatch.setattr(rebalancer.session.execute, "__version__", version)
    monkeypatch.setattr("sys.argv", ["rebalancer", "run-now", "--json"])
    with pytest.raises(SystemExit) as stop:
        main()
    told = capsys.readouterr()
    assert isinstance(stop.value.code, int)
    return stop.value.code, told.out, told.err


def test_an_older_version_does_not_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    for name in ("STATE_DIRECTORY", "APCA_API_KEY_ID", "APCA_API_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    journal = tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite"

    assert ran(monkeypatch, capsys, "0.10.0")[0] == 0
    code, out, err = ran(monkeypatch, capsys, "0.9.3")
    assert (code, out) == (78, "")
    assert err == (
        f"error: {journal}: its newest cycle was run by rebalancer 0.10.0, this is 0.9.3\n"
        "  hint: two versions are installed; start the newer one\n"
    )
    for version in ("0.10.0", "0.10.1", "a-fork"):
        code, out, _ = ran(monkeypatch, capsys, version)
        assert (code, json.loads(out)["outcome"]) == (0, "HOLDING")
