"""The units as text: systemd takes every line, the timer fires when it should over both clock changes, and the unit of
a profile differs from the plain one in nothing but its names."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from itertools import permutations
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
UNITS = ROOT / "systemd"
pytestmark = pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not installed")


def analyze(tmp_path: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environ = os.environ | {"XDG_RUNTIME_DIR": str(tmp_path), "SYSTEMD_COLORS": "0", "TZ": "UTC"}
    return subprocess.run(["systemd-analyze", *words], env=environ, capture_output=True, text=True, timeout=600)


def filled(folder: Path) -> list[str]:
    """The units with their paths filled in."""
    for unit in UNITS.iterdir():
        text = unit.read_text().replace("@PROJECT@", str(ROOT)).replace("@PYTHON@", sys.executable)
        (folder / unit.name).write_text(text)
    return sorted(str(path) for path in folder.iterdir() if not path.name.startswith("paper-trading-alert@"))


def test_systemd_takes_every_line(tmp_path: Path) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    instances = []
    for path in filled(folder):
        if "@." in path:  # an instance is what can be checked
            instance = path.replace("@.", "@prop_firm.")
            shutil.copy(path, instance)
            instances.append(instance)
        else:
            instances.append(path)
    found = analyze(tmp_path, "verify", "--user", "--man=no", *instances)
    assert (found.returncode, found.stdout, found.stderr) == (0, "", "")


def test_a_misspelt_line_is_noticed_by_this_test(tmp_path: Path) -> None:
    folder = tmp_path / "units"
    folder.mkdir()
    filled(folder)
    unit = folder / "paper-trading-session.service"
    unit.write_text(unit.read_text().replace("ProtectSystem=strict", "ProtectSystem=strct"))
    assert "strct" in analyze(tmp_path, "verify", "--user", "--man=no", str(unit)).stderr


GOLDEN = {  # the first two of the timer's moments after each of these, UTC: both clock changes, a year's end, a weekend
    "2026-03-06 00:00:00 UTC": ["2026-03-06 14:25:00", "2026-03-09 13:25:00"],
    "2026-10-30 20:00:00 UTC": ["2026-11-02 14:25:00", "2026-11-03 14:25:00"],
    "2026-12-31 14:25:00 UTC": ["2027-01-01 14:25:00", "2027-01-04 14:25:00"],
    "2027-03-12 18:00:00 UTC": ["2027-03-15 13:25:00", "2027-03-16 13:25:00"],
    "2027-11-05 18:00:00 UTC": ["2027-11-08 14:25:00", "2027-11-09 14:25:00"],
}


@pytest.mark.parametrize("since", GOLDEN)
@pytest.mark.parametrize("name", ["paper-trading-session.timer", "paper-trading-session@.timer"])
def test_the_timer_fires_five_minutes_before_the_new_york_open(since: str, name: str, tmp_path: Path) -> None:
    lines = (UNITS / name).read_text().splitlines()
    (line,) = [line.removeprefix("OnCalendar=") for line in lines if line.startswith("OnCalendar=")]
    found = analyze(tmp_path, "calendar", "--iterations=2", f"--base-time={since}", line)
    assert found.returncode == 0, found.stderr
    times = [
        row.partition(": ")[2] for row in found.stdout.splitlines() if re.match(r" *(Next elapse|Iter\. #2):", row)
    ]
    assert [" ".join(row.split()[1:3]) for row in times] == GOLDEN[since]
    assert {"AccuracySec=1s", "Persistent=false"} <= set(lines)


@pytest.mark.parametrize(
    ("name", "own"),
    [
        ("paper-trading-session", ["EnvironmentFile", "ExecStartPre", "ExecStart"]),
        ("rebalancer-web", ["ExecStart"]),
        ("rebalancer-sources", ["ExecStart"]),
        ("rebalancer-drill", ["ExecStart"]),
    ],
)
def test_the_unit_of_a_profile_differs_in_its_names_only(name: str, own: list[str]) -> None:
    plain = (UNITS / f"{name}.service").read_text().splitlines()
    profile = (UNITS / f"{name}@.service").read_text().splitlines()
    ours = [line for line in plain if line not in profile and not line.startswith("#")]
    theirs = [line for line in profile if line not in plain and not line.startswith("#")]
    assert [line.partition("=")[0] for line in ours] == ["Description", *own]
    assert [line.partition("=")[0] for line in theirs] == ["Description", "Environment", *own]


def test_session_api_and_sources_do_not_wait_for_each_other() -> None:
    units = ("paper-trading-session", "rebalancer-web", "rebalancer-sources")
    for name, other in permutations(units, 2):
        for unit in UNITS.glob(f"{name}*"):
            lines = [line for line in unit.read_text().splitlines() if not line.startswith("#")]
            assert not [line for line in lines if other in line], unit


def test_whatever_opens_a_journal_reaches_a_database_over_the_network() -> None:
    for unit in (*UNITS.glob("paper-trading-session*.service"), *UNITS.glob("rebalancer-*.service")):
        (families,) = [line for line in unit.read_text().splitlines() if line.startswith("RestrictAddressFamilies=")]
        assert families == "RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX", unit


def test_what_switches_off_a_user_units_sandbox_is_not_in_ours() -> None:
    harmful = {
        "ProtectProc", "ProcSubset", "ProtectKernelTunables", "ProtectControlGroups", "PrivateIPC", "PrivateDevices",
        "ProtectKernelModules", "ProtectKernelLogs", "ProtectClock",
    }  # fmt: skip
    for unit in UNITS.glob("*.service"):
        lines = unit.read_text().splitlines()
        keys = [line.partition("=")[0] for line in lines]
        assert not harmful & set(keys), unit
        sandboxed = [key for key in keys if key.startswith(("Protect", "Private", "Restrict"))]
        assert sandboxed[0] == "PrivateUsers", unit
