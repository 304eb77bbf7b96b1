"""A whole day played by the real session: measured in the evening by its process, shown in status, page and JSON."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from rebalancer.journal import Journal
from rebalancer.journal.parity_row import PARITY, trading_costs_of_body
from tests.cli.conftest import ROOT, Command, command, project  # noqa: F401

DAY = "2026-11-20"
FEW = {"REBALANCER__EXECUTION__INTERVAL_MINUTES": "200", "REBALANCER__PROTECTION__POLL_SECONDS": "3600"}


def test_the_shadow_books_of_a_played_day_are_in_status_page_and_json(
    command: Command,  # noqa: F811
    project: Path,  # noqa: F811
    tmp_path: Path,
) -> None:
    (project / "small.yaml").write_text("position_sizing: {base_position_size: 0.02}\n")
    (project / "cost.yaml").write_text("position_sizing: {no_trade_band: {absolute: 0, relative: 0, width: cost}}\n")
    (project / "live.yaml").write_text("reporting: {shadow_books: [small.yaml, cost.yaml, gone.yaml]}\n")
    done = subprocess.run(
        [sys.executable, "-m", "rebalancer", "session", "--speed", "100000", "--day", DAY, "--config", "live.yaml"],
        cwd=project, env=os.environ | FEW | {"PYTHONPATH": str(ROOT)}, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    with Journal.open(tmp_path / "state" / "rebalancer" / "simulated" / "journal.sqlite") as journal:
        (event,) = journal.recall(journal.cycles()[0].account_id, PARITY)
    body = event.body
    assert (event.key, body["plans_equal"], body["unequal"]) == (DAY, body["cycles"], [])
    books = {book["name"]: book for book in body["shadow_books"]}
    assert list(books) == ["small", "cost"]
    assert all(book["cycles"] == body["cycles"] and book["orders"] > 0 for book in books.values())
    assert books["small"]["return"] != books["small"]["live_return"]
    assert [problem.partition(":")[0] for problem in body["shadow_problems"]] == ["shadow book gone"]
    costs = trading_costs_of_body(body)
    assert costs is not None
    assert (costs.as_of.isoformat(), costs.orders > 0, costs.usual > 0) == (DAY, True, True)

    (line,) = re.findall(r"^parity +(.*(?:\n {2,}.*)*)", command("status").out, re.MULTILINE)
    said = " ".join(line.split())
    assert said.startswith(f"{DAY}: {body['cycles']} of {body['cycles']} plans equal, live less model in bp: ")
    for name, book in books.items():
        assert f"{name} {book['return'] - book['live_return']:+.2%} beside live" in said
    page = (project / "reports" / "2026" / f"{DAY}_simulated_day.html").read_text()
    rows = dict(re.findall(r'<tr><th scope="row">(Shadow book \w+)</th><td class="w">([^<]*)</td>', page))
    assert list(rows) == ["Shadow book small", "Shadow book cost"]
    assert rows["Shadow book small"].endswith(f"; {books['small']['orders']} orders")
    told = json.loads(command("parity", "--config", "live.yaml", "--json").out)
    assert (told["shadow_books"], told["trading_costs"]) == (body["shadow_books"], body["trading_costs"])
