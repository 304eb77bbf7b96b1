"""A project folder and a state folder of its own for every test, and the command as a person types it."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from rebalancer.cli.main import main

ROOT = Path(__file__).parents[2]


class Said(NamedTuple):
    """What a command answered."""

    code: int
    out: str
    err: str


Command = Callable[..., Said]


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project with the shipped configuration, as the current folder; no key in the environment."""
    folder = tmp_path / "project"
    shutil.copytree(ROOT / "config", folder / "config")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    for name in ("STATE_DIRECTORY", "CONFIGURATION_DIRECTORY", "APCA_API_KEY_ID", "APCA_API_SECRET_KEY",
                 "APCA_API_BASE_URL", "APCA_API_DATA_URL", "FORCE_COLOR"):  # fmt: skip
        monkeypatch.delenv(name, raising=False)
    return folder


@pytest.fixture
def command(project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Command:
    """Run `rebalancer WORDS...` in this process."""

    def run(*words: str) -> Said:
        monkeypatch.setattr(sys, "argv", ["rebalancer", *words])
        monkeypatch.setattr(os, "nice", lambda _: 0)  # it would be the tests' own, for good
        with pytest.raises(SystemExit) as stop:
            main()
        captured = capsys.readouterr()
        assert isinstance(stop.value.code, int)
        return Said(int(stop.value.code), captured.out, captured.err)

    return run
