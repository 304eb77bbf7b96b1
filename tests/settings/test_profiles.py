"""Development or production, profiles with folders of their own, one account for one state folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from rebalancer.cli.options import taken
from rebalancer.core.documents import BadDocument
from rebalancer.core.errors import LockHeld
from rebalancer.execution.account_lock import account_lock
from rebalancer.session.setup import load_setup, refuse_unasked_exchange
from rebalancer.settings.live_trading import CommandLine
from rebalancer.settings.profile import environment_of

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("environ", "at_terminal", "name"),
    [
        ({}, False, "development"),
        ({"INVOCATION_ID": "1"}, False, "production"),
        ({"JOURNAL_STREAM": "1"}, False, "production"),
        ({"STATE_DIRECTORY": "/s"}, False, "production"),
        ({"INVOCATION_ID": "1"}, True, "development"),
        ({"INVOCATION_ID": "1", "REBALANCER_ENVIRONMENT": "development"}, False, "development"),
        ({"REBALANCER_ENVIRONMENT": "Production"}, True, "production"),
    ],
)
def test_what_is_said_beats_what_is_detected(environ: dict[str, str], at_terminal: bool, name: str) -> None:
    assert environment_of(environ, at_terminal).name == name


def test_an_unknown_environment_is_refused() -> None:
    with pytest.raises(BadDocument, match="write development or production"):
        environment_of({"REBALANCER_ENVIRONMENT": "prod"})


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    shutil.copytree(ROOT / "config", tmp_path / "config")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.delenv("STATE_DIRECTORY", raising=False)
    return tmp_path


def test_a_profile_has_rules_and_folders_of_its_own(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    plain = load_setup(None, {})
    monkeypatch.setenv("REBALANCER_PROFILE", "prop_firm")
    own = load_setup(None, {"REBALANCER_PROFILE": "prop_firm"})
    assert (plain.rules.risk_management.max_drawdown, own.rules.risk_management.max_drawdown) == (0.1, 0.02)
    base = project / "state" / "rebalancer"
    assert (plain.state, own.state) == (base / "simulated", base / "profiles" / "prop_firm" / "simulated")
    assert (own.reports, own.accounts) == (plain.reports / "prop_firm", plain.accounts)
    with pytest.raises(BadDocument, match="did you mean prop_firm"):
        load_setup(None, {"REBALANCER_PROFILE": "prop_frm"})


def test_production_asks_for_the_exchange_and_the_sample(project: Path) -> None:
    production = load_setup(None, {"REBALANCER_ENVIRONMENT": "production"})
    assert production.rules.signals.sample == "never"
    with pytest.raises(BadDocument, match="there is no key, and this is production"):
        refuse_unasked_exchange(production)
    asked = {"REBALANCER_ENVIRONMENT": "production", "REBALANCER__BROKER__KIND": "embedded"}
    refuse_unasked_exchange(load_setup(None, asked))
    refuse_unasked_exchange(load_setup(None, {}))


def test_one_account_is_traded_from_one_state_folder(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    with account_lock(tmp_path, "a", one):
        with account_lock(tmp_path, "a", one), account_lock(tmp_path, "b", other):
            pass
        with pytest.raises(LockHeld, match=f"another state folder: {one}"), account_lock(tmp_path, "a", other):
            pass
    with account_lock(tmp_path, "a", other):
        pass


def test_the_common_options_stand_anywhere() -> None:
    found = taken(
        ["--profile", "x", "run-now", "--live", "--environment=production", "--yes", "--json", "--", "--live"]
    )
    assert found.rest == ["run-now", "--json", "--", "--live"]
    assert found.variables == {"REBALANCER_PROFILE": "x", "REBALANCER_ENVIRONMENT": "production"}
    assert found.command_line == CommandLine(True, True)
    with pytest.raises(BadDocument, match="needs a value"):
        taken(["status", "--profile"])
