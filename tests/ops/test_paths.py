from __future__ import annotations

import os
import pwd
from pathlib import Path

import pytest

from rebalancer.core.errors import ExternalError
from rebalancer.core.rules import Reporting, Rules
from rebalancer.ops import paths


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name in ("STATE_DIRECTORY", "XDG_STATE_HOME", "CONFIGURATION_DIRECTORY", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return tmp_path / "home"


def test_state_follows_systemd_then_xdg_then_home(tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert paths.state_directory() == home / ".local/state/rebalancer"
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "xdg"))
    assert paths.state_directory() == tmp_path / "xdg/rebalancer"
    monkeypatch.setenv("STATE_DIRECTORY", f"{tmp_path / 'unit'}:{tmp_path / 'other'}")
    assert paths.state_directory() == tmp_path / "unit"
    profile = paths.state_directory("paper-1")
    assert (profile, profile.stat().st_mode & 0o777) == (tmp_path / "unit/paper-1", 0o700)


def test_relative_variables_are_not_trusted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STATE_DIRECTORY", "here")
    monkeypatch.setenv("XDG_STATE_HOME", "there")
    assert paths.state_directory() == home / ".local/state/rebalancer"


def test_a_service_may_have_no_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HOME")
    assert paths.home_directory() == Path(pwd.getpwuid(os.geteuid()).pw_dir)


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "../x", "-x", "a" * 65, "ünter"])
def test_a_profile_is_a_plain_name(name: str) -> None:
    with pytest.raises(ValueError, match="is not a profile name"):
        paths.state_directory(name)


def test_a_state_folder_that_cannot_be_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("STATE_DIRECTORY", str(tmp_path / "file" / "below"))
    with pytest.raises(
        ExternalError, match=r"below: cannot be written: Not a directory \([0-9,.]+ MB are free\)\n  hint: "
    ):
        paths.state_directory()


def test_configuration_is_looked_for_in_the_project_first(
    tmp_path: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert paths.config_directories() == (home / ".config/rebalancer",)
    monkeypatch.setenv("CONFIGURATION_DIRECTORY", "/etc/rebalancer")
    wanted = (tmp_path / "config", Path("/etc/rebalancer"), home / ".config/rebalancer")
    assert paths.config_directories(tmp_path) == wanted


def test_the_project_is_the_nearest_folder_with_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "a/config").mkdir(parents=True)
    (tmp_path / "a/b/c").mkdir(parents=True)
    assert paths.project_root(tmp_path / "a/b/c") is None
    (tmp_path / "a/config/execution.yaml").touch()
    assert paths.project_root(tmp_path / "a/b/c") == (tmp_path / "a").resolve()


def test_reports_are_relative_to_the_project(tmp_path: Path) -> None:
    assert paths.reports_directory(Rules(), tmp_path) == tmp_path / "reports"
    elsewhere = Rules(reporting=Reporting(directory="/srv/pages"))
    assert paths.reports_directory(elsewhere, tmp_path) == Path("/srv/pages")
