"""`doctor`: every check says ok where all is well, and can be made to say what is wrong."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from rebalancer.brokers.alpaca.broker import AlpacaBroker
from rebalancer.brokers.endpoints import Credentials, Endpoints
from rebalancer.cli.doctor import run_doctor
from rebalancer.core.errors import BrokerUnavailable, CredentialsRefused, WrongAccount
from rebalancer.core.rules import Rules
from rebalancer.execution.kill_switch import write_halt
from rebalancer.journal import Journal
from rebalancer.session import doctor
from rebalancer.session.doctor import CheckResult, here
from rebalancer.session.setup import Setup, load_setup
from tests.support.rig import Rig, rules

pytestmark = pytest.mark.filterwarnings("ignore:Series.dt.weekday")


@pytest.fixture
def setup(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Setup:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("REBALANCER__REPORTING__DIRECTORY", str(tmp_path / "reports"))
    return load_setup(None)


def no_systemd(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
    raise FileNotFoundError("systemctl")


def asked(state: str, code: int = 0) -> Any:
    def run(*_: Any, **__: Any) -> subprocess.CompletedProcess[str]:
        text = f"ActiveState={state}\nNextElapseUSecRealtime=Mon 2026-11-23 09:25:00 EST\n"
        return subprocess.CompletedProcess([], code, text, "")

    return run


def told(setup: Setup, run: Any = no_systemd) -> dict[str, CheckResult]:
    return {one.what: one for one in doctor.check_here(setup, run)}


def test_a_fresh_machine_is_well_but_for_its_timer(setup: Setup) -> None:
    found = told(setup)
    assert {what: one.level for what, one in found.items()} == {
        "Python": "ok", "packages": "ok", "environment": "ok", "configuration": "ok",
        "state folder": "ok", "report folder": "ok",
        "journal": "ok", "kill switch": "ok", "limit self-test": "ok", "alert channel": "warn",
        "timer": "warn",
    }  # fmt: skip
    assert found["journal"].found == "none yet"


@pytest.mark.parametrize(("run", "level"), [(no_systemd, "warn"), (asked("inactive"), "warn"), (asked("active"), "ok")])
def test_the_timer(setup: Setup, run: Any, level: str) -> None:
    assert told(setup, run)["timer"].level == level


def test_what_is_wrong_here_is_told_with_its_fix(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    write_halt(setup.state, "enough")
    setup.state.chmod(0o755)
    with Journal.open(setup.journal):
        pass
    with setup.journal.open("r+b") as file:
        file.seek(0)
        file.write(b"not a database at all")
    monkeypatch.setattr(here, "PACKAGES", ("alpaca-py", "a-package-that-nobody-has"))
    found = told(setup)
    assert (found["kill switch"].level, found["kill switch"].found) == ("warn", "set: enough")
    assert (found["state folder"].level, found["state folder"].fix) == ("warn", f"chmod 700 {setup.state}")
    assert found["journal"].level == "fail"
    assert found["packages"].found == "missing: a-package-that-nobody-has"


def test_warnings_of_the_configuration_are_told(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("REBALANCER__POSITION_SIZING__NO_TRADE_BAND__WIDTH", "cost")
    monkeypatch.setenv("REBALANCER__REPORTING__PARITY", "false")
    bad = load_setup(None)
    (costs,) = bad.loaded.warnings
    assert costs.startswith("position_sizing.no_trade_band.width: cost has no effect on trading while")
    assert [one[:4] for one in doctor.check_here(bad, no_systemd) if one.what == "configuration"] == [
        ("warn", "configuration", costs, "see config/execution.yaml"),
        ("ok", "configuration", "simulated, rules read, no unknown key", ""),
    ]


def test_no_room_and_no_right_to_write(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(here, "FREE_BYTES_MIN", 10**30)
    assert told(setup)["report folder"].level == "fail"
    blocked = setup._replace(state=Path("/proc/nothing-can-be-made-here"))
    assert "cannot be written" in told(blocked)["state folder"].found


def test_a_file_of_keys_that_others_can_read(setup: Setup, tmp_path: Path) -> None:
    path = tmp_path / ".config" / "paper-trading.env"
    path.parent.mkdir()
    path.write_text("APCA_API_KEY_ID=x\n")
    path.chmod(0o644)
    one = told(setup)["secrets"]
    assert (one.level, one.fix, one.exit_code) == ("fail", f"chmod 600 {path}", 78)
    path.chmod(0o600)
    assert told(setup)["secrets"].level == "ok"


def test_a_limit_that_does_not_hold(setup: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    real = here.limit_selftest

    def broken(rules: Rules) -> Any:
        first, *rest = real(rules)
        return (first._replace(refused=False), *rest)

    monkeypatch.setattr(here, "limit_selftest", broken)
    one = told(setup)["limit self-test"]
    assert one.level == "fail"
    assert one.found.startswith("1 of ")


def test_orders_without_an_end_and_latched_limits(setup: Setup, tmp_path: Path) -> None:
    with Rig(setup.state, state=tmp_path / "exchange.sqlite") as rig:
        rig.run({"KO": 1.0}, rules(), faults={"submit": lambda real, order: (real(order), None)[1] or _lost()})
        process = rig.process()
        now = process.world.broker.now()
        process.journal.record_event(rig.account_id, None, now, "latched", "drawdown", {"because": "lost"})
        rig.end()
        found = list(doctor.check_here(setup, no_systemd))
    assert ("limits", "drawdown is latched") in [(one.what, one.found) for one in found]


def _lost() -> Any:
    from rebalancer.brokers.protocol import SendResult

    return SendResult("unknown", None, "timeout", "no answer")


@pytest.fixture
def rig(tmp_path: Path) -> Iterator[Rig]:
    with Rig(tmp_path / "rig") as rig:
        yield rig


def test_the_broker_is_asked(setup: Setup, rig: Rig) -> None:
    broker = AlpacaBroker(Credentials("k", "s"), Endpoints(rig.url), setup.rules.broker)
    found = list(doctor.check_there(setup, broker, broker.now()))
    broker.close()
    assert [(one.what, one.level) for one in found] == [
        ("account", "ok"), ("clock", "ok"), ("calendar", "ok"), ("prices", "ok"),
    ]  # fmt: skip


class Failing:
    """A broker that answers its first question with an error."""

    def __init__(self, error: Exception) -> None:
        self._error = error

    def account(self) -> Any:
        raise self._error


ERRORS = [
    (CredentialsRefused("no"), "login", 77),
    (WrongAccount("no"), "account", 77),
    (BrokerUnavailable("no"), "broker", 69),
]


@pytest.mark.parametrize(("error", "what", "code"), ERRORS)
def test_a_broker_that_refuses_or_is_silent(setup: Setup, error: Exception, what: str, code: int) -> None:
    broker: Any = Failing(error)
    (one,) = doctor.check_there(setup, broker, None)  # type: ignore[arg-type]  # the time is not asked for
    assert (one.what, one.level, one.exit_code) == (what, "fail", code)


def test_the_command_and_its_exit_code(setup: Setup, capsys: pytest.CaptureFixture[str]) -> None:
    assert run_doctor(None, offline=True, sandbox=False, as_json=True, colour=False) == 0
    document = json.loads(capsys.readouterr().out)
    assert document["schema"] == "rebalancer.doctor/1"
    assert {row["what"] for row in document["checks"]} >= {"journal", "limit self-test"}
    write_halt(setup.state, "enough")
    assert run_doctor(None, offline=True, sandbox=False, as_json=False, colour=False) == 0
    assert "! kill switch: set: enough\n    → rebalancer resume" in capsys.readouterr().out
