"""`explain`: votes and weights that give the plan's own consensus, the checks, the protection, the last orders."""

from __future__ import annotations

import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Command

VOTES = "symbol,score,confidence,source\nKO,0.8,0.9,trend\nKO,0.2,0.6,value\nKO,0.5,0.1,timid\nXOM,0.4,0.9,trend\n"


@pytest.fixture
def voted(command: Command, project: Path) -> Command:
    """Three sources with weights, one of them not sure enough to count, and a run."""
    (project / "signals").mkdir()
    (project / "signals" / "mine.csv").write_text(VOTES)
    (project / "config" / "more.yaml").write_text(
        "signals:\n  min_confidence: 0.2\n  source_weights: {trend: 3, value: 1}\n"
    )
    done = command("run-now", "--config", "config/execution.yaml", "--config", "config/more.yaml")
    assert done.code in (0, 4), done.err
    return command


def link(text: str, title: str) -> list[str]:
    """The texts of all links with this title."""
    return [line[12:] for line in text.splitlines() if line.startswith(f"  {title:<9} ")]


def test_votes_and_weights_give_the_plans_consensus(voted: Command) -> None:
    (said,) = link(voted("explain", "KO").out, "consensus")
    assert said == "trend +0.80 × confidence 0.90 × weight 0.75 + value +0.20 × confidence 0.60 × weight 0.25 = +0.57"
    chain = json.loads(voted("explain", "KO", "--json").out)
    assert chain["source_weights"] == {"trend": 3, "value": 1}
    assert chain["target"]["score"] * chain["target"]["confidence"] == pytest.approx(0.57)


def test_checks_name_what_was_looked_at(voted: Command) -> None:
    (said,) = link(voted("explain", "KO").out, "checks")
    known = re.sub(r"[\d.,]+ (m?s|min) old|\$[\d,.]+ of", "#", said)
    assert known == (
        "✔ tradable · ✔ fractions of 1 · ✔ price # · ✔ # at least $100.00 · ✔ no open order · "
        "✔ position as expected · ✔ orders today 0 of 10 · ✔ account free to trade"
    ).replace("✔ fractions of 1", "– whole shares")


def test_the_last_orders_stand_with_their_ids_and_ends(voted: Command, tmp_path: Path) -> None:
    (said,) = link(voted("explain", "KO").out, "past")
    exchange = f"file:{tmp_path}/state/rebalancer/simulated/exchange.sqlite?mode=ro"
    with closing(sqlite3.connect(exchange, uri=True)) as base:
        ids = {row[0] for row in base.execute("SELECT client_order_id FROM orders WHERE client_order_id LIKE 'rb-%'")}
    ours = said.rpartition("  ")[2]
    assert ours in ids
    assert "buy " in said
    assert "✔ filled" in said
    (order,) = json.loads(voted("explain", "KO", "--json").out)["last_orders"]
    assert (order["client_order_id"], order["state"]) == (ours, "FILLED")
    (exits,) = link(voted("explain", "KO").out, "exits")
    assert exits.startswith("watched by this program while a session runs: stop 3.0 % against the entry price")


def test_a_symbol_that_nobody_spoke_of_gets_one_sentence(voted: Command) -> None:
    said = voted("explain", "NOPE").out
    assert said.startswith("NOPE: no signal, no position and no order in cycle ")
    assert said.count("\n") == 1
