"""The rules of Prometheus and the dashboard of Grafana: checked by promtool where it is installed, and always against
the figures that the server really gives."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from rebalancer.web.metrics import MEDIA_TYPE
from tests.web.conftest import ROOT, Server

RULES = ROOT / "monitoring" / "prometheus-rules.yaml"
DASHBOARD = ROOT / "monitoring" / "grafana-dashboard.json"
NAME = re.compile(r"rebalancer_[a-z_]+")
ABSENT = {"rebalancer_next_cycle_timestamp_seconds"}  # only while a session runs
PROMTOOL = shutil.which("promtool")
needs_promtool = pytest.mark.skipif(PROMTOOL is None, reason="promtool is missing (Debian: apt install prometheus)")

SERIES = {
    "RebalancerNoCycle": ("rebalancer_next_cycle_timestamp_seconds", "0x20"),
    "RebalancerKillSwitch": ("rebalancer_kill_switch", "1x20"),
    "RebalancerUnknownOrder": ("rebalancer_orders_unknown", "2x20"),
    "RebalancerHalted": ('rebalancer_cycles_total{outcome="HALTED_DRAWDOWN"}', "0+1x20"),
    "RebalancerUnreadable": ("rebalancer_up", "0x20"),
}


def expressions() -> list[str]:
    rules = yaml.safe_load(RULES.read_text())["groups"][0]["rules"]
    panels = json.loads(DASHBOARD.read_text())["panels"]
    return [rule["expr"] for rule in rules] + [t["expr"] for panel in panels for t in panel["targets"]]


def test_every_figure_that_is_asked_for_is_given_and_documented(server: Server) -> None:
    answer = server.ask("GET", "/metrics")
    assert answer.headers["content-type"] == MEDIA_TYPE
    given = set(NAME.findall(answer.text)) | ABSENT
    asked = {name for text in expressions() for name in NAME.findall(text)}
    assert asked - given == set()
    page = (ROOT / "docs" / "reference" / "metrics.md").read_text()
    told = set(NAME.findall(page))
    families = {n for n in re.findall(r"# TYPE (rebalancer_\w+)", answer.text) if not n.endswith("_created")}
    assert {name for name in families if not {name, f"{name}_total"} & told} == set()


def test_the_dashboard_is_whole() -> None:
    dashboard = json.loads(DASHBOARD.read_text())
    panels: list[dict[str, Any]] = dashboard["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    places = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]
    assert len(set(places)) == len(places)
    assert max(x for x, _ in places) == 23
    assert all(panel["datasource"]["uid"] == "${datasource}" for panel in panels)


@needs_promtool
def test_the_figures_are_well_formed(server: Server) -> None:
    text = server.ask("GET", "/metrics").text
    done = subprocess.run([str(PROMTOOL), "check", "metrics"], input=text, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")


@needs_promtool
def test_the_rules_are_valid_and_fire(tmp_path: Path) -> None:
    done = subprocess.run([str(PROMTOOL), "check", "rules", str(RULES)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    tests = [
        {
            "interval": "1m",
            "input_series": [{"series": series, "values": values}],
            "promql_expr_test": [
                {"expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})', "eval_time": "15m",
                 "exp_samples": [{"labels": "{}", "value": 1}]},
            ],
        }
        for name, (series, values) in SERIES.items()
    ]  # fmt: skip
    calm = {
        "interval": "1m",
        "input_series": [
            {"series": "rebalancer_up", "values": "1x20"},
            {"series": "rebalancer_kill_switch", "values": "0x20"},
            {"series": "rebalancer_orders_unknown", "values": "0x20"},
            {"series": "rebalancer_session_running", "values": "1x20"},
            {"series": "rebalancer_next_cycle_timestamp_seconds", "values": "300+60x20"},
            {"series": "rebalancer_drift_ratio", "values": "0.01x20"},
            {"series": 'rebalancer_cycles_total{outcome="COMPLETED"}', "values": "0+1x20"},
        ],
        "promql_expr_test": [{"expr": "count(ALERTS)", "eval_time": "15m", "exp_samples": []}],
    }
    file = tmp_path / "test.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(RULES)], "tests": [*tests, calm]}))
    done = subprocess.run([str(PROMTOOL), "test", "rules", str(file)], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
