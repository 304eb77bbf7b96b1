"""Two hosts, one account: killed and paused at random, and afterwards the history is right by a program of its own."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from typing import Any

import pytest

from rebalancer.cli.drill_findings import DrilledSlot, findings
from rebalancer.journal.place import PostgresPlace
from rebalancer.journal.read_only import ReadOnlyJournal
from tests.desk.check_history import problems, read
from tests.support.postgres import shared_cluster

SCHEMA = "rebalancer_paper"
LISTS = (
    "sent_twice", "intents_with_two_orders", "not_in_journal", "slots_with_two_owners", "slots_of_another_holder",
    "slots_without_record", "wrong",
)  # fmt: skip


def drilled(name: str, slots: int, seed: int) -> tuple[str, dict[str, Any]]:
    """Drill on a database of this name, and assert that nothing is wrong: by the drill's own verdict, and by a program
    that reads the rows. Returns the database and the drill's document."""
    url = shared_cluster().database(name)
    command = [sys.executable, "-m", "rebalancer", "desk", "drill", "--url", url, "--slots", str(slots), "--seed"]
    done = subprocess.run([*command, str(seed), "--json"], capture_output=True, text=True)
    assert done.returncode == 0, f"{done.stdout}{done.stderr}"
    assert problems(*read(url, SCHEMA, None)) == []
    found = json.loads(done.stdout)
    assert {name: found[name] for name in LISTS} == {name: [] for name in LISTS}
    return url, found


def test_every_slot_trades_and_the_verdict_says_what_is_wrong() -> None:
    url, found = drilled("drill", 3, 3)
    assert [row["outcome"] for row in found["slots"]].count("COMPLETED") >= 1
    assert found["orders"] > 4
    place = PostgresPlace(url, SCHEMA)
    with closing(ReadOnlyJournal(place)) as journal:
        orders = [{"client_order_id": str(event.key)} for event in journal.events(kind="order_intended")]
    again = findings(
        place, [*orders, orders[0], {"client_order_id": "rb-foreign"}], [DrilledSlot("2026-11-20T20:00Z", ())]
    )
    assert again.wrong == [
        f"order stands twice at the exchange: {orders[0]['client_order_id']}",
        "order is not in the journal: rb-foreign",
        "slot has neither an owner nor a recorded miss: 2026-11-20T20:00Z",
    ]


@pytest.mark.campaign
@pytest.mark.parametrize("seed", range(3))
def test_nothing_is_wrong_after_many_slots_under_faults(seed: int) -> None:
    drilled(f"drill_{seed}", 40, seed)


def test_the_check_finds_what_is_wrong() -> None:
    rows = [(1, "t", "a", None, "lease", "2", '{"host":"x"}', "0" * 64, "0" * 64)]
    orders = [{"client_order_id": "rb-1"}] * 2
    assert problems(rows, orders) == [
        "row 1 does not follow row 0",
        "row 1: token 2 after 0",
        "order rb-1 stands 2 times at the exchange",
        "order rb-1 was never intended",
    ]
