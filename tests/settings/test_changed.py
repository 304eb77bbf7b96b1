"""`config show --changed`: only what differs from the defaults, as YAML that loads to the same rules."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from rebalancer.settings.load import load_rules
from rebalancer.settings.show import changed_json, show_changed
from tests.settings.writing import load

TEXT = """\
execution: {schedule: daily 15:45, interval_minutes: 5}
position_sizing: {no_trade_band: {to: edge}, capital_scaling: 1, min_trade_size: 50}
risk_management: {sector_limits: {ON: 0.1}}
sectors_file: mine.csv
"""


def test_only_what_differs_is_shown_with_its_origin(tmp_path: Path) -> None:
    loaded = load(tmp_path, TEXT, {"REBALANCER__QUOTES__MAX_AGE_SECONDS": "60"})
    assert show_changed(loaded, origin=False).splitlines() == [
        "execution:",
        '  schedule: "daily 15:45"',
        "position_sizing:",
        "  capital_scaling: 1.0",
        "  min_trade_size: 50",
        "  no_trade_band:",
        "    to: edge",
        "risk_management:",
        "  sector_limits:",
        '    "ON": 0.1',
        "quotes:",
        "  max_age_seconds: 60.0",
        "sectors_file: mine.csv",
    ]
    told = show_changed(loaded, origin=True).splitlines()
    assert told[1].split("# ")[1] == f"{tmp_path / 'c.yaml'}:1"
    assert told[11].split("# ")[1] == "REBALANCER__QUOTES__MAX_AGE_SECONDS"
    changed = json.loads(changed_json(loaded))
    assert changed["schema"] == "rebalancer.config_changes/1"
    assert changed["changed"]["execution.schedule"] == {
        "value": "daily 15:45",
        "default": None,
        "origin": f"{tmp_path / 'c.yaml'}:1",
    }
    assert changed["changed"]["risk_management.sector_limits.ON"]["default"] is None
    assert len(changed["changed"]) == 7


@pytest.mark.parametrize("text", [TEXT, "execution: {mode: paper}\n", "quotes: {max_spread: 0.01}\n"])
def test_it_loads_to_the_same_rules(text: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, text)
    shown = show_changed(loaded, origin=True)
    again = tmp_path / "again.yaml"
    again.write_text(shown if yaml.safe_load(shown) else "execution: {mode: paper}\n")
    assert load_rules([again], {}).rules == loaded.rules


def test_nothing_changed_is_said(tmp_path: Path) -> None:
    loaded = load(tmp_path, "execution: {mode: paper}\n")
    assert show_changed(loaded, origin=True) == "# nothing is changed: the built-in defaults are in force\n"
    assert json.loads(changed_json(loaded))["changed"] == {}
