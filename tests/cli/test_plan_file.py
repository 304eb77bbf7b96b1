"""`plan --snapshot`: the documented interface of the kernel, and what it says of bad input."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tests.cli.contract import SNAPSHOT


def test_the_documented_snapshot_gives_this_plan(command: Command) -> None:
    Path("s.json").write_text(SNAPSHOT)
    said = command("plan", "--snapshot", "s.json", "--config", "config/execution.yaml", "--json")
    plan = json.loads(said.out)
    assert (said.code, said.err) == (0, "")
    assert list(plan)[:8] == [
        "schema", "cycle_id", "snapshot_sha256", "rules_sha256", "outcome", "because", "capital", "targets",
    ]  # fmt: skip
    assert (plan["schema"], plan["outcome"], plan["capital"]) == ("rebalancer.plan/1", "COMPLETED", "200000")
    assert [(t["symbol"], t["qty"], t["factors"]) for t in plan["targets"]] == [("AAPL", "81", {})]
    assert plan["orders"] == [
        {
            "client_order_id": plan["orders"][0]["client_order_id"],
            "phase": "increase",
            "symbol": "AAPL",
            "side": "buy",
            "qty": "52",
            "notional": "9880",
            "type": "market",
            "limit_price": None,
            "time_in_force": "day",
            "position_intent": "buy_to_open",
            "price": "190",
            "reserve": "10127.533",
            "drift": pytest.approx(0.0628928571),
            "because": "1.42 -> 7.71 %: below target; score +0.80 x confidence 0.90; "
            "52 of 66 shares now, the rest later",
        }
    ]
    assert [(v["signal_id"], v["outcome"]) for v in plan["verdicts"]] == [("s-1", "PLANNED")]
    assert command("plan", "--snapshot", "s.json", "--config", "config/execution.yaml", "--json").out == said.out


def test_planning_a_file_touches_nothing_else(command: Command, tmp_path: Path) -> None:
    Path("s.json").write_text(SNAPSHOT)
    before = sorted(p for p in tmp_path.rglob("*"))
    assert command("plan", "--snapshot", "s.json", "--json").code == 0
    assert sorted(p for p in tmp_path.rglob("*")) == before


def test_exit_code_3_says_that_trades_are_due(command: Command) -> None:
    Path("s.json").write_text(SNAPSHOT)
    assert command("plan", "--snapshot", "s.json", "--exit-code").code == 3
    Path("flat.json").write_text(SNAPSHOT.replace('"score":0.8', '"score":0.0').replace('"qty":"10"', '"qty":"0"'))
    assert command("plan", "--snapshot", "flat.json", "--exit-code").code == 0


@pytest.mark.parametrize(
    ("text", "error"),
    [
        (SNAPSHOT.replace('"qty":"10","qty_a', '"qty":"ten","qty_a'), "s.json:5: positions[0].qty: "),
        (SNAPSHOT.replace('"equity":"100000"', '"equity":"NaN"'), "s.json:3: account.equity: "),
        (SNAPSHOT.replace('"equity":"100000"', '"equity":"1e400"'), "s.json:3: account.equity: 1E+400 is absurd"),
        (SNAPSHOT.replace('"score":0.8', '"score":NaN'), "s.json:10: NaN is not a number"),
        (SNAPSHOT.replace('"score":0.8', '"score":0.8,"score":0.9'), "s.json:10: score: appears twice"),
        (SNAPSHOT.replace('"score"', '"scor"'), "s.json:10: signals[0]"),
        (SNAPSHOT.replace('"side":"buy"', '"side":"hold"'), "s.json:6: open_orders[0].side: "),
        (SNAPSHOT.replace("15:35:02Z", "15:35:02"), "s.json:1: as_of: 2026-11-20T15:35:02 has no time zone"),
        (SNAPSHOT.replace("rebalancer.snapshot/1", "rebalancer.snapshot/9"), "s.json:1: schema: "),
        (SNAPSHOT[:400], "s.json:"),
        ("", "s.json:1: is empty"),
        ("[" * 100_000, "s.json: is nested too deeply"),
        ('[{"a":1,"a":2}, ', "s.json:1: a: appears twice"),
        ('{"a": ' + "9" * 5000 + "}", "s.json: Exceeds the limit"),
    ],
)  # fmt: skip
def test_a_bad_snapshot_is_one_error_with_its_place(command: Command, text: str, error: str) -> None:
    Path("s.json").write_text(text)
    said = command("plan", "--snapshot", "s.json", "--json")
    assert (said.code, said.out) == (78, "")
    assert said.err.startswith(f"error: {error}")


@pytest.mark.parametrize("length", range(0, len(SNAPSHOT) - 2, 37))
def test_every_cut_of_a_snapshot_is_refused(command: Command, length: int) -> None:
    Path("s.json").write_text(SNAPSHOT[:length])
    assert command("plan", "--snapshot", "s.json", "--json").code == 78


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("execution: {mod: paper}\n", "c.yaml:1: execution.mod: unknown key\n  hint: did you mean 'mode'?"),
        (
            "execution:\n  enabled: true\n  enabled: false\n",
            "c.yaml:3: execution.enabled: appears twice, first in line 2",
        ),
        ("execution: {signal_threshold: 1.5}\n", "c.yaml:1: execution.signal_threshold: "),
    ],
)
def test_a_bad_configuration_is_one_error_with_its_place(command: Command, text: str, error: str) -> None:
    Path("s.json").write_text(SNAPSHOT)
    Path("c.yaml").write_text(text)
    said = command("plan", "--snapshot", "s.json", "--config", "c.yaml", "--json")
    assert (said.code, said.out) == (78, "")
    assert said.err.startswith(f"error: {error}")
