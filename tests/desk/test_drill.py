"""Two hosts, one account: killed and paused at random, and afterwards the history is right by a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

from tests.desk.check_history import problems, read
from tests.support.postgres import shared_cluster


def drilled(name: str, runs: int, seed: int) -> dict[str, object]:
    url = shared_cluster().database(name)
    command = [sys.executable, "-m", "rebalancer", "desk", "drill", "--url", url, "--runs", str(runs), "--seed"]
    done = subprocess.run([*command, str(seed), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert problems(*read(url, "rebalancer_paper", None)) == []
    found: dict[str, object] = json.loads(done.stdout)
    return found


def test_one_owner_and_no_order_twice() -> None:
    found = drilled("drill", 4, 3)
    assert (found["cycles_of_another_holder"], found["orders_twice"], found["orders_without_intent"]) == (0, 0, 0)
    assert {run["code"] for run in found["runs"]} <= {0, 4, 5, 69, 75, -9}  # type: ignore[attr-defined]


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(5))
def test_many_cycles_under_faults(seed: int) -> None:
    found = drilled(f"drill_{seed}", 40, seed)
    assert (found["owners_per_cycle_most"], found["cycles_of_another_holder"], found["orders_twice"]) == (1, 0, 0)


def test_the_check_finds_what_is_wrong() -> None:
    rows = [(1, "t", "a", None, "lease", "2", '{"host":"x"}', "0" * 64, "0" * 64)]
    orders = [{"client_order_id": "rb-1"}] * 2
    assert problems(rows, orders) == [
        "row 1 does not follow row 0",
        "row 1: token 2 after 0",
        "order rb-1 stands 2 times at the exchange",
        "order rb-1 was never intended",
    ]
