"""`plan --save` and `run-now --plan`: what was agreed is carried out, and nothing else."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.cli.conftest import Command
from tests.cli.test_selection import SIGNALS


@pytest.fixture
def saved(project: Path, command: Command) -> dict[str, Any]:
    (project / "signals").mkdir()
    (project / "signals" / "mine.csv").write_text(SIGNALS)
    assert command("plan", "--only", "AAPL,MSFT", "--save", "p.json").code == 0
    plan: dict[str, Any] = json.loads(Path("p.json").read_text())
    assert plan["schema"] == "rebalancer.plan/1"
    assert {order["symbol"] for order in plan["orders"]} == {"AAPL", "MSFT"}
    return plan


def run(command: Command, plan: dict[str, Any], *words: str) -> tuple[int, str, str]:
    Path("p.json").write_text(json.dumps(plan))
    return command("run-now", "--only", "AAPL,MSFT", "--plan", "p.json", *words)


def test_what_was_agreed_is_carried_out_and_replays(command: Command, saved: dict[str, Any]) -> None:
    agreed = {order["symbol"]: Decimal(order["qty"]) for order in saved["orders"]}
    code, out, _ = run(command, saved, "--json")
    sent = {order["symbol"]: Decimal(order["planned_qty"]) for order in json.loads(out)["orders"]}
    assert code in (0, 4)
    assert set(sent) == set(agreed)
    assert all(sent[symbol] <= agreed[symbol] for symbol in agreed)
    assert command("replay", "--all") == (0, "", "")


def test_an_order_is_cut_to_the_agreed_quantity(command: Command, saved: dict[str, Any]) -> None:
    first = saved["orders"][0]
    first["qty"] = str(Decimal(first["qty"]) - 1)
    code, out, err = run(command, saved, "--json", "--tolerance", "10%")
    assert code in (0, 4), err
    sent = {order["symbol"]: order["planned_qty"] for order in json.loads(out)["orders"]}
    assert sent[first["symbol"]] == first["qty"]
    assert command("replay", "--all") == (0, "", "")


@pytest.mark.parametrize(
    ("field", "factor", "difference"),
    [("price", "1.05", "was agreed, now"), ("qty", "2", "was agreed, now"), ("qty", "0.5", "was agreed, now")],
)
def test_what_has_moved_is_refused_and_nothing_is_sent(
    command: Command, saved: dict[str, Any], field: str, factor: str, difference: str
) -> None:
    before = command("history", "--json").out
    saved["orders"][0][field] = str(Decimal(saved["orders"][0][field]) * Decimal(factor))
    code, out, err = run(command, saved, "--json")
    document = json.loads(out)
    assert (code, document["schema"], len(document["differences"])) == (5, "rebalancer.disagreement/1", 1)
    assert difference in document["differences"][0]
    assert "nothing was sent" in err
    assert command("history", "--json").out == before


def test_another_signal_is_refused(command: Command, saved: dict[str, Any], project: Path) -> None:
    (project / "signals" / "mine.csv").write_text(SIGNALS.replace("AAPL,buy", "AAPL,sell"))
    code, _, err = run(command, saved)
    assert code == 5
    assert "AAPL: buy (increase)" in err


def test_a_plan_of_another_account_is_refused(command: Command, saved: dict[str, Any]) -> None:
    for order in saved["orders"]:
        order["client_order_id"] = order["client_order_id"][:-12] + "0123456789ab"
    code, _, err = run(command, saved)
    assert code == 5
    assert "another account" in err


def test_a_damaged_file_is_one_error(command: Command, saved: dict[str, Any]) -> None:
    text = json.dumps(saved)
    Path("p.json").write_text(text[: len(text) // 2])
    said = command("run-now", "--plan", "p.json")
    assert (said.code, said.out) == (78, "")
    assert said.err.startswith("error: p.json:")
    assert command("run-now", "--tolerance", "2%").code == 78
    assert command("run-now", "--plan", "none.json").code == 78
