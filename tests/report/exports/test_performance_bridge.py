"""`performance` shows where the money came from and went, once the day's books are closed."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from tests.cli.conftest import Command
from tests.report.exports.test_commands import traded
from tests.report.exports.test_end_of_day import listed


def test_the_bridge_is_on_the_screen_and_in_the_json(command: Command, project: Path) -> None:
    traded(command, project)
    open_day = command("performance")
    assert "no books of this period were closed yet" in " ".join(open_day.out.split())
    assert json.loads(command("performance", "--json").out)["bridge"] is None
    listed()
    bridge = json.loads(command("performance", "--json").out)["bridge"]
    assert (bridge["unexplained"], bridge["missing"], bridge["unpriced"]) == ("0", [], [])
    names = ("opening", "flows", "realised", "unrealised", "dividends", "fees", "interest", "other", "unexplained")
    assert sum((Decimal(bridge[name]) for name in names), Decimal(0)) == Decimal(bridge["closing"])
    trips = json.loads(command("performance", "--json").out)["trips"]
    gross = Decimal(trips["profit"]) + Decimal(trips["fees"])
    assert abs(Decimal(bridge["realised"]) - gross) <= Decimal("0.01")
    shown = command("performance").out
    closing = next(line for line in shown.splitlines() if line.strip().startswith("closing equity"))
    assert f"{Decimal(bridge['closing']):,.2f}" in closing
    assert "✔" in next(line for line in shown.splitlines() if "unexplained" in line)
